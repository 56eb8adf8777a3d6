package sim

// Situations lists what a campaign must have met: a checker that found nothing while these never happened has shown nothing. The names
// are those of Result.Counters.
func Situations() []string {
	return []string{
		// Elections.
		"leader change with slots in flight",
		"hole filled",
		"adopted",
		"another's value adopted over one's own",
		"duelling candidates",
		"promise lost",
		"raised in place",
		"candidate behind the trim mark",
		"standby behind the trim mark",
		"handed over",
		"clock out of bounds",
		// Voting and learning.
		"accept sent again",
		"accept again after a vote",
		"value told with its mark",
		"mark told alone",
		"gap repaired from a learner",
		"gap repaired from acceptors",
		"decided by a read quorum",
		"began from a checkpoint",
		// Clients.
		"acknowledged",
		"refused",
		"unknown",
		"tail answered",
		"plain append to two leaders",
		"duplicate batch answered",
		"batch refused after a hole",
		"session expired",
		"dropped below a term start",
		// Stores.
		"crash",
		"sync failed",
		"damage found",
		"twin found",
		"store went back",
		"store excluded",
		"disk full",
		"room by trimming",
		"late flush",
		// Stability and membership.
		"mark",
		"stable",
		"trimmed",
		"membership changed",
		"keepers changed",
	}
}

// StoreSituations lists what a campaign with real stores must have met besides.
func StoreSituations() []string {
	return []string{
		"real store: opened",
		"real store: written",
		"real store: read",
		"real store: sync failed",
		"real store: power lost during a write",
		"real store: harmed",
		"real store: damage found",
	}
}

// Missed returns the situations that counters, summed over a campaign, have at zero.
func Missed(counters map[string]int) []string {
	var missed []string
	for _, s := range Situations() {
		if counters[s] == 0 {
			missed = append(missed, s)
		}
	}
	return missed
}
