package configs

import (
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Default returns the configuration that an empty file stands for. The protocol's numbers are package paxos's.
func Default() *Config {
	return &Config{
		Cluster: "main",
		Prefix:  "paxos",
		Broker: Broker{
			URLs:       []string{"nats://127.0.0.1:4222"},
			Inbox:      "_INBOX_{name}",
			ReplyTo:    []string{"_INBOX", "_INBOX_*"},
			MaxPayload: 1 * MiB,
			MaxPending: 64 * MiB,
		},
		Logs: []string{"main"},
		Genesis: GenesisConstants{
			Window:     paxos.DefaultWindow,
			ValueLimit: paxos.DefaultValueLimit,
			Sessions:   paxos.DefaultSessions,
			Outcomes:   paxos.DefaultOutcomes,
			MessageIDs: paxos.DefaultMessageIDs,
		},
		Protocol: defaultProtocol(),
		HTTP:     HTTP{Listen: "127.0.0.1:7480"},
		Logging:  Logging{Level: "info", Format: "text"},
		Disk:     Disk{HighWater: 8 * GiB, MinFree: 10, Ballast: 256 * MiB},
		sources:  make(map[string]Source),
	}
}

func defaultProtocol() Protocol {
	return Protocol{
		BeaconEvery:   time.Duration(paxos.DefaultBeaconEvery),
		AskAfter:      time.Duration(paxos.DefaultAskAfter),
		Timeout:       time.Duration(paxos.DefaultTimeout),
		SuccessorStep: time.Duration(paxos.DefaultSuccessorStep),
		ProgressLimit: time.Duration(paxos.DefaultProgressLimit),
		ResendFirst:   time.Duration(paxos.DefaultResendFirst),
		ResendMax:     time.Duration(paxos.DefaultResendMax),
		ClockBound:    time.Duration(paxos.DefaultClockBound),
		InFlight:      paxos.DefaultInFlightBytes,
		Queue:         16 * MiB,
		Buffer:        64 * MiB,
		StableEvery:   time.Duration(paxos.DefaultStableEvery),
		StableBytes:   paxos.DefaultStableBytes,
		MarkEvery:     time.Duration(paxos.DefaultMarkEvery),
		MarkBytes:     paxos.DefaultMarkBytes,
		HandOver:      2 * time.Second,
	}
}
