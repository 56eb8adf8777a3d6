package configs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is the form of a key's value: how it is read from a word or a list of words, and written back.
type kind interface {
	// set reads the words; a list has any number, every other form exactly one.
	set(words []string) error
	// list reports whether the form is a list.
	list() bool
	// text writes the present value as YAML.
	text() string
	// want says what a value looks like, for error messages.
	want() string
}

type (
	stringKind   struct{ p *string }
	listKind     struct{ p *[]string }
	intKind      struct{ p *int }
	boolKind     struct{ p *bool }
	bytesKind    struct{ p *Bytes }
	durationKind struct{ p *time.Duration }
)

func (k stringKind) set(words []string) error { *k.p = words[0]; return nil }
func (k stringKind) list() bool               { return false }
func (k stringKind) text() string             { return quote(*k.p) }
func (k stringKind) want() string             { return "a word" }

func (k listKind) set(words []string) error { *k.p = append([]string{}, words...); return nil }
func (k listKind) list() bool               { return true }
func (k listKind) want() string             { return "a list like [a, b]" }

func (k listKind) text() string {
	quoted := make([]string, len(*k.p))
	for i, s := range *k.p {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (k intKind) list() bool   { return false }
func (k intKind) text() string { return strconv.Itoa(*k.p) }
func (k intKind) want() string { return "a whole number" }

func (k intKind) set(words []string) error {
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return fmt.Errorf("%q is no whole number", words[0])
	}
	*k.p = n
	return nil
}

func (k boolKind) list() bool   { return false }
func (k boolKind) text() string { return strconv.FormatBool(*k.p) }
func (k boolKind) want() string { return "true or false" }

func (k boolKind) set(words []string) error {
	switch words[0] {
	case "true":
		*k.p = true
	case "false":
		*k.p = false
	default:
		return fmt.Errorf("%q is neither true nor false", words[0])
	}
	return nil
}

func (k bytesKind) list() bool   { return false }
func (k bytesKind) text() string { return (*k.p).String() }
func (k bytesKind) want() string { return "a size like 16MiB" }

func (k bytesKind) set(words []string) error {
	b, err := ParseBytes(words[0])
	if err != nil {
		return err
	}
	*k.p = b
	return nil
}

func (k durationKind) list() bool   { return false }
func (k durationKind) want() string { return "a duration like 50ms or 1s" }

// text drops the zero units that time.Duration writes: 1m0s is 1m.
func (k durationKind) text() string {
	s := k.p.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (k durationKind) set(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return fmt.Errorf("%q is no duration", words[0])
	}
	*k.p = d
	return nil
}

// quote writes s as a YAML scalar that reads back as the string s: plain where that is safe, else in double quotes.
func quote(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !plainRune(r) }) || !plainStart(s[0]) || plainWord(s) {
		return strconv.Quote(s)
	}
	return s
}

func plainRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_-./:", r)
}

// plainStart refuses digits, dots and dashes, which may begin a number, and a colon.
func plainStart(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '/'
}

// plainWord reports the words that YAML readers take for something else than text.
func plainWord(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return strings.HasSuffix(s, ":")
}
