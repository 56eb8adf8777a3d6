package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/messaging/embedded"
)

// newBroker is `paxosd broker`: an embedded NATS server as a process of its own, for trying out separate roles.
func newBroker(std stdio) *cobra.Command {
	var listen, file, level string
	cmd := &cobra.Command{
		Use:     "broker",
		Short:   "Run a NATS server, for trying out separate roles",
		Long:    "Runs the NATS server that paxosd embeds as a process of its own. In production, run nats-server itself with the same configuration file.",
		GroupID: groupServe,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(configs.Logging{Level: level, Format: "text"}, std.err)
			if err != nil {
				return &usageError{err: err}
			}
			if file == "" && listen == "" {
				listen = "127.0.0.1:4222"
			}
			e, err := startBroker(cmd.Context(), listen, file, log)
			if err != nil {
				return err
			}
			defer e.Shutdown()
			fmt.Fprintf(std.out, "broker ready at %s\n", e.ClientURL())
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "`address` to listen on; port 0 takes any (default the file's, else 127.0.0.1:4222)")
	cmd.Flags().StringVar(&file, "config", "", "nats-server configuration `file`, for users and permissions: see configs/broker.conf")
	cmd.Flags().StringVar(&level, "log-level", "warn", "`level` of log lines: debug, info, warn, error")
	return cmd
}

// startBroker starts the embedded server; the error for a taken port names the flag that chooses another.
func startBroker(ctx context.Context, listen, file string, log *slog.Logger) (*embedded.Server, error) {
	e, err := embedded.Start(ctx, embedded.Config{Listen: listen, ConfigFile: file, Logger: log.With("part", "broker")})
	if errors.Is(err, embedded.ErrListen) {
		return nil, fmt.Errorf("%w (choose another address with --listen, or port 0 for any)", err)
	}
	return e, err
}
