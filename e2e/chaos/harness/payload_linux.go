package harness

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Sizes of payloads: most are small, some are not.
const (
	smallPadding = 300
	largePadding = 30_000
	largeEvery   = 97
)

// payload returns what is appended under a name: the name, and padding that follows from it.
func payload(name string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	sum := h.Sum64()
	n := sum % smallPadding
	if sum%largeEvery == 0 {
		n = sum % largePadding
	}
	word := fmt.Sprintf("%016x", sum)
	return []byte(name + " " + strings.Repeat(word, int(n)/len(word)+1)[:n])
}

// nameOf returns the name under which a payload was appended, or the payload itself if not all of it is as it was.
func nameOf(p []byte) string {
	name, _, _ := strings.Cut(string(p), " ")
	if string(payload(name)) != string(p) {
		return string(p)
	}
	return name
}
