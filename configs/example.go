package configs

import (
	"bytes"
	"strings"
)

// exampleWidth is where comments are wrapped.
const exampleWidth = 118

// Example returns example.yaml: every key with its purpose and its default. Keys that have no default that would work
// everywhere carry an example instead; those that are usually absent are commented out.
func Example() []byte {
	var b bytes.Buffer
	comment(&b, "", "Every key of a paxosd process, with its default. A file needs only what differs: roles, folders, and the names of the cluster, "+
		"which are the same in all its files. Environment variables stand above the file (each key's is shown), flags above both "+
		"(--set KEY=VALUE). 'paxosd config check FILE' says what is wrong with one.")
	section := ""
	for _, f := range fields(Default()) {
		if s := f.section(); s != section || s == "" {
			b.WriteByte('\n')
			if s != "" {
				b.WriteString(s + ":\n")
			}
			section = s
		}
		f.writeExample(&b)
	}
	return b.Bytes()
}

func (f *field) writeExample(b *bytes.Buffer) {
	indent, name := "", f.key
	if s := f.section(); s != "" {
		indent, name = "  ", strings.TrimPrefix(f.key, s+".")
	}
	comment(b, indent, f.doc+" ["+Environment(f.key)+"]")
	text := f.kind.text()
	if f.example != "" {
		text = f.example
	}
	hidden := ""
	if text == `""` || text == "[]" {
		hidden = "# "
	}
	b.WriteString(indent + hidden + name + ": " + text + "\n")
}

// comment writes text as comment lines.
func comment(b *bytes.Buffer, indent, text string) {
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > exampleWidth {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
