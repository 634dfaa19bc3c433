#!/usr/bin/env python3
"""The fold between its commits: killed at a write to the ledger, a write or a sync that fails. Each
record is counted once. Seen and done through a preloaded library (t/lib/fault_shim.c)."""

import os
import shutil
import signal
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults
import proc
import redis_server
import tap
from accountant import Node, counted, differences, expected

BATCH = 20000  # records of one commit (lib/ledger/fold.c)
RECORDS = 3 * BATCH + 5001  # odd: the driver waits for the fold
BIG = {"TG_SEGMENT_BYTES": "100000000"}


class Site:
    """A journal of several batches that nobody has counted."""

    def __init__(self, name, records=RECORDS, **env):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.node = Node(self.folder, "mx1", self.server.url)
        self.shim = faults.Faults(proc.scratch("shim"))
        self.env, self.records = env, records
        tap.same(self.run("append", self.env)[0], 0, name + ": %d records wait" % records)

    def run(self, mode=None, env=None):
        return self.node.run(self.records, mode, dict(self.env, **(env or self.shim.env)))

    def is_right(self, what):
        tap.none(differences(counted(self.server.connect()), expected([self.node]))[:5], what)

    def position(self):
        """Number of the record that the ledger counts next: of a copy, for SQLite repairs what it
        opens. 1: there is no ledger yet."""
        copy = proc.scratch("copy")
        for name in ("ledger.db", "ledger.db-wal"):
            path = os.path.join(self.node.state, name)
            if os.path.exists(path):
                shutil.copy(path, copy)
        db = sqlite3.connect(copy + "/ledger.db")
        try:
            row = db.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
        except sqlite3.OperationalError:
            row = None
        db.close()
        return int(row[0]) if row else 1


def killed():
    site = Site("killed", **BIG)
    seen = set()
    for at in [2 ** n for n in range(1, 12)] + [300, 600, 900, 1200]:
        site.shim.fail("pwrite-kill", at)
        code, said = site.run()
        tap.ok(code in (0, -9), "killed at write %d, or through before" % at, code, said[-500:])
        seen.add(site.position())
    tap.ok(any(1 < p <= RECORDS for p in seen), "killed between two commits", sorted(seen))
    tap.ok(all(p <= 1 or p > RECORDS or p % BATCH == 1 for p in seen),
           "and never in the middle of a batch", sorted(seen))
    site.shim.mend("pwrite-kill")
    code, said = site.run()
    tap.same(code, 0, "then it ends well", said[-500:])
    site.is_right("each record is counted once")


def no_room():
    """One write fails: in the same run the batch is counted again, and once; at a start the next
    start does it."""
    site = Site("no-room", 1, **BIG)
    tap.same(site.run()[0], 0, "a ledger")
    site.records = RECORDS
    site.run("append")
    waiting, said = proc.scratch("waiting") + "/state", ""
    shutil.copytree(site.node.state, waiting)
    for at in (5, 50, 100, 200, 400):
        shutil.rmtree(site.node.state)
        shutil.copytree(waiting, site.node.state)
        site.server.connect()("FLUSHALL")
        site.shim.fail("pwrite-fail", at)
        code, words = site.run()
        site.shim.mend("pwrite-fail")
        said += words
        if code != 0:
            tap.ok("disk full" in words, "write %d fails: no start" % at, words[-500:])
            code, words = site.run()
        tap.same(code, 0, "write %d failed: it goes on" % at, words[-500:])
        site.is_right("each record is counted once, write %d failed" % at)
    tap.ok("the ledger cannot be written" in said, "the fold was hit, and says so")


def is_stopped(pid):
    return proc.read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()[0] == "T"


def not_synced():
    """A ledger that does not reach the disk keeps the journal: it may be needed again."""
    site = Site("not-synced", 1)
    tap.same(site.run()[0], 0, "a ledger")
    site.records = site.node.last = 20000
    site.shim.fail("unlink-stop", ".journal")
    driver = proc.Daemon(site.node.argv(site.records), site.node.log, env=site.shim.env)
    is_journal = lambda line: line.startswith("unlink ") and line.endswith(".journal")
    driver.until("a segment that goes", lambda: is_stopped(driver.pid))
    for call in ("fsync", "fdatasync"):
        site.shim.fail(call, "/ledger.db")
    site.shim.mend("unlink-stop")
    driver.signal(signal.SIGCONT)
    tap.same(driver.wait(60), 0, "syncs of the ledger fail while it counts")
    calls = site.shim.calls()
    failed = next((i for i, line in enumerate(calls) if line.startswith("failed ")), len(calls))
    tap.ok(failed < len(calls), "some do", len(calls))
    tap.none([line for line in calls[failed:] if is_journal(line)], "no segment goes any more")
    tap.ok("the ledger cannot be written" in proc.read_text(site.node.log), "the log says so")
    for call in ("fsync", "fdatasync"):
        site.shim.mend(call)
    before = site.node.segments()
    tap.same(site.run()[0], 0, "syncs work again")
    tap.ok(len(site.node.segments()) <= 2 < len(before), "the segments go", len(before),
           *site.node.segments())
    site.is_right("all is counted, once")


def main():
    tap.need("redis-server")
    for test in (killed, no_room, not_synced):
        tap.note(test.__name__)
        test()


tap.run(main)
