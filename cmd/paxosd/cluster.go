package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/paxosd/paxosd/messaging"
)

// Bounds of asking everybody: there is no list of who should answer, so silence ends it.
const (
	gatherSilence = 250 * time.Millisecond // after the last answer
	gatherMost    = 4096                   // answers
)

// member is one role as it told of itself.
type member struct {
	ID       string
	Metadata map[string]string
	Stats    roleStats
	RTT      time.Duration // until its answer came
}

// gather asks everybody on a subject and returns their answers: until nothing came for a while after the first, or
// ctx ends.
func gather(ctx context.Context, nc *nats.Conn, subject string, payload []byte) ([]*nats.Msg, error) {
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(subject, inbox, payload); err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	var all []*nats.Msg
	for len(all) < gatherMost {
		wait, cancel := context.WithTimeout(ctx, 4*gatherSilence)
		if len(all) > 0 {
			cancel()
			wait, cancel = context.WithTimeout(ctx, gatherSilence)
		}
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case err == nil && m.Header.Get("Status") == "503":
			return nil, nil
		case err == nil:
			all = append(all, m)
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
			return all, nil
		default:
			return all, fmt.Errorf("ask %s: %w", subject, err)
		}
	}
	return all, nil
}

// members asks every paxosd role of a cluster for its statistics.
func members(ctx context.Context, nc *nats.Conn, cluster string) ([]member, error) {
	msgs, err := gather(ctx, nc, "$SRV.STATS", nil)
	if err != nil {
		return nil, err
	}
	var ms []member
	for _, m := range msgs {
		var st micro.Stats
		if json.Unmarshal(m.Data, &st) != nil || st.Metadata[messaging.MetaCluster] != cluster || len(st.Endpoints) == 0 {
			continue
		}
		x := member{ID: st.ID, Metadata: st.Metadata}
		if st.Metadata[messaging.MetaRole] == "" || json.Unmarshal(st.Endpoints[0].Data, &x.Stats) != nil || x.Stats.Role == "" {
			continue
		}
		ms = append(ms, x)
	}
	sort.Slice(ms, func(i, j int) bool {
		a, b := &ms[i].Stats, &ms[j].Stats
		if a.Role != b.Role {
			return a.Role < b.Role
		}
		if a.Name != b.Name {
			return a.Name < b.Name
		}
		return a.Run < b.Run
	})
	return ms, nil
}
