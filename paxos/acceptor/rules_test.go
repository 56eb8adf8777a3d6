package acceptor

import "testing"

// Each test plays the transcripts of one rule of PROTOCOL.md; the text of each file says what it shows.

func TestA1DurableBeforeHeard(t *testing.T)    { transcript(t, "a1_durable_before_heard.txt") }
func TestA2PromiseOnlyHigher(t *testing.T)     { transcript(t, "a2_promise_only_higher.txt") }
func TestA3AcceptRaisesPromise(t *testing.T)   { transcript(t, "a3_accept_raises_promise.txt") }
func TestA3RepeatWithoutWriting(t *testing.T)  { transcript(t, "a3_repeat_without_writing.txt") }
func TestA3AcceptParkedForARead(t *testing.T)  { transcript(t, "accept_parked.txt") }
func TestA4TrimToldAndObeyed(t *testing.T)     { transcript(t, "a4_trim_told_and_obeyed.txt") }
func TestA5EmptyIsAboutARange(t *testing.T)    { transcript(t, "a5_empty_is_about_a_range.txt") }
func TestA5ScanOvertaken(t *testing.T)         { transcript(t, "a5_scan_overtaken.txt") }
func TestA7RefusalCarriesPromise(t *testing.T) { transcript(t, "a7_refusal_carries_promise.txt") }

func TestA9TwoValuesAtOneBallotStop(t *testing.T)  { transcript(t, "a9_two_values_at_one_ballot.txt") }
func TestA9OneStoreTwiceStops(t *testing.T)        { transcript(t, "a9_one_store_twice.txt") }
func TestA10OnlyWhereLive(t *testing.T)            { transcript(t, "a10_only_where_live.txt") }
func TestK2TrimsByBeaconOnly(t *testing.T)         { transcript(t, "k2_trims_by_beacon_only.txt") }
func TestK4Retired(t *testing.T)                   { transcript(t, "k4_retired.txt") }
func TestK5Full(t *testing.T)                      { transcript(t, "k5_full.txt") }
func TestL4FetchVotes(t *testing.T)                { transcript(t, "l4_fetch_votes.txt") }
func TestN6BeaconsInSequence(t *testing.T)         { transcript(t, "n6_beacons.txt") }
func TestP7AsksItself(t *testing.T)                { transcript(t, "p7_ask.txt") }
func TestP7Silence(t *testing.T)                   { transcript(t, "p7_silence.txt") }
func TestP7WithdrawnByExactlyThatRun(t *testing.T) { transcript(t, "p7_withdrawn.txt") }
func TestP7RestartCountsFromItself(t *testing.T)   { transcript(t, "p7_restart.txt") }
func TestP8BeatsTellWhatDiffers(t *testing.T)      { transcript(t, "p8_beats.txt") }
func TestVotesSayHowLongTheyTook(t *testing.T)     { transcript(t, "vote_times.txt") }
func TestSection6StatesOfAGenesis(t *testing.T)    { transcript(t, "s6_founding.txt") }
