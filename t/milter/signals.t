#!/usr/bin/env python3
"""What libmilter would make of the world around it. Signals that come at once, under load: none
ends the daemon, none costs a message. An engine that ends by itself: an exit code that makes the
unit start it again. A clock that is set: no session is closed.

TG_PAIRS: how many pairs of signals (1,000 without it).
"""

import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults
import milterclient
import proc
import redis_server
import tap
import tollgated

PAIRS = int(os.environ.get("TG_PAIRS", "1000"))
OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)


def site(name, settings=None):
    folder = proc.scratch(name)
    server = redis_server.RedisServer(folder)
    daemon = tollgated.Tollgated(folder, server.url, "unix:%s/milter.sock" % folder, settings)
    daemon.host(["example.com"])
    return server, daemon


def load(daemon, stop):
    """Messages until the end: how many were accepted, and how many not."""
    def work(_):
        good, bad = 0, []
        while not stop.is_set() and daemon.daemon.is_running():
            try:
                with milterclient.Session(daemon.socket) as s:
                    d = s.deliver(OUTSIDE, [ALICE], MESSAGE)
                good += d.accepted
                bad += [] if d.accepted else [repr(d)]
            except (milterclient.Lost, OSError) as e:
                bad.append(repr(e))
        return good, bad

    results = milterclient.in_parallel(2, work)
    return sum(r[0] for r in results), sum((r[1] for r in results), [])


def under_load(daemon, work):
    stop, results = threading.Event(), []
    loader = threading.Thread(target=lambda: results.append(load(daemon, stop)))
    loader.start()
    work()
    stop.set()
    loader.join()
    return results[0]


def test_pairs(first, second):
    name = "%s and %s at once" % (first.name, second.name)
    server, daemon = site("pairs")
    daemon.start()

    def send_pairs():
        for _ in range(PAIRS):
            daemon.daemon.signal(first)
            daemon.daemon.signal(second)

    good, bad = under_load(daemon, send_pairs)
    if not tap.ok(daemon.daemon.is_running(), "%s, %d times: it goes on" % (name, PAIRS),
                  daemon.log()[-1000:]):
        return
    tap.none(bad[:5], "no message is refused")
    tollgated.wait_counted(server.connect(), good)
    tap.same(tollgated.node_messages(server.connect()), good, "all are counted")
    before = daemon.log().count("configuration reloaded")
    daemon.daemon.signal(second)
    proc.wait_for("reload", lambda: daemon.log().count("configuration reloaded") > before)
    tap.same(daemon.stop(), 0, "a clean end")
    tap.none(daemon.complaints(), "nothing broke inside")


def test_engine_ends():
    """libmilter gives up when accept(2) fails again and again."""
    _, daemon = site("engine", {"milter": {"engine": "libmilter"}})
    shim = faults.Faults(proc.scratch("shim"))
    daemon.env = shim.env
    daemon.start()
    with milterclient.Session(daemon.socket) as idle:
        tap.ok(idle.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "it serves")
        shim.fail("accept")
        proc.can_connect(daemon.address())  # wakes the listener
        tap.same(daemon.daemon.wait(60), 71, "the engine ends by itself: 71")
    tap.ok("milter engine exited unexpectedly" in daemon.log(), "the log says so",
           daemon.log()[-1000:])
    tap.none(daemon.complaints(), "nothing was used after it was freed")
    shim.mend("accept")
    daemon.start()
    with milterclient.Session(daemon.socket) as s:
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "the next start serves")
    tap.same(daemon.stop(), 0, "a clean end")


def test_clock():
    """The clock is set forward by more than milter.timeout: no session is closed."""
    _, daemon = site("clock")
    shim = faults.Faults(proc.scratch("shim"))
    daemon.env = shim.env
    daemon.start()
    sessions = [milterclient.Session(daemon.socket) for _ in range(10)]
    tap.ok(all(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted for s in sessions), "it serves")
    proc.write_text(shim.folder + "/ahead", str(3 * 3600))
    try:
        good = [s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted for _ in range(3) for s in sessions]
    except (milterclient.Lost, OSError) as e:
        good = [repr(e)]
    tap.same(good, [True] * 30, "three hours later by the clock: the same sessions")
    for s in sessions:
        s.close()
    tap.same(daemon.stop(), 0, "a clean end")


def main():
    tap.note("pairs of signals")
    test_pairs(signal.SIGHUP, signal.SIGUSR1)
    test_pairs(signal.SIGUSR1, signal.SIGHUP)
    test_pairs(signal.SIGHUP, signal.SIGHUP)
    tap.note("an engine that ends")
    test_engine_ends()
    tap.note("a clock that is set")
    test_clock()


tap.run(main)
