package configs

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// The shipped example is the table of keys, so that neither can have what the other lacks.
func TestExampleFileIsGenerated(t *testing.T) {
	want := Example()
	if *update {
		if err := os.WriteFile("example.yaml", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("example.yaml differs from Example(); write it again with: go test ./configs -run TestExampleFileIsGenerated -update")
	}
}
