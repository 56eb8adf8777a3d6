package sim

// Shrunk is the smallest plan found that still fails.
type Shrunk struct {
	Seed   uint64
	Keep   []int    // the faults, by number, that are left
	Faults []string // the same in words
	Runs   int      // that it took
	Result Result   // of the last failing run
}

// maxShrinkRuns bounds the runs of one shrinking.
const maxShrinkRuns = 600

// Shrink leaves out faults of a run that fails, halves first and then one by one, as long as the same checker still fails. It
// reports false if the run does not fail at all.
func Shrink(o Options) (Shrunk, bool) {
	o.Trace = nil
	return shrink(o, Run)
}

func shrink(o Options, run func(Options) Result) (Shrunk, bool) {
	s := shrinker{o: o, run: run}
	r := run(o)
	if r.Failure == nil {
		return Shrunk{}, false
	}
	s.best, s.runs = r, 1
	for i := range r.Plan {
		if !o.Skip[i] && (o.Until == 0 || i < o.Until) {
			s.keep = append(s.keep, i)
		}
	}
	// What was to come after the failure does not matter.
	s.try(s.keep[:min(r.Faults, len(s.keep))])
	for size := (len(s.keep) + 1) / 2; size > 0 && s.runs < maxShrinkRuns; {
		if !s.pass(size) {
			size /= 2
		}
	}
	out := Shrunk{Seed: o.Seed, Keep: s.keep, Runs: s.runs, Result: s.best}
	for _, i := range s.keep {
		out.Faults = append(out.Faults, r.Plan[i])
	}
	return out, true
}

// Keeping returns options that leave out every fault but those of keep.
func Keeping(o Options, keep []int) Options {
	o.Skip = make(map[int]bool, maxPlan)
	for i := range maxPlan {
		o.Skip[i] = true
	}
	for _, i := range keep {
		delete(o.Skip, i)
	}
	return o
}

// maxPlan is more faults than any plan has.
const maxPlan = 1024

type shrinker struct {
	o    Options
	run  func(Options) Result
	keep []int
	best Result
	runs int
}

// pass tries to leave out each stretch of so many faults, and reports whether any could be.
func (s *shrinker) pass(size int) (smaller bool) {
	for i := 0; i < len(s.keep) && s.runs < maxShrinkRuns; {
		without := append(append([]int(nil), s.keep[:i]...), s.keep[min(i+size, len(s.keep)):]...)
		if s.try(without) {
			smaller = true
			continue
		}
		i += size
	}
	return smaller
}

// try runs with these faults alone, and keeps them if that still fails in the same way.
func (s *shrinker) try(keep []int) bool {
	s.runs++
	r := s.run(Keeping(s.o, keep))
	if r.Failure == nil || r.Failure.Checker != s.best.Failure.Checker {
		return false
	}
	s.keep, s.best = append([]int(nil), keep...), r
	return true
}
