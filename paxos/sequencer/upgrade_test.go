package sequencer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestQ6UnknownStopsTheLog: a chosen command, format or level that this build does not know stops the log, whole slot and all. Had
// the items before it been applied, or it alone been skipped, two builds would go on with two different logs.
func TestQ6UnknownStopsTheLog(t *testing.T) {
	good := batchItem(value.Batch{Count: 2, Plain: false, MessageID: "id"})
	newBatch := batchItem(value.Batch{Count: 1})
	newBatch.Body = bytes.Clone(newBatch.Body)
	newBatch.Body[0] = 2
	tests := []struct {
		name string
		last value.Item
		want error
		says string
	}{
		{"command kind", value.Item{Kind: value.ItemCommand, Body: []byte{99}}, ErrUpgrade, "command kind 99"},
		{"level", commandItem(&value.SetLevel{Level: paxos.FormatLevel + 1}), ErrUpgrade, "format level 2"},
		{"item kind", value.Item{Kind: 3}, ErrUpgrade, "item kind 3"},
		{"batch version", newBatch, ErrUpgrade, "batch version 2"},
		{"cut command", value.Item{Kind: value.ItemCommand}, ErrMalformed, "item 2"},
		{"cut batch", value.Item{Kind: value.ItemBatch, Body: []byte{1}}, ErrMalformed, "item 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open()
			state, hash, next := r.seq.State(), r.seq.Hash(), r.seq.Next()
			_, err := r.try(ballot(9), 99, good, commandItem(&value.TermStart{}), tt.last)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), `log "orders" slot 2`) {
				t.Fatalf("error %q, want %q that says %q", err, tt.want, tt.says)
			}
			if errors.Is(err, ErrUpgrade) && errors.Is(err, ErrMalformed) {
				t.Fatalf("error %q is both", err)
			}
			if !bytes.Equal(state, r.seq.State()) || hash != r.seq.Hash() || next != r.seq.Next() {
				t.Fatal("the slot was applied in part")
			}
			r.entries(r.one(good), paxos.CodeAppended, 1, 2) // what failed left nothing behind
		})
	}
	t.Run("value version", func(t *testing.T) {
		r := newRig(t)
		v := value.Encode(nil, &value.Value{})
		v[0] = 2
		if _, err := r.seq.Apply(1, v); !errors.Is(err, ErrUpgrade) {
			t.Fatal(err)
		}
		if _, err := r.seq.Apply(1, v[:5]); !errors.Is(err, ErrUpgrade) {
			t.Fatal(err)
		}
		if _, err := r.seq.Apply(1, nil); !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}

// TestQ6LevelOfGenesis: a log founded at a level that this build does not know is not sequenced by it at all.
func TestQ6LevelOfGenesis(t *testing.T) {
	g := testGenesis()
	g.Level = paxos.FormatLevel + 1
	r := newRigOf(t, g)
	if _, err := r.try(ballot(1), 0); !errors.Is(err, ErrUpgrade) || r.seq.Through() != 0 {
		t.Fatalf("applied through %d: %v", r.seq.Through(), err)
	}
}

// TestQ6LevelOnlyRises: a level is raised by a command and by nothing else.
func TestQ6LevelOnlyRises(t *testing.T) {
	r := newRig(t)
	for level := range uint32(paxos.FormatLevel + 1) {
		o := r.one(commandItem(&value.SetLevel{Level: level}))
		r.is(o, paxos.CodeCommandRefused)
		if o.Text == "" || r.seq.Level() != 1 {
			t.Fatalf("level %d: in force %d, text %q", level, r.seq.Level(), o.Text)
		}
	}
}

// TestQ6UnknownStopsThoughDropped: a slot is read whole before its origin is judged. What a newer build would make of an unknown item is
// not for this one to say, be it composed below the term.
func TestQ6UnknownStopsThoughDropped(t *testing.T) {
	r := newRig(t)
	r.at(5, commandItem(&value.TermStart{}))
	for _, it := range []value.Item{{Kind: value.ItemCommand, Body: []byte{99}}, commandItem(&value.SetLevel{Level: paxos.FormatLevel + 1})} {
		if _, err := r.try(ballot(4), 0, it); !errors.Is(err, ErrUpgrade) {
			t.Fatalf("error %v, want %v", err, ErrUpgrade)
		}
	}
}
