package metrics

import "github.com/prometheus/client_golang/prometheus"

// Names of metrics: dashboards and alerts of our users hang on them. Never change one, only add.
const (
	nameBuild = "paxosd_build_info"

	// Counted and measured as it happens.
	nameCommit          = "paxosd_commit_seconds"
	nameStages          = "paxosd_append_stage_seconds"
	nameValueBytes      = "paxosd_value_bytes"
	nameAnswers         = "paxosd_answers_total"
	nameAcked           = "paxosd_entries_acked_total"
	nameFsync           = "paxosd_fsync_seconds"
	nameFsyncWait       = "paxosd_fsync_wait_seconds"
	nameGroupRecords    = "paxosd_fsync_group_records"
	nameGroupBytes      = "paxosd_fsync_group_bytes"
	nameStreamedEntries = "paxosd_entries_streamed_total"
	nameStreamedBytes   = "paxosd_streamed_bytes_total"
	namePhase           = "paxosd_proposer_phase"
	nameElections       = "paxosd_elections_total"
	nameLeadership      = "paxosd_leadership_changes_total"
	nameAsked           = "paxosd_leader_asks_total"
	nameClock           = "paxosd_clock_refusals_total"
	namePromiseRefused  = "paxosd_promises_refused_total"
	nameAcceptRefused   = "paxosd_accepts_refused_total"
	nameRetransmits     = "paxosd_retransmits_total"
	nameAdopted         = "paxosd_slots_adopted_total"
	nameHoles           = "paxosd_holes_filled_total"
	nameGaps            = "paxosd_gaps_repaired_total"
	nameGapSlots        = "paxosd_gap_slots_repaired_total"
	nameDuplicates      = "paxosd_duplicates_total"
	nameDropped         = "paxosd_messages_unused_total"
	nameReports         = "paxosd_keeper_reports_total"
	nameGenesis         = "paxosd_genesis_steps_total"
	nameDiverged        = "paxosd_divergences_total"
	nameUpgrade         = "paxosd_upgrades_needed_total"
	nameExcluded        = "paxosd_stores_excluded_total"
	nameStable          = "paxosd_stable_slot"
	nameTrimmed         = "paxosd_trimmed_slot"

	// Asked for at a scrape.
	nameSequenced      = "paxosd_sequenced_slot"
	nameLastOffset     = "paxosd_last_offset"
	nameLearnerLag     = "paxosd_learner_lag_slots"
	nameStableLag      = "paxosd_stable_lag_slots"
	nameStopped        = "paxosd_log_stopped"
	nameQueueEntries   = "paxosd_queue_requests"
	nameQueueBytes     = "paxosd_queue_bytes"
	nameOpenSlots      = "paxosd_open_slots"
	nameInFlight       = "paxosd_in_flight_bytes"
	nameMailbox        = "paxosd_mailbox_messages"
	nameSubscribers    = "paxosd_subscribers"
	nameStoreBytes     = "paxosd_store_bytes"
	nameDiskFree       = "paxosd_disk_free_bytes"
	nameDiskSize       = "paxosd_disk_size_bytes"
	nameStoreFull      = "paxosd_store_full"
	nameStoreWritten   = "paxosd_store_written_bytes_total"
	nameConnected      = "paxosd_broker_connected"
	nameReconnects     = "paxosd_broker_reconnects_total"
	nameSlow           = "paxosd_slow_consumer_drops_total"
	nameSent           = "paxosd_messages_sent_total"
	nameSentBytes      = "paxosd_sent_bytes_total"
	nameReceived       = "paxosd_messages_received_total"
	nameReceivedBytes  = "paxosd_received_bytes_total"
	nameRejected       = "paxosd_messages_rejected_total"
	nameSendDropped    = "paxosd_sends_dropped_total"
	nameOutboxMessages = "paxosd_outbox_messages"
	nameOutboxBytes    = "paxosd_outbox_bytes"
	nameUnbelieved     = "paxosd_no_responders_ignored_total"
)

// form is what kind of metric a name is.
type form uint8

const (
	counter form = iota
	gauge
	histogram
)

// word is what Prometheus calls the form.
func (f form) word() string {
	switch f {
	case counter:
		return "counter"
	case gauge:
		return "gauge"
	case histogram:
		return "histogram"
	}
	return "unknown"
}

// definition is one metric.
type definition struct {
	name    string
	form    form
	help    string
	labels  []string
	buckets []float64 // of a histogram
	scraped bool      // asked for at a scrape, not kept
}

// Labels.
const (
	labelRole   = "role"
	labelName   = "name"
	labelLog    = "log"
	labelReason = "reason"
	labelCode   = "code"
	labelChange = "change"
	labelStage  = "stage"
)

// definitions is the table of all metrics but build info, in the order of the documentation.
func definitions() []definition {
	return slicesOf(appendDefinitions(), leaderDefinitions(), storeDefinitions(), learnerDefinitions(), troubleDefinitions(), transportDefinitions())
}

func slicesOf(lists ...[]definition) []definition {
	var all []definition
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func appendDefinitions() []definition {
	log := []string{labelName, labelLog}
	return []definition{
		{name: nameCommit, form: histogram, labels: log, buckets: seconds(), help: "From a value's first proposal until it is chosen, at the leader."},
		{name: nameStages, form: histogram, labels: []string{labelName, labelLog, labelStage}, buckets: seconds(), help: "Where a slot's time goes: at the leader, queued (oldest request arrived until its accept left), voted (until a write quorum's votes) and answered (until the answers left); at an acceptor, synced (accept arrived until its vote, durable, left)."},
		{name: nameValueBytes, form: histogram, labels: log, buckets: sizes(), help: "Size of the values that a leader composed: how many appends share a slot."},
		{name: nameAnswers, form: counter, labels: []string{labelName, labelLog, labelCode}, help: "Answers to appends, opens and commands, by outcome."},
		{name: nameAcked, form: counter, labels: log, help: "Entries acknowledged to clients, each once per answer."},
		{name: nameDuplicates, form: counter, labels: log, help: "Batches that were in the log already and were answered from their outcome."},
		{name: nameQueueEntries, form: gauge, labels: log, scraped: true, help: "Requests that wait for a slot."},
		{name: nameQueueBytes, form: gauge, labels: log, scraped: true, help: "Their bytes; past protocol.queue appends are refused as overloaded."},
		{name: nameOpenSlots, form: gauge, labels: log, scraped: true, help: "Slots proposed and not chosen."},
		{name: nameInFlight, form: gauge, labels: log, scraped: true, help: "Bytes in those slots; protocol.in_flight bounds them over all logs."},
		{name: nameRetransmits, form: counter, labels: log, help: "Accepts sent again because votes were missing."},
	}
}

func leaderDefinitions() []definition {
	log := []string{labelName, labelLog}
	return []definition{
		{name: namePhase, form: gauge, labels: log, help: "0 standby, 1 candidate, 2 leader."},
		{name: nameElections, form: counter, labels: log, help: "Candidacies begun."},
		{name: nameLeadership, form: counter, labels: []string{labelName, labelLog, labelChange}, help: "Leaderships gained (the term start is sequenced) and lost."},
		{name: nameAsked, form: counter, labels: log, help: "Times that a standby asked the acceptors whether the leader is gone."},
		{name: nameClock, form: counter, labels: log, help: "Candidacies not begun because the clock is too far from the acceptors'."},
		{name: namePromiseRefused, form: counter, labels: []string{labelName, labelLog, labelReason}, help: "Prepares that an acceptor refused."},
		{name: nameAcceptRefused, form: counter, labels: []string{labelName, labelLog, labelReason}, help: "Accepts that an acceptor refused."},
		{name: nameAdopted, form: counter, labels: log, help: "Values of earlier leaders that a candidate proposed again."},
		{name: nameHoles, form: counter, labels: log, help: "Slots that a candidate filled with a no-op."},
	}
}

func storeDefinitions() []definition {
	store := []string{labelRole, labelName}
	return []definition{
		{name: nameFsync, form: histogram, labels: store, buckets: seconds(), help: "From handing a group of records to the store until it is durable: the disk's latency."},
		{name: nameFsyncWait, form: histogram, labels: store, buckets: seconds(), help: "How long the first record of a group waited for the group before it."},
		{name: nameGroupRecords, form: histogram, labels: store, buckets: prometheus.ExponentialBuckets(1, 2, 14), help: "Records that one fsync made durable, over all logs."},
		{name: nameGroupBytes, form: histogram, labels: store, buckets: sizes(), help: "Their bytes."},
		{name: nameStoreBytes, form: gauge, labels: store, scraped: true, help: "Size of the store on disk, without its ballast."},
		{name: nameStoreWritten, form: counter, labels: store, scraped: true, help: "Bytes written to disk: the engine's log, tables and compactions."},
		{name: nameDiskFree, form: gauge, labels: store, scraped: true, help: "Free bytes of the file system."},
		{name: nameDiskSize, form: gauge, labels: store, scraped: true, help: "Size of the file system."},
		{name: nameStoreFull, form: gauge, labels: store, scraped: true, help: "1 while past a disk limit: an acceptor refuses batches."},
		{name: nameTrimmed, form: gauge, labels: []string{labelName, labelLog}, help: "Slot through which an acceptor has forgotten its votes."},
	}
}

func learnerDefinitions() []definition {
	log := []string{labelRole, labelName, labelLog}
	return []definition{
		{name: nameSequenced, form: gauge, labels: log, scraped: true, help: "Slot through which a learner or proposer has sequenced the log."},
		{name: nameLastOffset, form: gauge, labels: log, scraped: true, help: "Offset of the last entry sequenced: its rate is the log's entries per second."},
		{name: nameLearnerLag, form: gauge, labels: log, scraped: true, help: "Slots known to be chosen and not sequenced here."},
		{name: nameStable, form: gauge, labels: log, help: "Newest stable slot: held durably by enough keepers."},
		{name: nameStableLag, form: gauge, labels: log, scraped: true, help: "Slots sequenced and not stable: what acceptors must keep."},
		{name: nameGaps, form: counter, labels: log, help: "Fetches that repaired a gap."},
		{name: nameGapSlots, form: counter, labels: log, help: "Slots that came by such a fetch."},
		{name: nameReports, form: counter, labels: log, help: "Reports that a keeper sent."},
		{name: nameSubscribers, form: gauge, labels: []string{labelName}, scraped: true, help: "Streams that a learner serves."},
		{name: nameStreamedEntries, form: counter, labels: []string{labelName}, help: "Entries sent to subscribers."},
		{name: nameStreamedBytes, form: counter, labels: []string{labelName}, help: "Bytes of those entries, framed."},
	}
}

func troubleDefinitions() []definition {
	log := []string{labelRole, labelName, labelLog}
	return []definition{
		{name: nameDiverged, form: counter, labels: log, help: "Contradictions between copies of a log. Any is an alarm."},
		{name: nameUpgrade, form: counter, labels: log, help: "Logs stopped because they need a newer version."},
		{name: nameStopped, form: gauge, labels: log, scraped: true, help: "1 while this process takes a log no further: it diverged, or needs a newer version."},
		{name: nameExcluded, form: counter, labels: log, help: "Stores proved to exist twice or to have gone back in time. Any is an alarm."},
		{name: nameDropped, form: counter, labels: []string{labelRole, labelName, labelReason}, help: "Valid messages of no use: stale, foreign, or beyond a buffer."},
		{name: nameGenesis, form: counter, labels: log, help: "Steps of founding logs."},
		{name: nameMailbox, form: gauge, labels: []string{labelRole, labelName}, scraped: true, help: "Messages that wait for a role's loop."},
	}
}

func transportDefinitions() []definition {
	role := []string{labelRole, labelName}
	reason := []string{labelRole, labelName, labelReason}
	return []definition{
		{name: nameConnected, form: gauge, labels: role, scraped: true, help: "1 while both connections to the broker are up."},
		{name: nameReconnects, form: counter, labels: role, scraped: true, help: "Reconnects to the broker, of either connection."},
		{name: nameSlow, form: counter, labels: role, scraped: true, help: "Arriving messages lost because a subscription's buffer was full."},
		{name: nameSent, form: counter, labels: role, scraped: true, help: "Messages sent."},
		{name: nameSentBytes, form: counter, labels: role, scraped: true, help: "Bytes sent."},
		{name: nameReceived, form: counter, labels: role, scraped: true, help: "Messages received."},
		{name: nameReceivedBytes, form: counter, labels: role, scraped: true, help: "Bytes received."},
		{name: nameRejected, form: counter, labels: reason, scraped: true, help: "Arriving messages refused by the decoder: garbage, foreign, oversized, of another version."},
		{name: nameSendDropped, form: counter, labels: reason, scraped: true, help: "Leaving messages dropped: disconnected, or the outbox was full."},
		{name: nameOutboxMessages, form: gauge, labels: role, scraped: true, help: "Messages that wait to leave."},
		{name: nameOutboxBytes, form: gauge, labels: role, scraped: true, help: "Their bytes."},
		{name: nameUnbelieved, form: counter, labels: role, scraped: true, help: "Answers \"nobody there\" not believed, so soon after a reconnect."},
	}
}

// seconds are buckets from 50 µs, below any fsync, to 13 s, past every time-out of the protocol.
func seconds() []float64 { return prometheus.ExponentialBuckets(50e-6, 2, 19) }

// sizes are buckets from 64 bytes to 4 MiB, past the largest value.
func sizes() []float64 { return prometheus.ExponentialBuckets(64, 4, 9) }
