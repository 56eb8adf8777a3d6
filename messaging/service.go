package messaging

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/paxosd/paxosd/paxos"
)

// ServiceVersion is what `nats micro info` shows where the build has no version in semantic form.
const ServiceVersion = "0.0.0"

// Metadata keys of a role's micro service. The client library finds learners by them: never change one, only add.
const (
	MetaRole    = "role"
	MetaName    = "name"
	MetaCluster = "cluster"
	MetaPrefix  = "prefix"
	MetaLogs    = "logs"    // names, in order, separated by commas
	MetaGeneses = "geneses" // genesis ids, in the order of the logs
	MetaVersion = "version" // of the binary, as it says it
	MetaRun     = "run"
)

// statsEndpoint is the service's one endpoint: its stats, as `nats micro stats` shows them too.
const statsEndpoint = "stats"

// ServiceName returns the name under which every instance of a role registers: $SRV.INFO.<name> asks them all.
func ServiceName(r paxos.Role) string { return "paxosd-" + r.String() }

// semanticVersion is what the micro framework insists on: https://semver.org.
var semanticVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// serviceVersion brings the binary's version into semantic form.
func serviceVersion(v string) string {
	v = strings.TrimPrefix(v, "v")
	if !semanticVersion.MatchString(v) {
		return ServiceVersion
	}
	return v
}

// LogIdentity is a log with its genesis id.
type LogIdentity struct {
	Log     string
	Genesis paxos.GenesisID
}

// ServiceConfig says what a role shows of itself to `nats micro ls`, info and stats.
type ServiceConfig struct {
	Version string // of the binary
	Logs    []LogIdentity
	// Stats returns what to show, as anything that encodes to JSON. It is called for every question, from any goroutine.
	Stats func() any
}

// Service is a role's registration as a micro service.
type Service struct {
	t     *Transport
	micro micro.Service
}

// Register makes the role visible: `nats micro ls` lists it as paxosd-<role>, info shows the metadata, stats what cfg.Stats returns. There
// are no queue groups (PROTOCOL N3): every instance answers. What a role serves changes rarely; when it does, stop the service and register again.
func (t *Transport) Register(cfg ServiceConfig) (*Service, error) {
	role := t.cfg.Role.String()
	stats := func() any {
		if cfg.Stats == nil {
			return struct{}{}
		}
		return cfg.Stats()
	}
	s, err := micro.AddService(t.control.nc, micro.Config{
		Name: ServiceName(t.cfg.Role), Version: serviceVersion(cfg.Version),
		Description:        fmt.Sprintf("%s %s of cluster %s", role, t.cfg.Name, t.cfg.Cluster),
		Metadata:           t.metadata(cfg),
		QueueGroupDisabled: true,
		StatsHandler:       func(*micro.Endpoint) any { return stats() },
	})
	if err != nil {
		return nil, fmt.Errorf("register %s %q as a micro service: %w", role, t.cfg.Name, err)
	}
	subject := t.subjects.base + paxos.ProcessLog + "." + statsEndpoint + "." + t.cfg.Name
	err = s.AddEndpoint(statsEndpoint, micro.HandlerFunc(func(r micro.Request) {
		if !t.replies.allows(r.Reply()) {
			return
		}
		if b, err := json.Marshal(stats()); err == nil {
			_ = r.Respond(b) // counted by the service itself
		}
	}), micro.WithEndpointSubject(subject))
	if err != nil {
		return nil, fmt.Errorf("register %s %q as a micro service: %w", role, t.cfg.Name, joinStop(s, err))
	}
	return &Service{t: t, micro: s}, nil
}

func joinStop(s micro.Service, err error) error {
	if e := s.Stop(); e != nil {
		return fmt.Errorf("%w; stop: %w", err, e)
	}
	return err
}

func (t *Transport) metadata(cfg ServiceConfig) map[string]string {
	logs, geneses := make([]string, len(cfg.Logs)), make([]string, len(cfg.Logs))
	for i, l := range cfg.Logs {
		logs[i], geneses[i] = l.Log, l.Genesis.String()
	}
	return map[string]string{
		MetaRole: t.cfg.Role.String(), MetaName: t.cfg.Name, MetaCluster: t.cfg.Cluster, MetaPrefix: t.subjects.Prefix,
		MetaLogs: strings.Join(logs, ","), MetaGeneses: strings.Join(geneses, ","), MetaVersion: cfg.Version,
		MetaRun: fmt.Sprintf("%x", t.cfg.Run),
	}
}

// LogsOf reads the logs and genesis ids from a service's metadata.
func LogsOf(metadata map[string]string) ([]LogIdentity, error) {
	if metadata[MetaLogs] == "" {
		return nil, nil
	}
	names, ids := strings.Split(metadata[MetaLogs], ","), strings.Split(metadata[MetaGeneses], ",")
	if len(names) != len(ids) {
		return nil, fmt.Errorf("service metadata: %w: %d logs with %d genesis ids", ErrMalformed, len(names), len(ids))
	}
	logs := make([]LogIdentity, len(names))
	for i := range names {
		id, err := paxos.ParseGenesisID(ids[i])
		if err != nil || !paxos.ValidName(names[i]) {
			return nil, fmt.Errorf("service metadata: %w: log %q with genesis id %q", ErrMalformed, names[i], ids[i])
		}
		logs[i] = LogIdentity{Log: names[i], Genesis: id}
	}
	return logs, nil
}

// Stop ends the registration, and waits until the broker knows or ctx ends.
func (s *Service) Stop(ctx context.Context) error {
	if err := s.micro.Stop(); err != nil {
		return fmt.Errorf("stop the micro service: %w", err)
	}
	if err := s.t.control.flushSubscriptions(ctx); err != nil {
		return fmt.Errorf("stop the micro service: %w", err)
	}
	return nil
}
