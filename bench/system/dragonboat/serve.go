package dragonboat

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	"github.com/lni/dragonboat/v4/plugin/tan"
	"github.com/lni/dragonboat/v4/statemachine"
)

// What travels between a client and a front, big-endian:
//
//	'L' shard                         who leads? the answer is the replica's number, 0 for nobody
//	'A' shard length payload …        proposals; each is answered in order by one byte, 0 for applied
const (
	opLeader = 'L'
	opAppend = 'A'

	frontBuffer     = 1 << 18
	frontPending    = 1 << 16
	proposalTimeout = 5 * time.Second
	busyPause       = 100 * time.Microsecond // a queue of 2,048 takes longer than that
)

// Serve runs one node host and its front until a signal ends it.
func Serve(ctx context.Context, args []string) error {
	if len(args) != 6 {
		return errors.New("want REPLICA DIR pebble|tan FRONT SHARDS RAFT-ADDRESSES")
	}
	for _, l := range []string{"raft", "rsm", "transport", "grpc", "dragonboat", "logdb", "config", "tan", "order"} {
		logger.GetLogger(l).SetLevel(logger.ERROR)
	}
	replica, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	shards, err := strconv.ParseUint(args[4], 10, 64)
	if err != nil {
		return err
	}
	members := map[uint64]string{}
	for i, a := range strings.Split(args[5], ",") {
		members[uint64(i+1)] = a
	}
	cfg := config.NodeHostConfig{NodeHostDir: args[1], WALDir: args[1], RTTMillisecond: rttMillisecond, RaftAddress: members[replica]}
	if args[2] == "tan" {
		cfg.Expert.LogDBFactory = tan.Factory
	}
	nh, err := dragonboat.NewNodeHost(cfg)
	if err != nil {
		return err
	}
	defer nh.Close()
	for s := range shards {
		err := nh.StartReplica(members, false, func(_, _ uint64) statemachine.IStateMachine { return &kept{} }, config.Config{
			ReplicaID: replica, ShardID: s + 1, ElectionRTT: electionRTT, HeartbeatRTT: heartbeatRTT, CheckQuorum: true,
		})
		if err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", args[3])
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil //nolint:nilerr // it was closed: the process ends
		}
		go func() {
			_ = front(nh, conn) // the client has gone, or sees its connection closed
			_ = conn.Close()
		}()
	}
}

func front(nh *dragonboat.NodeHost, conn net.Conn) error {
	r := bufio.NewReaderSize(conn, frontBuffer)
	op, err := r.ReadByte()
	if err != nil {
		return err
	}
	var word [8]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return err
	}
	shard := binary.BigEndian.Uint64(word[:])
	switch op {
	case opLeader:
		id, _, ok, err := nh.GetLeaderID(shard)
		if err != nil || !ok {
			id = 0
		}
		return binary.Write(conn, binary.BigEndian, id)
	case opAppend:
		return proposals(nh, conn, r, shard)
	default:
		return fmt.Errorf("unknown operation %q", op)
	}
}

// proposals proposes what comes, and answers in order.
func proposals(nh *dragonboat.NodeHost, conn net.Conn, r *bufio.Reader, shard uint64) error {
	pending := make(chan *dragonboat.RequestState, frontPending)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := bufio.NewWriterSize(conn, frontBuffer)
		for rs := range pending {
			code := byte(1)
			if rs != nil {
				if res := <-rs.ResultC(); res.Completed() {
					code = 0
				}
				rs.Release()
			}
			_ = w.WriteByte(code) // a broken connection shows at its reader
			if len(pending) == 0 {
				_ = w.Flush()
			}
		}
		_ = w.Flush()
	}()
	defer func() {
		close(pending)
		<-done
	}()
	session := nh.GetNoOPSession(shard)
	var head [4]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		rs, err := nh.Propose(session, payload, proposalTimeout)
		for errors.Is(err, dragonboat.ErrSystemBusy) { // its queue is full: the client waits, as TCP lets it
			time.Sleep(busyPause)
			rs, err = nh.Propose(session, payload, proposalTimeout)
		}
		if err != nil {
			rs = nil
		}
		pending <- rs
	}
}
