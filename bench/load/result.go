package load

import "github.com/HdrHistogram/hdrhistogram-go"

// Latency are percentiles in microseconds.
type Latency struct {
	Min  float64 `json:"min"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Result is one measurement.
type Result struct {
	System   string    `json:"system"`
	Workload string    `json:"workload"`
	Round    int       `json:"round"`
	Seconds  float64   `json:"seconds"`
	Entries  uint64    `json:"entries"`
	Errors   uint64    `json:"errors"`
	Rate     float64   `json:"entries_per_second"`
	Latency  *Latency  `json:"latency_us,omitempty"`
	Trials   []float64 `json:"trials_ms,omitempty"` // of Failover

	Offered   float64  `json:"offered_per_second,omitempty"`   // of an open loop: what it meant to send
	Ack       *Latency `json:"ack_latency_us,omitempty"`       // of Tail: until the acknowledgement, where Latency is until the delivery
	Delivered float64  `json:"delivered_per_second,omitempty"` // of Fan: to all subscribers together
	First     float64  `json:"first_entry_ms,omitempty"`       // of Read: until the first entry came
	LogLength uint64   `json:"log_entries,omitempty"`          // where the load was to begin with so many in the log: how many there were

	ClientCPU    float64        `json:"client_cpu_us_per_entry"`
	Roles        map[string]Use `json:"roles,omitempty"`
	DiskRequests float64        `json:"disk_requests_per_entry,omitempty"` // writes and flushes of the device, whoever made them
}

// Use is what the processes of one role used. What is "per entry" is per entry acknowledged, the warm-up's too.
type Use struct {
	Processes int     `json:"processes"`
	CPU       float64 `json:"cpu_us_per_entry"`           // all together
	Written   float64 `json:"written_per_payload_byte"`   // all together
	Bytes     float64 `json:"written_bytes_per_entry"`    // all together
	Allocs    float64 `json:"allocs_per_entry,omitempty"` // of the one with most: of proposers, the leader. 0: it does not say
	PeakMiB   float64 `json:"peak_mib"`                   // of the largest, during this load
	EarlyMiB  float64 `json:"early_mib,omitempty"`        // of the largest, on average over the second fifth of the time
	LateMiB   float64 `json:"late_mib,omitempty"`         // the same over the last fifth
}

// LatencyOf returns the percentiles of a histogram of nanoseconds; nil of an empty one.
func LatencyOf(h *hdrhistogram.Histogram) *Latency {
	if h.TotalCount() == 0 {
		return nil
	}
	us := func(v int64) float64 { return float64(v) / 1e3 }
	return &Latency{
		Min: us(h.Min()), P50: us(h.ValueAtQuantile(50)), P90: us(h.ValueAtQuantile(90)), P99: us(h.ValueAtQuantile(99)),
		P999: us(h.ValueAtQuantile(99.9)), Max: us(h.Max()),
	}
}
