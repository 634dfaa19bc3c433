#!/usr/bin/env python3
"""follow: which file comes first, which comes next, under whatever names. Time is the test's."""

import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from follow import Log, QUIET_MS, Step, age, begun


def test_empty_and_rotated():
    log = Log()
    log.write("")
    step = Step(log.path, start="end")
    step.look()
    step.stop()
    first = log.lines(3)
    log.rename(".1")
    log.pack(".1", "gz")
    second = log.lines(2)
    tap.same(step.restart().look(), first + second,
             "an empty file that was filled and rotated while away")


def test_two_rotations():
    for ending in ("", ".gz"):
        log = Log()
        first = log.lines(2)
        step = Step(log.path)
        tap.same(step.look(), first, "before two rotations" + ending)
        log.rename(".1")
        second = log.lines(2)
        os.rename(log.sibling(".1"), log.sibling(".2"))
        if ending:
            log.pack(".2", "gz")
        log.rename(".1")
        if ending:
            log.pack(".1", "gz")
        third = log.lines(2)
        got = step.look(QUIET_MS)
        tap.same(got + step.look(QUIET_MS), second + third, "the file between is not left out")


def test_deleted():
    log = Log()
    first = log.lines(2)
    step = Step(log.path)
    step.look()
    late = log.lines(1)
    log.rename(".1")
    os.unlink(log.sibling(".1"))
    new = log.lines(2)
    tap.same(step.look() + step.look(QUIET_MS), late + new, "a file that is deleted is finished")
    tap.same(len(first), 2, "lines were there")


def test_names():
    """Where the collector was away, all names that rotations give are read, oldest first."""
    for name, endings in (
            ("mail.log", (".3.gz", ".2.gz", ".1")),
            ("mail.log", (".10", ".9", ".8")),
            ("mail.log", ("-20261126.gz", "-20261127", "-20261128")),
            ("maillog", (".20261128-145428.gz", ".20261128-145529.gz", ".20261129-000000.gz")),
            ("mail.log", ("-2026112801.xz", "-2026112802.zst", "-2026112803.bz2")),
            ("mail.log", (".2", "-20261127.gz", ".1"))):
        log = Log(name)
        step = Step(log.path)
        first = log.lines(30)
        tap.same(step.look(), first, "before: " + " ".join(endings))
        step.stop()
        log.lines(3)
        for ending in endings:
            plain, how = ending, None
            for h in ("gz", "xz", "zst", "bz2"):
                if ending.endswith("." + h):
                    plain, how = ending[:-len(h) - 1], h
            log.rename(plain)
            age(log.sibling(plain))
            if how:
                log.pack(plain, how)
            log.lines(3)
        tap.same([x.split()[1] for x in step.restart().look()],
                 [str(n) for n in range(30, log.count)],
                 "nothing lost, nothing twice: " + " ".join(endings))


def test_times():
    """Times of files that say nothing: names tell the order, bytes which file it is."""
    log = Log()
    first = log.lines(30)
    step = Step(log.path)
    step.look()
    for n, ending in enumerate(("-20261126", "-20261127", "-20261128")):
        log.lines(2)
        log.rename(ending)
        log.pack(ending, "gz")
        age(log.sibling(ending + ".gz"), 1000 * n)
    log.lines(2)
    got = step.look()
    for _ in range(4):
        got += step.look(QUIET_MS)
    tap.same([x.split()[1] for x in got], [str(n) for n in range(len(first), log.count)],
             "dates go before the time of the last write")
    log.rename(".1")
    step.look()
    log.pack(".1", "gz", keeps_time=False)
    log.lines(1)
    new = log.lines(1)
    tap.same(step.look(QUIET_MS)[-1:], new, "a compressed file is known by its bytes")
    tap.same(len(step.restart().look()), 0, "and not read again")


def test_doubles():
    """A compression under way, and a link to the live file."""
    log, step = begun(30)
    late = log.lines(2)
    log.rename(".1")
    log.write(b"half a compressed file", log.sibling(".1.gz"))
    new = log.lines(2)
    os.symlink("mail.log", log.sibling("-20261128"))
    step.restart()
    tap.same(step.look() + step.look(QUIET_MS) + step.look(QUIET_MS), late + new, "are left out")


def test_extension():
    log, step = begun(2)
    new = log.lines(2)
    os.rename(log.path, os.path.join(log.dir, "mail-20261128.log"))
    age(os.path.join(log.dir, "mail-20261128.log"))
    new += log.lines(1)
    for other in ("mail.log.old", "mail.log.1.tmp", "mail.logs.1", "mail-x.log", "mail.log.1a",
                  "mail.logx1"):
        log.write("not ours\n", os.path.join(log.dir, other))
    tap.same(step.restart().look(), new, "the extension may stay last; other files are not ours")


def test_gone():
    log, step = begun(5)
    step.stop()
    os.unlink(log.path)
    new = log.lines(3)
    tap.same(step.restart().look(), ["G the file of the last position is gone"] + new,
             "the position's file is gone: a gap")
    tap.same(step.restart().look(), [], "once")


def test_inode_again():
    """Where the kernel gives the inode of the old file to the new one."""
    log, step = begun(5)
    step.stop()
    late = log.lines(1)
    log.rename(".1", creates=False)
    log.pack(".1", "gz")
    new = log.lines(50)
    tap.same(step.restart().look(), late + new, "the old one is found by its bytes")


def test_older():
    """An old file was put back in the place of the log."""
    log, step = begun(30)
    step.stop()
    os.unlink(log.path)
    log.write("an old line\n")
    age(log.path)
    tap.same(step.restart().look(), ["G the file of the last position is gone"],
             "what was written before the position is not read")
    new = log.lines(1)
    tap.same(step.look(), new, "what comes is")


def shift(log, numbers, by):
    for n in numbers:
        os.rename(log.sibling(".%d" % n), log.sibling(".%d" % (n + by)))


def test_restless():
    """Names that change all the time while files are looked for."""
    log, step = begun(30, stands=False)
    step.stop()
    for n in (4, 3, 2, 1):
        log.lines(1)
        log.rename(".%d" % n)
        age(log.sibling(".%d" % n))
    log.lines(1)
    stop = threading.Event()

    def flip():
        while not stop.is_set():
            for numbers, by in (((4, 3, 2, 1), 1), ((2, 3, 4, 5), -1)):
                time.sleep(0.03 if random.random() < 0.003 else 0)
                shift(log, numbers, by)

    thread = threading.Thread(target=flip)
    thread.start()
    position, faults, found = step.position, [], 0
    want = [str(n) for n in range(30, log.count)]
    for _ in range(60):
        step.position = position
        got = [x.split()[1] for x in step.restart().look() + step.look()]
        faults += [got] if got != want[:len(got)] else []
        found += got == want
    stop.set()
    thread.join()
    tap.none(faults, "no file is left out, none is lost, while names change")
    tap.ok(found > 0, "all are found at times")
    step.position = position
    tap.same([x.split()[1] for x in step.restart().look()], want, "all are found after")


def test_busy_folder():
    """Other files come and go all the time in the log's folder."""
    log, step = begun(30, stands=False)
    step.stop()
    late = log.lines(1)
    log.rename(".1")
    age(log.sibling(".1"))
    late += log.lines(1)
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            log.write("", log.sibling("-other"))
            os.unlink(log.sibling("-other"))

    thread = threading.Thread(target=churn)
    thread.start()
    new = Step(log.path, start="end", stands=False)
    new.look()
    end = log.lines(1)
    tap.same(new.look(), end, "the end of a log is that of the first look")
    step.restart()
    got = step.look() + step.look(61000) + step.look(61000)
    stop.set()
    thread.join()
    tap.same(got, late + end, "a position is looked for all the same after some time")


def main():
    tap.need("bzip2", "xz", "zstd")
    for test in [x for name, x in sorted(globals().items()) if name.startswith("test_")]:
        print("# " + test.__name__, flush=True)
        test()


tap.run(main)
