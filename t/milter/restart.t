#!/usr/bin/env python3
"""Restarts and reloads under load, with a supervisor that keeps descriptors: no session is refused
or lost, no message deferred, each is counted once.

TG_RESTARTS: how many (5 without it; 1,000 take five minutes)."""

import os
import select
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import supervisor
import tap
import tollgated

RESTARTS = int(os.environ.get("TG_RESTARTS", "5"))
OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)
LIMIT = {"scope": "domain", "metric": "messages", "max": "100000000", "per": "hour",
         "action": "defer"}


class Site:
    def __init__(self, name, socket=None, **more):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, socket or "unix:%s/milter.sock" % self.folder,
            {"milter": {"engine": "native"}, "throttle": {"mode": "enforce"},
             "plans": [{"name": "default", "limits": [LIMIT]}], **more})
        self.daemon.host(["example.com"])
        self.keeper = supervisor.Supervisor(self.folder)
        self.keeper.start(self.daemon)

    def restart(self, pause_s=0.0):
        code = self.daemon.stop()
        time.sleep(pause_s)
        self.keeper.start(self.daemon)
        return code


class Passed:
    """How many messages were accepted, all threads together."""

    def __init__(self):
        self.count, self.lock = 0, threading.Lock()

    def add(self, count):
        with self.lock:
            self.count += count

    def wait_more(self, more):
        want = self.count + more
        proc.wait_for("messages", lambda: self.count >= want, 60)


def load(site, stop, per_session, passed):
    """Messages on sessions of so many each: how many were accepted, and what went wrong."""
    good, bad = 0, []
    while not stop.is_set():
        try:
            with milterclient.Session(site.daemon.socket, timeout=60) as s:
                for _ in range(per_session):
                    d = s.deliver(OUTSIDE, [ALICE], MESSAGE)
                    good += d.accepted
                    passed.add(d.accepted)
                    bad += [] if d.accepted else [repr(d)]
                    if stop.is_set():
                        break
        except (milterclient.Lost, OSError) as e:
            bad.append(repr(e))
    return good, bad


def test_load():
    site = Site("restart-load")
    stop, results, codes, passed = threading.Event(), [], [], Passed()
    threads = [threading.Thread(target=lambda n=n: results.append(load(site, stop, n, passed)))
               for n in (1, 5, 1000, 1000)]
    for t in threads:
        t.start()
    for _ in range(RESTARTS):
        passed.wait_more(20)
        site.daemon.reload()
        passed.wait_more(5)
        codes.append(site.restart())
    stop.set()
    for t in threads:
        t.join()
    good = sum(r[0] for r in results)
    tap.ok(good >= 25 * RESTARTS, "messages passed: %d" % good)
    tap.none(sum((r[1] for r in results), [])[:5], "no session is lost, no message deferred")
    tap.same(set(codes), {0}, "each stop is a clean one")
    tollgated.wait_counted(site.redis, good)
    tap.same(tollgated.node_messages(site.redis), good, "each message is counted once")
    tap.same(site.daemon.log().count("in doubt"), 0, "none is in doubt")
    handed = site.daemon.log().count("sessions taken over")
    tap.ok(handed >= RESTARTS // 2, "sessions went from process to process", handed)
    tap.none(site.daemon.complaints(), "no complaints")
    tap.same(site.daemon.stop(), 0, "a clean end")


def got_sessions(site):
    return int(site.redis.hash("tg:{example.com}:total")["smtp_in_connections"])


def test_what_is_known():
    """The next process knows the client and what was negotiated."""
    site = Site("restart-known")
    with milterclient.Session(site.daemon.socket, client="198.51.100.7") as customer, \
            milterclient.Session(site.daemon.socket, mta="sendmail") as other:
        old = milterclient.Milter(site.daemon.socket).negotiate(version=2, actions=1, steps=0x3f)
        bare = milterclient.Milter(site.daemon.socket)
        half = milterclient.Milter(site.daemon.socket).negotiate(steps=milterclient.HEARD_STEPS)
        half.send_raw(b"\0\0\0\6Mab")
        r = customer.deliver(ALICE, [OUTSIDE], MESSAGE)
        tap.ok(r.accepted, "a message before", r)
        site.restart()
        proc.wait_for("sessions to be taken", lambda: site.keeper.names() == ["milter"])
        r = customer.deliver("alice@example.com", [OUTSIDE], MESSAGE)
        tap.ok(r.accepted, "a message after, of a customer's client", r)
        tap.ok(customer.milter.steps & 0xc000 == 0xc000 and
               not select.select([customer.milter.sock], [], [], 0.2)[0],
               "with the one reply that was agreed upon")
        tap.ok(other.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "one from Sendmail")
        tap.same(old.connect("h", "203.0.113.9", 25).code, "c", "one that wants each reply")
        tap.ok(bare.negotiate().version == 6, "one that had said nothing")
        half.send_raw(b"cd\0")
        tap.same(half.reply().code, "c", "one in the middle of a packet")
        tollgated.wait_counted(site.redis, 3)
        got = tollgated.counted(site.redis)["example.com"]
        tap.same((got.get("out_messages"), got.get("in_messages")), (2, 1), "counted as before",
                 got)
        half.close(), bare.close(), old.close()
    tap.same(site.keeper.names(), ["milter"], "the listening socket stays stored")
    tap.same(site.daemon.stop(), 0, "a clean end")
    tap.same(int(site.redis.hash("tg:{@mx1}:total")["milter_sessions"]), 3,
             "a session of two processes is one")
    tap.same(got_sessions(site), 2, "and has visited its account once")


def test_threads():
    """Sessions go on whichever number of threads the next process has."""
    site = Site("restart-threads")
    tasks, accepted = {}, []

    def threads_of():
        return len(os.listdir("/proc/%d/task" % site.daemon.daemon.pid))

    sessions = [milterclient.Session(site.daemon.socket) for _ in range(8)]
    for threads in (4, 1, 0):
        site.daemon.write_settings(milter={"threads": threads})
        site.restart()
        accepted += [s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted for s in sessions]
        tasks[threads] = threads_of()
    tap.same(accepted, [True] * 24, "eight sessions, three processes")
    a_loop, rest = divmod(tasks[4] - tasks[1], 3)  # has a thread for its errands, too
    tap.ok(a_loop >= 1 and rest == 0, "as many threads as are set", tasks)
    by_itself = min(max(os.cpu_count() // 2, 1), 4)
    tap.same(tasks[0] - tasks[1], (by_itself - 1) * a_loop, "else half as many as processors",
             tasks)
    for s in sessions:
        s.milter.close()
    tollgated.wait_counted(site.redis, 24)
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_under_way():
    """A message under way ends in the old process; then its session goes over."""
    site = Site("restart-busy")
    with milterclient.Session(site.daemon.socket, steps=milterclient.HEARD_STEPS) as s:
        s.queue_id = milterclient.next_queue_id()
        s.mail(OUTSIDE)
        s.rcpt(ALICE)
        first = site.daemon.daemon.pid
        site.daemon.daemon.signal(signal.SIGTERM)
        site.daemon.daemon.until("stopping", lambda: "stopping" in site.daemon.log())
        queue = milterclient.Milter(site.daemon.socket)  # waits for the next process
        stage, reply = s.content(MESSAGE)
        tap.same((stage, reply.code), ("eom", "c"), "the message ends")
        s.milter.abort()
        tap.same(site.daemon.daemon.wait(60), 0, "a clean stop")
        site.keeper.start(site.daemon)
        tap.ok(site.daemon.daemon.pid != first and queue.negotiate().version == 6,
               "who came meanwhile is served")
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "the same session goes on")
        queue.close()
    tollgated.wait_counted(site.redis, 2)
    tap.same(tollgated.node_messages(site.redis), 2, "both count")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_kill():
    """A kill: its sessions are lost, but who comes waits in the queue."""
    site = Site("restart-kill", "inet:%d@127.0.0.1" % proc.free_port())
    proc.wait_for("a stored socket", lambda: site.keeper.names() == ["milter"])
    site.daemon.kill()
    early = milterclient.Milter(site.daemon.socket)
    site.keeper.start(site.daemon)
    tap.ok(early.negotiate().version == 6, "the listening socket outlives a kill")
    early.close()
    site.daemon.socket = "inet:%d@127.0.0.1" % proc.free_port()
    site.daemon.write_settings(milter={"socket": site.daemon.socket})
    site.restart()
    with milterclient.Session(site.daemon.socket) as s:
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted,
               "another socket is not the stored one")
    site.daemon.write_settings(milter={"engine": "libmilter"})
    site.restart()
    with milterclient.Session(site.daemon.socket) as s:
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "the other engine makes its own")
    tap.same(site.daemon.stop(), 0, "a clean end")


def main():
    test_what_is_known()
    test_threads()
    test_under_way()
    test_kill()
    test_load()
    tap.done()


main()
