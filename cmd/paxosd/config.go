package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/paxos"
)

func newConfig(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Check a configuration file",
		GroupID: groupAfter,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong in a configuration file, or that nothing is",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return &usageError{err: err}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := configs.ReadFile(args[0], os.Environ(), nil)
			if err != nil {
				return err
			}
			if err := cfg.Validate(cfg.Roles()...); err != nil {
				return err
			}
			fmt.Fprintf(std.out, "%s is fine: %s\n", args[0], rolesText(cfg))
			return nil
		},
	}
	cmd.AddCommand(check)
	return cmd
}

func rolesText(cfg *configs.Config) string {
	text := ""
	for i, r := range cfg.Roles() {
		if i > 0 {
			text += ", "
		}
		text += r.String() + " " + cfg.Name(r)
	}
	if text == "" {
		return "no role"
	}
	return text
}

func newVersion(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		GroupID: groupAfter,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(std.out, "paxosd %s (format level %d, %s, %s/%s)\n", version(), paxos.FormatLevel, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
