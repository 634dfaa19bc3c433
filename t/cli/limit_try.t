#!/usr/bin/env python3
"""tollgate limit try says what the limit then does: the same messages at the same times through a
tollgated that enforces it, and by the journal of one that has none. Redis and both follow one
clock, which the test moves. Then what is told of hours, of which no messages are kept."""

import csv
import datetime
import hashlib
import io
import json
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated
from tollgate import preload

START_MS = 1795262400_000  # 2026-11-21 12:00 UTC
LENGTHS_MS = {"10min": 600_000, "hour": 3_600_000, "day": 86_400_000, "month": 86_400_000}
MESSAGES = 90
USERS = ["u%d@example.com" % i for i in range(3)]
OTHERS = ["u0@example.com", "u1@example.net", "u2@sub.example.net"]  # of one customer
CUSTOMER = "@customer:4711"


class Clock:
    def __init__(self, folder):
        self.path, self.ms = os.path.join(folder, "clock"), START_MS
        self.env = dict(preload(folder, "clock_shim"), TG_CLOCK=self.path)
        self.set(START_MS)

    def set(self, ms):
        self.ms = ms
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("=q", ms))


class Site:
    def __init__(self, folder, clock, name, redis, limits):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        store = {"prefix": name, "timeout": "10s"}  # who waits longer limits by himself
        proc.write_text(self.folder + "/customers",
                        "example.com 4711\nexample.net 4711\n.example.net 4711\n")
        billing = {"customers": ["file:%s/customers" % self.folder]}
        self.daemon = tollgated.Tollgated(
            self.folder, redis.url, "unix:%s/milter.sock" % self.folder,
            {"store": store,  # leases end by the monotonic clock, which is not moved
             "throttle": {"mode": "enforce" if limits else "observe", "leases": False},
             "plans": [{"name": "default", "limits": limits}], "billing": billing} if limits else
            {"store": store, "billing": billing})
        self.daemon.host(["example.com", "example.net", ".example.net", "else.example"])
        self.daemon.env = clock.env
        self.daemon.start()
        self.clock = clock

    def send(self, sender, recipients, size):
        message = milterclient.message_of(["Subject: x"], size)
        with milterclient.Session(self.daemon.socket, auth=sender) as s:
            return s.deliver(sender, recipients, message)

    def tried(self, *args):
        code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", self.daemon.conf,
                                   "limit", "try", *args], env=self.clock.env)
        if code != 0:
            tap.ok(False, "limit try " + " ".join(args), code, err)
        return out


class Round:
    """One limit, enforced and tried."""

    def __init__(self, folder, clock, redis, number, scope, metric, maximum, per):
        self.scope, self.metric, self.max, self.per = scope, metric, maximum, per
        self.dice, self.clock = random.Random(number), clock
        limits = [{"scope": scope, "metric": metric, "max": str(maximum), "per": per,
                   "action": "hold"}]
        self.enforced = Site(folder, clock, "e%d" % number, redis, limits)
        self.free = Site(folder, clock, "f%d" % number, redis, [])
        self.stops = []  # runs of stops of one window: from, to, user, messages, recipients, bytes
        self.open, self.people = {}, {}
        self.stopped = 0

    def step(self):
        length = LENGTHS_MS[self.per]
        self.clock.set(self.clock.ms + (self.dice.randrange(length // 200)
                                        if self.dice.random() < 0.7
                                        else self.dice.randrange(length // 3)))

    def message(self):
        self.step()
        user = self.dice.choice(OTHERS if self.scope == "customer" else USERS)
        recipients = ["r%d@far%d.test" % (i, i % 2)
                      for i in range(self.dice.choice((1, 1, 2, 3, 9)))]
        size = self.dice.randrange(100, 4000)
        got = self.enforced.send(user, recipients, size)
        free = self.free.send(user, recipients, size)
        if self.scope == "customer":  # mail of nobody whose limit it is
            self.free.send("x@else.example", recipients, size)
        if not (got.accepted and free.accepted) or free.held:
            tap.ok(False, "sent", got, free, free.held)
        self.note(user, len(recipients), free.bytes * len({r.split("@")[1] for r in recipients}),
                  bool(got.held))

    def note(self, user, recipients, size, held):
        window = user if self.scope == "user" else ""
        if not held:
            self.open.pop(window, None)
            return
        self.stopped += 1
        at = self.open.get(window)
        if at is None:
            at = self.open[window] = [self.clock.ms, 0, user, 0, 0, 0]
            self.stops.append(at)
        at[1] = self.clock.ms
        whose = self.people.setdefault(user, [0, 0, 0]) if not window else [0, 0, 0]
        for i, more in enumerate((1, recipients, size)):
            at[3 + i] += more
            whose[i] += more

    def run(self):
        what = "%s/%s %d/%s" % (self.scope, self.metric, self.max, self.per)
        for _ in range(MESSAGES):
            self.message()
        args = [CUSTOMER if self.scope == "customer" else "example.com", self.metric,
                "%d/%s" % (self.max, self.per), "--from", "2026-11-21"]
        args += ["--users"] if self.scope == "user" else []
        got = json.loads(self.free.tried(*args, "--format", "json"))
        stops = [[r["from"], r["to"], r["user"], r["messages"], r["recipients"], r["bytes"]]
                 for r in got["by_messages"]["stops"]]
        want = [[text_of(s[0]), text_of(s[1])] + s[2:] for s in self.stops]
        tap.ok(self.stopped > 10, what + ": some are stopped", self.stopped)
        tap.same(stops, want, what + ": the same messages")
        people = {r["user"]: [r["messages"], r["recipients"], r["bytes"]]
                  for r in got["by_messages"]["users"]}
        tap.same(people, self.people, what + ": and whose they were")
        sums = got["by_messages"]
        tap.same((sums["stopped"]["messages"], sums["passed"]["messages"]),
                 (self.stopped, MESSAGES - self.stopped), what + ": sums")
        tap.same(got["by_hours"], None, what + ": all of it by messages")
        rows = list(csv.DictReader(io.StringIO(self.free.tried(*args, "--format", "csv"))))
        tap.same((sum(int(r["messages"]) for r in rows), {r["exact"] for r in rows}),
                 (self.stopped, {"true"}), what + ": CSV")
        table = self.free.tried(*args)
        tap.ok("it would have stopped\n%d of %d messages" % (self.stopped, MESSAGES) in table,
               what + ": a table", table)

    def stop(self):
        for site in (self.enforced, self.free):
            site.daemon.stop()
            tap.same(site.daemon.complaints(), [], "no complaints")


def text_of(ms):
    at = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + "+00:00"


def hours(site, redis, clock):
    """Before the kept messages, hours give bounds."""
    key = "%s:{example.com}:hour:2026-11-%s"
    journal = os.path.join(site.folder, "state", "journal")
    tap.ok(os.listdir(journal), "a journal")
    now = clock.ms
    site.daemon.stop()
    for name in os.listdir(journal):
        os.unlink(os.path.join(journal, name))
    for hour, out, forward in (("21T03", 40, 0), ("21T04", 250, 10), ("21T05", 30, 0),
                               ("21T06", 10, 0)):
        redis("HSET", key % ("f1", hour), "out_recipients", out, "forward_recipients", forward)
    clock.set(START_MS - 3600_000)
    got = json.loads(site.tried("example.com", "recipients", "100/hour", "--from", "2026-11-21",
                                "--format", "json"))
    tap.same(got["by_messages"], None, "no message is kept")
    found = got["by_hours"]
    tap.same((found["at_least"], found["at_most"],
              [(r["from"][11:16], r["recipients"], r["exact"]) for r in found["hours"]]),
             (150, 290, [("04:00", 260, False), ("05:00", 30, False)]), "hours give bounds")
    text = site.tried("example.com", "recipients", "100/hour", "--from", "2026-11-21")
    tap.ok("only the figures of hours are left" in text and
           "at least 150 and at most 290 recipients, in at most 2 hours" in text, "as text", text)
    shard = hashlib.sha256(b"example.net").hexdigest()[0]
    redis("SADD", "f1:accounts:{0%s}" % shard, "example.net")
    redis("HSET", (key % ("f1", "21T06")).replace("example.com", "example.net"), "out_recipients",
          100, "forward_recipients", 7)
    found = json.loads(site.tried(CUSTOMER, "recipients", "100/hour", "--from", "2026-11-21",
                                  "--format", "json"))["by_hours"]
    tap.same((found["at_least"], [r["recipients"] for r in found["hours"]]), (160, [260, 30, 117]),
             "of a customer those of its domains together")
    clock.set(now)


def wrong(site):
    for args, text in ((["example.com", "recipients"], "limit try needs"),
                       (["example.com", "mails", "3/hour"], "is no metric"),
                       (["example.com", "recipients", "3"], "such as 300/hour"),
                       (["example.com", "recipients", "x/hour"], "x"),
                       (["example.com", "recipients", "3/fortnight"], "fortnight"),
                       (["example.com", "recipients", "unlimited/hour"], "give a number"),
                       (["@server", "recipients", "3/hour"], "domain, a user or a customer"),
                       ([CUSTOMER, "recipients", "3/hour", "--users"], "needs a domain"),
                       (["example.com", "recipients", "3/hour", "--force"], "no such option"),
                       (["example.com", "recipients", "3/hour", "--from", "x"], "--from x")):
        code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", site.daemon.conf,
                                   "limit", "try", *args], env=site.clock.env)
        tap.ok(code == 64 and text in err and out == "", "limit try " + " ".join(args), code, err)


def main():
    tap.need("redis-server")
    folder = proc.scratch("limit_try")
    clock = Clock(folder)
    redis = redis_server.RedisServer(folder, env=clock.env)
    for number, limit in enumerate((("domain", "recipients", 40, "hour"),
                                    ("domain", "messages", 10, "10min"),
                                    ("user", "bytes", 12000, "day"),
                                    ("customer", "recipients", 40, "hour"),
                                    ("domain", "recipients", 150, "month"))):
        clock.set(START_MS)
        test = Round(folder, clock, redis, number, *limit)
        test.run()
        if number == 0:
            wrong(test.free)
        test.stop()
        if number == 1:
            hours(test.free, redis.connect(), clock)
    redis.stop()


tap.run(main)
