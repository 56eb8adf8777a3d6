package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/paxos"
)

const (
	roleAcceptor = paxos.RoleAcceptor
	roleProposer = paxos.RoleProposer
	roleLearner  = paxos.RoleLearner
)

// newRole is `paxosd acceptor`, `proposer` and `learner`.
func newRole(std stdio, kind paxos.Role) *cobra.Command {
	what := map[paxos.Role]string{
		paxos.RoleAcceptor: "votes, and keeps its votes on disk",
		paxos.RoleProposer: "orders appends, or stands by to",
		paxos.RoleLearner:  "keeps the log and serves its readers",
	}[kind]
	var file string
	cmd := &cobra.Command{
		Use:     kind.String() + " --config FILE",
		Short:   fmt.Sprintf("Run one %s: it %s", kind, what),
		GroupID: groupServe,
		Args:    noArgs,
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration `file`")
	flags := configs.BindFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := readConfig(file, flags, kind)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), application(cfg, []part{{kind: kind, cfg: cfg}}, std), nil)
	}
	return cmd
}

// newNode is `paxosd node`: every role that the file configures, in one process.
func newNode(std stdio) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "node --config FILE",
		Short:   "Run every role that a configuration file has, in one process",
		GroupID: groupServe,
		Args:    noArgs,
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration `file`")
	flags := configs.BindFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := readConfig(file, flags)
		if err != nil {
			return err
		}
		ps := parts(cfg)
		if len(ps) == 0 {
			return usagef("%s configures no role: set acceptor.name, proposer.name or learner.name", file)
		}
		return serve(cmd.Context(), application(cfg, ps, std), nil)
	}
	return cmd
}

// readConfig reads file, environment and flags, and checks that they make sense for the roles that are to run (all of the file's, if
// none is named).
func readConfig(file string, flags *configs.Flags, roles ...paxos.Role) (*configs.Config, error) {
	if file == "" {
		return nil, usagef("--config is missing: name the configuration file")
	}
	overrides, err := flags.Overrides()
	if err != nil {
		return nil, &usageError{err: err}
	}
	cfg, err := configs.ReadFile(file, os.Environ(), overrides)
	if err != nil {
		return nil, err
	}
	if len(roles) == 0 {
		roles = cfg.Roles()
	}
	return cfg, cfg.Validate(roles...)
}

// waitFor waits until c is closed; it reports false if ctx ended first.
func waitFor(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}
