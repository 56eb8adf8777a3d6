package harness

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// status is the part of a role's /status that the harness looks at.
type status struct {
	Logs []struct {
		Log     string `json:"log"`
		Serving bool   `json:"serving"`
		Through uint64 `json:"through"`
		Last    uint64 `json:"last"`
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
