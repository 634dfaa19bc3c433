#!/bin/sh
# make simulate: many seeds, on all processors. run.sh SOURCE [FIRST:COUNT [calls | cut]]
set -eu
source=$1 seeds=${2:-1:100000} mode=${3:-}
first=${seeds%:*} count=${seeds#*:}
jobs=$(nproc)
part=$(((count + jobs - 1) / jobs))
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
job=0
while [ $job -lt "$jobs" ]; do
    ./t/sim/simulate ${mode:+"$mode"} $((first + job * part)) $part \
        "$source/t/sim/redis.lua" >"$out/$job" &
    job=$((job + 1))
done
wait
grep -h '^seed' "$out"/* || true
cat "$out"/* | awk '/ seeds, / { seeds += $1; failed += $(NF - 1) }
    END { print seeds " seeds, " failed + 0 " failed"; exit failed > 0 || seeds == 0 }'
