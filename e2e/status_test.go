//go:build e2e

package e2e

import "encoding/json"

// roleStatus is the part of /status that the tests look at.
type roleStatus struct {
	Role  string `json:"role"`
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Logs  []struct {
		Log     string `json:"log"`
		Phase   string `json:"phase"`
		Serving bool   `json:"serving"`
		Through uint64 `json:"through"`
		Last    uint64 `json:"last"`
		Hash    string `json:"hash"`
		Stable  uint64 `json:"stable"`
	} `json:"logs"`
}

// serving reports whether a /status page shows a proposer that takes appends of main.
func serving(body string) bool {
	var all []roleStatus
	if json.Unmarshal([]byte(body), &all) != nil {
		return false
	}
	for _, r := range all {
		for _, l := range r.Logs {
			if l.Log == "main" && l.Serving {
				return true
			}
		}
	}
	return false
}
