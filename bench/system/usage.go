package system

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used since it started.
type Usage struct {
	CPU     time.Duration // user and system
	Written uint64        // bytes handed to the block layer, /proc/PID/io
	Peak    uint64        // resident memory in bytes, at most, since ResetPeak
}

// Measure reads the usage of a process.
func Measure(pid int) (u Usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	if u.CPU, err = processorTime(stat); err != nil {
		return u, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if u.Written, err = fieldOf(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:"); err != nil {
		return u, err
	}
	kib, err := fieldOf(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	u.Peak = kib << 10
	return u, err
}

// Resident returns a process's resident memory in bytes.
func Resident(pid int) (uint64, error) {
	kib, err := fieldOf(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	return kib << 10, err
}

// ResetPeak lets a process's peak of memory begin anew. Where the kernel does not allow it, the peak is that since the process's start.
func ResetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// processorTime adds up user and system time of a process's stat file: the fourteenth and fifteenth figure.
func processorTime(stat []byte) (d time.Duration, err error) {
	_, after, _ := bytes.Cut(stat, []byte(") ")) // the name may hold spaces
	fields := strings.Fields(string(after))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields after the name", len(fields))
	}
	const tick = time.Second / 100 // USER_HZ, the same on every Linux that Go runs on
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return 0, err
		}
		d += time.Duration(n) * tick
	}
	return d, nil
}

func fieldOf(path, name string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	n, err := field(f, name)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return n, err
}

// field reads the number behind a name at a line's beginning.
func field(r io.Reader, name string) (uint64, error) {
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		if rest, ok := strings.CutPrefix(sc.Text(), name); ok {
			return strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("no %s", name), sc.Err())
}

// Metric reads one metric without labels from an address that serves the Prometheus text format.
func Metric(url, name string) (float64, error) {
	c := http.Client{Timeout: 5 * time.Second}
	r, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", url, r.Status)
	}
	sc := bufio.NewScanner(r.Body)
	for sc.Scan() {
		if rest, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("%s: no %s", url, name), sc.Err())
}
