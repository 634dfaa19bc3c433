#!/bin/bash
# What the rows of a fleet take in Redis, for one, two, four and twenty nodes, with ten users to a
# domain; then a store of DOMAINS for 31 days, and how long its reports take. On a quiet machine.
# usage: rows.sh BUILD_DIR [DOMAINS]   (make bench-rows)
set -eu

build=$(cd "$1" && pwd)
domains=${2:-50000}
work=$(mktemp -d /tmp/tg-bench.XXXXXX)
redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --dir "$work" >"$work/redis.log" &
redis=$!
stop() {
    kill "$redis" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap stop EXIT
for _ in $(seq 500); do
    [ ! -S "$work/redis.sock" ] || break
    sleep 0.02
done

for nodes in 1 2 4 20; do
    "$build/t/bench/rows-bench" "$work/redis.sock" 500 10 $nodes 10
    redis-cli -s "$work/redis.sock" FLUSHALL >"$work/flushed"
done

"$build/t/bench/rows-bench" "$work/redis.sock" "$domains" 31 1
echo customer-00000.example >"$work/domains"
cat >"$work/tollgate.conf" <<EOT
node = "mx1";
state_dir = "$work/state";
store = { url = "unix://$work/redis.sock"; };
hosted = { domains = ["file:$work/domains"]; };
EOT
measure() {
    local began
    began=$(date +%s%N)
    "$build/tollgate" -c "$work/tollgate.conf" "$@" --from 2026-10-01 --to 2026-10-15 >"$work/out"
    echo "$*: $(wc -l <"$work/out") lines in $((($(date +%s%N) - began) / 1000000)) ms"
}
measure totals
measure report smtp --by domain --step day
measure report smtp --by domain --step day --format csv
