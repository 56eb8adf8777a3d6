// Package metrics turns what happens in a process into Prometheus metrics. It is the observer of the services (Observe takes a
// core's events), and it asks each role how it stands whenever Prometheus asks it.
//
// Every metric's name, kind, labels and meaning stand in one table (names.go); docs/metrics.md is written from it, and a test pins
// both. Labels are bounded: roles and names are this process's own, reasons and logs beyond a limit become "other".
//
// What it is not: it measures nothing itself, logs nothing, steers nothing, and knows no global registry.
package metrics

//go:generate go test . -update
