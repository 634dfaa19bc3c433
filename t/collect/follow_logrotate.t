#!/usr/bin/env python3
"""follow: what logrotate itself does, by each of its methods."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from follow import Log, PART_MS, Step

METHODS = (
    ("create", ("create", "nocompress"), 3),
    ("compress", ("create", "compress"), 3),
    ("delaycompress", ("create", "compress", "delaycompress"), 3),
    ("nocreate", ("nocreate", "nocompress"), 3),
    ("start 0", ("create", "start 0", "compress"), 3),
    ("xz", ("create", "compress", "compresscmd /usr/bin/xz", "uncompresscmd /usr/bin/unxz",
            "compressext .xz"), 3),
    ("dates", ("create", "dateext", "dateformat -%Y%m%d", "compress"), 1),
    ("dates and times", ("create", "dateext", "dateformat .%Y%m%d-%H%M%S"), 1),
    ("dates before the extension", ("create", "dateext", "extension .log"), 1),
    ("copytruncate", ("copytruncate", "nocompress"), 3),
    ("copytruncate, compress", ("copytruncate", "compress"), 3),
    ("copytruncate, delaycompress", ("copytruncate", "compress", "delaycompress"), 3),
)


class Rotated(Log):
    def __init__(self, options):
        super().__init__()
        work = proc.scratch("logrotate")
        self.state, self.config = os.path.join(work, "state"), os.path.join(work, "config")
        proc.write_text(self.config, "%s {\n    rotate 20\n    %s\n}\n" % (
            self.path, "\n    ".join(options)))

    def rotate(self):
        before = set(os.listdir(self.dir))
        code, _, errors = proc.run(["logrotate", "-f", "-s", self.state, self.config])
        if code != 0 or set(os.listdir(self.dir)) == before:
            raise RuntimeError("logrotate has not rotated: %d %s" % (code, errors))


def without_gaps(got):
    return [x for x in got if not x.startswith("G ")]


def gaps_of(got):
    return [x[2:14] for x in got if x.startswith("G ")]


def test_method(name, options, times):
    is_copy = "copytruncate" in options
    for is_away in (False, True):
        log = Rotated(options)
        want = log.lines(30)
        step = Step(log.path)
        got = step.look()
        if is_away:
            step.stop()
        for _ in range(times):
            want += log.lines(5)
            log.rotate()
            want += log.lines(5)
            if not is_away:
                got += step.look() + step.look(PART_MS)
        if is_away:
            step.restart()
        got += step.look()
        for _ in range(2 * times):
            got += step.look(PART_MS)
        what = "%s, %s" % (name, "while away" if is_away else "while followed")
        tap.same(without_gaps(got), want, what + ": each line once, in order")
        tap.same(gaps_of(got), ["copytruncate"] * times if is_copy else [], what + ": gaps")


def main():
    tap.need("logrotate", "xz", root=True)
    for method in METHODS:
        test_method(*method)


tap.run(main)
