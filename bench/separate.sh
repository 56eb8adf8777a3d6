#!/usr/bin/env bash
# Measures a cluster of separate processes on this machine: broker, 3 acceptors, 2 proposers, 2 learners, from configs/, fsync
# on as always; and beside it, in the same run, the raw path (bench/rawpath). By hand, not in CI: it takes the machine for itself.
#
#   bench/separate.sh [ROUNDS]        rounds of everything, 3 by default: compare medians
#
# Every process here, the raw path's too, uses one processor at a time unless GOMAXPROCS says otherwise: there are more processes than
# processors, and a Go program that may use all of them wakes threads that only find each other's work (docs/operations.md).
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
dir=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
pids=()
finish() {
  for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
go build -o "$dir/paxosd" ./cmd/paxosd
(cd bench && go build -o "$dir/rawpath" ./rawpath)
start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >"$dir/$name.log" 2>&1 &
  pids+=($!)
  echo $! >"$dir/$name.pid"
}
server=nats://127.0.0.1:$port
export GOMAXPROCS=${GOMAXPROCS:-1}
start broker "$dir/paxosd" broker --config configs/broker.conf --listen 127.0.0.1:$port
for n in a1 a2 a3; do
  start $n "$dir/paxosd" acceptor --config configs/acceptor-$n.yaml --server $server --http off --set acceptor.data="$dir/$n" --set logs=main,bench
done
for n in l1 l2; do
  start $n "$dir/paxosd" learner --config configs/learner-$n.yaml --server $server --http off --set learner.data="$dir/$n" --set logs=main,bench
done
for n in p1 p2; do
  start $n "$dir/paxosd" proposer --config configs/proposer-$n.yaml --server $server --http off --set logs=main,bench
done
rawport=$((port + 1))
raw=nats://127.0.0.1:$rawport
start rawbroker "$dir/paxosd" broker --listen 127.0.0.1:$rawport
for n in r1 r2 r3; do
  start $n "$dir/rawpath" replica --server $raw --data "$dir/$n"
done
start rawleader "$dir/rawpath" leader --server $raw
export NATS_URL=nats://client:change-me-client@127.0.0.1:$port PAXOSD_INBOX_PREFIX=_INBOX_client
until "$dir/paxosd" bench --seconds 0.1 --timeout 2s >/dev/null 2>&1; do :; done
memory() {
  for n in broker a1 a2 a3 l1 l2 p1 p2; do
    printf '%s=%sMiB ' $n $(($(awk '/VmRSS/ {print $2}' /proc/"$(cat "$dir/$n.pid")"/status) / 1024))
  done
  echo
}
echo "machine: $(nproc) processors, $(uname -sr), $(go version | cut -d' ' -f3)"
for r in $(seq "$rounds"); do
  echo "--- round $r"
  "$dir/rawpath" measure --server $raw --count 3000
  "$dir/paxosd" bench --seconds 5
  "$dir/paxosd" bench --seconds 5 --clients 64
  "$dir/paxosd" bench --seconds 5 --mode pipelined --window 16384
  "$dir/paxosd" bench --seconds 5 --mode pipelined --size 1024
  memory
done
"$dir/paxosd" bench --mode subscribe
if [ -n "${SOAK_SECONDS:-}" ]; then
  echo "--- soak of $SOAK_SECONDS s, memory every 30 s"
  "$dir/paxosd" bench --seconds "$SOAK_SECONDS" --mode pipelined &
  soak=$!
  while kill -0 $soak 2>/dev/null; do
    memory
    sleep 30
  done
  wait $soak
fi
