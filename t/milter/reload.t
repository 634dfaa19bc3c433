#!/usr/bin/env python3
"""Reloads: what changes acts, what needs a restart keeps its value, and where anything in the new
configuration is wrong nothing of it is in force. And two daemons on one state directory.

TG_RELOADS: how many reloads under load (100 without it).
"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

TOLLGATED = os.path.join(proc.BUILD, "tollgated")
RELOADS = int(os.environ.get("TG_RELOADS", "100"))
LOCK_WAIT_S = 15  # tollgated's, for the lock of the state directory
OUTSIDE, ALICE, FAR = "x@elsewhere.test", "alice@example.com", "a@far.test"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)


def plan(name, maximum):
    return {"name": name, "limits": [{"scope": "domain", "metric": "recipients",
                                      "max": str(maximum), "per": "hour", "action": "defer"}]}


class Site:
    def __init__(self, name, **settings):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(self.folder, self.server.url,
                                          "unix:%s/milter.sock" % self.folder, settings)
        self.daemon.host(["example.com"])
        self.daemon.start()

    def receive(self, count=1):
        """Mail from outside; how much of it is accepted."""
        with milterclient.Session(self.daemon.socket) as s:
            return sum(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted for _ in range(count))

    def send(self, count=1):
        """Mail of a user, which limits apply to."""
        with milterclient.Session(self.daemon.socket, auth=ALICE) as s:
            return sum(s.deliver(ALICE, [FAR], MESSAGE).accepted for _ in range(count))

    def reload(self, line="configuration reloaded", **settings):
        self.daemon.write_settings(**settings)
        before = self.daemon.log().count(line)
        self.daemon.reload()
        self.daemon.daemon.until(line, lambda: self.daemon.log().count(line) > before)

    def ends(self):
        tap.same(self.daemon.stop(), 0, "a clean end")


def test_nothing_in_force():
    """The file is good, but a source in it is not."""
    site = Site("half", plans=[plan("default", 100)], throttle={"mode": "enforce"})
    there = dict(site.daemon.settings["hosted"])
    new = {"ledger": {"min_free": "900GB"}, "log": {"level": "debug"},
           "plans": [plan("default", 0)], "networks": {"host": ["203.0.113.0/24"]}}
    site.reload("not reloaded; the old one stays in force",
                hosted={"domains": ["file:/nonexistent/domains"]}, **new)
    tap.same(site.receive(5), 5, "free space, log, networks: the old ones")
    tap.same(site.send(), 1, "the old plan")
    tap.ok(" debug: " not in site.daemon.log(), "the old level of the log")
    tollgated.wait_counted(site.redis, 6)
    got = tollgated.plain(site.redis.hash("tg:{example.com}:total"))
    tap.same((got.get("in_messages"), got.get("out_messages")), (5, 1), "all are counted as before")
    site.reload(hosted=there, ledger={"min_free": "0B"})
    tap.same(site.send(), 0, "the source is right: the new plan")
    site.receive()
    tap.ok(" debug: " in site.daemon.log(), "the new level of the log")
    site.ends()


def test_restart_needed():
    """They keep their value, and not only in the log."""
    site = Site("fixed")
    elsewhere = proc.scratch("elsewhere")
    days = {time.strftime("%Y-%m-%d", time.gmtime())}
    # Where it is another day now.
    zone = "Pacific/Kiritimati" if time.gmtime().tm_hour >= 10 else "Pacific/Niue"
    site.reload(node="other", timezone=zone, state_dir=elsewhere + "/state",
                store={"prefix": "new"}, milter={"socket": "unix:%s/new.sock" % elsewhere})
    tap.same(site.receive(3), 3, "the old socket")
    tollgated.wait_counted(site.redis, 3)
    tap.same(site.redis("KEYS", "new:*"), [], "the old prefix")
    tap.same(site.redis("SMEMBERS", "tg:nodes"), ["mx1"], "the old node")
    tap.same(os.listdir(elsewhere), [], "the old folders")
    days.add(time.strftime("%Y-%m-%d", time.gmtime()))
    counted = {key.rpartition(":")[2] for key in site.redis("KEYS", "tg:{example.com}:day:*")}
    tap.ok(counted and counted <= days, "the old time zone", counted)
    site.ends()


def waited_s(site):
    """How long a message waits while Redis is frozen; it passes by the limits of the process."""
    site.server.freeze()
    began = time.monotonic()
    accepted = site.send()
    took_s = time.monotonic() - began
    site.server.thaw()
    return took_s if accepted else None


def wait_for_store(site):
    """Until the store is asked again, after it was thawed: a window there grows."""
    key = "tg:{example.com}:window:recipients:hour"

    def grows():
        before = site.redis.hash(key)
        return site.send() and site.redis.hash(key) != before

    proc.wait_for("answer of the store", grows, 60)


def test_store_timeout():
    site = Site("timeout", plans=[plan("default", 100000)],
                throttle={"mode": "enforce", "leases": False},  # each message makes a trip
                store={"timeout": "100ms"})
    wait_for_store(site)
    took_s = waited_s(site)
    tap.ok(took_s is not None and took_s < 3.5, "100ms", took_s)
    site.reload(store={"timeout": "4s"})
    wait_for_store(site)
    took_s = waited_s(site)
    tap.ok(took_s is not None and 3.5 < took_s < 15, "reloaded: 4s", took_s)
    site.ends()


def test_assign():
    site = Site("assign", plans=[plan("default", 100), plan("small", 2)],
                throttle={"mode": "enforce"})
    tap.same(site.send(3), 3, "the default plan")
    path = site.folder + "/plans"
    proc.write_text(path, "example.com small\n")
    site.reload(throttle={"assign": ["file:" + path]})
    tap.same(site.send(3), 0, "another one is assigned: what was consumed stays")
    site.reload(throttle={"assign": []})
    tap.same(site.send(3), 3, "and taken back")
    site.ends()


def test_two_daemons(site, other):
    """On one state directory, with sockets of their own."""
    code = other.daemon.wait(LOCK_WAIT_S + 30)
    tap.ok(code == 75 and site.daemon.state in other.log(), "the second one is refused", code,
           other.log())
    tap.ok("pid %d" % site.daemon.daemon.pid in other.log(), "the first one is named")
    tap.ok(not os.path.exists(other.address()), "no socket is left")
    tap.same(site.receive(3), 3, "the first goes on")
    site.ends()


def second_daemon(site):
    other = tollgated.Tollgated(proc.scratch("second"), site.server.url,
                                "unix:%s/second.sock" % site.folder,
                                {"state_dir": site.daemon.state})
    other.host(["example.com"])
    other.launch()
    return other


def test_many():
    site = Site("many")
    stop, results = threading.Event(), []

    def work(_):
        good, bad = 0, []
        while not stop.is_set():
            with milterclient.Session(site.daemon.socket) as s:
                d = s.deliver(OUTSIDE, [ALICE], MESSAGE)
            good, bad = good + d.accepted, bad + ([] if d.accepted else [repr(d)])
        return good, bad

    loader = threading.Thread(target=lambda: results.extend(milterclient.in_parallel(2, work)))
    loader.start()
    for n in range(RELOADS):
        site.reload(accounting={"users_max": 1000 + n})
    stop.set()
    loader.join()
    tap.none(sum((bad for _, bad in results), [])[:5],
             "%d reloads: no message is refused" % RELOADS)
    good = sum(good for good, _ in results)
    tollgated.wait_counted(site.redis, good)
    got = tollgated.counted(site.redis)
    tap.same((got["example.com"]["in_messages"], sorted(got)), (good, ["@mx1", "example.com"]),
             "all are counted, for the right account")
    tap.none(site.daemon.complaints(), "nothing broke inside")
    site.ends()


def main():
    shared = Site("two")
    other = second_daemon(shared)  # it waits for the lock meanwhile
    for test in (test_nothing_in_force, test_restart_needed, test_store_timeout, test_assign,
                 test_many):
        tap.note(test.__name__)
        test()
    tap.note("two daemons")
    test_two_daemons(shared, other)


tap.run(main)
