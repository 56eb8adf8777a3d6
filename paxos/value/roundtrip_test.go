package value

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestRoundTrip: decode(encode(x)) = x, behind whatever the destination holds already.
func TestRoundTrip(t *testing.T) {
	prefix := []byte("before")
	cut := func(t *rapid.T, b []byte) []byte {
		if !bytes.HasPrefix(b, prefix) {
			t.Fatalf("the destination was overwritten: %x", b)
		}
		return b[len(prefix):]
	}
	t.Run("value", rapid.MakeCheck(func(t *rapid.T) {
		v := anyValue(t)
		b := cut(t, Encode(prefix, &v))
		got, err := Decode(b)
		if err != nil || got.Origin != v.Origin || got.Stamp != v.Stamp || len(got.Items) != len(v.Items) {
			t.Fatalf("%+v, %v; want %+v", got, err, v)
		}
		batches := false
		for i := range v.Items {
			batches = batches || v.Items[i].Kind == ItemBatch
			if got.Items[i].Kind != v.Items[i].Kind || !bytes.Equal(got.Items[i].Body, v.Items[i].Body) {
				t.Fatalf("item %d: %+v, want %+v", i, got.Items[i], v.Items[i])
			}
		}
		if o, err := Origin(b); err != nil || o != v.Origin {
			t.Fatalf("origin %v, %v; want %v", o, err, v.Origin)
		}
		if CarriesBatches(b) != batches {
			t.Fatalf("carries batches %t, want %t", !batches, batches)
		}
	}))
	t.Run("batch", rapid.MakeCheck(func(t *rapid.T) {
		want := anyBatch(t)
		b := cut(t, EncodeBatch(prefix, &want))
		got, err := DecodeBatch(b)
		if err != nil || !bytes.Equal(got.Frames, want.Frames) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
		got.Frames = want.Frames
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}))
	t.Run("frames", rapid.MakeCheck(func(t *rapid.T) {
		var b []byte
		var want []Frame
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			f := Frame{Headers: anyHeaders(t), Payload: anyBytes.Draw(t, "payload")}
			before := len(b)
			b = AppendFrame(b, f.Headers, f.Payload)
			if len(b)-before != FrameSize(f.Headers, f.Payload) {
				t.Fatalf("frame of %d bytes, FrameSize says %d", len(b)-before, FrameSize(f.Headers, f.Payload))
			}
			want = append(want, f)
		}
		if err := ScanFrames(b, uint32(len(want))); err != nil {
			t.Fatal(err)
		}
		i := 0
		for f, err := range Frames(b) {
			if err != nil || !reflect.DeepEqual(f.Headers, want[i].Headers) || !bytes.Equal(f.Payload, want[i].Payload) {
				t.Fatalf("entry %d: %+v, %v; want %+v", i, f, err, want[i])
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d entries, want %d", i, len(want))
		}
	}))
	t.Run("command", rapid.MakeCheck(func(t *rapid.T) {
		want := anyCommand(t)
		b := cut(t, EncodeCommand(prefix, want))
		if got, err := DecodeCommand(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}))
	t.Run("genesis", rapid.MakeCheck(func(t *rapid.T) {
		want := anyGenesis(t)
		if got, err := DecodeGenesis(EncodeGenesis(want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}))
}

// TestCutShort: no proper prefix of an encoding is one, and none with a byte more.
func TestCutShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, bt, c, g := anyValue(t), anyBatch(t), anyCommand(t), anyGenesis(t)
		all := []struct {
			name   string
			b      []byte
			decode func([]byte) error
		}{
			{"value", Encode(nil, &v), func(b []byte) error { _, err := Decode(b); return err }},
			{"batch", EncodeBatch(nil, &bt), func(b []byte) error { _, err := DecodeBatch(b); return err }},
			{"command", EncodeCommand(nil, c), func(b []byte) error { _, err := DecodeCommand(b); return err }},
			{"genesis", EncodeGenesis(g), func(b []byte) error { _, err := DecodeGenesis(b); return err }},
			{"frames", AppendFrame(nil, anyHeaders(t), bt.Frames), func(b []byte) error { return ScanFrames(b, 1) }},
		}
		for _, x := range all {
			n := rapid.IntRange(0, len(x.b)-1).Draw(t, x.name)
			if x.decode(x.b[:n]) == nil {
				t.Fatalf("%s: %d of %d bytes were taken", x.name, n, len(x.b))
			}
			if x.decode(append(bytes.Clone(x.b), 0)) == nil {
				t.Fatalf("%s: a byte too many was taken", x.name)
			}
		}
	})
}

// TestBuilder: what is composed in place is what Encode writes, never larger than the limit, and an item that does not fit
// leaves no trace.
func TestBuilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyValue(t)
		items := want.Items
		want.Items = nil
		limit := len(Encode(nil, &want)) + rapid.IntRange(0, 100).Draw(t, "room")
		b := NewBuilder(make([]byte, 3, 8), want.Origin, want.Stamp, uint32(limit))
		for _, it := range items {
			before := b.Len()
			if b.Add(it.Kind, it.Body) {
				want.Items = append(want.Items, it)
				continue
			}
			if b.Len() != before || before+itemHeader+len(it.Body) <= limit {
				t.Fatalf("an item of %d bytes after %d of %d was refused, %d now", len(it.Body), before, limit, b.Len())
			}
		}
		if b.Len() > limit || b.Count() != len(want.Items) {
			t.Fatalf("%d bytes of %d, %d items of %d", b.Len(), limit, b.Count(), len(want.Items))
		}
		if got := b.Bytes(); !bytes.Equal(got, Encode(nil, &want)) {
			t.Fatalf("built %x, encoded %x", got, Encode(nil, &want))
		}
	})
}

// TestDecodersAlias: decoders copy no bodies: what a leader proposes, an acceptor stores and a learner hands out is one buffer.
func TestDecodersAlias(t *testing.T) {
	frames := AppendFrame(nil, nil, []byte("payload"))
	body := EncodeBatch(nil, &Batch{Count: 1, Plain: true, Frames: frames})
	b := Encode(nil, &Value{Items: []Item{{ItemBatch, body}}})
	v, err := Decode(b)
	if err != nil || &v.Items[0].Body[len(body)-1] != &b[len(b)-1] {
		t.Fatalf("items are copies, %v", err)
	}
	bt, err := DecodeBatch(v.Items[0].Body)
	if err != nil || &bt.Frames[len(frames)-1] != &b[len(b)-1] {
		t.Fatalf("frames are copies, %v", err)
	}
	f, _, err := DecodeFrame(bt.Frames)
	if err != nil || &f.Payload[len(f.Payload)-1] != &b[len(b)-1] {
		t.Fatalf("payload is a copy, %v", err)
	}
	if extended := append(v.Items[0].Body[:0:len(v.Items[0].Body)], 1); &extended[0] != &v.Items[0].Body[0] || cap(v.Items[0].Body) != len(v.Items[0].Body) {
		t.Fatal("an append to one item could overwrite the next")
	}
}
