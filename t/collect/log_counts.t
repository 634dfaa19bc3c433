#!/usr/bin/env python3
"""Logs that might be, of two Postfix instances with equal pids: the collector's machines count what
a reader in another language counts, and the same however the lines are cut into folds."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import log_counts
import log_maker
import tap

PROGRAM = os.path.join(os.environ["TG_BUILD"], "t/collect/log_counts")
OUT_SECONDS = "smtp_out_connection_seconds"


def machine_counts(text, fold=0):
    """Two days after the last line, all has ended."""
    end = log_maker.BEGIN + 3 * 86400
    argv = [PROGRAM, "-e", str(end), "-n", "postfix,postfix-out", "-f", str(fold)]
    for domain in log_maker.HOSTED:
        argv += ["-d", domain]
    for login, address in log_maker.LOGINS.items():
        argv += ["-l", "%s=%s" % (login, address)]
    out = subprocess.run(argv, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    rows = [line.rsplit(" ", 1) for line in out.decode().splitlines()]
    return {tuple([int(key.split(" ")[0])] + key.split(" ")[1:]): int(n) for key, n in rows}


def without_users(counts):
    """Which user of a domain gets a second that several have begun is nobody's concern."""
    return {key: n for key, n in counts.items() if key[2] != OUT_SECONDS or "@" not in key[1]}


def difference(got, want):
    got, want = without_users(got), without_users(want)
    return ["%s: got %s, want %s" % (key, got.get(key, 0), want.get(key, 0))
            for key in sorted(set(got) | set(want)) if got.get(key, 0) != want.get(key, 0)][:20]


def compare(seed, lines):
    text = log_maker.Maker(seed).log(lines)
    got = machine_counts(text)
    want, seconds = log_counts.counts(text, log_maker.HOSTED, log_maker.LOGINS)
    for name in {key[2] for key in want}:
        tap.none(difference({k: v for k, v in got.items() if k[2] == name},
                            {k: v for k, v in want.items() if k[2] == name}),
                 "seed %d: %s by hour, account and user" % (seed, name))
    sums = {}
    for (_, account, name), amount in got.items():
        if name == OUT_SECONDS and (account in seconds or account == "node"):
            sums[account] = sums.get(account, 0) + amount
    seconds["node"] = sum(seconds.values())
    tap.same(sums, seconds, "seed %d: %s by domain" % (seed, OUT_SECONDS))
    tap.same({key[2] for key in got} - {OUT_SECONDS}, {key[2] for key in want},
             "no other counters")
    return text, got


def main():
    lines = 20000 if os.environ.get("TG_SHORT") else 100000
    text, got = compare(1, lines)
    tap.none(difference(machine_counts(text, 997), got), "in folds of 997 lines: the same")
    for seed in range(2, 5):
        text, got = compare(seed, 2000)
        tap.none(difference(machine_counts(text, 1), got), "a fold after each line: the same")


tap.run(main)
