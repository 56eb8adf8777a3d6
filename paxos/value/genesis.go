package value

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

const genesisVersion = 1

// EncodeGenesis returns the canonical bytes of a founding record. They begin the running hash.
func EncodeGenesis(g *paxos.Genesis) []byte {
	b := []byte{genesisVersion}
	b = append(b, g.ID[:]...)
	b = appendShort(b, g.Cluster)
	b = appendShort(b, g.Log)
	b = le.AppendUint64(b, uint64(g.Founded))
	b = le.AppendUint32(b, g.Level)
	b = le.AppendUint64(b, g.Window)
	b = le.AppendUint32(b, g.ValueLimit)
	b = le.AppendUint32(b, g.Sessions)
	b = le.AppendUint32(b, g.Outcomes)
	b = le.AppendUint32(b, g.MessageIDs)
	b = AppendMembership(b, &g.Membership)
	return AppendKeepers(b, &g.Keepers)
}

// Bounds of a log's constants: what memory and one message can bear.
const (
	minWindow     = 1
	maxWindow     = 1 << 16
	minValueLimit = 8 << 10 // the largest command, of 63 members, must fit into a value
	maxValueLimit = 64<<20 - paxos.PayloadHeadroom
	maxSessions   = 1 << 20
	maxOutcomes   = 1 << 12
	maxMessageIDs = 1 << 24

	// maxStateBytes bounds a checkpoint: every mark encodes and hashes it, every newcomer fetches it.
	maxStateBytes = 256 << 20
)

// stateBytes is the most that a checkpoint of the log takes: memberships and keepers, sessions and message ids, and
// what its mark's hash covers of up to one item for every 11 bytes of a value, fewer than any but a term start has.
func stateBytes(g *paxos.Genesis) uint64 {
	const members, session, outcome, id, item = 1 << 20, 24, 29, 14 + paxos.MaxMessageIDBytes, 33
	return members + uint64(g.Sessions)*(session+outcome*uint64(g.Outcomes)) + id*uint64(g.MessageIDs) + uint64(g.ValueLimit)/11*item
}

// DecodeGenesis reads a founding record and checks that a log can be founded on it.
func DecodeGenesis(b []byte) (*paxos.Genesis, error) {
	r := Reader{b: b}
	if v := r.U8(); v != genesisVersion && !r.bad {
		return nil, fmt.Errorf("genesis version %d: %w", v, ErrUnknownVersion)
	}
	g := &paxos.Genesis{}
	copy(g.ID[:], r.Take(len(g.ID)))
	g.Cluster = r.Name()
	g.Log = r.Name()
	g.Founded = paxos.Stamp(r.U64())
	g.Level = r.U32()
	g.Window = r.U64()
	g.ValueLimit = r.U32()
	g.Sessions = r.U32()
	g.Outcomes = r.U32()
	g.MessageIDs = r.U32()
	g.Membership = r.Membership()
	g.Keepers = r.Keepers()
	if err := r.End("genesis record"); err != nil {
		return nil, err
	}
	if err := checkGenesis(g); err != nil {
		return nil, fmt.Errorf("genesis of log %q: %w", g.Log, err)
	}
	return g, nil
}

func checkGenesis(g *paxos.Genesis) error {
	switch {
	case g.ID.IsZero():
		return fmt.Errorf("no id: %w", ErrMalformed)
	case !paxos.ValidName(g.Cluster) || !paxos.ValidName(g.Log):
		return fmt.Errorf("cluster %q, log %q: no valid name: %w", g.Cluster, g.Log, ErrMalformed)
	case g.Level < 1:
		return fmt.Errorf("format level 0: %w", ErrMalformed)
	case g.Window < minWindow || g.Window > maxWindow:
		return fmt.Errorf("window of %d slots, want %d to %d: %w", g.Window, minWindow, maxWindow, ErrMalformed)
	case g.ValueLimit < minValueLimit || g.ValueLimit > maxValueLimit:
		return fmt.Errorf("value limit of %d bytes, want %d to %d: %w", g.ValueLimit, minValueLimit, maxValueLimit, ErrMalformed)
	case g.Sessions < 1 || g.Sessions > maxSessions || g.Outcomes < 1 || g.Outcomes > maxOutcomes || g.MessageIDs > maxMessageIDs:
		return fmt.Errorf("%d sessions, %d outcomes, %d message ids: %w", g.Sessions, g.Outcomes, g.MessageIDs, ErrMalformed)
	case stateBytes(g) > maxStateBytes:
		return fmt.Errorf("%d sessions of %d outcomes and %d message ids may take %d bytes in every checkpoint, at most %d: %w",
			g.Sessions, g.Outcomes, g.MessageIDs, stateBytes(g), maxStateBytes, ErrMalformed)
	case g.Membership.Epoch != 1 || g.Membership.From != 1 || g.Keepers.Epoch != 1:
		return fmt.Errorf("the first membership and keepers have epoch and slot 1: %w", ErrMalformed)
	}
	if err := quorum.Validate(&g.Membership); err != nil {
		return err
	}
	return quorum.ValidateKeepers(&g.Keepers, &g.Membership)
}
