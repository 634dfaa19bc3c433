#!/bin/bash
# The short form of make mutants: some deliberate bugs, each caught by the test that it names.
set -u
source=${TG_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d "${TMPDIR:-/tmp}/tollgate-mutants.XXXXXX") || exit 73
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL
"$source/t/mutants/run" "$source" "$work" --short || {
    tail -n 50 "$work/log" | sed 's/^/# /'
    exit 1
}
