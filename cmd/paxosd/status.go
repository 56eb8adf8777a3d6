package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// clusterStatus is what `paxosd status --json` prints.
type clusterStatus struct {
	Cluster string      `json:"cluster"`
	Logs    []logView   `json:"logs"`
	Roles   []roleStats `json:"roles"`
}

// logView is one log over all roles.
type logView struct {
	Log     string `json:"log"`
	Genesis string `json:"genesis"`
	Leader  string `json:"leader,omitempty"` // name
	Ballot  string `json:"ballot,omitempty"`
	Serving bool   `json:"serving"`
	Through uint64 `json:"through"`       // highest slot that anyone sequenced
	Last    uint64 `json:"last"`          // last offset there
	Stable  uint64 `json:"stable"`        // newest stable mark
	Lag     uint64 `json:"lag"`           // slots by which the slowest learner is behind
	Agree   bool   `json:"hashes_agree"`  // equal slots have equal running hashes
	Why     string `json:"why,omitempty"` // what is wrong, if anything is
}

func newStatus(std stdio) *cobra.Command {
	var s shared
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show every role seen, and how each log stands",
		GroupID: groupAfter,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
			defer cancel()
			nc, err := s.dial(ctx)
			if err != nil {
				return err
			}
			defer nc.Close()
			ms, err := members(ctx, nc, s.cluster)
			if err != nil {
				return err
			}
			if len(ms) == 0 {
				return fmt.Errorf("no role of cluster %q answers at %s", s.cluster, nc.ConnectedUrlRedacted())
			}
			st := summarize(s.cluster, ms)
			if asJSON {
				e := json.NewEncoder(std.out)
				e.SetIndent("", "  ")
				return e.Encode(st)
			}
			return printStatus(std.out, st)
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// summarize joins what the roles tell of each log.
func summarize(cluster string, ms []member) clusterStatus {
	st := clusterStatus{Cluster: cluster}
	views := make(map[string]*logView)
	hashes := make(map[string]string) // genesis/slot → hash
	lowest := make(map[string]uint64)
	for i := range ms {
		r := &ms[i].Stats
		st.Roles = append(st.Roles, *r)
		for j := range r.Logs {
			l := &r.Logs[j]
			v := views[l.Genesis]
			if v == nil {
				v = &logView{Log: l.Log, Genesis: l.Genesis, Agree: true}
				views[l.Genesis] = v
			}
			if l.Phase == "leader" {
				v.Leader, v.Ballot, v.Serving = r.Name, l.Ballot, l.Serving
			}
			if l.Through > v.Through {
				v.Through, v.Last = l.Through, l.Last
			}
			v.Stable = max(v.Stable, l.Stable)
			if l.Stopped != "" {
				v.Why = r.Role + " " + r.Name + ": " + l.Stopped
			}
			if r.Role == "learner" {
				if low, ok := lowest[l.Genesis]; !ok || l.Through < low {
					lowest[l.Genesis] = l.Through
				}
			}
			if l.Hash != "" {
				key := fmt.Sprintf("%s/%d", l.Genesis, l.Through)
				if h, ok := hashes[key]; ok && h != l.Hash {
					v.Agree = false
				}
				hashes[key] = l.Hash
			}
		}
	}
	for g, v := range views {
		if low, ok := lowest[g]; ok {
			v.Lag = v.Through - low
		}
		if v.Leader == "" && v.Why == "" {
			v.Why = "no leader: appends wait"
		}
		st.Logs = append(st.Logs, *v)
	}
	sort.Slice(st.Logs, func(i, j int) bool { return st.Logs[i].Log+st.Logs[i].Genesis < st.Logs[j].Log+st.Logs[j].Genesis })
	return st
}

func printStatus(w io.Writer, st clusterStatus) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "LOG\tLEADER\tBALLOT\tLAST OFFSET\tSLOT\tSTABLE\tLAG\tHASHES\tNOTE")
	for _, l := range st.Logs {
		agree := "agree"
		if !l.Agree {
			agree = "DIFFER"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", l.Log, dash(l.Leader), dash(l.Ballot), l.Last, l.Through, l.Stable, l.Lag, agree, l.Why)
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "ROLE\tNAME\tREADY\tLOGS\tQUEUE\tDISK\tNOTE")
	for _, r := range st.Roles {
		fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%d\t%s\t%s\n", r.Role, r.Name, r.Ready, logsText(r), r.Queue, bytesText(r.DiskBytes), dash(r.Why+r.Full))
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func logsText(r roleStats) string {
	names := make([]string, 0, len(r.Logs))
	for _, l := range r.Logs {
		n := l.Log
		if l.Phase != "" {
			n += "=" + l.Phase
		}
		names = append(names, n)
	}
	if len(names) > 8 {
		names = append(names[:8], fmt.Sprintf("and %d more", len(r.Logs)-8))
	}
	return dash(strings.Join(names, ","))
}

// bytesText shows a size with a binary unit.
func bytesText(n uint64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
