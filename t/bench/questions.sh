#!/bin/bash
# What a support desk and an admin ask every day, each by one command on a site of DOMAINS with its
# private store: all domains send and get mail through tollgated, then each question is typed and
# timed, at rest and while RATE messages a second come. Ends with 1 where one takes longer than
# LIMIT_MS. On a quiet machine.
# usage: questions.sh BUILD_DIR [DOMAINS [LIMIT_MS]]   (make bench-questions)
set -u

build=$(cd "$1" && pwd) || exit 1
domains=${2:-50000}
limit_ms=${3:-3000}
rate=50
work=$(mktemp -d /tmp/tg-bench.XXXXXX)
daemon=
mail=
slow=0
TIMEFORMAT="%3R %3U %3S"
# shellcheck disable=SC2317 # the trap calls it
stop() {
    [ -z "$mail" ] || kill "$mail" 2>/dev/null
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    wait
    rm -rf "$work"
}
trap stop EXIT

for ((i = 1; i <= domains; i++)); do echo "d$i.test"; done >"$work/domains"
for ((i = 1; i <= domains; i += 100)); do echo "d$i.test business"; done >"$work/assign"
cat >"$work/tollgate.conf" <<EOT
node = "mx1";
state_dir = "$work/state";
user = "";
log: { target = "stderr"; level = "warning"; };
milter: { socket = "unix:$work/milter.sock"; group = ""; };
store: { url = "private:"; };
hosted: { domains = ["file:$work/domains"]; };
throttle: { mode = "enforce"; assign = ["file:$work/assign"]; };
plans = (
  { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "hold"; },
    { scope = "domain"; metric = "bytes"; max = "10GB"; per = "month"; action = "defer"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "defer"; } ); },
  { name = "business"; limits = (
    { scope = "domain"; metric = "recipients"; max = "6000"; per = "hour"; action = "defer"; } ); }
);
EOT
tollgate() {
    "$build/tollgate" -c "$work/tollgate.conf" "$@"
}
load() {
    "$build/t/bench/load" -s "unix:$work/milter.sock" -c 16 -H 3 -b 200 "$@" >>"$work/load.log"
}
# What the store has used of the processor, in ms.
store_cpu() {
    local stat
    stat=$(cat "/proc/$store/stat")
    # shellcheck disable=SC2086 # fields; those behind the name, which may hold blanks
    set -- ${stat##*) }
    echo $(((${12} + ${13}) * 1000 / $(getconf CLK_TCK)))
}
ask() {
    local took cpu system before
    before=$(store_cpu)
    {
        time tollgate "$@" >"$work/out" 2>"$work/err" ||
            { echo "FAILED: tollgate $*"; head -3 "$work/err"; slow=1; }
    } 2>"$work/time"
    read -r took cpu system <"$work/time"
    took=${took/./} cpu=${cpu/./} system=${system/./}
    printf '%6d ms (CPU: %4d, the store %4d)  %6d lines  tollgate %s\n' "$((10#$took))" \
        "$((10#$cpu + 10#$system))" "$(($(store_cpu) - before))" "$(wc -l <"$work/out")" "$*"
    [ "$((10#$took))" -le "$limit_ms" ] || slow=1
}

# Until all rows are in the store, and it has had little to do for six seconds: what is asked
# meanwhile waits behind them.
settle() {
    local before idle=0
    for _ in $(seq 120); do
        before=$(store_cpu)
        sleep 2
        tollgate doctor >"$work/doctor" 2>/dev/null
        if grep -q 'rows, 0 not yet in the store' "$work/doctor" &&
            ! grep -q 'has reported only until' "$work/doctor" &&
            [ $(($(store_cpu) - before)) -lt 100 ]; then
            idle=$((idle + 1))
        else
            idle=0
        fi
        [ "$idle" -lt 3 ] || return 0
    done
    echo "rows are still on their way to the store"
    slow=1
}
questions() {
    ask usage d7.test                                     # how much of his limits has he used?
    ask usage u1@d7.test                                  # and this user?
    ask usage --over 80                                   # who is nearly full?
    ask usage --over 80 --users                           # and which users?
    ask limit show d7.test                                # what are his limits?
    ask limit show --all                                  # who has limits of his own?
    ask limit try d7.test recipients 3/hour --from today  # what would that limit have stopped?
    ask limit try d7.test messages 2/day --users --from today
    ask held                                              # what is held?
    ask violations                                        # who was stopped?
    ask violations --summary --from today
    ask why u1@d7.test                                    # may he send now?
    ask messages --domain d7.test --from today            # which messages are these?
    ask messages --domain _unattributed --by user --from today
    ask report smtp --by domain --top 20                  # who sends most?
    ask report smtp --domain d7.test --step day
    ask report throttle-traffic --by domain --top 20
    ask totals --month "$month"                           # what is billed?
    ask node list
    ask top --once
}

"$build/tollgated" -f -c "$work/tollgate.conf" 2>"$work/tollgated.log" &
daemon=$!
for _ in $(seq 1000); do
    [ ! -S "$work/milter.sock" ] || break
    sleep 0.05
done
store=$(pgrep -f "^redis-server unixsocket:$work/") || exit 1
load -S -d "$domains" -u 2 -m "$domains"
load -d "$domains" -m "$((domains / 5))"
tollgate limit set d7.test domain/recipients/hour 2 --action hold >/dev/null
for ((i = 1; i <= 20; i++)); do
    tollgate limit set "d$((i * 37)).test" domain/recipients/day $((i * 10)) \
        --reason "ticket $i" >/dev/null
done
sleep 6 # until the limits act
load -S -d 7 -u 2 -m 70
settle

month=$(date -u +%Y-%m)
echo "at rest:"
questions
echo "while $rate messages a second come:"
"$build/t/bench/load" -s "unix:$work/milter.sock" -c 4 -H 3 -b 200 -S -d "$domains" -u 2 \
    -r "$rate" -m 100000 >>"$work/load.log" &
mail=$!
questions
exit "$slow"
