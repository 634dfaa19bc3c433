#!/usr/bin/env python3
"""tollgate report and totals against a real Redis that holds what tollgated would have written.

The clock stands still (t/lib/clock_shim.c). With TG_GOLDEN=write the files in t/data/cli are
written anew instead of compared: look at the diff.
"""

import csv
import datetime
import io
import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_server import RedisServer
from tollgate import Tollgate

ZONE = "Europe/Berlin"
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
GOLDEN = os.path.join(proc.SOURCE, "t", "data", "cli")
REPORTS = ("smtp", "message-traffic", "message-data", "throttle-traffic", "throttle-violations",
           "traffic-by-priority", "bandwidth-by-priority")
SMTP = ("in_messages", "in_bytes", "out_messages", "out_bytes", "forward_messages",
        "forward_bytes")
DOMAINS = ("example.com", "example.org", "shop.example", "xn--bcher-kva.example",
           "a-long-name.customer-with-a-long-name.example", "_unattributed")
USERS = ("alice", "bob", "_carol", "j\u00f6rg", '"a,b"')
KINDS = ("in", "out", "forward", "local_sent", "local_received", "relay")


def stopped(draw):
    """What a message that a limit stops (or, observed, would have stopped) counts."""
    recipients = draw.randrange(1, 9)
    how = draw.choice(("throttled", "observed"))
    if draw.random() < 0.2:
        counters = {how + "_bounces": 1}
    else:
        counters = {how + "_messages": 1, how + "_recipients": recipients,
                    how + "_bytes": int(draw.lognormvariate(9, 1.5))}
    if draw.random() < 0.3:
        metric = draw.choice(("messages", "recipients", "recipients", "bytes", "bounces"))
        counters["violations_" + metric] = 1
    return counters


def message(draw, kind):
    size, recipients = int(draw.lognormvariate(9, 1.5)), draw.randrange(1, 5)
    counters = {kind + "_messages": 1, kind + "_recipients": recipients, kind + "_bytes": size}
    if kind in ("in", "out", "forward"):
        rank = draw.choice(("high", "normal", "normal", "normal", "low", "bulk"))
        counters["priority_%s_messages" % rank] = 1
        counters["priority_%s_bytes" % rank] = size
    if kind == "in" and draw.random() < 0.1:
        counters["bounces_received"] = 1
    return counters


def fill():
    """Ninety days of mail, more of it now than then, through a change of the clocks."""
    draw = random.Random(20261121)
    counted = Counted(ZONE)
    for hour in range(90 * 24):
        when = NOW - datetime.timedelta(hours=hour)
        for _ in range(draw.randrange(3)):
            domain = draw.choices(DOMAINS, (9, 7, 5, 3, 2, 1))[0]
            kind = draw.choices(KINDS, (9, 7, 2, 2, 2, 1))[0]
            user = "" if domain.startswith("_") else "%s@%s" % (draw.choice(USERS), domain)
            if draw.random() < 0.02:
                user = "_other"
            counters = message(draw, kind)
            counted.add(when, domain, counters, user, draw.choice(("mx1", "mx2", "mx2")))
    for hour in range(0, 90 * 24, 5):
        domain = draw.choices(DOMAINS[:4], (9, 3, 2, 1))[0]
        counted.add(NOW - datetime.timedelta(hours=hour), domain, stopped(draw),
                    "alice@" + domain, "mx1")
    return counted


# --- golden files --------------------------------------------------------------------------------

def golden(name, got):
    path = os.path.join(GOLDEN, name)
    if os.environ.get("TG_GOLDEN") == "write":
        os.makedirs(GOLDEN, exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(got)
    with open(path, encoding="utf-8", newline="") as f:
        tap.same(got, f.read(), "as in t/data/cli/" + name)


def goldens(tollgate):
    for report in REPORTS:
        for form in ("table", "csv", "json", "chart"):
            golden("%s.%s" % (report, form), tollgate.good(
                "report", report, "--by", "domain", "--from", "2026-10", "--to", "2026-10",
                "--format", form))
    for name, args, env in (
            ("server", ["smtp"], {}),
            ("server-chart", ["smtp", "--format", "chart"], {}),
            ("months", ["message-traffic", "--step", "month", "--from", "-2months"], {}),
            ("weeks", ["smtp", "--step", "week", "--from", "2026-10", "--sort", "out_bytes"], {}),
            ("quarters-by-node", ["message-data", "--step", "quarter", "--by", "node", "--from",
                                  "2026-09", "--reverse"], {}),
            ("days-chart", ["smtp", "--domain", "B\u00dcCHER.example.", "--step", "day",
                            "--format", "chart", "--sort", "in_bytes"], {}),
            ("days-chart-ascii", ["smtp", "--domain", "example.com", "--step", "day",
                                  "--format", "chart", "--from", "-9days"],
             {"LC_ALL": "C", "COLUMNS": "60"}),
            ("hours", ["smtp", "--step", "hour", "--from", "2026-11-21T04", "--to",
                       "2026-11-21T09"], {}),
            ("users-top", ["smtp", "--by", "user", "--top", "4", "--sort", "out_messages"], {}),
            ("users-narrow", ["message-traffic", "--by", "user", "--domain", "example.com"],
             {"COLUMNS": "64", "LC_ALL": "C"}),
            ("user", ["message-data", "--user", "Alice+tag@Example.COM", "--step", "month",
                      "--from", "2026-09"], {})):
        golden(name + ".txt", tollgate.good("report", *args, env=env))
    for name, args in (
            ("days.svg", ["smtp", "--domain", "example.com", "--step", "day", "--chart", "area"]),
            ("domains.svg", ["message-traffic", "--by", "domain", "--top", "3"])):
        golden(name, tollgate.good("report", *args, "--from", "2026-10", "--format", "svg"))
    page = tollgate.good("report", "smtp", "--step", "day", "--by", "domain", "--top", "2",
                         "--format", "html", "--chart", "line")
    page = re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.S)
    golden("days.html", re.sub(r"Tollgate [0-9.]+,", "Tollgate VERSION,", page))
    golden("totals.csv", tollgate.good("totals", "--month", "2026-10"))
    golden("totals.json", tollgate.good("totals", "--from", "2026-10-05", "--to", "2026-11-21",
                                        "--domain", "example.com", "--format", "json"))
    golden("list.txt", tollgate.good("report"))


# --- the same numbers by another way -------------------------------------------------------------

def rows_of(text):
    """Strictly RFC 4180: CRLF everywhere, the same number of fields in every row."""
    tap.ok(text.endswith("\r\n") and text.count("\n") == text.count("\r\n"), "lines end in CRLF")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    tap.ok(len({len(row) for row in rows}) == 1, "rows of the same length")
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def days(first, last):
    while first <= last:
        yield first
        first += datetime.timedelta(days=1)


def by_days(counted, account, counter, first, last, user=""):
    return sum(counted.amount(account, counter, "day:%s" % day, user) for day in days(first, last))


def sums(tollgate, counted):
    """Random ranges: what the report gives is the sum of its days."""
    draw = random.Random(7)
    for _ in range(12):
        first = datetime.date(2026, 8, 25) + datetime.timedelta(days=draw.randrange(60))
        last = first + datetime.timedelta(days=draw.randrange(70))
        span = ("--from", str(first), "--to", str(last), "--format", "csv")
        rows = rows_of(tollgate.good("report", "smtp", "--by", "domain", *span))
        want = {}
        for domain in DOMAINS:
            amounts = [by_days(counted, domain, counter, first, last) for counter in SMTP]
            if any(amounts):
                want[domain] = amounts
        tap.same({row["domain"]: [int(row[c]) for c in SMTP] for row in rows}, want,
                 "domains from %s to %s" % (first, last))
        user = draw.choice(USERS) + "@example.com"
        rows = rows_of(tollgate.good("report", "smtp", "--user", user, *span))
        tap.same([int(rows[0][c]) for c in SMTP],
                 [by_days(counted, "example.com", c, first, last, user) for c in SMTP],
                 user + " alone")


def steps(tollgate, counted):
    rows = rows_of(tollgate.good("report", "smtp", "--step", "day", "--from", "2026-09-20", "--to",
                                 "2026-11-15", "--format", "csv"))
    want = [sum(counted.amount("@" + node, "in_bytes", "day:%s" % day) for node in ("mx1", "mx2"))
            for day in days(datetime.date(2026, 9, 20), datetime.date(2026, 11, 15))]
    tap.same([int(row["in_bytes"]) for row in rows], want, "the server by days")
    rows = rows_of(tollgate.good("report", "smtp", "--step", "hour", "--from", "2026-10-25", "--to",
                                 "2026-10-25", "--format", "csv", "--domain", "example.com"))
    tap.same([row["hour"] for row in rows],
             ["2026-10-24T%02d" % h for h in (22, 23)] + ["2026-10-25T%02d" % h for h in range(23)],
             "the day on which the clocks are put back has 25 hours")
    tap.same(sum(int(row["in_bytes"]) for row in rows),
             counted.amount("example.com", "in_bytes", "day:2026-10-25"), "which make up the day")
    weeks = rows_of(tollgate.good("report", "smtp", "--step", "week", "--from", "2026-10-07",
                                  "--to", "2026-11-03", "--format", "csv", "--by", "user",
                                  "--domain", "example.com"))
    tap.same(sum(int(row["total_bytes"]) for row in weeks),
             sum(by_days(counted, "example.com", c, datetime.date(2026, 10, 7),
                         datetime.date(2026, 11, 3)) for c in SMTP if c.endswith("bytes")),
             "users by weeks make up the domain")
    tap.ok({row["user"] for row in weeks} > {'"a,b"@example.com', "_carol@example.com", "_other"},
           "users of all sorts are there", weeks[:3])


def json_of_all(tollgate):
    for report in REPORTS:
        args = ("report", report, "--by", "node", "--step", "month", "--from", "-2months")
        data = json.loads(tollgate.good(*args, "--format", "json"))
        table = rows_of(tollgate.good(*args, "--format", "csv"))
        tap.same([{k: str(v) for k, v in row.items()} for row in data["rows"]], table,
                 "JSON and CSV of %s say the same" % report)
        tap.same(data["total"], {c: sum(row[c] for row in data["rows"]) for c in data["columns"]},
                 "its total is the sum of the rows")
    data = json.loads(tollgate.good("report", "smtp", "--by", "domain", "--top", "2", "--format",
                                    "json"))
    tap.same(data["others"]["rows"], 4, "--top tells how many it left out")
    tap.same(data["total"]["out_bytes"],
             data["others"]["out_bytes"] + sum(row["out_bytes"] for row in data["rows"]),
             "and how much")


def totals(tollgate, counted):
    rows = rows_of(tollgate.good("totals", "--month", "2026-10"))
    tap.same({row["account"] for row in rows}, set(DOMAINS), "every account, no node")
    wrong = [(row["account"], name) for row in rows for name, value in row.items()
             if name not in ("account", "from", "to", "complete") and
             int(value) != counted.amount(row["account"], name, "month:2026-10")]
    tap.none(wrong, "every counter is that of the store")
    tap.same({(row["from"], row["to"], row["complete"]) for row in rows},
             {("2026-10-01", "2026-10-31", "true")}, "a month that is complete")
    rows = rows_of(tollgate.good("totals", "--month", "2026-11"))
    tap.same({row["complete"] for row in rows}, {"false"}, "this month is not")
    rows = rows_of(tollgate.good("totals", "--month", "2026-11", "--domain", "nobody.example"))
    tap.same([row["in_bytes"] for row in rows], ["0"], "a domain asked for by name has a row of 0")
    rows = rows_of(tollgate.good("totals", "--month", "2026-10", "--domain", "example.org",
                                 "--domain", "example.com", "--domain", "EXAMPLE.org"))
    tap.same([row["account"] for row in rows], ["example.com", "example.org"],
             "domains asked for by name, each once")


def complete(tollgate, redis):
    """A period is complete once every node has handed in all of it."""
    end = int(datetime.datetime(2026, 10, 31, 23, tzinfo=UTC).timestamp())
    for pushed, want in ((end - 1, False), (end, True)):
        redis("HSET", "tg:{@mx2}:node", "pushed_through", pushed)
        data = json.loads(tollgate.good("report", "smtp", "--from", "2026-10", "--to", "2026-10",
                                        "--format", "json"))
        tap.same(data["complete"], want, "mx2 has handed in all until %d" % pushed)
        tap.ok(want or "mx2" in data["note"], "the note names the node", data["note"])
    redis("SADD", "tg:nodes", "mx3")
    data = json.loads(tollgate.good("totals", "--month", "2026-10", "--format", "json"))
    tap.same(data["complete"], False, "a node that never said anything")
    tap.ok("mx3" in data["note"], "is named", data["note"])
    redis("SREM", "tg:nodes", "mx3")
    redis("HSET", "tg:{@mx2}:node", "pushed_through", int(NOW.timestamp()))


# --- what goes wrong -----------------------------------------------------------------------------

WRONG = (
    (64, 'unknown command "reprot"; did you mean report?', ["reprot"]),
    (64, 'unknown command "frobnicate"; choose from: report', ["frobnicate"]),
    (64, 'unknown report "smpt"; did you mean smtp?', ["report", "smpt"]),
    (64, "choose from: smtp message-traffic", ["report", "frobnicate"]),
    (64, 'unknown option "--fomrat"; did you mean --format?',
     ["report", "smtp", "--fomrat", "csv"]),
    (64, "unknown option -x", ["report", "-x", "smtp"]),
    (64, "unknown option -x", ["-x", "report"]),
    (64, "--from needs a value", ["report", "smtp", "--from"]),
    (64, 'unknown value of --format "xml"', ["report", "smtp", "--format", "xml"]),
    (64, 'unknown value of --format "chart"',
     ["totals", "--month", "2026-10", "--format", "chart"]),
    (64, "did you mean domain?", ["report", "smtp", "--by", "domian"]),
    (64, "did you mean quarter?", ["report", "smtp", "--step", "quater"]),
    (64, "--top 0: expected a number from 1", ["report", "smtp", "--top", "0"]),
    (64, "it has domain in_messages in_bytes",
     ["report", "smtp", "--by", "domain", "--sort", "in"]),
    (64, 'unexpected argument "message-data"', ["report", "smtp", "message-data"]),
    (64, "--chart needs --format svg or html", ["report", "smtp", "--chart", "line"]),
    (64, "--chart needs --format svg or html",
     ["report", "smtp", "--format", "csv", "--chart", "bar"]),
    (64, "--server excludes", ["report", "smtp", "--server", "--domain", "example.com"]),
    (64, "--by node needs --server",
     ["report", "smtp", "--domain", "a.example", "--by", "node"]),
    (64, "--by domain needs --server",
     ["report", "smtp", "--domain", "a.example", "--by", "domain"]),
    (64, "--by user excludes --user",
     ["report", "smtp", "--user", "a@a.example", "--by", "user"]),
    (64, "not by hour", ["report", "smtp", "--user", "a@a.example", "--step", "hour"]),
    (64, "not for users", ["report", "traffic-by-priority", "--by", "user"]),
    (64, "the whole address", ["report", "smtp", "--user", "alice"]),
    (64, "--domain a..b", ["report", "smtp", "--domain", "a..b"]),
    (64, "--from gestern", ["report", "smtp", "--from", "gestern"]),
    (64, "is later than", ["report", "smtp", "--from", "2026-10", "--to", "2026-09"]),
    (64, "kept for 400 days", ["report", "smtp", "--from", "2020-01-05", "--to", "2020-02-10"]),
    (64, "kept for 45 days", ["report", "smtp", "--from", "2026-10", "--step", "hour"]),
    (64, "--step hour", ["report", "smtp", "--from", "2026-11-20T13"]),
    (64, "--domain is given twice",
     ["report", "smtp", "--domain", "a.example", "--domain", "b.example"]),
    (64, "--format is given twice", ["totals", "--format", "csv", "--format", "csv"]),
    (64, 'unexpected argument "totals"', ["help", "report", "totals"]),
    (64, 'did you mean report?', ["help", "reprot"]),
    (64, "give --month 2026-11, or both", ["totals"]),
    (64, "give --month 2026-11, or both", ["totals", "--from", "2026-10"]),
    (64, "--month excludes", ["totals", "--month", "2026-10", "--from", "2026-10"]),
    (64, "expected a month", ["totals", "--month", "2026-10-05"]),
    (64, 'unexpected argument "2026-10"', ["totals", "2026-10"]),
)


def wrong(tollgate):
    for code, text, args in WRONG:
        got, out, err = tollgate(*args)
        tap.ok(got == code and text in err and out == "" and err.startswith("tollgate: "),
               "%d: tollgate %s" % (code, " ".join(args)), got, out, err)


def keys_gone_wrong(tollgate, redis):
    for key, value, args in (
            ("tg:{example.com}:month:2026-10", None, ["report", "smtp", "--domain", "example.com"]),
            ("tg:{example.org}:users:month:2026-10", None, ["report", "smtp", "--by", "user"]),
            ("tg:nodes", None, ["report", "smtp"]),
            ("tg:accounts:{03}", None, ["totals"]),
            ("tg:{@mx1}:node", None, ["report", "smtp"]),
            ("tg:{example.com}:month:2026-10", "-5", ["report", "smtp", "--domain", "example.com"]),
            ("tg:{example.com}:users:month:2026-10", "1e3",
             ["report", "smtp", "--user", "alice@example.com"])):
        kept = redis("EXISTS", key) and redis("RENAME", key, "kept")
        if value is None:
            redis("SET", key, "nonsense")
        else:
            redis("HSET", key, "in_bytes", value, "alice@example.com in_bytes", value)
        got, out, err = tollgate(*args, "--from", "2026-10", "--to", "2026-10")
        tap.ok(got == 65 and key in err and out == "", "a key gone wrong is named: " + key, got,
               err)
        redis("DEL", key)
        if kept:
            redis("RENAME", "kept", key)
    redis("SET", "tg:schema", "2")
    got, _, err = tollgate("report", "smtp")
    tap.ok(got == 65 and "schema 2" in err, "keys of another schema", err)
    redis("SET", "tg:schema", "1")


def away(tollgate, redis_server):
    redis_server.freeze()
    start = time.monotonic()
    got, _, err = tollgate("report", "smtp")
    tap.ok(got == 69 and redis_server.path in err, "Redis does not answer: 69", got, err)
    tap.ok(time.monotonic() - start < 10 * proc.PATIENCE, "said within its time")
    redis_server.thaw()
    redis_server.kill()
    got, out, err = tollgate("totals", "--month", "2026-10")
    tap.ok(got == 69 and redis_server.path in err and out == "", "Redis is away: 69", got, err)
    got, _, err = tollgate("-c", "/nonexistent/tollgate.conf", "report", "smtp")
    tap.ok(got in (66, 78) and "/nonexistent/tollgate.conf" in err, "no configuration", got, err)
    for same in ((["-h"], ["--help"], ["help"], []), (["-V"], ["--version"]),
                 (["report", "-h"], ["report", "--help"], ["help", "report"],
                  ["report", "smtp", "--help"])):
        tap.same(len({tollgate(*args)[1] for args in same}), 1, "the same: %s" % (same,))
    for args in (["-h"], ["report", "-h"], ["totals", "-h"], [], ["-V"]):
        got, out, err = tollgate(*args)
        tap.ok(got == 0 and out and not err, "without a store: tollgate " + " ".join(args), got,
               err)


# --- the manual ----------------------------------------------------------------------------------

def manual(tollgate):
    """It knows every report, command and option, and no others."""
    text = proc.read_text(os.path.join(proc.SOURCE, "doc", "tollgate.1"))
    names = re.findall(r"^  (\S+)", tollgate.good("report"), re.M)
    section = text.split(".Ss report")[1].split(".El")[0]
    tap.same(re.findall(r"^\.It Cm (\S+)$", section, re.M), names, "the reports")
    commands = re.findall(r"^  ([a-z]\S+)", tollgate.good("-h"), re.M)
    synopsis = text.split(".Sh SYNOPSIS")[1].split(".Sh DESCRIPTION")[0]
    usages = {}
    for command, usage in re.findall(r"^\.Cm (\S+)(.*?)(?=^\.Nm$|\Z)", synopsis, re.M | re.S):
        usages.setdefault(command, set()).update(re.findall(r"Fl -([a-z-]+)", usage))
    tap.same(list(usages), commands, "the commands")
    for command in commands:
        known = set(re.findall(r"--([a-z-]+)", tollgate.good(command, "-h"))) - {"help"}
        tap.same(usages.get(command), known, "the options of " + command)


# --- many ----------------------------------------------------------------------------------------

def spent_s():
    """Of the processor, by the commands that have ended: others may have it meanwhile."""
    times = os.times()
    return times.children_user + times.children_system


def many(folder):
    """20,000 domains and 50,000 users take seconds and a few megabytes."""
    place = os.path.join(folder, "many")
    os.mkdir(place)
    server = RedisServer(place)
    counted = Counted("UTC")
    for i in range(20000):
        counted.add(NOW, "d%05d.example" % i, {"in_messages": 1, "in_bytes": i, "out_bytes": 2 * i})
    for i in range(50000):
        counted.add(NOW, "users.example", {"in_messages": 1, "in_bytes": i},
                    "u%05d@users.example" % i)
    counted.write(server.connect(), {"mx1": int(NOW.timestamp())})
    tollgate = Tollgate(place, server.url, "UTC", now=NOW)
    start = spent_s()
    rows = rows_of(tollgate.good("report", "smtp", "--by", "domain", "--format", "csv"))
    seconds = spent_s() - start
    tap.same(len(rows), 20001, "20,001 domains")
    tap.same(rows[1]["domain"], "d19999.example", "in order")
    tap.ok(seconds < 10, "in a few seconds", seconds)
    tap.note("%.2f s for 20,001 domains" % seconds)
    start = spent_s()
    rows = rows_of(tollgate.good("report", "smtp", "--by", "user", "--domain", "users.example",
                                 "--top", "3", "--format", "csv"))
    tap.same([row["in_bytes"] for row in rows], ["49999", "49998", "49997"],
             "three of 50,000 users")
    tap.note("%.2f s for 50,000 users" % (spent_s() - start))
    rows = rows_of(tollgate.good("totals", "--month", "2026-11"))
    tap.same(sum(int(row["in_bytes"]) for row in rows), sum(range(20000)) + sum(range(50000)),
             "totals of them all")
    server.stop()


def main():
    folder = proc.scratch("report")
    server = RedisServer(folder)
    redis = server.connect()
    counted = fill()
    counted.write(redis, {"mx1": int(NOW.timestamp()), "mx2": int(NOW.timestamp()) - 3})
    tollgate = Tollgate(folder, server.url, ZONE, now=NOW)
    goldens(tollgate)
    sums(tollgate, counted)
    steps(tollgate, counted)
    json_of_all(tollgate)
    totals(tollgate, counted)
    complete(tollgate, redis)
    wrong(tollgate)
    manual(tollgate)
    keys_gone_wrong(tollgate, redis)
    many(folder)
    away(tollgate, server)


tap.run(main)
