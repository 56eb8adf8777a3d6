package harness

import (
	"errors"
	"net"
	"testing"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// However soon a role with a damaged store ends: one connection to its broker is too many.
func TestADamagedRoleIsNotHeard(t *testing.T) {
	broker, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = broker.Close() }()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	r := &role{}
	if r.proxy, err = world.NewProxy(&world.Namespace{}, way, broker.Addr().String()); err != nil {
		t.Fatal(err)
	}
	defer r.proxy.Close()
	if r.heard, err = r.proxy.Connections(); err != nil {
		t.Fatal(err)
	}
	if err := r.silent(); err != nil {
		t.Errorf("nothing connected: %v", err)
	}
	c, err := net.Dial("tcp", way)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.silent(); !errors.Is(err, errViolated) {
		t.Errorf("it connected, and was gone at once: %v", err)
	}
}
