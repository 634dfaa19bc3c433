#!/usr/bin/env python3
"""tollgate violations: the newest, as they come, and what limits would have to be.

With TG_GOLDEN=write the files in t/data/cli are written anew: look at the diff.
"""

import csv
import datetime
import io
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import violations
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate, golden

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOUR, MONTH = ("domain/recipients/hour", 600), ("domain/bytes/month", 10 << 30)
USER, SERVER = ("user/messages/day", 200), ("server/messages/day", 100000)
CLIENT = ("client/messages/10min", 100)


def ago(**time):
    return NOW - datetime.timedelta(**time)


def fill(redis):
    add = violations.add
    add(redis, ago(days=40), "example.com", HOUR, 5000, 3, observed=True)
    for hours, used in ((300, 599), (299, 640), (50, 710), (49, 600)):
        add(redis, ago(hours=hours), "example.com", HOUR, used, 3, observed=True)
    add(redis, ago(hours=30), "example.org", MONTH, 10 << 30, 1 << 20, observed=True,
        action="reject", qid="", client="", sender="")
    add(redis, ago(hours=20), "example.com", USER, 200, 1, observed=True, action="hold",
        user="a.long.name.of.a.newsletter@example.com")
    add(redis, ago(hours=19), "@server", SERVER, 100000, 1, observed=True, action="log")
    add(redis, ago(hours=18), "@client:2001:db8::7", CLIENT, 100, 1, observed=True,
        client="2001:db8::7")
    add(redis, ago(hours=2), "example.com", HOUR, 480, 3, soft=True)
    add(redis, ago(hours=1), "example.com", HOUR, 598, 3, sender="\x1b[31m\u00e9@example.com")
    add(redis, ago(minutes=5), "xn--bcher-kva.example", ("user/bytes/7days", 2 << 30), 2 << 30,
        123456789, action="reject", user="otto@xn--bcher-kva.example", retry_after=-1)
    counted = Counted("Europe/Berlin")
    counted.add(ago(hours=50), "example.com", {"observed_messages": 5, "observed_recipients": 17,
                                               "observed_bytes": 123456})
    counted.add(ago(hours=30), "example.org", {"observed_bounces": 7})
    counted.add(ago(hours=30), "quiet.example", {"out_messages": 7})
    counted.write(redis, {"mx1": int(NOW.timestamp())})


def lists(tollgate):
    golden("violations.txt", tollgate.good("violations"))
    golden("violations-narrow.txt", tollgate.good("violations", env={"COLUMNS": "80"}))
    golden("violations-domain.txt", tollgate.good("violations", "B\u00dcCHER.example",
                                                  env={"LC_ALL": "C", "COLUMNS": "80"}))
    golden("violations.csv", tollgate.good("violations", "example.com", "--last", "3", "--format",
                                           "csv"))
    golden("violations.json", tollgate.good("violations", "--last", "2", "--format", "json"))
    tap.same(tollgate.good("violations", "nobody.example"), "No violation is recorded.\n", "none")
    tap.same(len(tollgate.good("violations", "--last", "4", "--format", "json").splitlines()), 4,
             "--last")
    tap.same(tollgate.good("violations", "nobody.example", "--format", "json"), "", "none, as JSON")


def summaries(tollgate, redis):
    golden("violations-summary.txt", tollgate.good("violations", "--summary",
                                                   env={"COLUMNS": "80"}))
    golden("violations-summary.csv", tollgate.good("violations", "--summary", "--format", "csv"))
    golden("violations-summary.json", tollgate.good("violations", "example.com", "--summary",
                                                    "--from", "-30days", "--format", "json"))
    out = tollgate.good("violations", "--summary", "--top", "2", "--format", "csv")
    every = tollgate.good("violations", "--summary", "--format", "csv").splitlines()
    tap.ok(out.splitlines() == every[:3] and len(every) > 3, "the two most frequent", out)
    out = tollgate.good("violations", "--summary", "--top", "2")
    tap.ok("(%d more)" % (len(every) - 3) in out, "which says how many are left out", out)
    rows = summary(tollgate, "--from", "2026-10", "--to", "2026-10")
    tap.same([(r["limit"], r["times"], r["peak"], r["suggested"]) for r in rows],
             [("domain/recipients/hour", "1", "5003", "8000")], "another month alone")
    out = tollgate.good("violations", "--summary", "--from", "2026-09", "--to", "2026-09")
    tap.ok("Nothing." in out, "a month without", out)


def summary(tollgate, *args):
    text = tollgate.good("violations", "--summary", *args, "--format", "csv")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def suggestions(tollgate, redis):
    """Many entries, added up by the test itself; a suggested limit lets all of them through."""
    draw = random.Random(11)
    want = {}
    redis("FLUSHALL")
    for i in range(3000):
        domain = "d%d.example" % draw.randrange(20)
        used, wanted = draw.randrange(600, 3000), draw.randrange(1, 50)
        violations.add(redis, ago(seconds=3000 - i), domain, HOUR, used, wanted, observed=True)
        times, peak = want.get(domain, (0, 0))
        want[domain] = (times + 1, max(peak, used + wanted))
        if i % 100 == 0:  # stands for violations without an entry of their own
            violations.add(redis, ago(seconds=3000 - i), domain, HOUR, used + 4000, wanted,
                           observed=True, event="peak", user="alice@" + domain)
            want[domain] = (times + 1, max(peak, used + 4000 + wanted))
    rows = {r["account"]: r for r in summary(tollgate) if r["account"][0] == "d"}
    tap.same({name: (int(r["times"]), int(r["peak"])) for name, r in rows.items()}, want,
             "times and peaks of 3,000 entries")
    tap.none([r for r in rows.values()
              if not 1.2 * int(r["peak"]) <= int(r["suggested"]) < 2 * int(r["peak"])],
             "suggested is above 1.2 times the peak, but not far")
    redis("XTRIM", "tg:violations", "MAXLEN", "=", "2000")
    out = tollgate.good("violations", "--summary")
    tap.ok("Only since" not in out, "a short stream is a whole one", out)
    redis("DEL", "tg:violations")
    for i in range(1200):
        violations.add(redis, ago(seconds=2000 - i), "busy.example", HOUR, 600, 1, observed=True)
    redis("XTRIM", "tg:{busy.example}:violations", "MAXLEN", "=", "1000")
    out = tollgate.good("violations", "busy.example", "--summary")
    tap.ok("Only since 2026-11-21 12:30:00: the store does not keep" in out,
           "what is missing is said", out)


def follows(folder, server, redis):
    """As a process that goes on, over the loss of the store."""
    tollgate = Tollgate(folder, server.url, "Europe/Berlin")
    argv = [os.path.join(proc.BUILD, "tollgate"), "-c", tollgate.conf, "violations", "--follow",
            "--last", "1", "--format", "csv"]
    errors = os.path.join(folder, "errors")
    with open(errors, "wb") as err:
        follower = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=err, text=True)
    try:
        lines = follower.stdout
        tap.ok(lines.readline().startswith("time,time_ms,account"), "a head")
        lines.readline()
        for number in range(3):
            violations.add(redis, datetime.datetime.now(UTC), "n%d.example" % number, HOUR, 600, 1)
            tap.ok(",n%d.example," % number in lines.readline(), "each as it comes")
        server.kill()
        proc.wait_for("complaint", lambda: server.path in proc.read_text(errors))
        server.start()
        proc.wait_for("return", lambda: "the store is back" in proc.read_text(errors))
        violations.add(server.connect(), datetime.datetime.now(UTC), "back.example", HOUR, 600, 1)
        tap.ok(",back.example," in lines.readline(), "and after the store was away")
        tap.same(len(proc.read_text(errors).splitlines()), 2, "which is said once")
    finally:
        follower.kill()
        follower.wait()


def wrong(tollgate):
    for code, text, args in (
            (64, 'unexpected argument "b"', ["a", "b"]),
            (64, "a..b", ["a..b"]),
            (64, "--last all: expected a number", ["--last", "all"]),
            (64, "--summary excludes", ["--summary", "--follow"]),
            (64, "need --summary", ["--from", "today"]),
            (64, "is later than", ["--summary", "--from", "2026-11", "--to", "2026-10"]),
            (64, "did you mean csv?", ["--format", "cvs"])):
        got, out, err = tollgate("violations", *args)
        tap.ok(got == code and text in err and out == "", "violations " + " ".join(args), got, err)


def main():
    folder = proc.scratch("violations")
    server = RedisServer(folder)
    redis = server.connect()
    tollgate = Tollgate(folder, server.url, "Europe/Berlin", now=NOW)
    fill(redis)
    lists(tollgate)
    summaries(tollgate, redis)
    suggestions(tollgate, redis)
    wrong(tollgate)
    follows(folder, server, redis)


tap.run(main)
