#!/usr/bin/env python3
"""Sources that can only be asked, and fail in the middle of a chain of forwarders: the message
waits, and nothing of it is counted until all of it is known."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import socketmap_server
import tap
import tollgated

OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
SIZE = 700
MESSAGE = milterclient.message_of(["Subject: hi"], SIZE)
FORWARDS = {"chain@example.com": "hop@example.com, direct@far.test",
            "hop@example.com": "last@example.com", "last@example.com": "a@far.test, b@other.test"}
WANT = {"in_messages": 1, "in_recipients": 2, "in_bytes": SIZE, "forward_messages": 1,
        "forward_recipients": 3, "forward_bytes": 2 * SIZE}


class Site:
    def __init__(self):
        self.folder = proc.scratch("asked")
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        path = self.folder + "/map.sock"
        self.map = socketmap_server.SocketmapServer(path, {"f": dict(FORWARDS)})
        limit = dict(scope="domain", metric="recipients", max="100", per="hour", action="defer",
                     forwards=True)
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"hosted": {"forwards": ["socketmap:unix:%s:f" % path]}, "throttle": {
                "mode": "enforce"}, "plans": [{"name": "default", "limits": [limit]}]})
        self.daemon.host(["example.com"])
        self.daemon.start()

    def send(self, user):
        with milterclient.Session(self.daemon.socket) as s:
            return s.deliver(OUTSIDE, [ALICE, user + "@example.com"], MESSAGE)

    def windows(self):
        return self.redis("KEYS", "tg:*:window:*")


def of_domain(redis):
    found = tollgated.counted(redis).get("example.com", {})
    return {name: value for name, value in found.items() if not name.startswith("priority")}


def check_fault(site, number, fault):
    """Each fault has names of its own: what was learned before must not help."""
    key = "-%s@example.com" % fault
    for name, targets in FORWARDS.items():
        site.map.maps["f"][name.replace("@example.com", key)] = targets.replace(
            "@example.com", key)
    last = "last" + key
    before, windows = of_domain(site.redis), site.windows()
    site.map.faults[last] = fault
    done = site.send("chain-" + fault)
    tap.ok(done.text.startswith("451 4.3.0"), fault + ": the message waits", done)
    asked = [k for k in site.map.asked if k.endswith(key)]
    tap.ok("chain" + key in asked and last in asked, "after some of the chain was known", asked)
    tap.same(tollgated.node_messages(site.redis), number, "it is not counted")
    tap.same((of_domain(site.redis), site.windows()), (before, windows), "nor is a part of it")
    del site.map.faults[last]
    proc.wait_for("the map", lambda: site.send("chain-" + fault).accepted)
    tollgated.wait_counted(site.redis, number + 1)
    after = of_domain(site.redis)
    tap.same({k: v - before.get(k, 0) for k, v in after.items()}, WANT, "then all of it is, once")


def main():
    tap.need("redis-server")
    site = Site()
    for number, fault in enumerate(("temp", "close", "junk", "hang")):
        check_fault(site, number, fault)
    tap.same(site.daemon.stop(), 0, "a clean end")
    tap.same(site.daemon.complaints(), [], "no complaint")
    site.map.close()
    site.server.stop()


tap.run(main)
