package sim

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// testdata/seeds.txt has a line for each seed that once failed: the seed, and what was wrong. They run first, everywhere.
//
//go:embed testdata/seeds.txt
var onceFailed string

// Once is a seed that failed once.
type Once struct {
	Seed uint64
	Why  string
}

// OnceFailed returns the seeds that once failed, oldest first.
func OnceFailed() ([]Once, error) {
	var all []Once
	for i, line := range strings.Split(onceFailed, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		seed, why, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("testdata/seeds.txt line %d: %w", i+1, err)
		}
		all = append(all, Once{Seed: n, Why: strings.TrimSpace(why)})
	}
	return all, nil
}
