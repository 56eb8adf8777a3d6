package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

// account is what processes and the disk had used at one instant.
type account struct {
	usage  map[int]system.Usage // by process id
	client time.Duration
	disk   uint64
}

func take(ps []system.Process, dir string) (a account, err error) {
	a.usage = make(map[int]system.Usage)
	for _, p := range ps {
		u, err := system.Measure(p.PID)
		if err != nil {
			return a, fmt.Errorf("measure %s: %w", p.Name, err)
		}
		a.usage[p.PID] = u
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return a, err
	}
	a.client = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	a.disk = diskRequests(dir)
	return a, nil
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
	f := strings.Fields(string(b)) // Documentation/block/stat.rst: writes are the fifth, flushes the sixteenth
	var n uint64
	for _, i := range []int{4, 15} {
		if i < len(f) {
			k, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil {
				return 0
			}
			n += k
		}
	}
	return n
}

// Accounted runs do, and adds to its result what the processes of c used meanwhile, the warm-up included.
func Accounted(c system.Cluster, dir string, size int, do func() (Result, error)) (Result, error) {
	ps := c.Processes()
	before, err := take(ps, dir)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	r, err := do()
	if err != nil || r.Entries == 0 || len(r.Trials) > 0 {
		return r, err
	}
	after, err := take(ps, dir)
	if err != nil {
		return r, err
	}
	// Entries of the warm-up were appended too: they are taken to have come at the same rate.
	n := float64(r.Entries) * max(time.Since(began).Seconds()/max(r.Seconds, 1e-9), 1)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / n }
	r.ClientCPU = us(after.client - before.client)
	r.DiskRequests = float64(after.disk-before.disk) / n
	r.Roles = make(map[string]Use)
	for _, p := range ps {
		b, a, u := before.usage[p.PID], after.usage[p.PID], r.Roles[p.Role]
		u.Processes++
		u.CPU += us(a.CPU - b.CPU)
		u.Written += float64(a.Written-b.Written) / n / float64(max(size, 1))
		u.PeakMiB = max(u.PeakMiB, float64(a.Peak)/(1<<20))
		r.Roles[p.Role] = u
	}
	return r, nil
}
