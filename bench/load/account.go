package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

// samples is how often memory is looked at during a load.
const samples = 100

// account is what processes and the disk had used when a load began, and how their memory went since.
type account struct {
	t      *Target
	ps     []system.Process
	before snapshot
	stop   chan struct{}
	done   sync.WaitGroup
	memory map[int][]uint64 // resident bytes by process id, at even distances
}

type snapshot struct {
	usage  map[int]system.Usage // by process id
	allocs map[int]float64
	client time.Duration
	disk   uint64
}

// open begins an account of a load that takes about so long. Peaks of memory begin anew.
func (t *Target) open(length time.Duration) (*account, error) {
	a := &account{t: t, ps: t.Cluster.Processes(), stop: make(chan struct{}), memory: make(map[int][]uint64)}
	for _, p := range a.ps {
		system.ResetPeak(p.PID)
	}
	var err error
	if a.before, err = take(a.ps, t.Dir); err != nil {
		return nil, err
	}
	a.done.Go(func() {
		tick := time.NewTicker(max(length/samples, 50*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-a.stop:
				return
			case <-tick.C:
			}
			for _, p := range a.ps {
				if n, err := system.Resident(p.PID); err == nil {
					a.memory[p.PID] = append(a.memory[p.PID], n)
				}
			}
		}
	})
	return a, nil
}

func take(ps []system.Process, dir string) (s snapshot, err error) {
	s.usage, s.allocs = make(map[int]system.Usage), make(map[int]float64)
	for _, p := range ps {
		if s.usage[p.PID], err = system.Measure(p.PID); err != nil {
			return s, fmt.Errorf("measure %s: %w", p.Name, err)
		}
		if p.Metrics == "" {
			continue
		}
		if s.allocs[p.PID], err = system.Metric(p.Metrics, "go_memstats_mallocs_total"); err != nil {
			return s, fmt.Errorf("measure %s: %w", p.Name, err)
		}
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return s, err
	}
	s.client = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	s.disk = diskRequests(dir)
	return s, nil
}

// close ends the account, and writes into r what was used by the entries that were acknowledged meanwhile.
func (a *account) close(r *Result, entries uint64, size int) error {
	close(a.stop)
	a.done.Wait()
	if r == nil || entries == 0 {
		return nil
	}
	after, err := take(a.ps, a.t.Dir)
	if err != nil {
		return err
	}
	n := float64(entries)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / n }
	r.ClientCPU = us(after.client - a.before.client)
	r.DiskRequests = float64(after.disk-a.before.disk) / n
	r.Roles = make(map[string]Use)
	for _, p := range a.ps {
		was, is, u := a.before.usage[p.PID], after.usage[p.PID], r.Roles[p.Role]
		u.Processes++
		u.CPU += us(is.CPU - was.CPU)
		u.Bytes += float64(is.Written-was.Written) / n
		u.Written += float64(is.Written-was.Written) / n / float64(max(size, 1))
		u.Allocs = max(u.Allocs, (after.allocs[p.PID]-a.before.allocs[p.PID])/n)
		u.PeakMiB = max(u.PeakMiB, float64(is.Peak)/(1<<20))
		early, late := fifths(a.memory[p.PID])
		u.EarlyMiB, u.LateMiB = max(u.EarlyMiB, early), max(u.LateMiB, late)
		r.Roles[p.Role] = u
	}
	return nil
}

// fifths returns the means of the second and of the last fifth, in MiB.
func fifths(bytes []uint64) (second, last float64) {
	mean := func(part []uint64) float64 {
		sum := 0.0
		for _, b := range part {
			sum += float64(b)
		}
		return sum / float64(max(len(part), 1)) / (1 << 20)
	}
	n := len(bytes)
	return mean(bytes[n/5 : 2*n/5]), mean(bytes[4*n/5:])
}

// diskRequests returns how many writes and flushes the device of dir has completed; 0 where the kernel does not say.
func diskRequests(dir string) uint64 {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0
	}
	major, minor := st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00
	b, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", major, minor))
	if err != nil {
		return 0
	}
	return requests(string(b))
}

// requests adds up writes and flushes of a device's statistics: the fifth and the sixteenth figure (Documentation/block/stat.rst of Linux). Older kernels do not
// count flushes.
func requests(stat string) (n uint64) {
	f := strings.Fields(stat)
	for _, i := range []int{4, 15} {
		if i >= len(f) {
			continue
		}
		k, err := strconv.ParseUint(f[i], 10, 64)
		if err != nil {
			return 0
		}
		n += k
	}
	return n
}
