package sim

import "github.com/paxosd/paxosd/paxos"

// disk makes groups of records durable, one sync at a time: what gathers during a sync is covered by the next. A crash loses what
// no sync has covered, but for a part that reached the disk all the same.
type disk struct {
	p       *process
	apply   func(g *group) // makes a group durable
	forget  func()         // of a crash: memory becomes what is durable
	waiting []*group
	syncing []*group
	number  uint64 // of the newest group submitted
	written uint64 // of the newest durable one

	slow     paxos.Span // added to each sync
	failNext bool       // the next sync fails, and the process must end
}

// group is what one sync makes durable or not at all.
type group struct {
	number  uint64
	records []paxos.Record
	chosen  []keptSlot // of a learner's records
	done    func(written uint64)
}

// submit adds a group. With nothing to write it waits for what came before.
func (d *disk) submit(g *group) {
	if len(g.records) > 0 {
		if d.p.fuse(&d.p.fusePersist, "killed as it writes") {
			return
		}
		d.number++
	}
	g.number = d.number
	d.waiting = append(d.waiting, g)
	if len(d.syncing) == 0 {
		d.sync()
	}
}

// idle reports whether nothing is under way.
func (d *disk) idle() bool { return len(d.syncing)+len(d.waiting) == 0 }

func (d *disk) sync() {
	d.syncing, d.waiting = d.waiting, nil
	p := d.p
	took := 100*paxos.Microsecond + span(p.w.forDisk, 2*paxos.Millisecond) + d.slow
	life := p.life
	p.w.after(took, func() {
		if p.life == life {
			d.synced(life)
		}
	})
}

// synced makes what was being synced durable, tells the process, and goes on. A paused process hears of it later.
func (d *disk) synced(life uint32) {
	p := d.p
	if d.failNext {
		d.failNext = false
		p.w.count("sync failed")
		if p.real != nil {
			p.real.failSync(d.syncing[0].records)
			d.syncing, d.waiting = nil, nil
		}
		p.crash("a sync failed")
		return
	}
	done := d.syncing
	d.syncing = nil
	for _, g := range done {
		d.durable(g)
	}
	if len(d.waiting) > 0 {
		d.sync()
	}
	tell := func() {
		for _, g := range done {
			if p.life == life {
				g.done(d.written)
			}
		}
	}
	if p.paused > p.w.now {
		p.alive(0, tell)
		return
	}
	tell()
}

// durable writes a group into the real store, if there is one, and makes it durable in the model.
func (d *disk) durable(g *group) {
	if d.p.real != nil {
		d.p.real.write(g.records)
	}
	d.settle(g)
}

// settle makes a group durable in the model.
func (d *disk) settle(g *group) {
	for i := range g.records {
		r := &g.records[i]
		d.p.w.mix(uint64(r.Kind)<<56 | uint64(d.p.id)<<48 ^ uint64(r.Slot) ^ r.Ballot.Round<<32)
	}
	d.written = max(d.written, g.number)
	d.apply(g)
}

// crash loses what is not synced: a prefix of it may have reached the disk.
func (d *disk) crash() {
	if d.apply == nil {
		return
	}
	left := append(d.syncing, d.waiting...)
	d.syncing, d.waiting = nil, nil
	n := 0
	if len(left) > 0 {
		n = d.p.w.forDisk.IntN(len(left) + 1)
		for _, g := range left[:n] {
			d.durable(g)
		}
	}
	if s := d.p.real; s != nil {
		var cut []paxos.Record
		if n < len(left) {
			cut = left[n].records
		}
		if s.crash(cut) {
			d.settle(left[n])
		}
	}
	d.number = d.written
	d.forget()
}

// commit is what a service does with one turn's records: they become durable, then what waited for them leaves.
func (p *process) commit(records []paxos.Record, chosen []keptSlot, after []paxos.Envelope, done func()) {
	if len(records) == 0 && p.disk.idle() {
		p.leave(after)
		if done != nil && p.up() {
			done()
		}
		return
	}
	if len(records)+len(after) == 0 && done == nil {
		return
	}
	envs := append([]paxos.Envelope(nil), after...)
	p.disk.submit(&group{
		records: append([]paxos.Record(nil), records...), chosen: chosen, done: func(written uint64) {
			life := p.life
			for i := range envs {
				if p.life != life {
					return
				}
				paxos.SetWritten(&envs[i], written)
				p.send(&envs[i])
			}
			if done != nil && p.life == life {
				done()
			}
		},
	})
}

// leave sends what may leave now.
func (p *process) leave(envs []paxos.Envelope) {
	life := p.life
	for i := range envs {
		if p.life != life {
			return
		}
		paxos.SetWritten(&envs[i], p.disk.written)
		p.send(&envs[i])
	}
}
