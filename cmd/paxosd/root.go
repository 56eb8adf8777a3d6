package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/wal"
)

// Exit codes, part of the contract with scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitCorrupt ends a role whose store is damaged: starting it again cannot help, so that supervisors leave it down
	// (PROTOCOL A8). For every other purpose it is a failure.
	exitCorrupt = 3
)

// stdio is what a command reads and writes. Results go to out, all else to err.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a command line that cannot be carried out as it is written.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// codeError ends the process with a code of its own; what there was to say has been said.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// run executes one command line and returns the exit code. It is main without the process.
func run(ctx context.Context, args []string, std stdio) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second one ends the process at once
	defer stop()
	root := newRoot(std)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var coded *codeError
	if errors.As(err, &coded) {
		fmt.Fprintf(std.err, "paxosd: %v\n", err)
		return coded.code
	}
	var usage *usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(std.err, "paxosd: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(std.err, "paxosd: %v\n", err)
	return failureCode(err)
}

// failureCode tells a damaged store from every other failure.
func failureCode(err error) int {
	if errors.Is(err, wal.ErrCorrupt) {
		return exitCorrupt
	}
	return exitFailed
}

func newRoot(std stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "paxosd",
		Short:         "A replicated log: Multi-Paxos over NATS, durable in Pebble",
		Long:          "paxosd keeps shared, ordered, durable logs. An append is acknowledged once it is fsynced on a quorum of acceptors.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err: err} })
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "Run:"},
		&cobra.Group{ID: groupUse, Title: "Use a log:"},
		&cobra.Group{ID: groupAfter, Title: "Look after a cluster:"},
	)
	root.AddCommand(
		newDev(std), newRole(std, roleAcceptor), newRole(std, roleProposer), newRole(std, roleLearner), newNode(std), newBroker(std),
		newAppend(std), newSubscribe(std), newGet(std), newLast(std), newLog(std),
		newStatus(std), newDoctor(std), newBench(std), newConfig(std), newVersion(std),
	)
	return root
}

const (
	groupServe = "serve"
	groupUse   = "use"
	groupAfter = "after"
)

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &usageError{err: err}
	}
	return nil
}
