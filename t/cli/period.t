#!/usr/bin/env python3
"""tollgate period: a month is closed, killed at every step, closed again, changed from outside,
carried over, and verified; by one host and by two."""

import datetime
import hashlib
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate, preload

UTC = datetime.timezone.utc
ZONE = "America/New_York"
HOUR = 3600
MONTHS = ("2025-10", "2025-11", "2025-12", "2026-01")


def at(text):
    return datetime.datetime.fromisoformat(text)


# Around the edges of November, in a zone that is behind UTC and changed its clocks on the 2nd.
MAIL = (("2025-10-31T23:59:59-04:00", "example.com", {"in_messages": 1, "in_bytes": 100}),
        ("2025-11-01T00:00:00-04:00", "example.com", {"in_messages": 10, "in_bytes": 1000}),
        ("2025-11-02T01:30:00-05:00", "example.net", {"out_messages": 20, "out_bytes": 7}),
        ("2025-11-30T23:59:59-05:00", "example.com", {"in_messages": 40, "in_bytes": 4000}),
        ("2025-11-30T23:59:59-05:00", "xn--bcher-kva.example", {"forward_bytes": 9}),
        ("2025-12-01T00:00:00-05:00", "example.com", {"in_messages": 500, "in_bytes": 5}))


class Site:
    def __init__(self, name):
        self.folder = proc.scratch(name)
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.counted = Counted(ZONE)
        for when, account, counters in MAIL:
            self.counted.add(at(when), account, counters)
        self.counted.add(at("2025-11-05T12:00:00-05:00"), "example.com", {"in_messages": 2},
                         node="mx2")
        self.reach("2026-03-01T00:00:00-05:00")

    def reach(self, mx1, mx2=None):
        self.counted.write(self.redis, {"mx1": int(at(mx1).timestamp()),
                                        "mx2": int(at(mx2 or mx1).timestamp())})

    def host(self, name, more=""):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        return Tollgate(folder, self.server.url, ZONE, more=more, domains="example.com\n")

    def late(self, when, counters, account="example.com"):
        self.counted.add(at(when), account, counters)
        self.reach("2026-03-01T00:00:00-05:00")


def periods(host):
    return os.path.join(os.path.dirname(host.conf), "state", "periods")


def audit(host):
    text = proc.read_text(os.path.join(periods(host), "audit"))
    return [line.split("\t") for line in text.split("\n")[:-1]]


def rows(text):
    """{(account, figure): {field: number}} of a period's file."""
    lines = [line.split(",") for line in text.split("\n") if line and line[0] != "#"]
    names = lines[0][2:]
    return {tuple(line[:2]): {n: int(v) for n, v in zip(names, line[2:]) if v != "0"}
            for line in lines[1:]}


def adjustments(site, account="example.com"):
    return {name: value for name, value in site.redis.hash("tg:{%s}:adjust" % account).items()
            if not name.startswith("_")}


# --- the file and its hash -----------------------------------------------------------------------

def close_one():
    site = Site("period")
    host = site.host("a")
    out = host.good("period", "close", "2025-10")
    tap.ok("2025-10 is closed" in out, "a month is closed", out)
    host.good("period", "close", "2025-11")
    file = proc.read_text(os.path.join(periods(host), "2025-11.csv"))
    tap.same(file.split("\n")[:5],
             ["# tollgate billing period", "# schema: 1", "# period: 2025-11",
              "# timezone: " + ZONE, "# nodes: mx1, mx2"], "its file says what it is")
    tap.same(rows(file), {("example.com", "billed"): {"in_messages": 52, "in_bytes": 5000},
                          ("example.net", "billed"): {"out_messages": 20, "out_bytes": 7},
                          ("xn--bcher-kva.example", "billed"): {"forward_bytes": 9}},
             "a month of the configured zone")
    chain = audit(host)
    before = ""
    for month, digest, *_ in chain:
        data = before + proc.read_text(os.path.join(periods(host), month + ".csv"))
        tap.same(digest, hashlib.sha256(data.encode()).hexdigest(), month + ": hash")
        before = digest
    tap.same([line[0] for line in chain], ["2025-10", "2025-11"], "both in the chain")
    tap.same(host.good("period", "show", "2025-11"), file, "show prints the file")
    code, out, _ = host("period", "close", "2025-11")
    tap.ok(code == 0 and "was closed on" in out and "good" in out, "again: the same", out)
    tap.same(proc.read_text(os.path.join(periods(host), "2025-11.csv")), file, "and untouched")
    tap.same(audit(host), chain, "and so is the chain")
    tap.same(host("period", "verify")[0], 0, "all verify")
    return site, host


def ledger_path(host):
    return os.path.join(os.path.dirname(host.conf), "state", "ledger.db")


def ledger_write(host, month, rows):
    path = ledger_path(host)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE rows (node, account, kind, period, user, counters)")
        db.executemany("INSERT INTO rows VALUES (?, ?, 'month', '%s', ?, ?)" % month, rows)
    db.close()
    return path


def ledgers(site, host):
    """The store against this host's ledger, which may count under several shares."""
    code, _, err = host("period", "verify", "2025-11")
    tap.ok(code == 0 and "no ledger is compared" in err, "without a ledger, that is said", err)
    whole = [(1, "example.com", "", "in_messages 30 in_bytes 4000"),
             (2, "example.com", "", "in_messages 20 in_bytes 1000"),
             (1, "example.com", "a@example.com", "in_messages 999"),
             (1, "@mx1", "", "in_messages 999"),
             (1, "example.net", "", "out_messages 20 out_bytes 7"),
             (1, "xn--bcher-kva.example", "", "forward_bytes 9")]
    path = ledger_write(host, "2025-11", whole)
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 0 and "no less than the ledger of this host, 3 accounts" in out,
           "with another node the store may have more", out)
    ledger_write(host, "2025-11", whole + [(3, "example.com", "", "in_messages 3"),
                                           (3, "lost.example", "", "out_bytes 5")])
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 1 and "example.com: in_messages: the ledger of this host counted 53, "
           "the store has 52\n" in out and "lost.example: out_bytes: the ledger of this host "
           "counted 5, the store has 0\n" in out, "but not less", out)
    site.redis("SREM", "tg:nodes", "mx2")
    ledger_write(host, "2025-11", whole)
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 1 and "counted 50, the store has 52" in out, "alone it may not have more", out)
    ledger_write(host, "2025-11", whole + [(1, "example.com", "", "in_messages 2")])
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 0 and "the same as the ledger of this host" in out, "and does not", out)
    site.redis("SADD", "tg:nodes", "mx2")
    proc.write_text(path, "no database")
    code, _, err = host("period", "verify", "2025-11")
    tap.ok(code == 65 and "ledger" in err, "a ledger that cannot be read is an error", err)
    os.unlink(path)


def fleet(site, host):
    """Each node sees its own ledger: who has agreed is noted, and whether they add up."""
    other = site.host("mx2")
    conf = proc.read_text(other.conf)
    proc.write_text(other.conf, conf.replace('node = "mx1"', 'node = "mx2"'))
    first = [(1, "example.com", "", "in_messages 50 in_bytes 5000"),
             (1, "example.net", "", "out_messages 20 out_bytes 7"),
             (1, "xn--bcher-kva.example", "", "forward_bytes 9")]
    ledger_write(host, "2025-11", first)
    ledger_write(other, "2025-11", [(1, "example.com", "", "in_messages 1")])
    site.redis("HDEL", "tg:periods", "2025-11 verified mx1")
    code, out, _ = other("period", "verify", "2025-11")
    tap.ok(code == 0 and "2025-11: verified on mx2 (" in out and
           "2025-11: not yet verified on mx1: run it there\n" in out, "who has agreed is said", out)
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 1 and "verified on mx1 (" in out and "something else than the store" in out,
           "two ledgers that the store does not have less of, and that do not add up", out)
    ledger_write(other, "2025-11", [(1, "example.com", "", "in_messages 2")])
    tap.same(other("period", "verify", "2025-11")[0], 0, "the second node, again")
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 0 and "together their ledgers counted exactly what the store has" in out,
           "they add up", out)
    ledger_write(other, "2025-11", [(1, "example.com", "", "in_messages 9"),
                                    (1, "example.com", "", "in_messages 999")])
    code, out, _ = other("period", "verify", "2025-11")
    tap.ok(code == 1 and "counted 1008, the store has 52" in out, "a part that differs", out)
    site.redis("HSET", "tg:{@mx2}:node", "retired", "9999999999")
    site.redis("HDEL", "tg:periods", "2025-11 verified mx2")
    os.unlink(ledger_path(other))
    code, out, err = other("period", "verify", "2025-11")
    tap.ok(code == 0 and "not yet verified on mx2 (retired)" in out and "no ledger" in err,
           "where there is no ledger, the others are shown", out, err)
    site.redis("HDEL", "tg:{@mx2}:node", "retired")
    os.unlink(ledger_path(host))


def refusals(site, host):
    for args, code, text in (
            (("close", "2026-01"), 64, "close 2025-12 first"),
            (("close", "2999-01"), 64, "close 2025-12 first"),
            (("close", "2025-13"), 64, "expected a month"),
            (("show", "2025-12"), 66, "not closed"),
            (("verify", "2025-12"), 66, "not closed"),
            (("show",), 64, "needs a month"),
            (("list", "2025-11"), 64, "unexpected"),
            (("carry", "--force", "x"), 64, "--force needs"),
            (("close", "2025-12", "--force", " "), 64, "needs a reason"),
            (("reopen", "2025-11"), 64, "reopen")):
        got, _, err = host("period", *args)
        tap.ok(got == code and text in err, "period %s is refused" % " ".join(args), got, err)
    code, _, err = host("adjust", "add", "example.com", "in_messages", "-1", "--period", "2025-11",
                        "--reason", "x")
    tap.ok(code == 64 and "is closed" in err, "nothing is added to a closed month", err)
    other = Tollgate(os.path.dirname(host.conf), site.server.url, "UTC", domains="example.com\n")
    code, _, err = other("period", "verify", "2025-11")
    tap.ok(code == 78 and ZONE in err, "another time zone is refused", err)
    site.host("a")


# --- who is missing ------------------------------------------------------------------------------

def waits():
    site = Site("period-wait")
    host = site.host("a", 'billing: { grace = "6h"; };')
    site.reach("2026-03-01T00:00:00-05:00", "2025-12-01T05:59:59-05:00")
    code, _, err = host("period", "close", "2025-11")
    tap.ok(code == 75 and "mx2" in err and "mx1" not in err and "05:59:59" in err and
           "retire" in err, "who has not reported until the end and the grace is named", err)
    tap.ok(not os.path.exists(os.path.join(periods(host), "2025-11.csv")), "nothing is written")
    tap.same(site.redis("EXISTS", "tg:periods"), 0, "here and there")
    site.reach("2026-03-01T00:00:00-05:00", "2025-12-01T06:00:00-05:00")
    tap.same(host("period", "close", "2025-11")[0], 0, "a second later it is closed")
    site.reach("2026-03-01T00:00:00-05:00", "2025-12-01T06:00:00-05:00")
    code, _, err = host("period", "close", "2025-12", "--force", "mx2 burnt down")
    tap.ok(code == 0 and "mx2" in err, "with a reason it is closed all the same", err)
    tap.same(audit(host)[-1][4], "mx2 burnt down", "which is kept")
    month = datetime.datetime.now(UTC).strftime("%Y-%m")
    fresh = Site("period-now")
    code, _, err = fresh.host("a")("period", "close", month, "--force", "x")
    tap.ok(code == 75 and "not over" in err, "a month that is not over is never closed", err)
    collectors()
    for one in (site, fresh):
        one.server.stop()


def collectors():
    site = Site("period-collector")
    site.redis("HSET", "tg:{@mx1}:collect", "pushed_through",
               int(at("2025-12-01T05:00:00-05:00").timestamp()))
    host = site.host("a", 'billing: { fields = ["out_bytes", "pop_bytes"]; };')
    code, _, err = host("period", "close", "2025-11")
    tap.ok(code == 75 and "tollgate-collect of node mx1" in err, "where its fields are billed", err)
    host = site.host("a")
    tap.same(host("period", "close", "2025-11")[0], 0, "else nobody waits for a collector")
    site.server.stop()


# --- kills ---------------------------------------------------------------------------------------

def killed():
    """Each run dies at one step more; the next one ends what it began."""
    reference = None
    for step in range(1, 40):
        site = Site("period-kill-%d" % step)
        host = site.host("a")
        env = dict(preload(site.folder, "step_shim"), TG_STEP=str(step))
        code, _, _ = host("period", "close", "2025-11", env=env)
        files = sorted(os.listdir(periods(host))) if os.path.isdir(periods(host)) else []
        draft = os.path.join(periods(host), "2025-11.csv")
        before = proc.read_text(draft) if os.path.exists(draft) else None
        if before is not None:
            site.late("2025-11-20T12:00:00-05:00", {"in_messages": 1})
        tap.ok(host("period", "close", "2025-11")[0] in (0, 1), "step %d: run again" % step, files)
        after = proc.read_text(draft)
        tap.ok(before in (None, after), "what was there stays, whatever was counted since")
        reference = reference or after
        tap.same(after, reference, "the same bytes")
        tap.same(len(audit(host)), 1, "one line in the chain")
        tap.same(site.redis("HGET", "tg:periods", "2025-11"), "\t".join(audit(host)[0]),
                 "the same in Redis")
        tap.same(host("period", "verify")[0], 0 if before is None else 1, "it verifies")
        tap.same(host.good("period", "carry").split()[0], "0" if before is None else "1",
                 "what came since is carried over")
        site.server.stop()
        if code == 0:
            tap.ok(step > 6, "steps are counted", step)
            return
        tap.ok(code in (-9, 137), "step %d: killed" % step, code)
    tap.ok(False, "the close never ends")


def killed_late(verb, least):
    """What came late is carried over once, by `carry` and by the next month's close."""
    want = None
    for step in range(1, 80):
        site = Site("period-late-%d" % step)
        host = site.host("a")
        host.good("period", "close", "2025-11")
        site.late("2025-11-20T12:00:00-05:00", {"in_messages": 3, "in_bytes": 30})
        site.late("2025-11-21T12:00:00-05:00", {"out_messages": 1}, "new.example")
        env = dict(preload(site.folder, "step_shim"), TG_STEP=str(step))
        code, _, _ = host("period", *verb, env=env)
        again = host("period", *verb)
        host.good("period", "carry")
        if "close" not in verb:
            host.good("period", "close", "2025-12")
        file = rows(host.good("period", "show", "2025-12"))
        got = (again[0], [list(adjustments(site, a)) for a in ("example.com", "new.example")],
               {k: v for k, v in file.items() if k[0] in ("example.com", "new.example")},
               host("period", "verify")[0])
        want = want or (0, [["2025-12 late/2025-11/1"]] * 2, {
            ("example.com", "counted"): {"in_messages": 500, "in_bytes": 5},
            ("example.com", "adjusted"): {"in_messages": 3, "in_bytes": 30},
            ("example.com", "billed"): {"in_messages": 503, "in_bytes": 35},
            ("new.example", "counted"): {}, ("new.example", "adjusted"): {"out_messages": 1},
            ("new.example", "billed"): {"out_messages": 1}}, 0)
        site.server.stop()
        if got != want or code not in (0, -9, 137):
            tap.same((step, code, got), (step, code, want), "%s, killed at a step" % verb[0])
            return
        if code == 0:
            tap.ok(step > least, "%s, killed at each of %d steps: once" % (verb[0], step - 1))
            return
    tap.ok(False, "%s never ends" % verb[0])


# --- what comes late -----------------------------------------------------------------------------

def late(site, host):
    closed = proc.read_text(os.path.join(periods(host), "2025-11.csv"))
    site.late("2025-11-20T12:00:00-05:00", {"in_messages": 3, "in_bytes": 30})
    site.late("2025-11-20T12:00:00-05:00", {"out_messages": 1}, "new.example")
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 1 and "in_messages 52 -> 55, in_bytes 5000 -> 5030" in out and
           "new.example: out_messages 0 -> 1" in out, "late mail is a difference", out)
    code, out, _ = host("period", "close", "2025-11")
    tap.ok(code == 1 and "52 -> 55" in out, "which closing again shows, too", out)
    tap.same(proc.read_text(os.path.join(periods(host), "2025-11.csv")), closed, "the file stays")
    out = host.good("period", "carry")
    tap.ok("2 accounts have new adjustments in 2025-12" in out, "it is carried over", out)
    tap.ok("0 accounts" in host.good("period", "carry"), "once")
    tap.same(list(adjustments(site)), ["2025-12 late/2025-11/1"], "as an adjustment")
    text = adjustments(site)["2025-12 late/2025-11/1"]
    tap.ok("52 -> 55" in text and audit(host)[1][1][:16] in text, "with its evidence", text)
    code, out, _ = host("period", "verify", "2025-11")
    tap.ok(code == 0 and "2 accounts changed later" in out, "then all is well", out)
    site.late("2025-11-21T12:00:00-05:00", {"in_messages": 1})
    host.good("adjust", "add", "example.com", "in_messages", "-5", "--period", "2025-12",
              "--reason", "a credit", "--id", "ticket")
    out = host.good("period", "close", "2025-12")
    tap.ok("1 accounts" in out, "the next close carries over by itself", out)
    file = rows(host.good("period", "show", "2025-12"))
    tap.same(file[("example.com", "counted")]["in_messages"], 500, "counted")
    tap.same(file[("example.com", "adjusted")], {"in_messages": -1, "in_bytes": 30},
             "3 and 1 came late, 5 are a credit")
    tap.same(file[("example.com", "billed")], {"in_messages": 499, "in_bytes": 35}, "billed")
    tap.same(file[("new.example", "billed")], {"out_messages": 1}, "an account without others")
    code, out, _ = host("period", "verify")
    tap.same(code, 0, "all months verify", out)
    return site


def tampered(site, host):
    path = os.path.join(periods(host), "2025-11.csv")
    good = proc.read_text(path)
    os.chmod(path, 0o640)
    proc.write_text(path, good.replace(",52,", ",53,"))
    code, _, err = host("period", "verify")
    tap.ok(code == 65 and "not the file that was closed" in err, "a changed file is found", err)
    os.unlink(path)
    tap.same(host("period", "verify")[0], 0, "Redis has a copy")
    proc.write_text(path, good)
    chain = os.path.join(periods(host), "audit")
    lines = proc.read_text(chain)
    proc.write_text(chain, lines.replace(audit(host)[0][1], "0" * 64))
    code, _, err = host("period", "verify")
    tap.ok(code == 65 and "otherwise" in err, "a changed chain is found", err)
    proc.write_text(chain, lines + "2026-0")
    tap.same(host("period", "verify")[0], 0, "a line that a kill cut off is none")
    site.redis("DEL", "tg:periods")
    host.good("period", "carry")
    tap.same(proc.read_text(chain), lines, "and goes with the next writing")
    tap.same(site.redis("HGET", "tg:periods", "2025-12"), lines.split("\n")[2],
             "a Redis that lost it all gets it back")


# --- two hosts -----------------------------------------------------------------------------------

def two_hosts(site, first):
    second = site.host("b")
    out = second.good("period", "list")
    tap.same([line.split()[0] for line in out.split("\n")[1:] if line], list(MONTHS[:3]),
             "another host sees them")
    tap.same(second.good("period", "show", "2025-11"), first.good("period", "show", "2025-11"),
             "and reads them")
    tap.same(second("period", "verify")[0], 0, "and verifies them")
    results = []
    threads = [threading.Thread(target=lambda h=h: results.append(
        h("period", "close", "2026-01"))) for h in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.same([code for code, _, _ in results], [0, 0], "two close at once", results)
    # Who came second has the first one's, at the latest with his next run.
    second.good("period", "carry")
    first.good("period", "carry")
    tap.same(audit(first), audit(second), "and have the same chain")
    tap.same(len(audit(first)), 4, "with one line of it")
    for month in MONTHS:
        tap.same(*[proc.read_text(os.path.join(periods(h), month + ".csv"))
                   for h in (first, second)], month + ": the same file")


def main():
    tap.need("redis-server")
    site, host = close_one()
    ledgers(site, host)
    fleet(site, host)
    refusals(site, host)
    late(site, host)
    tampered(site, host)
    two_hosts(site, host)
    site.server.stop()
    waits()
    killed()
    killed_late(["carry"], 3)
    killed_late(["close", "2025-12"], 8)


tap.run(main)
