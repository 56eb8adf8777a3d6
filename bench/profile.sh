#!/usr/bin/env bash
# Profiles every role of a cluster of separate processes under load: processor time and allocations, as text, and the raw profiles
# for a flame graph:
#
#   bench/profile.sh OUT [bench flags ...]     e.g.  bench/profile.sh /tmp/p --mode pipelined --size 1024
#   go tool pprof -http=: OUT/a1.cpu.pb.gz     the flame graph of one role, in a browser
#
# OUT/ROLE.metrics are its metrics at the end. OUT/ROLE.txt holds the top functions by processor time and by bytes allocated, and the bytes and objects allocated a second.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "$1")
shift
seconds=${SECONDS_PROFILED:-8}
mkdir -p "$out"
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
start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >"$dir/$name.log" 2>&1 &
  pids+=($!)
}
server=nats://127.0.0.1:$port
export GOMAXPROCS=${GOMAXPROCS:-1}
cp configs/broker*.conf "$dir/"
echo "prof_port: $((port + 1))" >>"$dir/broker.conf"
start broker "$dir/paxosd" broker --config "$dir/broker.conf" --listen 127.0.0.1:$port
declare -A web=([broker]=$((port + 1)))
n=2
role() { # NAME KIND [flags ...]
  local name=$1 kind=$2
  shift 2
  web[$name]=$((port + n))
  start "$name" "$dir/paxosd" "$kind" --config "configs/$kind-$name.yaml" --server "$server" --http 127.0.0.1:$((port + n)) \
    --set http.pprof=true --set logs=main,bench "$@"
  n=$((n + 1))
}
for a in a1 a2 a3; do role $a acceptor --set acceptor.data="$dir/$a"; done
for l in l1 l2; do role $l learner --set learner.data="$dir/$l"; done
for p in p1 p2; do role $p proposer; done
export NATS_URL=nats://client:change-me-client@127.0.0.1:$port PAXOSD_INBOX_PREFIX=_INBOX_client
until "$dir/paxosd" bench --seconds 0.1 --timeout 2s >/dev/null 2>&1; do :; done
"$dir/paxosd" bench --seconds $((seconds + 4)) "$@" >"$out/load.txt" &
load=$!
curls=()
for name in "${!web[@]}"; do
  base=http://127.0.0.1:${web[$name]}/debug/pprof
  (
    curl -fsS -o "$dir/$name.before" "$base/allocs"
    curl -fsS -o "$out/$name.cpu.pb.gz" "$base/profile?seconds=$seconds"
    curl -fsS -o "$out/$name.allocs.pb.gz" "$base/allocs"
    {
      go tool pprof -top -nodecount=40 "$out/$name.cpu.pb.gz"
      echo
      go tool pprof -top -nodecount=25 -sample_index=alloc_objects -base "$dir/$name.before" "$out/$name.allocs.pb.gz"
      echo
      go tool pprof -top -nodecount=15 -sample_index=alloc_space -base "$dir/$name.before" "$out/$name.allocs.pb.gz"
    } >"$out/$name.txt" 2>/dev/null
  ) &
  curls+=($!)
done
for c in "${curls[@]}"; do wait "$c"; done
wait $load
for name in "${!web[@]}"; do
  [ "$name" = broker ] || curl -fsS -o "$out/$name.metrics" "http://127.0.0.1:${web[$name]}/metrics"
done
cat "$out/load.txt"
for p in "${pids[@]}"; do
  awk -v p="$p" '{print p, "user+sys ticks:", $14 + $15}' /proc/"$p"/stat
done
