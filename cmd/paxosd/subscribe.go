package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/client"
)

// subscribeOptions are subscribe's flags.
type subscribeOptions struct {
	shared
	log, from, output string
	since             time.Duration
	follow            bool
	count             uint64
}

func newSubscribe(std stdio) *cobra.Command {
	var o subscribeOptions
	cmd := &cobra.Command{
		Use:   "subscribe",
		Short: "Print a log's entries in order, and go on as new ones come",
		Long: "Prints entries from where --from says, in order, without hole or repeat, whatever becomes of learners and leaders. With\n" +
			"--follow=false it ends at the last offset as it was, linearizably, when it began. SIGINT ends it; the next offset is then on\n" +
			"standard error.",
		GroupID: groupUse,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSubscribe(cmd.Context(), std, &o) },
	}
	f := cmd.Flags()
	o.register(f)
	logFlag(cmd, &o.log)
	f.StringVar(&o.from, "from", "", "where to begin: first, next, an `offset`, or a time as 2006-01-02T15:04:05Z (default next when following, else first)")
	f.DurationVar(&o.since, "since", 0, "begin this long ago, instead of --from")
	f.BoolVar(&o.follow, "follow", true, "go on as new entries come")
	f.Uint64Var(&o.count, "count", 0, "end after `N` entries (default never)")
	f.StringVarP(&o.output, "output", "o", "raw", "`format` of an entry: raw (its payload and a line feed) or json")
	return cmd
}

func runSubscribe(ctx context.Context, std stdio, o *subscribeOptions) error {
	from, err := o.start()
	if err != nil {
		return err
	}
	c, done, err := o.open(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer done()
	var opts []client.SubscribeOption
	if !o.follow {
		opts = append(opts, client.UntilLast())
	}
	w := bufio.NewWriterSize(std.out, 256<<10)
	p := printer{w: w, json: o.output == "json"}
	sub := c.Log(o.log).Subscribe(ctx, from, opts...)
	err = p.all(sub, o.count)
	if e := w.Flush(); err == nil && e != nil {
		err = fmt.Errorf("write entries: %w", e)
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		if p.next > 0 {
			fmt.Fprintf(std.err, "next offset: %d\n", p.next)
		}
		return nil
	}
	return err
}

// start reads --from and --since.
func (o *subscribeOptions) start() (client.From, error) {
	if err := checkLogName(o.log); err != nil {
		return client.From{}, err
	}
	if o.output != "raw" && o.output != "json" {
		return client.From{}, usagef("--output %q: want raw or json", o.output)
	}
	if o.since != 0 {
		if o.from != "" || o.since < 0 {
			return client.From{}, usagef("--since %v: want a positive span, and no --from beside it", o.since)
		}
		return client.Time(time.Now().Add(-o.since)), nil
	}
	switch {
	case o.from == "first", o.from == "" && !o.follow:
		return client.First(), nil
	case o.from == "next", o.from == "":
		return client.Next(), nil
	}
	if n, err := strconv.ParseUint(o.from, 10, 64); err == nil {
		if n == 0 {
			return client.From{}, usagef("--from 0: offsets begin at 1")
		}
		return client.Offset(n), nil
	}
	t, err := time.Parse(time.RFC3339, o.from)
	if err != nil {
		return client.From{}, usagef("--from %q: want first, next, an offset from 1, or a time as 2006-01-02T15:04:05Z", o.from)
	}
	return client.Time(t), nil
}

// printer prints entries.
type printer struct {
	w    *bufio.Writer
	json bool
	next uint64
	n    uint64
}

// entryLine is an entry in JSON. One of Data and Base64 is there: text as it is, all else in base64.
type entryLine struct {
	Offset  uint64              `json:"offset"`
	Time    time.Time           `json:"time"`
	Headers map[string][]string `json:"headers,omitempty"`
	Data    *string             `json:"data,omitempty"`
	Base64  []byte              `json:"base64,omitempty"`
}

// all prints what sub yields, most entries at most (0: all). What is printed reaches the reader at once when nothing follows.
func (p *printer) all(sub iter.Seq2[client.Entry, error], most uint64) error {
	for e, err := range sub {
		if err != nil {
			return err
		}
		if err := p.print(&e); err != nil {
			return fmt.Errorf("write entry %d: %w", e.Offset, err)
		}
		if p.n == most {
			return nil
		}
	}
	return nil
}

func (p *printer) print(e *client.Entry) error {
	p.next = e.Offset + 1
	p.n++
	if !p.json {
		if _, err := p.w.Write(e.Payload); err != nil {
			return err
		}
		return p.w.WriteByte('\n')
	}
	return json.NewEncoder(p.w).Encode(lineOf(e))
}

func lineOf(e *client.Entry) entryLine {
	l := entryLine{Offset: e.Offset, Time: e.Time.UTC()}
	for _, h := range e.Headers {
		if l.Headers == nil {
			l.Headers = make(map[string][]string)
		}
		l.Headers[h.Key] = append(l.Headers[h.Key], h.Value)
	}
	if utf8.Valid(e.Payload) {
		s := string(e.Payload)
		l.Data = &s
	} else {
		l.Base64 = e.Payload
	}
	return l
}

func newGet(std stdio) *cobra.Command {
	var s shared
	var log, output string
	cmd := &cobra.Command{
		Use:     "get OFFSET",
		Short:   "Print one entry",
		GroupID: groupUse,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return &usageError{err: err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || n == 0 {
				return usagef("offset %q: want a number from 1", args[0])
			}
			if output != "raw" && output != "json" {
				return usagef("--output %q: want raw or json", output)
			}
			if err := checkLogName(log); err != nil {
				return err
			}
			return s.use(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				e, err := c.Log(log).Get(ctx, n)
				if err != nil {
					return err
				}
				w := bufio.NewWriter(std.out)
				p := printer{w: w, json: output == "json"}
				return errors.Join(p.print(&e), w.Flush())
			})
		},
	}
	s.register(cmd.Flags())
	logFlag(cmd, &log)
	cmd.Flags().StringVarP(&output, "output", "o", "raw", "`format` of the entry: raw (its payload and a line feed) or json")
	return cmd
}

func newLast(std stdio) *cobra.Command {
	var s shared
	var log string
	cmd := &cobra.Command{
		Use:     "last",
		Short:   "Print a log's last offset, linearizably",
		GroupID: groupUse,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLogName(log); err != nil {
				return err
			}
			return s.use(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				n, err := c.Log(log).LastOffset(ctx)
				if err == nil {
					fmt.Fprintln(std.out, n)
				}
				return err
			})
		},
	}
	s.register(cmd.Flags())
	logFlag(cmd, &log)
	return cmd
}

func newLog(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "log",
		Short:   "List the logs of a cluster",
		GroupID: groupUse,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var s shared
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the logs of a cluster",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.use(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				logs, err := c.Logs(ctx)
				if err != nil {
					return err
				}
				return printLogs(std.out, logs, asJSON)
			})
		},
	}
	s.register(list.Flags())
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON, a line for each log")
	cmd.AddCommand(list)
	return cmd
}

func printLogs(w io.Writer, logs []client.LogInfo, asJSON bool) error {
	for i := range logs {
		l := &logs[i]
		if asJSON {
			if err := json.NewEncoder(w).Encode(map[string]any{
				"log": l.Name, "genesis": l.Genesis, "last": l.Last, "learners": l.Learners,
			}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s\tlast offset %d\tlearners %v\tgenesis %s\n", l.Name, l.Last, l.Learners, l.Genesis)
	}
	return nil
}
