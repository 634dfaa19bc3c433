#!/usr/bin/env python3
"""Seeds of the simulation that failed once. What was wrong:"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

FOUND = (
    (25, "a loss of power made the ledger forget that Redis had met its run"),
    (5021, "pushed_through went on after a change of shares"),
    (100667, "a loss of power made the ledger forget that Redis had lost something"),
    (115399, "counted_through passed over a clock that was set back between two tries to fold"),
    (553699, "the model took what was on its way to Redis for not said yet"),
    (581882, "the model put a server back whose loss a restored state_dir could not know of"),
    (595746, "pushed_through passed over a clock that was set back and on again between two steps"),
    (758861, "a journal went back, before anything of it was counted, to below a run's begin"),
    (793978, "the same after its ledger was restored"),
    (506473, "the model restored records whose numbers were others' since a loss of power: hours"),
    (581898, "the model restored records whose numbers were others' since a loss of power: days"),
    (1048862, "the model did not expect the loss of a record whose client heard nothing"),
    (1087864, "rows went out under a share that the hash did not name"),
    (1094171, "a loss was overlooked while Redis knew only a share that was left"),
    (726539, "the model expected whole rows of lost records, while Redis had not all back"),
)


def main():
    program = os.path.join(tree.BUILD, "t/sim/simulate")
    for seed, what in FOUND:
        code, out, err = proc.run([program, str(seed), "1", tree.SOURCE + "/t/sim/redis.lua"])
        tap.ok(code == 0, "seed %d: %s" % (seed, what), out, err)


tap.run(main)
