package world

import (
	"net"
	"testing"
)

func TestProxyCountsEveryConnection(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	p, err := NewProxy(&Namespace{}, "127.0.0.1:0", far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for want := range 20 {
		for range 2 { // counting does not count
			if n, err := p.Connections(); err != nil || n != want {
				t.Fatalf("%d connections, %v; want %d", n, err, want)
			}
		}
		// Made and gone at once, as by a program that ends.
		c, err := net.Dial("tcp", p.listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
}
