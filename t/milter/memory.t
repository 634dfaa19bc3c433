#!/usr/bin/env python3
"""Memory of tollgated as accounts grow: so many bytes for each domain that gets mail, counted by
malloc(3) itself. The long form is t/bench/memory.py (make bench)."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
import tollgate
import tollgated

HOSTED, FIRST, LAST = 6000, 1000, 6000
# What a hosted domain that gets mail takes: its window and what was learned of its limits in this
# process, and pages of the ledger, which SQLite keeps up to 32 MB; a tenth more or less, as many
# records are folded at once or few.
BYTES_A_DOMAIN = 3100
PLAN = {"name": "default", "limits": [{"scope": "domain", "metric": "bounces", "max": "1000",
                                       "per": "hour", "action": "defer"}]}


class Site:
    def __init__(self):
        self.folder = proc.scratch("memory")
        self.redis = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(self.folder, self.redis.url,
                                          "unix:%s/milter.sock" % self.folder, {
                                              "log": {"level": "notice"}, "plans": [PLAN],
                                              "ledger": {"push": "200ms"}})
        self.bytes_file = os.path.join(self.folder, "bytes")
        self.daemon.env = dict(tollgate.preload(self.folder, "malloc_shim"),
                               TG_MALLOC_FILE=self.bytes_file)
        self.daemon.host("d%d.test" % i for i in range(1, HOSTED + 1))
        self.daemon.start()

    def send(self, first, last):
        """A bounce for each of the domains; their limits are asked for."""
        code, out, err = proc.run(
            [os.path.join(proc.BUILD, "t/bench/load"), "-s", self.daemon.socket, "-c", "4", "-B",
             "-m", str(last - first), "-H", "2", "-b", "500", "-p", "100", "-d", str(HOSTED),
             "-f", str(first)])
        if code != 0:
            tap.ok(False, "load", err, out)

    def counted(self, messages):
        """Until the ledger has them all and nothing is under way."""
        redis = self.redis.connect()
        tollgated.wait_moving(redis, lambda: tollgated.node_messages(redis) >= messages and redis(
            "HGET", "tg:{@%s}:node" % tollgated.NODE, "dirty_rows") == "0", 60)
        return tollgated.node_messages(redis)

    def bytes(self):
        """When it stands still: the least of some looks."""
        looks = []
        for _ in range(10):
            looks.append(int(proc.read_text(self.bytes_file) or 0))
            time.sleep(0.06)
        return min(looks)


def main():
    tap.need("redis-server")
    if proc.is_sanitized(os.path.join(proc.BUILD, "tollgated")):
        tap.ok(True, "a sanitizer's malloc tells nothing")
        return
    site = Site()
    site.send(0, FIRST)
    tap.same(site.counted(FIRST), FIRST, "the first domains")
    before = site.bytes()
    site.send(FIRST, LAST)
    tap.same(site.counted(LAST), LAST, "more domains")
    grown = (site.bytes() - before) / (LAST - FIRST)
    tap.ok(before > 1000000 and grown < BYTES_A_DOMAIN,
           "memory grows by less than %d bytes a domain" % BYTES_A_DOMAIN, grown)
    tap.note("%d bytes after %d domains, then %.0f a domain" % (before, FIRST, grown))
    tap.same(site.daemon.stop(), 0, "a clean end")
    site.redis.stop()


tap.run(main)
