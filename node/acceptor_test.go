package node

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/paxos/value"
)

// votesStore is a VoteStore that completes late and scans what is durable.
type votesStore struct {
	lateStore
	scanned []paxos.VoteValue
	scanErr error
	fullErr error
}

func (s *votesStore) Scan(_ paxos.GenesisID, from, to paxos.Slot, _, _ int, _ bool) ([]paxos.VoteValue, paxos.Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.scanned), to, s.scanErr
}

func (s *votesStore) SyncTime() time.Duration { return 3 * time.Millisecond }

func (s *votesStore) Full() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return false, s.fullErr
}

// voting is a running acceptor over a store that completes late.
type voting struct {
	*Acceptor
	store *votesStore
	tr    *recorder
	gen   *paxos.Genesis
	clock *handClock
	err   error
}

func inVoting(t *testing.T, f func(t *testing.T, v *voting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &voting{store: &votesStore{}, tr: newRecorder(), gen: testGenesis(), clock: &handClock{now: 1}}
		var reqs uint64
		core, err := acceptor.New(acceptor.Config{
			Cluster: "main", Name: "a1", Incarnation: members("a1")[0].Incarnation, Boot: 1, Run: 3,
			NextRequest: func() uint64 { reqs++; return reqs },
		}, []acceptor.Restored{{
			Log: "orders", Genesis: v.gen.ID, Record: value.EncodeGenesis(v.gen), State: paxos.LogLive, HighestVoted: 50, Promised: testOrigin,
		}})
		if err != nil {
			t.Fatal(err)
		}
		v.Acceptor = NewAcceptor(AcceptorConfig{
			Name: "a1", Core: core, Store: v.store, Transport: v.tr, Clock: v.clock, Observer: deaf{},
			Failed: func(err error) { v.err = err },
		})
		v.Start()
		defer v.Stop()
		synctest.Wait()
		f(t, v)
	})
}

func (v *voting) receive(from string, m paxos.Message) {
	v.Receive(&paxos.Envelope{Log: "orders", Genesis: v.gen.ID, From: from, Reply: "x", Request: 1, Msg: m})
	synctest.Wait()
}

func (v *voting) sent() (kinds []paxos.Kind) {
	synctest.Wait()
	for _, env := range v.tr.take() {
		kinds = append(kinds, env.Msg.Kind())
	}
	return kinds
}

func (v *voting) accept(t paxos.Slot) {
	val := value.Encode(nil, &value.Value{Origin: testOrigin})
	v.receive("p1", &paxos.Accept{Ballot: testOrigin, Slot: t, Checksum: paxos.Sum(val), Value: val})
}

// TestA1VoteLeavesAfterItsSync, and a repeat of it, that needs no write, after the first (PROTOCOL A9).
func TestA1VoteLeavesAfterItsSync(t *testing.T) {
	inVoting(t, func(t *testing.T, v *voting) {
		v.accept(51)
		v.accept(51)
		if got := v.sent(); len(got) != 0 {
			t.Fatalf("%v left before the sync", got)
		}
		v.store.settle(1)
		if got := v.sent(); !slices.Equal(got, []paxos.Kind{paxos.KindLearn}) {
			t.Fatalf("%v left", got)
		}
		v.store.settle(1)
		if got := v.sent(); !slices.Equal(got, []paxos.Kind{paxos.KindLearn}) {
			t.Fatalf("%v left for the repeat", got)
		}
		v.accept(51)
		if got := v.sent(); !slices.Equal(got, []paxos.Kind{paxos.KindLearn}) {
			t.Fatalf("%v left with nothing under way", got)
		}
	})
}

// TestVotesSayHowLongTheySynced: from the accept's arrival until the vote leaves, of which the store's own part; a repeat that needed no write
// tells of none.
func TestVotesSayHowLongTheySynced(t *testing.T) {
	inVoting(t, func(t *testing.T, v *voting) {
		val := value.Encode(nil, &value.Value{Origin: testOrigin})
		took := func(settle int) paxos.VoteTime {
			t.Helper()
			v.receive("p1", &paxos.Accept{Ballot: testOrigin, Slot: 51, Checksum: paxos.Sum(val), Value: val, Explain: true})
			synctest.Wait()
			v.clock.now = v.clock.now.Add(5 * paxos.Millisecond)
			v.store.settle(settle)
			synctest.Wait()
			for _, env := range v.tr.take() {
				if m, ok := env.Msg.(*paxos.Learn); ok && len(m.Times) == 1 {
					return m.Times[0]
				}
			}
			t.Fatal("no vote says how long it took")
			return paxos.VoteTime{}
		}
		if got := took(1); got.Slot != 51 || got.Synced != 5*paxos.Millisecond || got.Fsync != 3*paxos.Millisecond {
			t.Errorf("%+v", got)
		}
		if got := took(0); got.Slot != 51 || got.Synced != 0 || got.Fsync != 0 {
			t.Errorf("a repeat: %+v", got)
		}
	})
}

// TestA5ReportSeesEarlierWrites: the scan for a promise runs after what was voted for before it is in the store.
func TestA5ReportSeesEarlierWrites(t *testing.T) {
	inVoting(t, func(t *testing.T, v *voting) {
		v.accept(51)
		b := paxos.Ballot{Round: 2, Proposer: "p2", Run: 1}
		v.receive("p2", &paxos.Prepare{Ballot: b, From: 1})
		v.store.mu.Lock()
		v.store.scanned = []paxos.VoteValue{{VoteInfo: paxos.VoteInfo{Slot: 50, Ballot: testOrigin, Checksum: 1, Bytes: 1}}}
		v.store.mu.Unlock()
		time.Sleep(time.Second)
		if got := v.sent(); len(got) != 0 {
			t.Fatalf("%v left before the sync", got)
		}
		v.store.settle(v.store.pending())
		synctest.Wait()
		v.store.settle(v.store.pending())
		if got := v.sent(); !slices.Contains(got, paxos.KindPromise) {
			t.Fatalf("%v left, want the promise", got)
		}
	})
}

// TestA8FailedReadOrDiskEndsTheAcceptor: it answers nothing from a store that reported damage.
func TestA8FailedReadOrDiskEndsTheAcceptor(t *testing.T) {
	damage := errors.New("checksum")
	inVoting(t, func(t *testing.T, v *voting) {
		v.store.scanErr = damage
		v.receive("p2", &paxos.Prepare{Ballot: paxos.Ballot{Round: 2, Proposer: "p2", Run: 1}, From: 1})
		v.store.settle(v.store.pending())
		synctest.Wait()
		if got := v.sent(); slices.Contains(got, paxos.KindPromise) || !errors.Is(v.err, damage) {
			t.Fatalf("%v left; failed with %v", got, v.err)
		}
	})
	inVoting(t, func(t *testing.T, v *voting) {
		v.store.mu.Lock()
		v.store.fullErr = damage
		v.store.mu.Unlock()
		time.Sleep(2 * diskEvery)
		synctest.Wait()
		if !errors.Is(v.err, damage) {
			t.Fatalf("failed with %v", v.err)
		}
	})
}

// TestA9SilentAfterTheProof: once another process is proved to run on a copy of the store, this one votes no more.
func TestA9SilentAfterTheProof(t *testing.T) {
	inVoting(t, func(t *testing.T, v *voting) {
		v.receive("", &paxos.Ident{Asker: "a1", Role: paxos.RoleAcceptor, Incarnation: members("a1")[0].Incarnation, Boot: 1, Run: 99})
		v.store.settle(v.store.pending())
		if got := v.sent(); !slices.Equal(got, []paxos.Kind{paxos.KindIdentAnswer}) || !errors.Is(v.err, ErrStopped) {
			t.Fatalf("%v left; failed with %v", got, v.err)
		}
		v.accept(51)
		if got := v.sent(); len(got) != 0 || v.store.pending() != 0 {
			t.Fatalf("%v left, %d groups submitted", got, v.store.pending())
		}
	})
}
