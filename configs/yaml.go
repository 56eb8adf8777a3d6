package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxFileBytes bounds a configuration file; example.yaml, with every key and its comment, is an eighth of it.
const MaxFileBytes = 64 << 10

// maxNesting bounds the brackets of flow collections and the dashes that begin a line: the parser recurses and takes a time that
// grows with the square of the depth, and no key needs more than one.
const maxNesting = 32

// maxProblems ends the reading of a file that is plainly something else.
const maxProblems = 50

// fileReader applies one YAML file to the fields.
type fileReader struct {
	name     string
	byKey    map[string]*field
	keys     []string // in table order
	seen     map[string]Source
	set      func(f *field, words []string, src Source)
	problems Problems
}

// read walks the file. Problems are gathered; the walk goes on behind each.
func (r *fileReader) read(text []byte) {
	if len(text) > MaxFileBytes {
		r.problem("", nil, fmt.Sprintf("the file has %d bytes, more than %d", len(text), MaxFileBytes), "is it the right file?")
		return
	}
	if deepestNesting(text) > maxNesting {
		r.problem("", nil, fmt.Sprintf("brackets or lists are nested deeper than %d", maxNesting), "write plain maps and lists")
		return
	}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return isNothing(d.Body) })
	if len(docs) > 1 {
		r.problem("", docs[1].Body.GetToken(), "a second document", "keep one document in the file")
	}
	if len(docs) > 0 {
		r.mapping("", docs[0].Body)
	}
}

// mapping reads the keys of one map; prefix is the dotted key that leads to it.
func (r *fileReader) mapping(prefix string, n ast.Node) {
	for _, pair := range r.pairs(prefix, n) {
		if len(r.problems) >= maxProblems {
			return
		}
		word, ok := r.keyWord(prefix, pair)
		if !ok {
			continue
		}
		key := join(prefix, word)
		src := r.at(pair.Key.GetToken())
		if first, twice := r.seen[key]; twice {
			r.problem(key, pair.Key.GetToken(), fmt.Sprintf("given twice, first in line %d", first.Line), "keep one")
			continue
		}
		r.seen[key] = src
		r.entry(key, pair, src)
	}
}

// entry reads one key's value.
func (r *fileReader) entry(key string, pair *ast.MappingValueNode, src Source) {
	if f, ok := r.byKey[key]; ok {
		if words, ok := r.words(f, pair); ok {
			r.set(f, words, src)
		}
		return
	}
	if !r.isSection(key) {
		r.unknown(key, pair.Key.GetToken())
		return
	}
	if isNothing(pair.Value) {
		r.problem(key, pair.Key.GetToken(), "a section without keys", "give it some or remove it")
		return
	}
	r.mapping(key, pair.Value)
}

func (r *fileReader) unknown(key string, tok *token.Token) {
	do := "example.yaml lists all keys"
	if best := nearest(key, r.keys); best != "" {
		do = "did you mean " + best + "?"
	}
	r.problem(key, tok, "unknown key", do)
}

// pairs returns the entries of a map, or complains.
func (r *fileReader) pairs(key string, n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	default:
		r.problem(key, n.GetToken(), "want keys with values here, not "+describe(n), "write \"key: value\" lines")
		return nil
	}
}

// keyWord returns a key as written, if it is a plain word.
func (r *fileReader) keyWord(prefix string, pair *ast.MappingValueNode) (string, bool) {
	words, ok := scalar(pair.Key)
	if !ok {
		r.problem(prefix, pair.Key.GetToken(), "a key that is "+describe(pair.Key), "write plain keys; anchors, aliases, tags and merges are not read")
		return "", false
	}
	// A dot inside a key would be another spelling of a nested one.
	if strings.Contains(words, ".") {
		r.problem(join(prefix, words), pair.Key.GetToken(), "unknown key", "write the part behind the dot as a key inside the section")
		return "", false
	}
	return words, true
}

// words returns the text of a value as its field wants it: one word, or a list of them.
func (r *fileReader) words(f *field, pair *ast.MappingValueNode) ([]string, bool) {
	n := pair.Value
	if isNothing(n) {
		r.problem(f.key, pair.Key.GetToken(), "no value", "want "+f.kind.want()+", or remove the key")
		return nil, false
	}
	if !f.kind.list() {
		word, ok := scalar(n)
		if !ok {
			r.problem(f.key, n.GetToken(), "want "+f.kind.want()+", not "+describe(n), "")
		}
		return []string{word}, ok
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.problem(f.key, n.GetToken(), "want "+f.kind.want()+", not "+describe(n), "")
		return nil, false
	}
	words := make([]string, 0, len(seq.Values))
	for _, v := range seq.Values {
		word, ok := scalar(v)
		if !ok {
			r.problem(f.key, v.GetToken(), "want words in the list, not "+describe(v), "")
			return nil, false
		}
		words = append(words, word)
	}
	return words, true
}

// isSection reports whether some field lies below key.
func (r *fileReader) isSection(key string) bool {
	return slices.ContainsFunc(r.keys, func(k string) bool { return strings.HasPrefix(k, key+".") })
}

func (r *fileReader) at(tok *token.Token) Source {
	src := Source{Kind: SourceFile, Name: r.name}
	if tok != nil && tok.Position != nil {
		src.Line, src.Column = tok.Position.Line, tok.Position.Column
	}
	return src
}

func (r *fileReader) problem(key string, tok *token.Token, text, do string) {
	r.problems = append(r.problems, &Problem{Key: key, Source: r.at(tok), Text: text, Do: do})
}

func (r *fileReader) syntax(err error) {
	var located yaml.Error
	if errors.As(err, &located) {
		r.problem("", located.GetToken(), "no valid YAML: "+located.GetMessage(), "")
		return
	}
	r.problem("", nil, "no valid YAML: "+err.Error(), "")
}

// scalar returns the text of a word as it was written: 0755 stays 0755, a quoted or folded one is unquoted.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		return n.Token.Value, true
	case *ast.FloatNode:
		return n.Token.Value, true
	case *ast.BoolNode:
		return n.Token.Value, true
	case *ast.InfinityNode:
		return n.Token.Value, true
	case *ast.NanNode:
		return n.Token.Value, true
	default:
		return "", false
	}
}

func isNothing(n ast.Node) bool {
	if n == nil {
		return true
	}
	switch n.(type) {
	case *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return true
	default:
		return false
	}
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.MergeKeyNode:
		return "a merge key"
	case *ast.NullNode:
		return "nothing"
	default:
		return "a word"
	}
}

// deepestNesting counts open brackets, and the dashes that begin a line, without regard to quotes: too high a count is harmless,
// too low a one is impossible.
func deepestNesting(text []byte) int {
	depth, dashes, deepest, leading := 0, 0, 0, true
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '\n', '\r':
			dashes, leading = 0, true
		case '-':
			if leading {
				dashes++
			}
		case ' ', '\t', '?', ':':
		default:
			leading = false
		}
		deepest = max(deepest, depth, dashes)
	}
	return deepest
}

func join(prefix, word string) string {
	if prefix == "" {
		return word
	}
	return prefix + "." + word
}
