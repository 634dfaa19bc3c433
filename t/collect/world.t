#!/usr/bin/env python3
"""Made-up days of POP, IMAP and filters in mixed forms of log: counted as they were lived."""

import datetime
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import log_world
import proc
import tap
from tollgate import stopped_clock


def counted(log, env):
    out = subprocess.run([os.path.join(proc.BUILD, "t/collect/machine_dump")], input=log,
                         stdout=subprocess.PIPE, check=True, env=dict(os.environ, **env)
                         ).stdout.decode()
    found = {}
    for line in out.splitlines():
        account, counter, amount = line.split(" ")
        found[account, counter] = int(amount)
    return found


def main():
    # Some of the lines have no year: it is that in which they were written.
    later = datetime.datetime.fromtimestamp(log_world.DAY + 3 * 86400, datetime.timezone.utc)
    env = stopped_clock(proc.scratch("world"), later)
    for seed in range(12):
        world = log_world.World(seed)
        world.live(400)
        got = counted(world.log(), env)
        wrong = ["%s %s: got %d, want %d" % (key + (got.get(key, 0), world.sums.get(key, 0)))
                 for key in sorted(set(got) | set(world.sums))
                 if got.get(key, 0) != world.sums.get(key, 0)]
        tap.none(wrong, "day %d: %d lines, %d figures" % (seed, len(world.lines), len(got)))


tap.run(main)
