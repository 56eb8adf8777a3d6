//go:build e2e

package e2e

import (
	"syscall"
	"testing"
	"time"
)

// TestLeaderKilled: the next acknowledged append after a SIGKILL of the leader.
func TestAcceptorsStopped(t *testing.T) {
	c := newCluster(t)
	c.procs["a1"].stop(t, syscall.SIGKILL)
	c.waitAppend(5 * time.Second)
	c.procs["p1"].stop(t, syscall.SIGKILL)
	c.waitAppend(5 * time.Second)
}
