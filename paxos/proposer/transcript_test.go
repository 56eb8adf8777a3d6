package proposer

import (
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Transcripts: messages in, what the proposer does in answer, readable by a person. The rig plays everybody else. Ballots are
// written round.proposer; the proposer under test is p1, and its own ballot is "own". Values are words; a value's items are
// joined by "+". Commands:
//
//	new [window=N] [acceptors=(a1,…)] [keepers=(l1,…)] [inflight=N] [queue=N] [limit=N] [beats=(a1,…)] [votes=(a1,…)] [me=p2] [also=(log,…)] [learners=(l1,…)]
//	                                      a fresh standby; the acceptors in beats answer beacons, those in votes vote, by themselves
//	auto [beats=(…)] [votes=(…)]          change that
//	tick <ms>                             let time pass, ten milliseconds at a time
//	flush                                 end of a turn
//	lead [from=(a1,a2)]                   cold start up to a subscribed leader, in one go
//	gone|alive <acceptor>… [t=N] [promised=B] [clock=±ms]     answers to the pending asks
//	none [to=name]                        the broker's 503 to the pending requests
//	promise <acceptor> [ballot=B] from=N [to=N] [t=N] [inc=N] [boot=N] [slot@B=value]…
//	refuse <acceptor> of=prepare|accept [refused=B] [slot=N] [why=ballot|trimmed|full|retired|round] [promised=B] [t=N]
//	vote <acceptor> [ballot=B] <slot>…    for what was proposed there at that ballot, or slot=value
//	accept <ballot> <slot> <value>        of another leader
//	beacon <proposer> n=N [run=N] [full] [over] [leads=B] [withdrawn=B] [chosen=N] [succession=(p1,…)] [answer]
//	beat <acceptor> n=N [promised=B] [full]
//	fetched <acceptor> [slot@B=value]… [t=N]                  answer to the pending fetch
//	append|batch|open|tail|admin …        requests of clients; see the rig
//	subscribed|unsubscribed               the service's confirmation of the newest subscription
//	report <keeper> n=N [hash=bad] [boot=N] [written=N] [start=N]
//	connection up|down, handover, live <ballot>, beacons, ident, ask-full, status
//
// Of beacons only those that say something are shown.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		r := &rig{t: t}
		datadriven.RunTest(t, path, r.command)
	})
}
