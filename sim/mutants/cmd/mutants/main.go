// Command mutants runs the simulator over planted bugs and says which it catches, by which checker, and after how many seeds.
//
//	mutants                     every mutant: the table goes to standard output
//	mutants -write              the same, into docs/mutants.md and sim/mutants/known.json
//	mutants -replay             the known catching seed of each, for every change
//	mutants -only NAME          those whose name matches
//	mutants -only NAME -plant D writes the changed files and overlay.json into D, for go build -overlay by hand
//
// It builds the simulator's binary once for each mutant, with an overlay; no file of the project is changed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/paxosd/paxosd/sim/mutants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	seeds  int // of one range
	ranges int
	first  uint64
	jobs   int
	only   string
	replay bool
	write  bool
	plant  string
	within time.Duration
}

// errMissed says that a mutant was not caught, or not in time.
var errMissed = errors.New("mutants were missed")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{}
	f := flag.NewFlagSet("mutants", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.seeds, "seeds", 400, "seeds of one range: one that catches nothing in all of them has missed the mutant")
	f.IntVar(&o.ranges, "ranges", 5, "ranges of seeds, apart from each other, whose median is given")
	f.Uint64Var(&o.first, "first", 1, "first seed of the first range")
	f.IntVar(&o.jobs, "j", 2, "mutants at a time")
	f.StringVar(&o.only, "only", "", "pattern of names; all without it")
	f.BoolVar(&o.replay, "replay", false, "only the known catching seed of each")
	f.BoolVar(&o.write, "write", false, "write sim/mutants/known.json, and docs/mutants.md from it")
	f.StringVar(&o.plant, "plant", "", "write the one mutant that -only names into this folder, and end")
	f.DurationVar(&o.within, "within", defaultLimit, "time for one range of one mutant")
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	if o.plant != "" {
		return plant(root, o.plant, chosen, stdout)
	}
	h := &hunter{options: o, root: root, log: stderr}
	if o.replay {
		return h.replayAll(ctx, chosen, stdout)
	}
	return h.table(ctx, chosen, stdout)
}

// choose returns the mutants whose name matches.
func choose(only string) ([]mutants.Mutant, error) {
	word, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	var chosen []mutants.Mutant
	for _, m := range mutants.All() {
		if m.Name == only {
			return []mutants.Mutant{m}, nil
		}
		if word.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %s: no mutant has such a name", only)
	}
	return chosen, nil
}

// repository returns the folder of the module that the command runs in.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("run it inside the repository")
	}
	return filepath.Dir(mod), nil
}

// plant writes one mutant for a person to build with.
func plant(root, dir string, chosen []mutants.Mutant, stdout io.Writer) error {
	if len(chosen) != 1 {
		return fmt.Errorf("-plant: %d mutants match -only, want one", len(chosen))
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("-plant: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("-plant: %w", err)
	}
	overlay, err := chosen[0].Plant(root, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\n%s\ngo build -overlay %s ./sim/cmd/paxossim\n", chosen[0].Name, chosen[0].Rule, overlay)
	return nil
}
