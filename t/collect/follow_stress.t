#!/usr/bin/env python3
"""follow: under kill -9, while numbered lines are written and the log is rotated all the time, by
each method. Every number is given once, in order."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from follow import Log, Run

ROTATIONS = 8 if os.environ.get("TG_SHORT") else 30
SEED = int(os.environ.get("TG_SEED", "0")) or int(time.time())


class Writer:
    """Keeps the log open, as a daemon does, until it is told to open it again."""

    def __init__(self, log, chance):
        self.log, self.chance = log, chance
        self.file = None
        self.reopen()

    def reopen(self):
        if self.file:
            self.file.close()
        self.file = open(self.log.path, "ab", buffering=0)

    def write(self, most=120):
        for _ in range(self.chance.randrange(1, most)):
            # A line in several writes now and then, so that parts of lines are seen.
            text = b"line %d %s\n" % (self.log.count, b"x" * self.chance.randrange(0, 200))
            cut = self.chance.randrange(0, len(text)) if self.chance.random() < 0.05 else len(text)
            self.file.write(text[:cut])
            if cut < len(text):
                self.file.write(text[cut:])
            self.log.count += 1


def shift(log, packs_first):
    """NAME.2.gz becomes NAME.3.gz and so on, as logrotate does it: the oldest first."""
    endings = sorted((int(x.split(".")[2]), x[len(os.path.basename(log.path)):])
                     for x in os.listdir(log.dir) if x.startswith("mail.log."))
    for number, ending in reversed(endings):
        plain = not ending.endswith(".gz")
        if number == 1 and plain and packs_first:
            log.pack(".1", "gz")
            ending, plain = ".1.gz", False
        os.rename(log.sibling(ending), log.sibling(".%d%s" % (number + 1, "" if plain else ".gz")))


def dated(n):
    return ".20261128-%06d" % n


def create(log, writer, _n):
    shift(log, False)
    log.rename(".1")
    writer.reopen()


def late(log, writer, _n):
    """The daemon writes to the old file for a while."""
    shift(log, False)
    log.rename(".1")
    writer.write()
    time.sleep(0.03)
    writer.write()
    writer.reopen()


def delayed(log, writer, _n):
    """delaycompress"""
    shift(log, True)
    log.rename(".1", creates=False)
    writer.write()
    writer.reopen()


def packed(log, writer, n):
    """postfix logrotate: dated, compressed at once"""
    log.rename(dated(n))
    writer.reopen()
    log.pack(dated(n), "gz")


def numbered(log, writer, _n):
    """compress with numbers"""
    shift(log, False)
    log.rename(".1")
    writer.reopen()
    log.pack(".1", "gz")


def copied(log, writer, n):
    """copytruncate, with nothing written in between"""
    log.copy(dated(n))
    if n % 2:
        time.sleep(0.01)
    log.truncate()
    if n % 3 == 0:
        log.pack(dated(n), "gz")


def raced(log, writer, n):
    """copytruncate while the daemon writes"""
    log.copy(dated(n))
    writer.write(5)
    if n % 2:
        time.sleep(0.01)
    log.truncate()


def stress(rotate, seed):
    chance = random.Random(seed)
    log = Log()
    writer = Writer(log, chance)
    writer.write()
    run = Run(log.path, os.path.join(proc.scratch("store"), "store"))
    run.start()
    for n in range(ROTATIONS):
        for _ in range(chance.randrange(1, 12)):
            writer.write()
            time.sleep(chance.random() * 0.015)
            if chance.random() < 0.2:
                run.kill()
                run.start(dies_at=chance.choice((0, 0, 1, 2, 5)))
            elif not run.process.is_running():
                run.start()
        if n == ROTATIONS // 2:
            run.kill()
            for away in range(3):
                rotate(log, writer, 1000 * n + away)
                writer.write()
            run.start()
        rotate(log, writer, 1000 * n + 500)
    writer.write()
    run.kill()
    run.start()
    last = "line %d" % (log.count - 1)
    run.process.until("last line", lambda: any(x.startswith(last + " ")
                                               for x in run.stored()[0][-1:]), 60)
    run.kill()
    return log, run


def check_all(rotate, seed):
    log, run = stress(rotate, seed)
    lines, others = run.stored()
    numbers = [int(x.split()[1]) for x in lines]
    tap.ok(numbers == list(range(log.count)), "%s: %d lines, each once, in order" % (
        rotate.__name__, log.count), first_fault(numbers, log.count))
    return others


def first_fault(numbers, count):
    for at, n in enumerate(numbers):
        if n != at:
            return "at %d of %d: %s" % (at, count, numbers[max(0, at - 3):at + 3])
    return "%d of %d lines" % (len(numbers), count)


def check_raced(seed):
    """Lines that are in neither file are lost: then there is a gap in their place."""
    _, run = stress(raced, seed)
    last, gap, faults, lost = -1, False, [], 0
    for kind, text in run.events():
        if kind != "L":
            gap = True
            continue
        n = int(text.split()[1])
        if n <= last or (n != last + 1 and not gap):
            faults.append("%d after %d" % (n, last))
        lost += n - last - 1
        last, gap = n, False
    tap.none(faults, "raced: no line twice, and a gap wherever some are lost (%d)" % lost)
    tap.ok(lost > 0, "raced: lines were lost")


def main():
    print("# TG_SEED=%d" % SEED, flush=True)
    for rotate in (create, late, delayed, packed, numbered):
        tap.same(check_all(rotate, SEED), [], rotate.__name__ + ": no gaps")
    others = check_all(copied, SEED)
    tap.ok(others and all(x.startswith("G copytruncate: lines between") for x in others),
           "copied: the gaps are those of copytruncate", others)
    check_raced(SEED)


tap.run(main)
