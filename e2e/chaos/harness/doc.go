// Package harness runs paxosd's real processes, with a broker cluster of three, on machines of a small world of their own, and does to
// them what happens to machines: cables are pulled, power is lost, disks fill, bits flip, processes are killed and paused. Meanwhile
// clients append and read, and what they were told is held to what the log has in the end.
package harness
