package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// Validate checks that this configuration can run the given roles: those of one command, or, with none given, all whose
// sections it has ('paxosd node'). Sections of roles that do not run are checked, too. The error is a Problems.
func (c *Config) Validate(roles ...paxos.Role) error {
	v := checker{c: c}
	v.identity()
	v.roles(roles)
	v.lists()
	v.quorum()
	v.folders()
	v.broker()
	v.times()
	v.sizes()
	v.service()
	return v.problems.orNil()
}

// checker gathers what is wrong.
type checker struct {
	c        *Config
	problems Problems
}

// bad notes a problem of the value of key. Of a default, the file that does not set it is to blame, if there is one.
func (v *checker) bad(key, do, format string, args ...any) {
	src := v.c.sources[key]
	if src.Kind == SourceDefault && v.c.path != "" {
		src = Source{Kind: SourceFile, Name: v.c.path}
	}
	v.problems = append(v.problems, &Problem{Key: key, Source: src, Text: fmt.Sprintf(format, args...), Do: do})
}

const nameForm = "letters, digits, '-' and '_', at most 64, beginning with a letter or digit"

func (v *checker) name(key, name string) bool {
	if paxos.ValidName(name) {
		return true
	}
	v.bad(key, "use "+nameForm, "%q is no valid name", name)
	return false
}

func (v *checker) identity() {
	v.name("cluster", v.c.Cluster)
	v.prefix()
	if v.c.Node != "" {
		v.name("node", v.c.Node)
	}
}

// prefix checks the first tokens of every subject: they are names, so that a subject's other tokens keep their places.
func (v *checker) prefix() {
	tokens := strings.Split(v.c.Prefix, ".")
	if len(tokens) > maxPrefixTokens {
		v.bad("prefix", "use paxos", "%q has more than %d tokens", v.c.Prefix, maxPrefixTokens)
	}
	for _, t := range tokens {
		if !v.name("prefix", t) {
			return
		}
	}
}

// maxPrefixTokens bounds the prefix: subjects are parsed for every message.
const maxPrefixTokens = 8

// subject checks that a text is one or more whole tokens of a subject.
func (v *checker) subject(key, s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || strings.ContainsAny(token, " \t\r\n*>") || strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
			v.bad(key, "use tokens of printable letters, separated by single dots", "%q is no subject prefix", s)
			return false
		}
	}
	return true
}

// roleSection says where a role's keys are.
type roleSection struct {
	role paxos.Role
	key  string // of the name
	list string // key of the cluster's list that must have it
}

func roleSections() []roleSection {
	return []roleSection{
		{paxos.RoleAcceptor, "acceptor.name", "acceptors"},
		{paxos.RoleLearner, "learner.name", "learners"},
		{paxos.RoleProposer, "proposer.name", "proposers"},
	}
}

// roles checks that the roles to run are there, and that each is one of the cluster's.
func (v *checker) roles(want []paxos.Role) {
	for _, s := range roleSections() {
		name := v.c.Name(s.role)
		if name == "" {
			v.absentRole(s, slices.Contains(want, s.role))
			continue
		}
		if list := v.list(s.list); v.name(s.key, name) && len(list) > 0 && !slices.Contains(list, name) {
			v.bad(s.key, "add it to "+s.list+", in every file of the cluster", "%q is not one of %s", name, s.list)
		}
	}
	if len(want) == 0 && len(v.c.Roles()) == 0 {
		v.bad("", "add a section acceptor, learner or proposer", "the configuration has no role to run")
	}
	if l := &v.c.Learner; l.Name != "" && v.c.given("learner.keeper") && l.Keeper != slices.Contains(v.c.Keepers, l.Name) {
		v.bad("learner.keeper", "make the two agree, or remove learner.keeper", "is %t, but keepers says otherwise of %q", l.Keeper, l.Name)
	}
}

// absentRole complains of a role that shall run, or whose section has other keys.
func (v *checker) absentRole(s roleSection, wanted bool) {
	section, _, _ := strings.Cut(s.key, ".")
	if wanted {
		v.bad(s.key, "set it to one of "+s.list, "missing")
		return
	}
	for _, f := range fields(v.c) {
		if f.section() == section && f.key != s.key && v.c.given(f.key) {
			v.problems = append(v.problems, &Problem{
				Key: s.key, Source: v.c.sources[f.key],
				Text: "missing beside " + f.key, Do: "set it, or remove the section",
			})
			return
		}
	}
}

func (v *checker) list(key string) []string {
	switch key {
	case "acceptors":
		return v.c.Acceptors
	case "proposers":
		return v.c.Proposers
	case "learners":
		return v.c.Learners
	case "keepers":
		return v.c.Keepers
	default:
		return nil
	}
}

// lists checks the cluster's names: valid, and each borne by one process only, because permissions and votes go by name.
func (v *checker) lists() {
	bearer := make(map[string]string)
	for _, key := range []string{"acceptors", "proposers", "learners"} {
		if len(v.list(key)) == 0 && (key != "learners" || v.c.given("learners")) {
			v.bad(key, "list the cluster's "+key+", the same in every file", "empty")
		}
		for _, name := range v.list(key) {
			v.member(key, name, bearer)
		}
	}
	v.keepers()
	v.logs()
}

func (v *checker) member(key, name string, bearer map[string]string) {
	if !v.name(key, name) {
		return
	}
	other, taken := bearer[name]
	switch {
	case !taken:
		bearer[name] = key
	case other == key:
		v.bad(key, "name each once", "%q is there twice", name)
	case key == "learners" && !v.c.given("learners"):
		v.bad("keepers", "give every process of the cluster a name of its own", "%q is in %s, too", name, other)
	default:
		v.bad(key, "give every process of the cluster a name of its own", "%q is in %s, too", name, other)
	}
}

func (v *checker) keepers() {
	if len(v.c.Keepers) == 0 {
		v.bad("keepers", "list the learners whose copies count, the same in every file", "empty")
	}
	for i, name := range v.c.Keepers {
		if slices.Contains(v.c.Keepers[:i], name) {
			v.bad("keepers", "name each once", "%q is there twice", name)
		}
		if !slices.Contains(v.c.Learners, name) {
			v.bad("keepers", "add it to learners", "%q is no learner", name)
		}
	}
}

func (v *checker) logs() {
	for i, name := range v.c.Logs {
		if v.name("logs", name) && slices.Contains(v.c.Logs[:i], name) {
			v.bad("logs", "name each once", "%q is there twice", name)
		}
	}
	if v.c.Proposer.Found && len(v.c.Logs) == 0 {
		v.bad("logs", "name a log, or set proposer.found to false", "empty, so that there is nothing to found")
	}
}
