package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// status is the part of a role's /status that the harness looks at.
type status struct {
	Logs []struct {
		Log     string `json:"log"`
		Serving bool   `json:"serving"`
		Through uint64 `json:"through"`
		Last    uint64 `json:"last"`
		First   uint64 `json:"first"`
		Hash    string `json:"hash"`
	} `json:"logs"`
}

// get reads one of a role's pages; code 0 with what went wrong if there is none.
func (r *role) get(ctx context.Context, path string) (code int, body string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.http+path, http.NoBody)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := r.pages.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func (r *role) status(ctx context.Context) (s status, ok bool) {
	code, body := r.get(ctx, "/status")
	var all []status
	if code != http.StatusOK || json.Unmarshal([]byte(body), &all) != nil || len(all) != 1 {
		return status{}, false
	}
	return all[0], true
}

// leader returns the proposer that takes appends of main; nil if none says so.
func (c *Cluster) leader(ctx context.Context) *role {
	for _, r := range c.of(proposer) {
		s, ok := r.status(ctx)
		if !ok {
			continue
		}
		for _, l := range s.Logs {
			if l.Log == logMain && l.Serving {
				return r
			}
		}
	}
	return nil
}

// first returns the first offset that a learner holds of a log. A role that just went on may need a moment to answer.
func (r *role) first(ctx context.Context, log string) (uint64, error) {
	for ctx.Err() == nil {
		s, _ := r.status(ctx)
		for _, l := range s.Logs {
			if l.Log == log && l.First > 0 {
				return l.First, nil
			}
		}
		pause(ctx, 20*time.Millisecond)
	}
	return 0, fmt.Errorf("%s does not say what it holds of log %s: %w", r.name, log, ctx.Err())
}
