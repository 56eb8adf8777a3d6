package sim

import "github.com/paxosd/paxosd/paxos"

// subscriber reads a log from its beginning.
type subscriber struct {
	p   *process
	log string
}

func newSubscriber(p *process, log string) *subscriber { return &subscriber{p: p, log: log} }

func (c *subscriber) quiet()                  {}
func (c *subscriber) settled() string         { return "" }
func (c *subscriber) connection(bool)         {}
func (c *subscriber) tick()                   {}
func (c *subscriber) deliver(*paxos.Envelope) {}
