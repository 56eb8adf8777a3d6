package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Dashboards, alerts and documents name no metric that is not there.
func TestShippedFilesNameMetrics(t *testing.T) {
	known := map[string]bool{nameBuild: true}
	for _, d := range definitions() {
		known[d.name] = true
		if d.form == histogram {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				known[d.name+end] = true
			}
		}
	}
	word := regexp.MustCompile(`\bpaxosd_[a-z_]+`)
	for _, pattern := range []string{"../configs/dashboards/*.json", "../configs/prometheus*.yml", "../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range word.FindAllString(string(text), -1) {
				if !known[name] {
					t.Errorf("%s names %s, which is no metric", file, name)
				}
			}
			if strings.HasSuffix(file, ".json") && !json.Valid(text) {
				t.Errorf("%s is no JSON", file)
			}
		}
	}
}
