package genesis

import (
	"fmt"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// A thousand logs are founded with a few questions to each process, not with one for each log: an answer lists all logs, so those would
// be answered with a million, and the founding process took minutes and lost messages.
func TestFoundersShareTheirQuestions(t *testing.T) {
	const logs = 1000
	c := newCluster([]string{"a1", "a2", "a3"}, []string{"l1", "l2"}, 2, 2, 2)
	cfgs := make([]FounderConfig, 0, logs)
	for i := range logs {
		g := c.template
		g.Log = fmt.Sprintf("log-%d", i)
		cfgs = append(cfgs, FounderConfig{
			Name: "p1", Genesis: g, ID: paxos.GenesisID{1, byte(i >> 8), byte(i)}, Others: []Peer{{Name: "p2", Role: paxos.RoleProposer}},
		})
	}
	request := uint64(0)
	fs, err := NewFounders(cfgs, func() uint64 { request++; return request })
	if err != nil {
		t.Fatal(err)
	}
	settled := func() (n int) {
		for _, f := range fs.All() {
			if f.Settled() {
				n++
			}
		}
		return n
	}
	ticks := 0
	for ; settled() < logs && ticks < 100; ticks++ {
		c.now = c.now.Add(100 * paxos.Millisecond)
		var out paxos.Output
		fs.Tick(c.now, &out)
		c.exchange(fs, out.Now)
	}
	if n := settled(); n < logs {
		t.Fatalf("%d of %d logs are founded after %d ticks", n, logs, ticks)
	}
	for _, s := range c.stores {
		for _, h := range s.part.All() {
			if h.State != paxos.LogLive {
				t.Fatalf("%s: log %s is %s", s.name, h.Log, h.State)
			}
		}
		if n := len(s.part.All()); n != logs {
			t.Fatalf("%s holds %d logs", s.name, n)
		}
	}
	if most := uint64(6 * (ticks + 1)); request > most {
		t.Errorf("%d questions in %d ticks to 6 processes: more than %d", request, ticks, most)
	}
}

// exchange delivers what a process with several founders sends, and their answers, until nothing is on the way. p2 knows no log.
func (c *cluster) exchange(fs *Founders, sent []paxos.Envelope) {
	for len(sent) > 0 {
		var back paxos.Output
		for i := range sent {
			env := &sent[i]
			if env.To == "p2" {
				fs.Deliver(c.now, &paxos.Envelope{Log: env.Log, From: "p2", Request: env.Request, Msg: &paxos.IdentAnswer{
					Name: "p2", Role: paxos.RoleProposer, Cluster: "main", Run: 1,
				}}, &back)
				continue
			}
			for _, s := range c.stores {
				if env.To != "" && env.To != s.name {
					continue
				}
				if _, ok := env.Msg.(*paxos.Ident); ok {
					fs.Deliver(c.now, &paxos.Envelope{Log: env.Log, From: s.name, Request: env.Request, Msg: &paxos.IdentAnswer{
						Name: s.name, Role: s.role, Cluster: "main", Incarnation: s.inc, Boot: 1, Run: 1, Logs: s.part.Infos(),
					}}, &back)
					continue
				}
				var out paxos.Output
				s.part.OnGenesis(env, &out)
				for j := range out.After {
					fs.Deliver(c.now, &out.After[j], &back)
				}
				for j := range out.Now {
					fs.Deliver(c.now, &out.Now[j], &back)
				}
			}
		}
		sent = back.Now
	}
}

// A process that does not answer is asked again for those who still wait, and its late answer serves them all.
func TestFoundersAskAgain(t *testing.T) {
	c := newCluster([]string{"a1", "a2", "a3"}, []string{"l1", "l2"}, 2, 2, 2)
	var cfgs []FounderConfig
	for i := range 2 {
		g := c.template
		g.Log = fmt.Sprintf("log-%d", i)
		cfgs = append(cfgs, FounderConfig{Name: "p1", Genesis: g, ID: paxos.GenesisID{1, byte(i)}})
	}
	request := uint64(0)
	fs, err := NewFounders(cfgs, func() uint64 { request++; return request })
	if err != nil {
		t.Fatal(err)
	}
	asked := func(out *paxos.Output) (n int, last paxos.Envelope) {
		for _, env := range out.Now {
			if env.To == "a1" {
				n, last = n+1, env
			}
		}
		return n, last
	}
	var first, again paxos.Output
	fs.Tick(c.now, &first)
	c.now = c.now.Add(paxos.DefaultResendFirst)
	fs.Tick(c.now, &again)
	n1, _ := asked(&first)
	n2, env := asked(&again)
	if n1 != 1 || n2 != 1 {
		t.Fatalf("asked %d and %d times, not once a tick", n1, n2)
	}
	a1 := c.store("a1")
	var out paxos.Output
	fs.Deliver(c.now, &paxos.Envelope{Log: env.Log, From: "a1", Request: env.Request, Msg: &paxos.IdentAnswer{
		Name: "a1", Role: a1.role, Cluster: "main", Incarnation: a1.inc, Boot: 1, Run: 1,
	}}, &out)
	for _, f := range fs.All() {
		if p := f.view.peer("a1"); !p.answered {
			t.Errorf("the founder of %s was not told", f.view.log)
		}
	}
	if _, err := NewFounders(append(cfgs, cfgs[0]), nil); err == nil {
		t.Error("two founders of one log")
	}
}
