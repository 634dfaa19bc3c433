#!/usr/bin/env python3
"""follow: memory does not grow with the log, plain or compressed, long lines and NULs included."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from follow import Log, PROGRAM

LINES = 200000 if os.environ.get("TG_SHORT") else 1000000
SLACK_KIB = 1024  # the allocator's; a log that is kept would take many times as much


def write(log, lines):
    text = b"".join(b"Nov 28 14:54:29 mx postfix/smtpd[%d]: connect from unknown[127.0.0.1]\n" % n
                    for n in range(1000))
    with open(log.path, "wb") as f:
        for n in range(lines // 1000):
            f.write(text)
            if n % 50 == 10:
                f.write(b"y" * 1000000 + b"\n" + b"\0" * 1000000)


def count(path):
    """(lines, peak of memory in KiB, lines a second)"""
    code, out, errors = proc.run([PROGRAM, "count", path])
    if code != 0:
        raise RuntimeError(errors)
    return [int(x) for x in out.split()]


def main():
    for how in (None, "gz", "xz"):
        peaks = []
        for lines in (20000, LINES):
            log = Log("log")
            write(log, lines)
            path = log.path
            if how:
                os.rename(path, log.sibling(".1"))
                log.pack(".1", how)
                path = log.sibling(".1." + how)
            got, peak, speed = count(path)
            tap.same(got, lines + (lines // 1000 + 39) // 50, "%d lines, %s" % (lines, how))
            tap.note("%d KiB, %d lines/s" % (peak, speed))
            peaks.append(peak)
        tap.ok(peaks[1] < peaks[0] + SLACK_KIB, "%s: constant memory" % how, peaks)


tap.need("xz")
tap.run(main)
