#!/usr/bin/env python3
"""A store that loses all: which of the keys that tollgate-keys(7) lists come back, and which need
not."""

import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated
import tree

ADJUSTMENT = "2026-11 mx1/7"
ALICE, FAR = "alice@example.com", "a@far.test"
MESSAGE = milterclient.message_of(["Subject: hi"], 300)
# Names in the manual -> does the key come back? A name that is missing here fails the test.
KEYS = {
    "tg:schema": True, "tg:timezone": True, "tg:{example.com}:total": True,
    "tg:{example.com}:month:2026-11": True,
    "tg:{example.com}:day:2026-11-21": True, "tg:{example.com}:hour:2026-11-21T13": True,
    "tg:{example.com}:users:month:2026-11": True, "tg:{example.com}:users:day:2026-11-21": True,
    "tg:{@mx1}:total": True, "tg:accounts:{00}": True, "tg:nodes": True, "tg:{@mx1}:node": True,
    "tg:{example.com}:plan": True, "tg:{example.com}:limits": True, "tg:{@server}:limits": True,
    "tg:{@client}:limits": True, "tg:{example.com}:held": True, "tg:{example.com}:adjust": True,
    "tg:{example.com}:changed": True, "tg:changed": True, "tg:{@mx1}:changes": True,
    "tg:{example.com}:violations": True, "tg:violations": True,
    # tollgate-collect writes these, which does not run here.
    "tg:{@mx1}:collect": False, "tg:{@mx1}:gaps": False, "tg:refusals": False,
    "tg:anomalies": False, "tg:written:{tg:refusals}": False, "tg:written:{tg:anomalies}": False,
    "tg:{example.com}:window:clients:hour:anomaly:2026-11-28T13": False,
    # The next `tollgate period` on a host that has them writes the closed months again.
    "tg:periods": False,
    # Whoever was signed in to the pages signs in again; a link of a panel lives for a minute.
    "tg:web:session:{9f86...}": False, "tg:web:sessions:{anna}": False,
    "tg:web:link:{3c5f...}": False,
    # Who asked for a release on the pages asks again.
    "tg:{@mx1}:release": False,
    # Short-lived by nature: windows begin anew, a POP login is written by the next check.
    "tg:{example.com}:window:recipients:hour": False,
    "tg:{example.com}:window:recipients:hour:alice@example.com": False,
    "tg:{@customer:4711}:window:...": False, "tg:{@server}:window:...": False,
    "tg:{@client:192.0.2.1}:window:...": False,
    "tg:restored:{tg:violations}:mx1": False,
    # After a loss an admin may be told once more of a limit that is filling up.
    "tg:{example.com}:window:bytes:month:told:2026-11": False, "tg:telling": False,
    "tg:{example.com}:window:recipients:hour:notified:600": False,
    "tg:{example.com}:window:recipients:hour:soft:600": False, "tg:popauth:{192.0.2.1}": False,
}


def documented():
    manual = tree.read("doc/tollgate-keys.7").decode()
    section = manual.split(".Sh KEYS")[1].split(".Sh ")[0]
    lines = re.findall(r"^\.It Li (tg:.*)$", section, flags=re.M)
    return [name for line in lines for name in re.findall(r"tg:\S+", line)
            if name != "tg:accounts:{0f}"]


def kind(key):
    """A key as the manual writes it: other names, dates and windows."""
    key = re.sub(r"accounts:\{[0-9a-f]{2}\}", "accounts:{00}", key)
    key = re.sub(r"(month):[0-9-]+$", r"\1:2026-11", key)
    key = re.sub(r"(day):[0-9-]+$", r"\1:2026-11-21", key)
    return re.sub(r"(hour):[0-9T-]+$", r"\1:2026-11-21T13", key)


def snapshot(redis):
    """Kind of key -> what the keys of that kind hold, without what changes by itself."""
    found = {}
    for key in redis("KEYS", "tg:*"):
        form = redis("TYPE", key)
        if form == "none":
            continue  # gone meanwhile
        value = {"string": lambda: redis("GET", key), "set": lambda: sorted(redis("SMEMBERS", key)),
                 "hash": lambda: sorted(redis.hash(key).items()),
                 "zset": lambda: redis("ZRANGE", key, "0", "-1"),
                 "stream": lambda: [e[1] for e in redis("XRANGE", key, "-", "+")]}[form]()
        if kind(key) in ("tg:{@mx1}:node", "tg:{@mx1}:changes"):
            value = "there"
        found.setdefault(kind(key), {})[key] = value
    return found


class Site:
    def __init__(self):
        self.folder = proc.scratch("lost")
        os.mkdir(self.folder + "/redis")
        self.server = redis_server.RedisServer(self.folder + "/redis")
        self.redis = self.server.connect()
        limit = dict(scope="domain", metric="messages", max="2", per="hour", action="hold")
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"throttle": {"mode": "enforce"}, "plans": [
                {"name": "default", "limits": [limit]},
                {"name": "small", "limits": [dict(limit, max="1")]}]})
        self.daemon.host(["example.com"])
        self.daemon.start()

    def send(self):
        with milterclient.Session(self.daemon.socket, auth=ALICE) as s:
            return s.deliver(ALICE, [FAR], MESSAGE)

    def command(self, *words):
        code, out, err = self.daemon.command(*words)
        if code != 0:
            raise RuntimeError("%s: %s%s" % (words, out, err))

    def fill(self):
        """Everything that the manual names is there."""
        self.redis("HSET", "tg:{example.com}:adjust", ADJUSTMENT,
                   '{"amounts":{"out_messages":-1},"reason":"r","by":"root","at":1795878503}')
        for holder in ("example.com", "@server", "@client"):
            scope = "domain" if holder[0] != "@" else holder[1:]
            self.command("limit", "set", holder, scope + "/recipients/day", "900", "--reason", "r")
        self.command("limit", "set", "example.com", "domain/bytes/day", "9000")
        self.command("limit", "unset", "example.com", "domain/bytes/day")
        self.command("plan", "set", "example.com", "small")
        for _ in range(3):
            self.send()
        proc.wait_for("a held message", lambda: self.redis("ZCARD", "tg:{example.com}:held") > 0)
        proc.wait_for("a violation", lambda: self.redis("XLEN", "tg:violations") > 0)
        proc.wait_for("the counters", lambda: self.total("out") + self.total("throttled") == 3)
        proc.wait_for("the sessions", lambda: self.redis(
            "HGET", "tg:{@mx1}:total", "milter_sessions") == "3")
        tollgated.wait_pushed(self.redis)
        proc.wait_for("the copy", lambda: self.copied("domain/bytes/day") and self.copied("plan")
                      and self.copied("adjust " + ADJUSTMENT))
        proc.wait_for("the violations' copy", self.copied_violations)

    def copied_violations(self):
        with sqlite3.connect(self.daemon.state + "/ledger.db") as ledger:
            count = ledger.execute("SELECT count(*) FROM violations").fetchone()[0]
        ledger.close()
        return count == self.redis("XLEN", "tg:violations")

    def total(self, name):
        return int(self.redis("HGET", "tg:{example.com}:total", name + "_messages") or 0)

    def copied(self, name):
        """Has the mark been written since the last change?"""
        mark = self.redis("GET", "tg:{@mx1}:changes") or "x.0"
        version = self.redis("HGET", "tg:{example.com}:changed", name) or "9" * 15
        return int(mark.split(".")[1]) >= int(version)


def expect_back(site, before, name):
    wanted = {k: v for k, v in before.items() if KEYS.get(k)}

    def back():
        now = snapshot(site.redis)
        return all(now.get(k) == v for k, v in wanted.items())
    try:
        proc.wait_for("the keys", back)
    except TimeoutError:
        pass
    now = snapshot(site.redis)
    tap.none(["%s: %s, not %s" % (k, now.get(k), v) for k, v in wanted.items() if now.get(k) != v],
             name + ": what the table promises is there again")


def main():
    tap.need("redis-server")
    names = documented()
    tap.none([n for n in names if n not in KEYS], "the table has every key of the manual")
    tap.none([n for n in KEYS if n not in names], "and no other")
    site = Site()
    site.fill()
    before = snapshot(site.redis)
    promised = [k for k, is_back in KEYS.items() if is_back]
    tap.none([k for k in promised if k not in before], "all keys are there")
    site.redis("FLUSHALL")
    expect_back(site, before, "FLUSHALL")
    site.daemon.stop()
    site.redis("FLUSHALL")
    site.daemon.start()
    expect_back(site, before, "lost while tollgated was stopped")
    code, out, _ = site.daemon.command("limit", "show", "example.com")
    tap.ok(code == 0 and "900" in out and "9,000" not in out, "limits as they were set", out)
    tap.same(site.daemon.complaints(), [], "no complaint")
    site.daemon.stop()
    site.server.stop()


tap.run(main)
