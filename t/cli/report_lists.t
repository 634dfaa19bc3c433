#!/usr/bin/env python3
"""tollgate report refusals and anomalies, out of streams as the collectors write them.

The clock stands still (t/lib/clock_shim.c). TG_GOLDEN=write writes the files in t/data/cli anew.
"""

import csv
import datetime
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC
from redis_server import RedisServer
from tollgate import Tollgate, golden

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
WIDE = {"COLUMNS": "80"}
SPAMHAUS = ("550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To "
            "request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.1")


def ms(day, hour, minute=0):
    when = datetime.datetime(2026, 11, day, hour, minute, tzinfo=UTC)
    return int(when.timestamp() * 1000)


def refusal(redis, time_ms, provider, relay, domain, text, dns_list="", greeting=0):
    redis("XADD", "tg:refusals", "*", "node", "mx1", "time_ms", time_ms, "provider", provider,
          "relay", relay, "list", dns_list, "domain", domain, "text", text, "greeting", greeting)


def fill(redis):
    redis("SET", "tg:schema", "1")
    redis("SADD", "tg:nodes", "mx1")
    now = int(NOW.timestamp())
    redis("HSET", "tg:{@mx1}:node", "version", "0.1.0", "seen", now, "pushed_through", now)
    redis("HSET", "tg:{@mx1}:collect", "pushed_through", now, "log_from", 1)
    for i in range(31):
        refusal(redis, ms(20, 9, i), "outlook.example", "mx-%d.outlook.example" % (i % 3),
                "shop.example" if i < 24 else "example.com", SPAMHAUS, "zen.spamhaus.org")
    for i in range(4):
        refusal(redis, ms(21, 7, i), "outlook.example", "mx-0.outlook.example", "example.com",
                "554 5.7.1 Too many bad recipients")
    for i in range(2):
        refusal(redis, ms(21, 8, i), "mailbox.test", "mx.mailbox.test", "",
                "554 mx.mailbox.test no SMTP service here \x1b[31m", greeting=1)
    refusal(redis, ms(2, 8), "=cmd.example", "mx.cmd.example", "shop.example", "550 5.7.1 no")
    refusal(redis, ms(1, 8) - 40 * 86400000, "old.example", "mx.old.example", "shop.example",
            "550 5.7.1 long ago")
    for day, subject, metric, value, usual, factor in (
            (20, "bob@shop.example", "out_recipients", 4812, "11.5", "418.4"),
            (20, "bob@shop.example", "client_addresses", 37, "1.2", "30.8"),
            (21, "shop.example", "smtp_out_connections", 2950, "140.0", "21.1"),
            (21, "alice@example.com", "smtp_in_connections", 512, "20.0", "25.6")):
        redis("XADD", "tg:anomalies", "*", "node", "mx1", "time_ms", ms(day, 10), "kind",
              "login" if "@" in subject else "domain", "subject", subject, "metric", metric,
              "value", value, "usual", usual, "factor", factor)


def rows(tollgate, *args):
    out = tollgate.good("report", *args, "--format", "csv")
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True))


def refusals(tollgate):
    golden("refusals.txt", tollgate.good("report", "refusals", env=WIDE))
    golden("refusals.csv", tollgate.good("report", "refusals", "--format", "csv"))
    got = rows(tollgate, "refusals")
    tap.same([(r["provider"], r["list"], r["refusals"], r["greetings"], r["domain"],
               r["domain_refusals"], r["domains"]) for r in got],
             [("mailbox.test", "", "2", "2", "_unattributed", "2", "1"),
              ("outlook.example", "", "4", "0", "example.com", "4", "1"),
              ("outlook.example", "zen.spamhaus.org", "31", "0", "shop.example", "24", "2"),
              ("'=cmd.example", "", "1", "0", "shop.example", "1", "1")],
             "by provider and list, the latest first")
    tap.same((got[2]["first"], got[2]["last"], got[2]["relay"]),
             ("2026-11-20T09:00:00+00:00", "2026-11-20T09:30:00+00:00", "mx-0.outlook.example"),
             "from when to when, and who said it last")
    got = rows(tollgate, "refusals", "--domain", "SHOP.example", "--from", "2026-11-03")
    tap.same([(r["provider"], r["refusals"]) for r in got], [("outlook.example", "24")],
             "of one domain, of a time")
    data = json.loads(tollgate.good("report", "refusals", "--top", "1", "--format", "json"))
    tap.same((len(data["rows"]), data["more"], data["rows"][0]["refusals"]), (1, 3, 2),
             "--top tells how many it left out")
    tap.same(json.loads(tollgate.good("report", "refusals", "--from", "2026-10", "--to", "2026-10",
                                      "--format", "json"))["rows"], [], "none")
    out = tollgate.good("report", "refusals", "--from", "2026-10", "--to", "2026-10")
    tap.ok("Nothing was found." in out, "says so", out)


def anomalies(tollgate):
    golden("anomalies.txt", tollgate.good("report", "anomalies", env=WIDE))
    got = rows(tollgate, "anomalies")
    tap.same([(r["time"][:10], r["subject"], r["metric"], r["value"], r["usual"], r["factor"])
              for r in got][0],
             ("2026-11-21", "alice@example.com", "smtp_in_connections", "512", "20.0", "25.6"),
             "the latest first")
    tap.same(len(got), 4, "all of them")
    got = rows(tollgate, "anomalies", "--domain", "shop.example")
    tap.same([r["subject"] for r in got], ["shop.example", "bob@shop.example", "bob@shop.example"],
             "a domain with its logins")
    data = json.loads(tollgate.good("report", "anomalies", "--format", "json", "--top", "2"))
    tap.same((data["report"], data["more"], data["rows"][1]["value"]), ("anomalies", 2, 2950),
             "as JSON")


def remarks(tollgate, redis):
    redis("DEL", "tg:{@mx1}:collect")
    for report in ("refusals", "anomalies"):
        out = tollgate.good("report", report)
        tap.ok("No collector runs on mx1" in out, report + " tells that nobody looks", out)


def wrong(tollgate, redis):
    for args in (["--by", "domain"], ["--step", "day"], ["--user", "a@b.example"], ["--reverse"],
                 ["--sort", "times"], ["--format", "chart"], ["--format", "svg"]):
        for report in ("refusals", "anomalies"):
            code, out, err = tollgate("report", report, *args)
            tap.ok(code == 64 and out == "" and "is a list" in err,
                   "%s %s is an error" % (report, " ".join(args)), code, err)
    code, _, err = tollgate("report", "refusal")
    tap.ok(code == 64 and "did you mean refusals?" in err, "a mistyped one", code, err)
    redis("DEL", "tg:refusals")
    redis("SET", "tg:refusals", "x")
    code, out, err = tollgate("report", "refusals")
    tap.ok(code == 65 and "tg:refusals" in err and out == "", "a key gone wrong", code, err)


def main():
    folder = proc.scratch("report_lists")
    server = RedisServer(folder)
    redis = server.connect()
    fill(redis)
    tollgate = Tollgate(folder, server.url, "UTC", now=NOW)
    refusals(tollgate)
    anomalies(tollgate)
    remarks(tollgate, redis)
    wrong(tollgate, redis)


tap.run(main)
