package configs

import (
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the command line's part of a configuration: a flag for each key that is often set there, and
// --set KEY=VALUE for all the others.
type Flags struct {
	fs   *pflag.FlagSet
	sets []string
}

// namedFlag is a key with a flag of its own.
type namedFlag struct{ name, key, usage string }

func namedFlags() []namedFlag {
	return []namedFlag{
		{"server", "broker.urls", "NATS server `URL`s, separated by commas"},
		{"creds", "broker.creds", "NATS credentials `file`"},
		{"cluster", "cluster", "`name` of the cluster"},
		{"http", "http.listen", "`address` of /metrics, /livez, /readyz and /status, or off"},
		{"log-level", "logging.level", "`level` of log lines: debug, info, warn, error"},
		{"log-format", "logging.format", "`format` of log lines: text, json"},
	}
}

// BindFlags adds the flags to fs. Their values count once fs has been parsed.
func BindFlags(fs *pflag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	for _, n := range namedFlags() {
		fs.String(n.name, "", n.usage+" ("+n.key+")")
	}
	fs.StringArrayVar(&f.sets, "set", nil, "set a `key=value` of the configuration, above file and environment; may be repeated")
	return f
}

// Overrides returns what was given, named flags first.
func (f *Flags) Overrides() ([]Override, error) {
	var os []Override
	for _, n := range namedFlags() {
		if flag := f.fs.Lookup(n.name); flag.Changed {
			os = append(os, Override{Key: n.key, Value: flag.Value.String(), Flag: "--" + n.name})
		}
	}
	for _, s := range f.sets {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, Problems{{Source: Source{Kind: SourceFlag, Name: "--set"}, Text: "\"" + s + "\" has no '='", Do: "write --set key=value"}}
		}
		os = append(os, Override{Key: key, Value: value, Flag: "--set"})
	}
	return os, nil
}
