#!/usr/bin/env python3
"""follow: a log that is copied and truncated. Time is the test's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from follow import Log, QUIET_MS, Step, age, begun

LOST_BETWEEN = ("G copytruncate: lines between the copying and the truncating are lost, if there "
                "were any")


def test_copytruncate():
    log, step = begun(3)
    late = log.lines(2)
    log.copy(".1")
    log.truncate()
    tap.same(step.look(), late, "the copy is finished")
    new = log.lines(2)
    tap.same(step.look(), [LOST_BETWEEN] + new, "then what follows, with a gap between")
    late = log.lines(2)
    os.rename(log.sibling(".1"), log.sibling(".2"))
    log.copy(".1")
    log.truncate()
    log.pack(".1", "gz")
    new = log.lines(50)
    tap.same(step.look(), late + [LOST_BETWEEN] + new,
             "also when it has grown over the place already, and the copy is compressed")


def test_copytruncate_part():
    log = Log()
    step = Step(log.path)
    log.lines(3)
    log.write("half")
    step.look()
    log.write(" a line\n")
    log.copy(".1")
    log.truncate()
    tap.same(step.look(), ["half a line"], "a part-line that was read is read again, from the copy")


def test_copy_shorter():
    """Lines that were read between the copying and the truncating."""
    log = Log()
    step = Step(log.path)
    log.lines(30)
    log.copy(".1")
    log.lines(2)
    step.look()
    log.truncate()
    tap.same(step.look(), [], "what was read after the copying is not given again")
    new = log.lines(2)
    tap.same(step.look(), [LOST_BETWEEN] + new, "nor is the rest lost")


def test_truncated_at_once():
    log, step = begun(30)
    log.truncate()
    new = log.lines(40)
    tap.same(step.look(), ["G copytruncate: the copy was not found"] + new,
             "emptied without a copy: a gap")


def test_copy_in_progress():
    """A restart between the copying and the truncating."""
    log, step = begun(30)
    step.stop()
    late = log.lines(2)
    log.copy(".1")
    step.restart()
    tap.same(step.look(), late, "the live file goes before its copy")
    log.truncate()
    new = log.lines(1)
    tap.same(step.look(), [LOST_BETWEEN] + new, "and the truncating is seen")


def test_copy_after_sibling():
    """The same, for one that is still in an older file."""
    log, step = begun(30)
    step.stop()
    late = log.lines(2)
    log.rename("-20261127")
    age(log.sibling("-20261127"))
    late += log.lines(30)
    log.copy("-20261128")
    step.restart()
    tap.same(step.look() + step.look(QUIET_MS), late, "a copy under way is not read besides")
    log.truncate()
    new = log.lines(1)
    tap.same(step.look(), [LOST_BETWEEN] + new, "and the truncating is seen")


def test_copies_while_away():
    log, step = begun(30)
    step.stop()
    want = []
    for day in ("-20261126", "-20261127", "-20261128"):
        want += log.lines(10)
        log.copy(day)
        log.truncate()
        log.pack(day, "gz")
        want.append(LOST_BETWEEN)
    want += log.lines(5)
    tap.same(step.restart().look(), want, "three copies while away: all lines, a gap at each")


def test_restart_in_copy():
    log, step = begun(30)
    late = log.lines(2)
    log.copy(".1")
    log.truncate()
    tap.same(step.look(), late, "the copy")
    new = log.lines(1)
    tap.same(step.restart().look(), [LOST_BETWEEN] + new, "a restart there still tells the gap")


def test_unseen():
    """A follower that begins in a copy, and never sees the live file truncated."""
    for how in (None, "gz"):
        log = Log()
        log.write("")
        want = []
        for day in ("-20261126", "-20261127"):
            want += log.lines(30)
            log.copy(day)
            log.truncate()
            if how:
                age(log.sibling(day), -7200)
                log.pack(day, how)
            want.append(LOST_BETWEEN)
        want += log.lines(5)
        step = Step(log.path)
        tap.same(step.look() + step.look(QUIET_MS) + step.look(QUIET_MS), want,
                 "copies are known by times, %s: a gap at each" % how)


def main():
    for test in [x for name, x in sorted(globals().items()) if name.startswith("test_")]:
        print("# " + test.__name__, flush=True)
        test()


tap.run(main)
