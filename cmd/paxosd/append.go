package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

// appendOptions are append's flags.
type appendOptions struct {
	shared
	log, file, delimiter string
	json, whole          bool
	skip                 uint64
	expect               uint64
	chain                bool // expect was given
}

func newAppend(std stdio) *cobra.Command {
	var o appendOptions
	cmd := &cobra.Command{
		Use:   "append",
		Short: "Append entries from a file or standard input, one a line",
		Long: "Appends one entry for each line of the file, or of standard input, in order. It ends with one line that says where they are:\n" +
			"'appended N entries to LOG: offsets A-B'. After a failure it says what was acknowledged last; --skip N goes on after those.",
		GroupID: groupUse,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.chain = cmd.Flags().Changed("expect-last")
			if o.whole && (o.skip > 0 || cmd.Flags().Changed("delimiter")) {
				return usagef("--whole makes one entry of the input: --skip and --delimiter have no meaning with it")
			}
			return runAppend(cmd.Context(), std, &o)
		},
	}
	f := cmd.Flags()
	o.register(f)
	logFlag(cmd, &o.log)
	f.StringVar(&o.file, "file", "", "`file` to read (default standard input)")
	f.StringVar(&o.delimiter, "delimiter", "\n", "`text` that ends an entry; \\n, \\t and \\0 are understood")
	f.BoolVar(&o.whole, "whole", false, "append the whole input as one entry")
	f.BoolVar(&o.json, "json", false, "print one acknowledgement as JSON for each entry")
	f.Uint64Var(&o.skip, "skip", 0, "leave out the first `N` entries of the input: they were acknowledged before")
	f.Uint64Var(&o.expect, "expect-last", 0, "append only if `N` is the log's last offset, and only while nobody else appends")
	return cmd
}

func runAppend(ctx context.Context, std stdio, o *appendOptions) error {
	if err := checkLogName(o.log); err != nil {
		return err
	}
	delimiter, err := unescape(o.delimiter)
	if err != nil {
		return err
	}
	in, size, err := openInput(std, o.file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	c, done, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	a := appender{o: o, std: std, total: o.skip, bar: newBar(std.err, size)}
	opts := []client.ProducerOption{client.StopOnError(), client.DeliveryTimeout(o.timeout)}
	if o.chain {
		opts = append(opts, client.ChainFrom(o.expect))
	}
	find, cancel := context.WithTimeout(ctx, o.timeout)
	p, err := c.Log(o.log).Producer(find, append(opts, client.OnAck(a.acked))...)
	cancel()
	if err != nil {
		return err
	}
	// The input may give nothing for long: an interrupt does not wait for it. What is read after it is refused, since ctx has ended.
	copied := make(chan error, 1)
	go func() { copied <- a.copy(ctx, p, in, delimiter) }()
	select {
	case err = <-copied:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		err = errInterrupted
	}
	// What was given is settled even then; a second interrupt ends the process at once.
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.timeout)
	defer cancel()
	if e := p.Close(settle); err == nil {
		err = e
	}
	return a.end(err)
}

var errInterrupted = errors.New("interrupted")

// appender copies an input into a log and remembers what was acknowledged.
type appender struct {
	o   *appendOptions
	std stdio
	bar *progressbar.ProgressBar

	mu          sync.Mutex
	total       uint64 // entries of the input that are acknowledged, skipped ones included
	count       uint64
	first, last uint64
	failure     error
	out         *bufio.Writer
}

// ackLine is what --json prints for each entry.
type ackLine struct {
	Log       string    `json:"log"`
	Offset    uint64    `json:"offset"`
	Time      time.Time `json:"time"`
	Duplicate bool      `json:"duplicate,omitempty"`
}

// acked takes acknowledgements, in order.
func (a *appender) acked(ack client.Ack, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if a.failure == nil {
			a.failure = err
		}
		return
	}
	if a.first == 0 {
		a.first = ack.Offset
	}
	a.last = ack.Last()
	a.count += uint64(ack.Count)
	a.total += uint64(ack.Count)
	if a.o.json {
		if a.out == nil {
			a.out = bufio.NewWriterSize(a.std.out, 64<<10)
		}
		e := json.NewEncoder(a.out)
		for i := range ack.Count {
			_ = e.Encode(ackLine{Log: a.o.log, Offset: ack.Offset + uint64(i), Time: ack.Time.UTC(), Duplicate: ack.Duplicate}) // shows at the flush
		}
	}
}

// copy appends the input, entry by entry.
func (a *appender) copy(ctx context.Context, p *client.Producer, in io.Reader, delimiter []byte) error {
	if a.o.whole {
		b, err := io.ReadAll(io.LimitReader(in, paxos.MaxEntryBytes+1))
		if err != nil {
			return fmt.Errorf("read the input: %w", err)
		}
		return p.Append(ctx, client.Entry{Payload: b}, nil)
	}
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 256<<10), paxos.MaxEntryBytes+len(delimiter)+1)
	s.Split(splitAt(delimiter))
	for n := uint64(0); s.Scan(); n++ {
		if n < a.o.skip {
			continue
		}
		if err := p.Append(ctx, client.Entry{Payload: bytes.Clone(s.Bytes())}, nil); err != nil {
			return err
		}
		if a.bar != nil {
			_ = a.bar.Add(len(s.Bytes()) + len(delimiter)) // a terminal that went away
		}
	}
	if err := s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("an entry of the input is larger than %d bytes: split it, or choose another --delimiter", paxos.MaxEntryBytes)
		}
		return fmt.Errorf("read the input: %w", err)
	}
	return nil
}

// end says what is in the log.
func (a *appender) end(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bar != nil {
		_ = a.bar.Finish() // a terminal that went away
	}
	if a.out != nil {
		if e := a.out.Flush(); err == nil && e != nil {
			err = fmt.Errorf("write acknowledgements: %w", e)
		}
	}
	if a.failure != nil {
		err = a.failure
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, a.advice(err))
	}
	w := a.std.out
	if a.o.json {
		w = a.std.err
	}
	if a.count == 0 {
		fmt.Fprintf(w, "appended 0 entries to %s\n", a.o.log)
		return nil
	}
	fmt.Fprintf(w, "appended %d entries to %s: offsets %d-%d\n", a.count, a.o.log, a.first, a.last)
	return nil
}

// advice says how to go on after a failure. What is unknown may be in the log: to skip only what was acknowledged may repeat it.
func (a *appender) advice(err error) string {
	done := "nothing of this run was acknowledged"
	if a.count > 0 {
		done = fmt.Sprintf("acknowledged last: entry %d of the input, at offset %d", a.total, a.last)
	}
	if !errors.Is(err, client.ErrUnknown) {
		return fmt.Sprintf("%s; go on with --skip %d", done, a.total)
	}
	from := "first"
	if a.count > 0 {
		from = fmt.Sprint(a.last + 1)
	}
	text := fmt.Sprintf("%s; entries after it may be in the log, too:\nsee which with 'subscribe --log %s --from %s --follow=false', then go on with --skip %d and as many more",
		done, a.o.log, from, a.total)
	if a.count > 0 {
		text += fmt.Sprintf("\n(--skip %d --expect-last %d appends only if none is)", a.total, a.last)
	}
	return text
}

// openInput opens the file, or standard input. size is -1 where it is not known.
func openInput(std stdio, path string) (io.ReadCloser, int64, error) {
	if path == "" || path == "-" {
		return io.NopCloser(std.in), -1, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("--file: %w", err)
	}
	size := int64(-1)
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		size = st.Size()
	}
	return f, size, nil
}

// newBar returns a progress bar on a terminal, else nil.
func newBar(w io.Writer, size int64) *progressbar.ProgressBar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("appending"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// splitAt cuts an input after each delimiter; the last entry may go without.
func splitAt(delimiter []byte) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.Index(data, delimiter); i >= 0 {
			return i + len(delimiter), data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	}
}

func unescape(s string) ([]byte, error) {
	r := []byte(s)
	r = bytes.ReplaceAll(r, []byte(`\n`), []byte("\n"))
	r = bytes.ReplaceAll(r, []byte(`\t`), []byte("\t"))
	r = bytes.ReplaceAll(r, []byte(`\0`), []byte{0})
	if len(r) == 0 {
		return nil, usagef("--delimiter is empty; for the whole input as one entry use --whole")
	}
	return r, nil
}
