package metrics

import (
	"fmt"
	"strings"
)

// Document returns the table of all metrics in Markdown, as docs/metrics.md has it.
func Document() string {
	var b strings.Builder
	b.WriteString("| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n")
	row := func(name, form, labels, help string) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, form, labels, help)
	}
	row(nameBuild, gauge.word(), "version, revision, goversion", buildHelp)
	for _, d := range definitions() {
		row(d.name, d.form.word(), strings.Join(d.labels, ", "), d.help)
	}
	return b.String()
}
