#!/usr/bin/env python3
"""What is promised to be on the disk is synced before: a message before its answer (ledger.sync
always), a new segment's name, the ledger before the journal that it covers is deleted. A sync that
fails lets no message pass. All seen through a preloaded library (t/lib/fault_shim.c)."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults
import milterclient
import proc
import redis_server
import tap
import tollgated

DRIVER = os.path.join(proc.BUILD, "t/ledger/accountant-driver")
OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)


class Site:
    def __init__(self, name, sync):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(self.folder, self.server.url,
                                          "unix:%s/milter.sock" % self.folder,
                                          {"ledger": {"sync": sync}})
        self.daemon.host(["example.com"])
        self.shim = faults.Faults(proc.scratch("shim"))
        self.daemon.env = self.shim.env
        self.daemon.start()

    def syncs(self):
        """Of the journal's segments, until now."""
        return sum(1 for line in self.shim.calls()
                   if re.match(r"f(data)?sync .*/journal/\d+\.journal$", line))

    def syncs_of_messages(self, count):
        """How many there were from the begin of each message to its answer."""
        out = []
        with milterclient.Session(self.daemon.socket) as s:
            for _ in range(count):
                before = self.syncs()
                if s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted:
                    out.append(self.syncs() - before)
        return out


def test_answers():
    site = Site("always", "always")
    tap.ok("fsync %s/journal" % site.daemon.state in site.shim.calls(),
           "the name of the first segment is synced", site.shim.calls())
    counts = site.syncs_of_messages(5)
    tap.ok(len(counts) == 5 and min(counts) >= 1, "always: a sync before each answer", counts)
    tap.same(site.daemon.stop(), 0, "a clean end")
    site = Site("never", "never")
    tap.same(site.syncs_of_messages(5), [0] * 5, "never: none")
    tap.same(site.daemon.stop(), 0, "a clean end")
    site = Site("timed", "50ms")
    site.syncs_of_messages(1)
    proc.wait_for("sync", lambda: site.syncs() > 0)
    tap.ok(True, "a time: soon after")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_failure():
    """What may not be on the disk is not accepted; nor is what comes later, for nobody knows what a
    disk that failed once has kept."""
    site = Site("failure", "always")
    tap.ok(site.syncs_of_messages(1), "a message")
    site.shim.fail("fdatasync")
    tap.same(site.syncs_of_messages(2), [], "the sync fails: no message passes")
    site.shim.mend("fdatasync")
    tap.same(site.syncs_of_messages(1), [], "nor later")
    tap.ok("cannot be counted" in site.daemon.log() or "mail deferred" in site.daemon.log(),
           "the log says so", site.daemon.log()[-1000:])
    tap.same(site.daemon.stop(), 0, "an end")
    site.daemon.start()
    tap.ok(site.syncs_of_messages(1), "after a start mail passes again")
    tap.same(site.daemon.stop(), 0, "a clean end")


class Driver:
    """A journal of small segments and its accountant, without a milter, run to its end."""

    def __init__(self, last, mode):
        self.folder = proc.scratch("driver")
        os.mkdir(self.folder + "/mx1")
        self.server = redis_server.RedisServer(self.folder)
        self.shim = faults.Faults(proc.scratch("shim"))
        code, _, text = proc.run([DRIVER, self.folder + "/mx1", self.server.url, "mx1", str(last),
                                  mode], env=self.shim.env)
        tap.same(code, 0, "%s: it counts %d records" % (mode, last), text[-1000:])


def deletions(calls):
    """How many segments were deleted, and those while the write-ahead log of the ledger held what
    its database on the disk does not."""
    count, early, ahead = 0, [], False
    for line in calls:
        call, _, path = line.partition(" ")
        if call == "pwrite" and path.endswith("/ledger.db-wal"):
            ahead = True
        elif call != "unlink" and path.endswith("/ledger.db"):
            ahead = False
        elif call == "unlink" and path.endswith(".journal"):
            count += 1
            early += [path] if ahead else []
    return count, early


def test_trim():
    count, early = deletions(Driver(20000, "count").shim.calls())
    tap.ok(count > 10, "segments are deleted", count)
    tap.none(early, "none before the ledger that covers it is on the disk")


def test_new_segments():
    """Each segment's name is on the disk before its first record counts as such."""
    calls = Driver(1000, "sync").shim.calls()
    seen, unnamed, named = set(), [], True
    for line in calls:
        call, _, path = line.partition(" ")
        if path.endswith("/journal"):
            named = True
        elif call != "unlink" and path.endswith(".journal") and path not in seen:
            unnamed += [] if named else [path]
            seen.add(path)
            named = False
    tap.ok(len(seen) > 2, "there are some segments", seen)
    tap.none(unnamed, "the directory is synced with each")


def main():
    for test in (test_answers, test_failure, test_trim, test_new_segments):
        tap.note(test.__name__)
        test()


tap.run(main)
