#!/usr/bin/env python3
"""Some seeds of the simulation (make simulate has more): whatever happens to disks, clock and
Redis, no record counts twice, and each that was accepted counts once."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

SEEDS = 60


def simulate(first, count, *mode, every=1):
    program = os.path.join(tree.BUILD, "t/sim/simulate")
    return proc.run([program, *mode, str(first), str(count), tree.SOURCE + "/t/sim/redis.lua"],
                    env={"SIM_EVERY": str(every)}, timeout_s=600)


def main():
    code, out, err = simulate(1001, SEEDS)
    tap.ok(code == 0 and "%d seeds, 0 failed" % SEEDS in out, "%d seeds" % SEEDS, out, err)
    sealed = re.search("([0-9]+) rows were sealed among the faults, ([0-9]+) in the end", out)
    tap.ok(sealed and min(map(int, sealed.groups())) >= SEEDS / 2, "with rows that are sealed", out)
    for mode, every in (("cut", 7), ("calls", 83)):
        code, out, err = simulate(1, 1, mode, every=every)
        tap.ok(code == 0 and re.search("[1-9][0-9]* runs, 0 failed", out), mode, out, err)


tap.run(main)
