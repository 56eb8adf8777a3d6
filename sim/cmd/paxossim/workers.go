package main

import (
	"sync"
	"sync/atomic"

	"github.com/paxosd/paxosd/sim"
)

// runSeeds runs seeds [first, first+n) on so many workers, each seed in one goroutine, and hands the results over in the order of
// seeds. It ends early once take returns false.
func runSeeds(o sim.Options, first, n uint64, workers int, take func(r *sim.Result) bool) {
	workers = max(workers, 1)
	type slot chan sim.Result
	order := make(chan slot, 4*workers)
	type job struct {
		seed uint64
		to   slot
	}
	jobs := make(chan job)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				if stop.Load() {
					close(j.to)
					continue
				}
				mine := o
				mine.Seed = j.seed
				j.to <- sim.Run(mine)
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(jobs)
		for seed := first; seed-first < n && !stop.Load(); seed++ {
			to := make(slot, 1)
			order <- to
			jobs <- job{seed, to}
		}
	}()
	for to := range order {
		r, ran := <-to
		if ran && !stop.Load() && !take(&r) {
			stop.Store(true)
		}
	}
	wg.Wait()
}
