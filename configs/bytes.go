package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Bytes is a size in bytes. It is written as a number with a unit: 512B, 64KiB, 16MiB, 8GiB, or decimal as on the
// box of a disk: 500MB, 1TB. A number alone is bytes.
type Bytes int64

// Binary units.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

var byteUnits = []struct {
	suffix string
	size   Bytes
}{
	{"TiB", TiB},
	{"GiB", GiB},
	{"MiB", MiB},
	{"KiB", KiB},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// ParseBytes reads a size. Fractions are refused: 1.5GiB is 1536MiB.
func ParseBytes(s string) (Bytes, error) {
	digits := strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsDigit(r) })
	unit, err := byteUnit(strings.TrimSpace(s[len(digits):]))
	if err != nil {
		return 0, fmt.Errorf("size %q: %w", s, err)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("size %q: want a whole number with a unit, like 16MiB", s)
	}
	if n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("size %q: more than 8 EiB", s)
	}
	return Bytes(n) * unit, nil
}

func byteUnit(suffix string) (Bytes, error) {
	if suffix == "" {
		return 1, nil
	}
	for _, u := range byteUnits {
		if u.suffix == suffix {
			return u.size, nil
		}
	}
	return 0, fmt.Errorf("unknown unit %q: use B, KiB, MiB, GiB or TiB", suffix)
}

// String writes b exactly, in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}
