package configs

import (
	"errors"
	"strings"
	"testing"
)

// No file, whatever is in it, does anything but load or be refused with Problems; what loads is validated without a panic,
// and a configuration that loads is the same when it is loaded again.
func FuzzFile(f *testing.F) {
	f.Add([]byte("cluster: a\n"))
	f.Add(Example())
	f.Add([]byte("acceptor: {name: a1, data: /x}\nacceptors: [a1, a2, a3]\nquorum: {write: 2}\n"))
	f.Add([]byte("a: &x {<<: *x}\n---\n"))
	f.Add([]byte("? [a, b]\n: |\n  text\n"))
	f.Add([]byte("broker:\n  urls:\n  - nats://a:1\n  - \"b\\u0000\"\n# end"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Load(Input{Path: "f.yaml", File: text})
		if err != nil {
			var ps Problems
			if !errors.As(err, &ps) || len(ps) == 0 {
				t.Fatalf("error is no Problems: %v", err)
			}
			return
		}
		_ = c.Validate()
		again, err := Load(Input{Path: "f.yaml", File: text})
		if err != nil {
			t.Fatalf("loaded once, then: %v", err)
		}
		a, b := fields(c), fields(again)
		for i := range a {
			if a[i].kind.text() != b[i].kind.text() {
				t.Errorf("%s: %s, then %s", a[i].key, a[i].kind.text(), b[i].kind.text())
			}
		}
	})
}

// The same for variables and flags, and for sizes.
func FuzzOverride(f *testing.F) {
	f.Add("logs", "a,b")
	f.Add("disk.ballast", "9223372036854775807B")
	f.Add("protocol.timeout", "1h")
	f.Add("nothing", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		if c, err := Load(Input{Overrides: []Override{{Key: key, Value: value, Flag: "--set"}}}); err == nil {
			_ = c.Validate()
		}
		if strings.ContainsRune(key, '=') {
			return
		}
		if c, err := Load(Input{Environment: []string{Environment(key) + "=" + value}}); err == nil {
			_ = c.Validate()
		}
		if b, err := ParseBytes(value); err == nil {
			if back, err := ParseBytes(b.String()); err != nil || back != b {
				t.Errorf("%q: %d, written %s, read %d, %v", value, b, b, back, err)
			}
		}
	})
}
