#!/usr/bin/env python3
"""Every line of the samples, written by real servers, is read as t/data/collect/*.read says, and as
a second reader in another language reads it.

The .read files are made by: log_samples.t --write (then look at the difference)."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import log_lines
import tap

BUILD = os.environ["TG_BUILD"]
DATA = os.path.join(os.environ["TG_SOURCE"], "t", "data", "collect")
SAMPLES = ("maillog-samples", "collector-samples")
END = 1795899600    # 2026-11-28T21:00:00Z


def dump(lines, *options):
    text = "".join(line + "\n" for line in lines).encode("latin-1")
    out = subprocess.run([os.path.join(BUILD, "t/collect/log_dump"), "-e", str(END), *options],
                         input=text, stdout=subprocess.PIPE, check=True).stdout
    return out.decode("latin-1").split("\n")[:-1]


def lines_of(path):
    with open(path, encoding="latin-1", newline="\n") as f:
        return f.read().split("\n")[:-1]


def is_line(line):
    return line != "" and not line.startswith("#")


def counts(name, got, lines):
    by_daemon = {}
    for line in got:
        fields = line.split("\t")
        by_daemon[fields[6 if len(fields) > 6 else 0]] = \
            by_daemon.get(fields[6 if len(fields) > 6 else 0], 0) + 1
    tap.note("%s: %d lines, %s" % (name, len(lines), sorted(by_daemon.items())))
    return by_daemon


for name in SAMPLES:
    lines = [l for l in lines_of(os.path.join(DATA, name + ".txt")) if is_line(l)]
    got = dump(lines)
    expected = os.path.join(DATA, name + ".read")
    if sys.argv[1:] == ["--write"]:
        with open(expected, "w", encoding="latin-1", newline="\n") as f:
            f.write("".join(line + "\n" for line in got))
    tap.same(len(got), len(lines), "%s: one reading a line" % name)
    tap.same("\n".join(got), "\n".join(lines_of(expected)), "%s: as expected" % name)
    second = log_lines.Reader()
    other = ["\t".join(second.reading(line)) for line in lines]
    tap.same("\n".join(got), "\n".join(other), "%s: as the second reader reads them" % name)
    tap.same("\n".join(dump(lines, "-s")), "\n".join(got),
             "%s: the same with the state saved and brought back at each line" % name)
    seen = counts(name, got, lines)
    unknown = [line for line, reading in zip(lines, got) if reading.startswith("unknown")]
    known = [line for line in unknown
             if not line.startswith(("spamc: ", "POOLS:", "STATE:", "THREADS:", "QUEUE:", "\tSTATS",
                                     "MEMSTATS:", "END"))]
    tap.none(known, "%s: only what is no log line has no form" % name)

tap.done()
