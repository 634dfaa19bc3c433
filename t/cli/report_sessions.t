#!/usr/bin/env python3
"""Reports of sessions, filters and the server's status: figures, averages and what they cover.

The store holds what tollgated and two collectors would have written; the clock stands still
(t/lib/clock_shim.c). TG_GOLDEN=write writes the files in t/data/cli anew.
"""

import csv
import datetime
import io
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_server import RedisServer
from tollgate import Tollgate, golden

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY_S = 86400
DOMAINS = ("example.com", "example.org", "shop.example")
REPORTS = ("smtp-in-usage", "smtp-in-errors", "smtp-out-usage", "smtp-out-errors",
           "smtp-out-sessions", "smtp-out-connections", "pop-usage", "pop-errors", "imap-usage",
           "imap-errors", "spamassassin", "clamav", "server-status")
NODES_ONLY = ("spamassassin", "clamav", "server-status")
SESSIONS = {"smtp_in": ("blocked", "bad_commands", "terminations", "auth_failed"),
            "smtp_out": ("failed", "blocked", "bad_commands", "terminations", "rejected"),
            "pop": ("blocked", "bad_commands", "terminations", "auth_failed"),
            "imap": ("blocked", "bad_commands", "terminations", "auth_failed")}
WIDE = {"COLUMNS": "80"}


def at(day, hour=0, minute=0):
    return int(datetime.datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp())


def hour_of(draw, counted, when, node, domain):
    user = draw.choice(("alice", "bob")) + "@" + domain
    counted.add(when, domain, {"in_messages": 3, "in_bytes": draw.randrange(10 ** 5),
                               "out_bytes": draw.randrange(10 ** 5),
                               "forward_bytes": draw.randrange(10 ** 4)}, user, node)
    for kind, errors in SESSIONS.items():
        connections = draw.randrange(1, 40)
        amounts = {kind + "_connections": connections,
                   kind + "_connection_seconds": connections * draw.randrange(1, 90)}
        amounts.update({"%s_%s" % (kind, e): draw.randrange(3) for e in errors})
        if kind in ("pop", "imap"):
            amounts[kind + "_bytes"] = draw.randrange(10 ** 6)
        counted.add(when, domain, amounts, user, node)
    amounts = {}
    for kind in ("spamd", "clamd"):
        amounts.update({kind + "_connections": 30, kind + "_connection_seconds":
                        draw.randrange(30, 300), kind + "_failed": draw.randrange(2)})
    counted.add(when, "@", amounts, "", node)


def status_of(draw, counted, when, node, seconds):
    counted.add(when, "@", {"status_seconds": seconds, "status_cpu_ms": seconds * 250,
                            "status_memory_mib_seconds": seconds * 512,
                            "status_handle_seconds": seconds * draw.randrange(300, 400),
                            "status_thread_seconds": seconds * 40,
                            "status_connection_seconds": seconds * 12,
                            "status_spool_seconds": seconds * 7}, "", node)


def fill():
    """Twenty days on mx1, whose collector began on the 3rd; from the 11th on mx2, too."""
    draw = random.Random(9)
    counted = Counted("UTC")
    for hour in range((21 - 3) * 24 + 12):
        when = datetime.datetime(2026, 11, 3, tzinfo=UTC) + datetime.timedelta(hours=hour)
        hour_of(draw, counted, when, "mx1", draw.choice(DOMAINS))
        status_of(draw, counted, when, "mx1", 1800 if when.day == 12 else 3600)
        if when.day >= 11:
            hour_of(draw, counted, when, "mx2", draw.choice(DOMAINS))
            status_of(draw, counted, when, "mx2", 3600)
    return counted


def collectors(redis, now=NOW):
    through = int(now.timestamp()) - 3
    redis("HSET", "tg:{@mx1}:collect", "version", "0.1.0", "seen", through, "log_from", at(3),
          "log_through", through, "pushed_through", through, "notes",
          ">= pop_bytes the log of Dovecot lacks %i and %o\n"
          ">= of_a_newer_release whatever\n"
          "? imap_bad_commands the event exporter of Dovecot is not set up")
    redis("HSET", "tg:{@mx1}:gaps", "1", "%d %d 0 file:/var/log/mail.log: the copy was not found"
          % (at(12), at(12, 6)), "2", "%d %d 47 journal: messages were suppressed"
          % (at(15, 3), at(15, 3)))
    redis("HSET", "tg:{@mx2}:collect", "version", "0.1.0", "seen", through, "log_from", at(11),
          "log_through", through, "pushed_through", through, "notes",
          "? imap_bad_commands the event exporter of Dovecot is not set up")


# --- figures -------------------------------------------------------------------------------------

def rows(tollgate, report, *args):
    out = tollgate.good("report", report, *args, "--format", "csv")
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True))


def goldens(tollgate):
    for report in REPORTS:
        golden(report + ".txt", tollgate.good("report", report, "--by", "node", env=WIDE))
        if report not in NODES_ONLY:
            golden(report + "-domains.txt",
                   tollgate.good("report", report, "--by", "domain", env=WIDE))
    golden("imap-usage-days.txt", tollgate.good("report", "imap-usage", "--step", "day", "--from",
                                                "2026-11-10", env=WIDE))
    golden("pop-usage-days.csv", tollgate.good("report", "pop-usage", "--step", "day", "--from",
                                               "2026-11-01", "--format", "csv"))
    golden("server-status-days.json", tollgate.good(
        "report", "server-status", "--step", "day", "--by", "node", "--from", "2026-11-11", "--to",
        "2026-11-13", "--format", "json"))
    golden("imap-active-chart.txt", tollgate.good(
        "report", "imap-usage", "--step", "day", "--sort", "imap_average_active", "--format",
        "chart", "--from", "2026-11-10", env=WIDE))
    for report in ("imap-usage", "server-status"):
        golden(report + "-chart.txt", tollgate.good("report", report, "--format", "chart",
                                                    env=WIDE))
    golden("smtp-in-usage-months.txt", tollgate.good(
        "report", "smtp-in-usage", "--step", "month", "--by", "domain", "--top", "2", "--from",
        "2026-10", env=WIDE))


def figures(tollgate, counted):
    """Each column of each report is what was counted, for the node, the domain and the user."""
    for report in REPORTS:
        got = rows(tollgate, report, "--step", "day", "--by", "node", "--from", "2026-11-14",
                   "--to", "2026-11-14", "--sort", "node")
        wrong = [(row["node"], name, value) for row in got for name, value in row.items()
                 if name.startswith(("smtp_", "pop_", "imap_", "spamd_", "clamd_", "status_sec"))
                 and "average" not in name and name != "imap_bad_commands" and
                 int(value) != counted.amount("@" + row["node"], name, "day:2026-11-14")]
        tap.none(wrong, report + " of the nodes")
        tap.same([row["node"] for row in got], ["mx1", "mx2"], "of both")
        if report in NODES_ONLY:
            continue
        for who, args, account, user in (
                ("a domain", ["--domain", "example.com"], "example.com", ""),
                ("a user", ["--user", "bob@example.com"], "example.com", "bob@example.com")):
            row = rows(tollgate, report, *args, "--from", "2026-11-14", "--to", "2026-11-16")[0]
            wrong = [(name, value) for name, value in row.items()
                     if name.startswith(("smtp_", "pop_", "imap_", "in_", "out_")) and
                     "average" not in name and name != "imap_bad_commands" and
                     int(value) != sum(counted.amount(account, name, "day:2026-11-%d" % d, user)
                                       for d in (14, 15, 16))]
            tap.none(wrong, "%s of %s" % (report, who))
    row = rows(tollgate, "smtp-out-usage")[0]
    tap.same(int(row["total_out_bytes"]), int(row["out_bytes"]) + int(row["forward_bytes"]),
             "bandwidth of SMTP out is sent and forwarded mail")
    row = rows(tollgate, "smtp-out-sessions")[0]
    tap.same(int(row["total_terminations"]),
             int(row["smtp_out_terminations"]) + int(row["smtp_out_rejected"]),
             "terminations, with both parts in CSV")


def seconds(counted, node, days, counter="imap_connection_seconds"):
    return sum(counted.amount("@" + node, counter, "day:2026-11-%02d" % d) for d in days)


def averages(tollgate, counted):
    """Connection seconds by the seconds that are covered, of each node; nodes add up."""
    days = rows(tollgate, "imap-usage", "--step", "day", "--by", "node", "--from", "2026-11-12")
    got = {(row["day"][8:], row["node"]): row["imap_average_active"] for row in days}
    for day, node, covered in ((12, "mx1", 18 * 3600), (12, "mx2", DAY_S), (13, "mx1", DAY_S),
                               (15, "mx1", DAY_S), (21, "mx1", 12 * 3600 - 3)):
        tap.same(got["%02d" % day, node], "%.3f" % (seconds(counted, node, [day]) / covered),
                 "the average of %s on the %dth" % (node, day))
    both = rows(tollgate, "imap-usage", "--from", "2026-11-12", "--to", "2026-11-13")[0]
    want = seconds(counted, "mx1", (12, 13)) / (42 * 3600) + \
        seconds(counted, "mx2", (12, 13)) / (2 * DAY_S)
    tap.same(both["imap_average_active"], "%.3f" % want, "of the fleet: the sum of the nodes'")
    data = json.loads(tollgate.good("report", "imap-usage", "--step", "day", "--from",
                                    "2026-11-12", "--to", "2026-11-13", "--format", "json"))
    tap.same(data["total"]["imap_average_active"], round(want, 3),
             "the total of days is the average of their time, not a sum")
    domain = rows(tollgate, "imap-usage", "--domain", "example.com", "--from", "2026-11-13", "--to",
                  "2026-11-13")[0]
    tap.same(domain["imap_average_active"],
             "%.3f" % (counted.amount("example.com", "imap_connection_seconds", "day:2026-11-13") /
                       DAY_S), "a domain's is divided by the time, not by that of each node")
    status = rows(tollgate, "server-status", "--from", "2026-11-12", "--to", "2026-11-12", "--by",
                  "node", "--sort", "node")
    tap.same([(r["status_cpu_percent"], r["status_memory_mib"], r["status_seconds"]) for r in
              status], [("25.000", "512.000", "43200"), ("25.000", "512.000", "86400")],
             "status: by the seconds that were watched")
    status = rows(tollgate, "server-status", "--from", "2026-11-12", "--to", "2026-11-13")[0]
    tap.same((status["status_cpu_percent"], status["status_threads"]), ("50.000", "80.000"),
             "of both nodes the sum")


# --- what they cover -----------------------------------------------------------------------------

def coverage(tollgate):
    days = {row["day"][8:]: row["coverage"] for row in
            rows(tollgate, "pop-usage", "--step", "day", "--by", "node", "--from", "2026-11-01")
            if row["node"] == "mx1"}
    least = "; at least pop_bytes"
    for day, want in (("02", "gap 86400 s" + least), ("03", "complete" + least),
                      ("12", "gap 21600 s" + least), ("15", "gap 47 lines" + least),
                      ("20", "complete" + least), ("21", "so far" + least)):
        tap.same(days[day], want, "coverage of the " + day)
    row = rows(tollgate, "pop-usage", "--from", "2026-11-02", "--to", "2026-11-02")[0]
    tap.same((row["pop_connections"], row["pop_bytes"], row["pop_average_active"]), ("", "", ""),
             "before the log was read nothing is known")
    row = rows(tollgate, "imap-errors")[0]
    tap.same((row["imap_bad_commands"], row["imap_blocked"] != ""), ("", True),
             "what a log cannot tell is empty")
    data = json.loads(tollgate.good("report", "imap-errors", "--format", "json"))
    tap.same(data["rows"][0]["imap_bad_commands"], None, "and null")
    tap.ok(any("event exporter" in remark for remark in data["remarks"]), "and told why",
           data["remarks"])
    status = {(row["day"], row["node"]): row["coverage"] for row in
              rows(tollgate, "server-status", "--step", "day", "--by", "node", "--from",
                   "2026-11-12")}
    tap.same((status["2026-11-12", "mx1"], status["2026-11-12", "mx2"],
              status["2026-11-15", "mx1"]), ("gap 43200 s", "complete", "complete"),
             "status that was not watched is a gap, one of the log is none")
    usage = rows(tollgate, "smtp-in-usage", "--by", "domain", "--from", "2026-11-12", "--to",
                 "2026-11-12")
    tap.same({row["coverage"] for row in usage}, {"complete"},
             "what tollgated counts does not suffer from a gap in the log")


def collector_only(tollgate, redis):
    """A machine with a collector and no tollgated: its sessions count, no mail waits for it."""
    through = int(NOW.timestamp()) - 3
    redis("SADD", "tg:nodes", "pop1")
    redis("HSET", "tg:{@pop1}:collect", "log_from", at(1), "pushed_through", through)
    redis("HSET", "tg:{@pop1}:day:2026-11-20", "pop_connections", 77)
    span = ("--by", "node", "--from", "2026-11-20", "--to", "2026-11-20", "--sort", "node")
    tap.same([r["node"] for r in rows(tollgate, "smtp", *span)], ["mx1", "mx2"],
             "a node that accepts no mail is in no report of mail")
    tap.same({r["coverage"] for r in rows(tollgate, "smtp", *span)}, {"complete"},
             "which is complete without it")
    got = rows(tollgate, "pop-usage", *span)
    tap.same([(r["node"], r["coverage"].split(";")[0]) for r in got],
             [(n, "complete") for n in ("mx1", "mx2", "pop1")], "but in those of sessions")
    tap.same(got[2]["pop_connections"], "77", "with its figures")
    redis("SREM", "tg:nodes", "pop1")


def sendmail(tollgate, redis, counted):
    """A log that knows no sessions: they are those that the milter saw, for the node."""
    notes = redis("HGET", "tg:{@mx2}:collect", "notes")
    redis("HSET", "tg:{@mx2}:collect", "notes",
          "? smtp_in_connections Sendmail does not log connections")
    redis("HSET", "tg:{@mx2}:day:2026-11-14", "milter_sessions", 4320, "milter_session_seconds",
          21600)
    span = ("--from", "2026-11-14", "--to", "2026-11-14")
    got = rows(tollgate, "smtp-in-usage", *span, "--by", "node", "--sort", "node")
    tap.same([(r["smtp_in_connections"], r["smtp_in_average_active"]) for r in got][1],
             ("4320", "0.250"), "as the milter saw them")
    tap.same(got[0]["smtp_in_connections"],
             str(counted.amount("@mx1", "smtp_in_connections", "day:2026-11-14")),
             "only where the log does not tell them")
    both = rows(tollgate, "smtp-in-usage", *span)[0]
    tap.same(int(both["smtp_in_connections"]), 4320 + int(got[0]["smtp_in_connections"]),
             "they add up")
    out = tollgate.good("report", "smtp-in-errors", *span)
    tap.ok("as the milter saw it: Sendmail does not log connections" in out, "and that is told",
           out)
    redis("HSET", "tg:{@mx2}:collect", "notes", notes)


def behind(tollgate, redis):
    redis("HSET", "tg:{@mx2}:collect", "pushed_through", at(20))
    data = json.loads(tollgate.good("report", "pop-usage", "--from", "2026-11-20", "--to",
                                    "2026-11-20", "--format", "json"))
    tap.same((data["complete"], data["coverage"]), (False, "incomplete; at least pop_bytes"),
             "a collector that is behind")
    tap.ok(any("mx2 is read only until 2026-11-20" in r for r in data["remarks"]), "is named",
           data["remarks"])
    data = json.loads(tollgate.good("report", "smtp", "--from", "2026-11-20", "--to", "2026-11-20",
                                    "--format", "json"))
    tap.same((data["complete"], data["coverage"]), (True, "complete"), "mail is complete")
    redis("DEL", "tg:{@mx2}:collect")
    row = rows(tollgate, "pop-usage", "--from", "2026-11-20", "--to", "2026-11-20")[0]
    tap.same(row["coverage"], "without 1 of 2 nodes; at least pop_bytes", "a node without one")
    out = tollgate.good("report", "pop-usage", "--by", "node", "--from", "2026-11-20", "--to",
                        "2026-11-20")
    tap.ok("No collector runs on mx2" in out and "mx2 ?" in out, "is named", out)
    redis("HSET", "tg:{@mx2}:node", "retired", int(NOW.timestamp()) + 1)
    row = rows(tollgate, "pop-usage", "--from", "2026-11-20", "--to", "2026-11-20")[0]
    tap.same(row["coverage"], "complete; at least pop_bytes", "nobody waits for a retired one")
    redis("HDEL", "tg:{@mx2}:node", "retired")
    redis("DEL", "tg:{@mx1}:collect", "tg:{@mx1}:gaps")
    row = rows(tollgate, "spamassassin", "--from", "2026-11-02", "--to", "2026-11-02")[0]
    tap.same((row["spamd_connections"], row["spamd_average_active"], row["coverage"]),
             ("", "", "no collector"), "no collector at all: nothing is 0")
    tap.ok("No collector runs on mx1, mx2" in tollgate.good("report", "imap-usage", "--domain",
                                                            "nobody.example"), "the table says so")
    data = json.loads(tollgate.good("report", "imap-usage", "--by", "domain", "--from",
                                    "2026-11-02", "--to", "2026-11-02", "--format", "json"))
    tap.same((data["rows"], data["total"]["imap_connections"]), ([], None),
             "nor is a total of nothing")


def wrong(tollgate, redis):
    for report in NODES_ONLY:
        for args in (["--by", "domain"], ["--domain", "example.com"], ["--by", "user"],
                     ["--user", "bob@example.com"]):
            code, out, err = tollgate("report", report, *args)
            tap.ok(code == 64 and out == "" and "nodes only" in err,
                   "%s %s is an error" % (report, " ".join(args)), code, err)
    for key, value in (("tg:{@mx1}:gaps", "yesterday"), ("tg:{@mx1}:gaps", "9 8 0 backwards"),
                       ("tg:{@mx1}:gaps", None), ("tg:{@mx1}:collect", None)):
        redis("DEL", key)
        if value is None:
            redis("SET", key, "nonsense")
        else:
            redis("HSET", key, "3", value)
        code, out, err = tollgate("report", "pop-usage")
        tap.ok(code == 65 and key in err and out == "", "%s: %s is named" % (key, value), code, err)
        redis("DEL", key)


def main():
    folder = proc.scratch("report_sessions")
    server = RedisServer(folder)
    redis = server.connect()
    counted = fill()
    counted.write(redis, {"mx1": int(NOW.timestamp()) - 3, "mx2": int(NOW.timestamp()) - 2})
    collectors(redis)
    tollgate = Tollgate(folder, server.url, "UTC", now=NOW)
    goldens(tollgate)
    figures(tollgate, counted)
    averages(tollgate, counted)
    coverage(tollgate)
    collector_only(tollgate, redis)
    sendmail(tollgate, redis, counted)
    behind(tollgate, redis)
    wrong(tollgate, redis)


tap.run(main)
