package world

import (
	"fmt"
	"os"
)

// Network is some machines on one switch. Machine i, from 1, has the address 10.77.0.i.
//
// Each machine knows the others' hardware addresses for good. To lose what it sends to another it is told a wrong one: such a packet
// leaves and arrives nowhere, and nobody is told, as on a link that broke.
type Network struct {
	machines []*Namespace
}

const bridge = "switch"

// NewNetwork makes a switch and n machines, all connected.
func NewNetwork(n int) (*Network, error) {
	w := &Network{}
	if err := ip(nil, "link add "+bridge+" type bridge", "link set "+bridge+" up"); err != nil {
		return nil, err
	}
	for i := 1; i <= n; i++ {
		if err := w.add(i); err != nil {
			w.Close()
			return nil, err
		}
	}
	for i := 1; i <= n; i++ {
		if err := w.Reach(i); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// Close lets go of the machines and the switch.
func (w *Network) Close() {
	for i, m := range w.machines {
		_ = ip(nil, "link delete "+port(i+1)) // gone already, if nothing in the namespace runs
		m.Close()
	}
	_ = ip(nil, "link delete "+bridge)
}

func (w *Network) add(i int) error {
	m, err := NewNamespace(fmt.Sprintf("machine %d", i))
	if err != nil {
		return err
	}
	w.machines = append(w.machines, m)
	far := fmt.Sprintf("far%d", i)
	if err := ip([]*os.File{m.file},
		fmt.Sprintf("link add %s type veth peer name %s address %s", port(i), far, hardware(i)),
		fmt.Sprintf("link set %s master %s", port(i), bridge),
		fmt.Sprintf("link set %s netns /proc/self/fd/3", far),
		fmt.Sprintf("link set %s up", port(i)),
	); err != nil {
		return err
	}
	return m.IP(
		fmt.Sprintf("link set %s name eth0", far),
		fmt.Sprintf("addr add %s/24 dev eth0", Address(i)),
		"link set eth0 up",
	)
}

// Machine returns machine i.
func (w *Network) Machine(i int) *Namespace { return w.machines[i-1] }

// Address returns the address of machine i.
func Address(i int) string { return fmt.Sprintf("10.77.0.%d", i) }

func hardware(i int) string { return fmt.Sprintf("02:77:00:00:00:%02x", i) }

func port(i int) string { return fmt.Sprintf("port%d", i) }

// Lose loses all that machine from sends to the others from now on.
func (w *Network) Lose(from int, to ...int) error {
	lines := make([]string, 0, len(to))
	for _, i := range to {
		lines = append(lines, fmt.Sprintf("neigh replace %s lladdr 02:77:ff:00:00:%02x dev eth0 nud permanent", Address(i), i))
	}
	return w.Machine(from).IP(lines...)
}

// Reach lets machine from reach the others again; all of them, if none is named.
func (w *Network) Reach(from int, to ...int) error {
	if len(to) == 0 {
		for i := range w.machines {
			to = append(to, i+1)
		}
	}
	var lines []string
	for _, i := range to {
		if i != from {
			lines = append(lines, fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud permanent", Address(i), hardware(i)))
		}
	}
	return w.Machine(from).IP(lines...)
}

// Plug pulls machine i's cable, or plugs it in.
func (w *Network) Plug(i int, in bool) error {
	state := "down"
	if in {
		state = "up"
	}
	return ip(nil, "link set "+port(i)+" "+state)
}

// Heal connects everything.
func (w *Network) Heal() error {
	for i := range w.machines {
		if err := w.Plug(i+1, true); err != nil {
			return err
		}
		if err := w.Reach(i + 1); err != nil {
			return err
		}
	}
	return nil
}
