// Package client appends to and reads the logs of a paxosd cluster.
//
//	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
//	c, err := client.New(ctx, nc)
//	log := c.Log("main")
//
//	ack, err := log.Append(ctx, client.Entry{Payload: []byte("hello")})   // durable on a quorum when it returns
//	for e, err := range log.Subscribe(ctx, client.First()) { … }          // every entry, in order, for ever
//
// What it is not: it keeps no entries, caches no reads, and administers nothing. Any NATS client can append (publish a request on
// paxos.<cluster>.<log>.append) and get entries without it; what it adds is order, exactly-once and batching.
//
// # By task
//
//	append and wait                            Log.Append; many goroutines share batches
//	append much, fast                          Log.Producer, Producer.Append, Producer.Flush
//	append only if nobody else has             Log.AppendBatch with ExpectLast; a Producer with ChainFrom
//	append again after ErrUnknown, at most once Log.AppendBatch with WithMessageID, the same id each time
//	append nothing after a failure             a Producer with StopOnError
//	read from the beginning, a place, a time   Log.Subscribe with First, Offset, Time
//	read what is new from now on               Log.Subscribe with Next
//	read what is there, and end                Log.Subscribe with UntilLast
//	read one entry                             Log.Get
//	know how far the log goes, linearizably    Log.LastOffset
//	list the logs                              Client.Logs
//
// # Offsets
//
// Offsets begin at 1, are dense, and never change. An Append of several entries gets consecutive ones.
//
// # Errors
//
// Three classes, matched with errors.Is: ErrRefused (certainly not in the log), ErrUnknown (a time-out, or an answer that was lost: never
// "failed"), ErrGone (dropped by retention). Reasons are matched the same way and say what to do; Retryable sorts out those after which
// the same call is worth repeating. A context that ends is in the chain too.
//
// # Sessions
//
// Appends go through a producer session: a command in the log opens it, batches are numbered in it, and the log takes each number
// once, in order. So the client sends a batch again whenever it has reason to: a new leader announced itself, the broker knew of none,
// nothing was heard. Append uses one session per log that all callers share; each Producer has its own. The rules
// are in package session, those of reading in package stream; both are pure, this package joins them to NATS.
//
// Nothing here is kept across a restart of the program: an append that a crash interrupted is unknown. Give it a message id if it
// must be safe to repeat.
package client
