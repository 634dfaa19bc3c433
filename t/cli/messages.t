#!/usr/bin/env python3
"""tollgate messages: what it lists adds up to what the counters say, for every account, user and
class: through reloads, kill -9 and a torn tail, and where one message goes to many domains."""

import collections
import csv
import io
import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

DOMAINS = ["d%d.test" % i for i in range(6)]
CLASSES = ("in", "out", "forward", "relay", "local_sent", "local_received")
START = time.time()
UNITS = ("messages", "recipients", "bytes")
FORWARDS = ["fwd@d0.test a@far.test, b@away.test, c@far.test", "fwd@d1.test d@far.test"]



class Site:
    def __init__(self):
        self.folder = proc.scratch("messages")
        self.redis = redis_server.RedisServer(self.folder)
        forwards = os.path.join(self.folder, "forwards")
        proc.write_text(forwards, "".join(line + "\n" for line in FORWARDS))
        self.daemon = tollgated.Tollgated(
            self.folder, self.redis.url, "unix:%s/milter.sock" % self.folder,
            {"hosted": {"forwards": ["file:" + forwards]}})
        self.daemon.host(DOMAINS)
        self.daemon.start()
        self.random = random.Random(11)
        self.sent = []  # Deliveries

    def recipients(self):
        pool = ["u%d@%s" % (self.random.randrange(4), d) for d in DOMAINS]
        pool += ["fwd@d0.test", "fwd@d1.test", "x@far.test", "y@far.test", "z@away.test"]
        return self.random.sample(pool, self.random.choice((1, 1, 2, 5)))

    def session(self):
        client, auth = self.random.choice((("203.0.113.9", ""), ("198.51.100.7", ""),
                                           ("203.0.113.9", "u1@d2.test"), ("127.0.0.1", "")))
        return milterclient.Session(self.daemon.socket, client=client, auth=auth)

    def send(self, count):
        for _ in range(count):
            with self.session() as s:
                sender = self.random.choice(("u0@d3.test", "x@far.test", "", "u2@d4.test"))
                message = milterclient.message_of(["Subject: x"], self.random.randrange(60, 9000))
                self.sent.append(s.deliver(sender, self.recipients(), message))

    def rows(self, *args):
        code, out, err = self.daemon.command("messages", "--format", "csv", *args)
        if code != 0 or err:
            tap.ok(False, "messages " + " ".join(args), code, err)
        return list(csv.DictReader(io.StringIO(out)))

    def by_user(self):
        """The sums of users are those of the rows that --user gives, for every account."""
        for account in DOMAINS + ["_unattributed"]:
            got = self.rows("--domain", account, "--by", "user")
            tap.ok(got, account + ": has users")
            most = [int(r["messages"]) for r in got]
            faults = [] if most == sorted(most, reverse=True) else ["the most first: %r" % most]
            for row in got:
                rows = [r for r in self.rows("--domain", account, "--user", row["user"], "--class",
                                             row["class"])] if "@" in row["user"] else None
                want = None if rows is None else (
                    len(rows), sum(int(r["recipients"]) for r in rows),
                    sum(int(r["bytes"]) for r in rows), rows[0]["queue_id"])
                found = tuple(int(row[u]) for u in UNITS) + (row["queue_id"],)
                if want is not None and found != want:
                    faults.append("%s: %r, rows: %r" % (row["user"], found, want))
            tap.none(faults, account + ": sums by user")
            # A message without a user is in no row of one.
            nobody = [r for r in got if not r["user"]]
            plain = [r for r in self.rows("--domain", account) if not r["user"]]
            tap.ok(sum(int(r["messages"]) for r in nobody) <= len(plain), "and of nobody", nobody)
        nobody = [r for r in self.rows("--domain", "_unattributed", "--by", "user")
                  if not r["user"]]
        tap.same({r["class"]: int(r["messages"]) for r in nobody}["relay"],
                 len(self.rows("--domain", "_unattributed", "--class", "relay")),
                 "mail relayed for nobody has no user, and is there")

    def accepted(self):
        return [d for d in self.sent if d.accepted]


def summed(rows, key):
    """account (or user) -> counter -> amount"""
    out = collections.defaultdict(lambda: collections.Counter())
    for row in rows:
        fields = out[row[key]]
        fields[row["class"] + "_messages"] += 1
        fields[row["class"] + "_recipients"] += int(row["recipients"])
        fields[row["class"] + "_bytes"] += int(row["bytes"])
    return {name: dict(fields) for name, fields in out.items()}


def traffic(fields):
    return {k: v for k, v in fields.items() if k in {c + "_" + u for c in CLASSES for u in UNITS}}


def users_of(redis, account):
    """user -> counters, of the months that the test has seen."""
    out = collections.defaultdict(collections.Counter)
    for month in {time.strftime("%Y-%m", time.gmtime(t)) for t in (START, time.time())}:
        for field, value in redis.hash("tg:{%s}:users:month:%s" % (account, month)).items():
            if not field.startswith("_") and " " in field:
                user, counter = field.split(" ")
                out[user].update(traffic({counter: int(value)}))
    return {user: dict(fields) for user, fields in out.items()}


def same_as_counters(site, name):
    """All accounts, the node's, and each user, against Redis."""
    redis = site.redis.connect()
    want = tollgated.counted(redis)
    node = traffic(want.pop("@" + tollgated.NODE))
    got = summed(site.rows(), "account")
    tap.same(got, {a: traffic(f) for a, f in want.items()}, name + ": accounts")
    rows = [row for c in CLASSES for row in site.rows("--server", "--class", c)]
    tap.same(summed(rows, "account"), {"@" + tollgated.NODE: node}, name + ": the node's account")
    whole = site.rows("--server")
    tap.same((len(whole), sum(int(r["bytes"]) for r in whole)),
             (len(site.accepted()), sum(d.bytes for d in site.accepted())),
             name + ": each message once")
    faults = []
    for account in DOMAINS:
        for user, need in users_of(redis, account).items():
            have = summed(site.rows("--user", user, "--domain", account), "user").get(user, {})
            if have != need:
                faults.append("%s: listed %s, counted %s" % (user, have, need))
    tap.none(faults, name + ": users")


def properties(site):
    site.send(80)
    tollgated.wait_counted(site.redis.connect(), len(site.accepted()))
    same_as_counters(site, "sent")
    site.daemon.reload()
    site.send(20)
    site.daemon.kill()
    torn(site)
    site.daemon.start()
    site.send(20)
    tollgated.wait_counted(site.redis.connect(), len(site.accepted()))
    same_as_counters(site, "reloaded, killed and torn")


def torn(site):
    """Half a record at the end, as a power failure leaves it: nothing of it is listed."""
    journal = os.path.join(site.daemon.state, "journal")
    newest = max(n for n in os.listdir(journal) if n.endswith(".journal"))
    before = len(site.rows("--server"))
    with open(os.path.join(journal, newest), "ab") as f:
        f.write(b"\0\0\0\x90\x12\x34\x56\x78" + b"x" * 30)
    tap.same(len(site.rows("--server")), before, "a torn tail is not listed")


def choices(site):
    everything = site.rows()
    for c in CLASSES:
        tap.same([r for r in everything if r["class"] == c], site.rows("--class", c), "class " + c)
    one = DOMAINS[2]
    tap.same([r for r in everything if r["account"] == one], site.rows("--domain", "D2.test."),
             "one domain")
    largest = site.rows("--sort", "bytes", "--top", "5")
    sizes = [int(r["bytes"]) for r in largest]
    tap.same(sizes, sorted((int(r["bytes"]) for r in everything), reverse=True)[:5],
             "the largest first")
    times = [r["time"] for r in everything]
    tap.same(times, sorted(times, reverse=True), "else the newest first")
    tap.same({r["node"] for r in everything}, {tollgated.NODE}, "each row names the node")
    _, out, _ = site.daemon.command("messages", "--format", "json", "--top", "3")
    lines = [json.loads(line) for line in out.splitlines()]
    tap.same([(r["queue_id"], r["bytes"]) for r in lines],
             [(r["queue_id"], int(r["bytes"])) for r in everything[:3]], "JSON")


def table(site):
    count, size = len(site.accepted()), sum(d.bytes for d in site.accepted())
    code, out, err = site.daemon.command("messages", "--server", "--top", "2")
    summary = "{:,} bytes on this node, mx1".format(size)
    tap.ok(code == 0 and "%d messages" % count in out and summary in out and
           "the first 2 are shown" in out, "a table with its sum", out, err)
    code, out, err = site.daemon.command("messages", "--from", "-3days", "--domain", "none.test")
    tap.ok(code == 0 and out.startswith("0 messages, 0 recipients, 0 bytes") and "Kept" not in out,
           "nothing; all that there ever were are kept", out, err)


def log_line(site):
    """The line that each message leaves in the log tells the same."""
    lines = {}
    for line in site.daemon.log().split("\n"):
        found = re.search(r" info: message accepted qid=(\w+) size=(\d+)(.*)$", line)
        if found:
            lines[found.group(1)] = (found.group(2), sorted(found.group(3).split()))
    want = collections.defaultdict(list)
    sizes = {}
    for r in site.rows():
        want[r["queue_id"]].append("%s=%s:%s:%s" % (r["class"], r["account"], r["recipients"],
                                                    r["bytes"]))
        sizes[r["queue_id"]] = r["size"]
    tap.same(lines, {q: (sizes[q], sorted(parts)) for q, parts in want.items()},
             "a line of the log for each message")


def why(site):
    """Of a message let through: class, account, recipients, bytes, for each leg."""
    delivery = max(site.accepted(), key=lambda d: len(d.recipients))
    rows = [r for r in site.rows() if r["queue_id"] == delivery.queue_id]
    code, out, err = site.daemon.command("why", delivery.queue_id)
    lines = ["- %s, %s%s: %s recipient%s, %s byte%s" % (
        r["class"], r["account"], " (%s)" % r["user"] if r["users"] == "1" else "",
        r["recipients"], "" if r["recipients"] == "1" else "s", "{:,}".format(int(r["bytes"])),
        "" if r["bytes"] == "1" else "s") for r in rows]
    text = " ".join(out.split())
    tap.ok(code == 0 and len(rows) > 1 and "accepted and counted on this node at" in text and
           "{:,} bytes, as:".format(delivery.bytes) in text, "why: an accepted message", out, err)
    tap.none([line for line in lines if line not in text], "each leg of it")
    _, out, _ = site.daemon.command("why", delivery.queue_id, "--format", "json")
    known = json.loads(out)
    tap.same([(c["size"], c["was_held"], len(c["charged"])) for c in known["counted"]],
             [(delivery.bytes, False, len(rows))], "as JSON")
    _, out, _ = site.daemon.command("why", "4NOSUCHID", "--format", "json")
    tap.same((json.loads(out)["counted"], json.loads(out)["known"]), ([], False), "an unknown id")


def kept(site):
    """A journal whose beginning is gone."""
    site.daemon.stop()
    journal = os.path.join(site.daemon.state, "journal")
    for name in os.listdir(journal):
        os.unlink(os.path.join(journal, name))
    site.daemon.start()
    code, out, err = site.daemon.command("messages")
    tap.ok(code == 0 and "No message is kept on this node" in out, "none is kept", out, err)
    with milterclient.Session(site.daemon.socket) as s:
        s.deliver("x@far.test", ["u1@d1.test"], milterclient.message_of(["Subject: x"], 700))
    code, out, err = site.daemon.command("messages", "--from", "-3days")
    tap.ok(code == 0 and "1 message, 1 recipient, 700 bytes" in out and "Kept from 2" in out,
           "since when messages are kept", out, err)
    code, out, err = site.daemon.command("messages", "--from", "-3days", "--format", "csv")
    tap.ok(code == 0 and len(out.splitlines()) == 2 and "Kept from 2" in err,
           "for programs on stderr", out, err)


def wrong(site):
    for args, code, text in ((["x"], 64, "unexpected"), (["--class", "other"], 64, "other"),
                             (["--server", "--domain", "a.test"], 64, "excludes"),
                             (["--user", "joe"], 64, "whole address"),
                             (["--from", "someday"], 64, "someday"),
                             (["--domain", "a..b"], 64, "a..b")):
        got, out, err = site.daemon.command("messages", *args)
        tap.ok(got == code and text in err and out == "", "messages " + " ".join(args), got, err)
    os.rename(site.daemon.state, site.daemon.state + ".away")
    got, out, err = site.daemon.command("messages")
    tap.ok(got == 66 and "does not exist" in err, "no journal", got, err)
    os.rename(site.daemon.state + ".away", site.daemon.state)



def main():
    tap.need("redis-server")
    site = Site()
    properties(site)
    choices(site)
    site.by_user()
    table(site)
    log_line(site)
    why(site)
    kept(site)
    tap.same(site.daemon.stop(), 0, "a clean end")
    wrong(site)
    site.redis.stop()


tap.run(main)
