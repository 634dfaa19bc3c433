#!/bin/bash
# Messages a second through tollgated, and through a milter that does nothing (what libmilter itself
# costs); then the hosted set, searches of the journal, and memory with 1,000,000 domains.
# On a quiet machine.
# usage: run.sh BUILD_DIR [MESSAGES]   (make bench)
set -eu

build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
messages=${2:-20000}
work=$(mktemp -d /tmp/tg-bench.XXXXXX)
pids=()
stop() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap stop EXIT

wait_for_socket() {
    for _ in $(seq 500); do
        [ ! -S "$1" ] || return 0
        sleep 0.02
    done
    echo "no socket $1" >&2
    cat "$work"/*.log >&2
    return 1
}

measure() {
    local name=$1 socket=$2 connections
    for connections in 1 8 64; do
        printf '%-12s ' "$name"
        "$build/t/bench/load" -s "unix:$socket" -c "$connections" -m "$messages" -b 4000
    done
}

redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --dir "$work" >"$work/redis.log" &
pids+=($!)
wait_for_socket "$work/redis.sock"
for i in $(seq 1000); do echo "d$i.test"; done >"$work/domains"
echo "example.com" >>"$work/domains"
cat >"$work/tollgate.conf" <<EOT
node = "bench";
state_dir = "$work/state";
user = "";
log = { target = "stderr"; level = "warning"; };
milter = { socket = "unix:$work/tollgate.sock"; group = ""; };
store = { url = "unix://$work/redis.sock"; };
hosted = { domains = ["file:$work/domains"]; };
EOT
"$build/tollgated" -f -c "$work/tollgate.conf" 2>"$work/tollgated.log" &
pids+=($!)
"$build/t/bench/nullmilter" "unix:$work/null.sock" 2>"$work/null.log" &
pids+=($!)
wait_for_socket "$work/tollgate.sock"
wait_for_socket "$work/null.sock"

measure nullmilter "$work/null.sock"
measure tollgated "$work/tollgate.sock"
"$build/t/bench/domains-bench"
"$build/t/bench/journal-bench"
TG_BUILD=$build TG_SOURCE=$source python3 "$source/t/bench/memory.py"
