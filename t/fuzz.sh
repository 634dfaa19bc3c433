#!/bin/bash
# Builds every *-fuzz.c below t/ with clang's libFuzzer, ASan and UBSan, and runs each for a while.
# usage: fuzz.sh SOURCE_DIR WORK_DIR [NAME...]   (make fuzz; FUZZ_SECONDS each, 60 by default)
#
# What is worth keeping stays in WORK_DIR/corpus for the next time; an input that fails is left in
# WORK_DIR/found, and this ends with 1.
set -eu

source=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
shift 2
seconds=${FUZZ_SECONDS:-60}

cd "$work"
[ -f Makefile ] || "$source/configure" -q --enable-sanitizers CC=clang \
    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link"
make -s -j"$(nproc)" fuzz-libs >/dev/null
read -r -a libs < <(make -s print-fuzz-libs)

failed=()
ran=0
for file in "$source"/t/*/*-fuzz.c; do
    name=$(basename "$file" .c)
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -I"$source" -o "$name" "$file" \
        -Wl,--start-group "${libs[@]}" -Wl,--end-group
    mkdir -p "corpus/$name" found
    seeds=("corpus/$name")
    [ ! -d "$source/t/data/fuzz/${name%-fuzz}" ] || seeds+=("$source/t/data/fuzz/${name%-fuzz}")
    echo "# $name: $seconds s"
    ran=$((ran + 1))
    "./$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="found/$name-" "${seeds[@]}" 2>"$name.log" ||
        failed+=("$name")
    grep -E 'number_of_executed_units|ERROR|SUMMARY' "$name.log" || true
done

[ "$ran" -gt 0 ] || failed+=("no target of that name")
[ ${#failed[@]} -eq 0 ] || {
    echo "# FAILED: ${failed[*]}; inputs in $work/found, output in $work/*.log"
    exit 1
}
