// Command chaos runs a cluster of real processes, each node in a network namespace of its own, and does to it what networks, disks and
// operators do: `make chaos`. A broker cluster of three carries three acceptors, two proposers and two learners:
//
//	node 1: broker b1, a1, p1, l1      10.77.0.1, 10.78.0.1
//	node 2: broker b2, a2, p2, l2      10.77.0.2, 10.78.0.2
//	node 3: broker b3, a3              10.77.0.3, 10.78.0.3
//	hub:    bridge, clients, judge     10.77.0.254
//
// Brokers talk to each other over 10.78, everybody else over 10.77, so that brokers can be cut from brokers alone. Every store lies on a
// file system of its own, an ext4 image behind a loop device, so that it can be filled and can lose power. Between each role and each
// broker stands a proxy, which delays, stalls and resets.
//
// A run is a sequence of rounds, each with a cluster founded anew. A seed decides the plan: which faults, on whom, for how long, which
// two overlap. It does not decide what processes and kernel make of it, so a seed repeats the plan and not the run. After each fault the
// harness waits until every producer is acknowledged again; the longest gap between acknowledgements meanwhile is what the
// table shows. At the end of a round the history is judged: history.go says by which rules.
//
// It needs root, iproute2, mkfs.ext4 and loop devices. The harness enters process, mount and network namespaces of its own and is their
// first process: however it ends, the kernel ends what it started, undoes its mounts and frees its devices.
package main
