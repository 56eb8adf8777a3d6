package configs

import (
	"flag"
	"testing"
)

// update writes the shipped files again: go test ./configs -update.
var _ = flag.Bool("update", false, "write the shipped files again")

// What example.yaml says is what an empty file means, but for the roles and names that it makes up.
func TestExampleIsTheDefaults(t *testing.T) {
	c := Default()
	l := newLoader(c)
	l.file("example.yaml", Example())
	if err := l.problems.orNil(); err != nil {
		t.Fatal(err)
	}
	got, want := fields(c), fields(Default())
	for i := range got {
		if got[i].example == "" && got[i].kind.text() != want[i].kind.text() {
			t.Errorf("%s: example.yaml says %s, the default is %s", got[i].key, got[i].kind.text(), want[i].kind.text())
		}
		if got[i].doc == "" {
			t.Errorf("%s has no documentation", got[i].key)
		}
	}
}
