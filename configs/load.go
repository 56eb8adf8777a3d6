package configs

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// envPrefix begins the variables that set keys.
const envPrefix = "PAXOSD_"

// Input is where a configuration comes from. Whatever is absent is skipped.
type Input struct {
	Path        string     // name of the YAML file, for messages too
	File        []byte     // its content; nil: none
	Environment []string   // "NAME=value" pairs, as os.Environ has them
	Overrides   []Override // from the command line, in order
}

// Override is one key set on the command line.
type Override struct {
	Key   string
	Value string // lists with commas
	Flag  string // for messages: "--http"
}

// ReadFile reads the configuration file at path (none if empty), applies the environment and the overrides, and
// validates nothing: call Validate for the roles that are to run.
func ReadFile(path string, environment []string, overrides []Override) (*Config, error) {
	in := Input{Path: path, Environment: environment, Overrides: overrides}
	if path != "" {
		text, err := readBounded(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		in.File = text
	}
	return Load(in)
}

// readBounded reads at most one byte more than Load accepts, so that a wrong path cannot fill the memory.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// Load makes a Config of its sources and derives what follows from others. The error is a Problems with everything that
// could not be read. It does not validate.
func Load(in Input) (*Config, error) {
	c := Default()
	c.path = in.Path
	l := newLoader(c)
	l.file(in.Path, in.File)
	l.environment(in.Environment)
	l.overrides(in.Overrides)
	if err := l.problems.orNil(); err != nil {
		return nil, err
	}
	c.derive()
	return c, nil
}

// loader sets fields and remembers what set them.
type loader struct {
	c        *Config
	fields   []field
	byKey    map[string]*field
	keys     []string
	problems Problems
}

func newLoader(c *Config) *loader {
	l := &loader{c: c, fields: fields(c), byKey: make(map[string]*field)}
	for i := range l.fields {
		f := &l.fields[i]
		l.byKey[f.key] = f
		l.keys = append(l.keys, f.key)
	}
	return l
}

func (l *loader) set(f *field, words []string, src Source) {
	if err := f.kind.set(words); err != nil {
		l.add(&Problem{Key: f.key, Source: src, Text: err.Error(), Do: "want " + f.kind.want()})
		return
	}
	l.c.sources[f.key] = src
}

func (l *loader) add(p *Problem) { l.problems = append(l.problems, p) }

func (l *loader) file(path string, text []byte) {
	if text == nil {
		return
	}
	r := fileReader{name: path, byKey: l.byKey, keys: l.keys, seen: make(map[string]Source), set: l.set}
	r.read(text)
	l.problems = append(l.problems, r.problems...)
}

// environment applies the variables in the order of their names, so that messages do not depend on the caller's order.
func (l *loader) environment(pairs []string) {
	byName := make(map[string]*field, len(l.fields))
	names := make([]string, 0, len(l.fields))
	for i := range l.fields {
		name := Environment(l.fields[i].key)
		byName[name] = &l.fields[i]
		names = append(names, name)
	}
	for _, pair := range slices.Sorted(slices.Values(pairs)) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) || foreignVariable(name) {
			continue
		}
		src := Source{Kind: SourceEnvironment, Name: name}
		f, known := byName[name]
		if !known {
			l.add(&Problem{Source: src, Text: "no key has this variable", Do: suggestVariable(name, names)})
			continue
		}
		l.set(f, split(f, value), src)
	}
}

func suggestVariable(name string, names []string) string {
	if best := nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	return "unset it"
}

// foreignVariable reports variables of our prefix that set no key: those of the client commands, and what Kubernetes
// gives to every container beside a service called paxosd or paxosd-something.
func foreignVariable(name string) bool {
	switch name {
	case "PAXOSD_CONFIG", "PAXOSD_INBOX_PREFIX", "PAXOSD_TIMEOUT", "PAXOSD_LOG":
		return true
	}
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

func (l *loader) overrides(os []Override) {
	for _, o := range os {
		src := Source{Kind: SourceFlag, Name: o.Flag}
		f, known := l.byKey[o.Key]
		if !known {
			do := "example.yaml lists all keys"
			if best := nearest(o.Key, l.keys); best != "" {
				do = "did you mean " + best + "?"
			}
			l.add(&Problem{Key: o.Key, Source: src, Text: "unknown key", Do: do})
			continue
		}
		l.set(f, split(f, o.Value), src)
	}
}

// split makes the words of a field of one text: a list is separated by commas, and an empty text is an empty list.
func split(f *field, text string) []string {
	if !f.kind.list() {
		return []string{text}
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	words := strings.Split(text, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return words
}
