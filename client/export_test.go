package client

import "time"

// ConfirmAfter is the span that callers cannot set: tests do not wait for ten seconds.
func ConfirmAfter(d time.Duration) Option { return func(c *config) { c.confirm = d } }
