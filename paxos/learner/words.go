package learner

import "github.com/paxosd/paxosd/paxos"

// Words keeps what beacons said last of each log, for a process that looks for a log's beginning (Bootstrap.OnBeacon). A beacon lists only logs that
// have changed: what comes before the Bootstrap has come to where it helps is not said again while the log is idle. The zero value has heard nothing.
type Words struct{ all map[paxos.GenesisID]word }

// word is a leader's newest mark of one log, and who sent it.
type word struct {
	from string
	item paxos.BeaconItem
}

// Hear takes what a beacon of the proposer named from says. A mark is true for ever, whoever leads by now; the one that goes farthest is kept, of
// paxos.MaxBeaconItems logs at most. What is not the sender's own ballot is nobody's word (PROTOCOL N1).
func (w *Words) Hear(from string, item *paxos.BeaconItem) {
	old, ok := w.all[item.Genesis]
	if item.Withdrawn || item.Ballot.Proposer != from || ok && item.Chosen <= old.item.Chosen || !ok && len(w.all) >= paxos.MaxBeaconItems {
		return
	}
	if w.all == nil {
		w.all = make(map[paxos.GenesisID]word)
	}
	w.all[item.Genesis] = word{from, *item}
}

// Tell tells a log's Bootstrap what was heard.
func (w *Words) Tell(id paxos.GenesisID, b *Bootstrap) {
	if x, ok := w.all[id]; ok {
		b.OnBeacon(x.from, &x.item)
	}
}

// Begun tells the Learner that a log has begun with how far the log goes by what was heard meanwhile: nobody says it again while the log is idle.
func (w *Words) Begun(id paxos.GenesisID, l *Learner) {
	if x, ok := w.all[id]; ok {
		l.KnownChosen(x.item.Chosen)
	}
}
