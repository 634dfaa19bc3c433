#!/usr/bin/env python3
"""Redis away, of the wrong type, or frozen; the disk full: mail goes on as configured, nothing that
was let through is lost, and the totals are exact in the end."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

ANSWER_S = 6.0  # no fault may hold an answer to the mail server for longer


class Site:
    """Sends messages and remembers what was let through."""

    def __init__(self, name, start_redis=True, base="/tmp", **settings):
        self.folder = proc.scratch(name, base)
        self.redis_server = None
        if start_redis:
            self.start_redis()
        self.tollgated = tollgated.Tollgated(
            self.folder, "unix://%s/redis.sock" % self.folder,
            "unix:%s/milter.sock" % self.folder, settings)
        self.tollgated.host(["example.com", "example.org"])
        self.accepted = {"example.com": [0, 0], "example.org": [0, 0]}
        self.slowest_s = 0.0

    def start_redis(self):
        self.redis_server = redis_server.RedisServer(self.folder)

    def send(self, count, size=1500, domain="example.com"):
        """The deliveries; accepted ones are remembered."""
        out = []
        with milterclient.Session(self.tollgated.socket) as session:
            for _ in range(count):
                began = time.monotonic()
                delivery = session.deliver("x@gmail.test", ["u@" + domain],
                                           milterclient.message_of([], size))
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if delivery.accepted:
                    self.accepted[domain][0] += 1
                    self.accepted[domain][1] += size
                out.append(delivery)
        return out

    def send_well(self, count, what, **more):
        bad = [repr(d) for d in self.send(count, **more) if not d.accepted]
        tap.none(bad, what + ": mail goes on")
        tap.ok(self.slowest_s < ANSWER_S, what + ": answers come at once", self.slowest_s)

    def totals(self, redis):
        out = {}
        for domain in self.accepted:
            fields = tollgated.plain(redis.hash("tg:{%s}:total" % domain))
            out[domain] = [fields.get("in_messages", 0), fields.get("in_bytes", 0)]
        return out

    def exact(self, what):
        redis = self.redis_server.connect()
        try:
            proc.wait_for("totals", lambda: self.totals(redis) == self.accepted, 30)
        except (TimeoutError, redis_server.RedisError):
            pass
        tap.same(self.totals(redis), self.accepted, what + ": totals are exact")

    def finish(self, what):
        tap.same(self.tollgated.stop(), 0, what + ": tollgated ends well",
                 self.tollgated.log()[-1500:])
        tap.none(self.tollgated.complaints(), what + ": nothing broke inside")


def redis_away_at_start():
    what = "no Redis at the start"
    site = Site("away", start_redis=False)
    site.tollgated.start()
    site.send_well(20, what)
    site.tollgated.kill()
    site.tollgated.start()
    site.send_well(20, what + ", killed")
    tap.ok("redis.sock" in site.tollgated.log(), what + ": the log names it",
           site.tollgated.log()[-1500:])
    site.start_redis()
    site.exact(what)
    site.redis_server.kill()
    site.send_well(20, "Redis gone")
    site.redis_server.start()
    site.exact("Redis gone")
    site.finish(what)


def wrong_type():
    what = "a key of the wrong type"
    site = Site("type")
    redis = site.redis_server.connect()
    redis("SET", "tg:{example.com}:total", "not a hash")
    site.tollgated.start()
    site.send_well(10, what)
    site.send_well(10, what, domain="example.org")

    def other():
        fields = redis.hash("tg:{example.org}:total")
        return int(fields.get("in_messages", 0)) == 10

    proc.wait_for("the other account", other)
    tap.ok(True, what + ": other accounts are not held up")
    log = proc.wait_for("a line of the log", lambda: [
        x for x in site.tollgated.log().split("\n") if "tg:{example.com}:total" in x])
    tap.ok(log, what + ": the log names the key")
    redis("DEL", "tg:{example.com}:total")
    # What Redis refused is tried again once a minute, and at a start.
    site.tollgated.restart()
    site.exact(what)
    site.finish(what)


def frozen():
    what = "Redis frozen"
    site = Site("frozen", store={"timeout": "1s"})
    site.tollgated.start()
    site.send_well(10, what)
    site.exact(what + ", before")
    site.redis_server.freeze()
    for _ in range(5):
        site.send_well(20, what)
        time.sleep(0.3)
    site.redis_server.thaw()
    site.exact(what)
    site.finish(what)


def below_min_free():
    what = "less space than min_free"
    # Where there is never as much as the setting may ask for.
    site = Site("space", base="/dev/shm", ledger={"min_free": "1024GB"})
    site.tollgated.start()
    tap.none([repr(d) for d in site.send(3) if d.text[:9] != "452 4.3.1"],
             what + ": mail is deferred")
    site.tollgated.write_settings(ledger={"min_free": "1MB"})
    site.tollgated.reload()
    proc.wait_for("room", lambda: site.send(1)[0].accepted)
    site.send_well(5, what + ", mended by a reload")
    site.exact(what)
    site.tollgated.write_settings(ledger={"min_free": "1024GB", "on_full": "accept"})
    site.tollgated.restart()
    before = list(site.accepted["example.com"])
    tap.none([repr(d) for d in site.send(3) if not d.accepted], what + ": on_full = accept")
    site.accepted["example.com"] = before
    tap.ok(re.search("uncounted|not counted", site.tollgated.log()),
           what + ": the log tells of mail that is not counted", site.tollgated.log()[-1500:])
    site.exact(what + ", accept")
    site.finish(what)


def disk_full():
    what = "the disk is full"
    site = Site("disk", ledger={"min_free": "0B"})
    os.mkdir(site.tollgated.state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs",
                    site.tollgated.state], check=True)
    try:
        site.tollgated.start()
        site.send_well(20, what + ", before")
        site.exact(what + ", before")
        filler = os.path.join(site.tollgated.state, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 512)
            except OSError:
                pass
        # What is left of the last page takes some records yet.
        deliveries = site.send(200)
        deferred = [d for d in deliveries if not d.accepted]
        tap.ok(deferred, what + ": mail is deferred")
        tap.none([repr(d) for d in deferred if d.text[:9] != "452 4.3.1"], what + ": by 452 4.3.1")
        os.unlink(filler)
        proc.wait_for("room", lambda: site.send(1)[0].accepted)
        site.send_well(20, what + ", room again")
        site.exact(what)
        site.tollgated.kill()
        site.tollgated.start()
        site.send_well(5, what + ", killed after it")
        site.exact(what + ", killed after it")
        site.finish(what)
    finally:
        subprocess.run(["umount", "-l", site.tollgated.state], check=False)


def main():
    tap.need("redis-server", root=True)
    redis_away_at_start()
    wrong_type()
    frozen()
    below_min_free()
    disk_full()


tap.run(main)
