#!/usr/bin/env python3
"""All accounts at once: limit show --all, usage --over; and the log line of each change."""

import csv
import datetime
import io
import json
import os
import re
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from tollgate import Tollgate, stopped_clock
from windows import Windows

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOUR = "domain/recipients/hour"
DOMAINS = "".join("d%d.example\n" % i for i in range(700))
CONF = """
log: { target = "stderr"; };
throttle: { mode = "enforce"; assign = ["file:%s/assign"];
    exempt: { domains = ["d9.example"]; }; };
plans = (
  { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "100"; per = "hour"; action = "log"; },
    { scope = "user"; metric = "messages"; max = "20"; per = "day"; action = "defer"; },
    { scope = "server"; metric = "messages"; max = "1000"; per = "day"; action = "log"; },
    { scope = "client"; metric = "messages"; max = "100"; per = "10min"; action = "defer"; } ); },
  { name = "business"; limits = (
    { scope = "domain"; metric = "recipients"; max = "1000"; per = "hour"; action = "defer"; } ); }
);
"""
LINE = re.compile(r"(?m)^\S+ tollgate\[\d+\] notice: (\w+ changed .*)$")


def logs(tollgate):
    """Who, what, from, to, why: one line a change, and none where nothing changes."""
    for args, want in (
            (["limit", "set", "d1.example", HOUR, "500", "--reason", "black friday", "--until",
              "+12hours"],
             'limit changed by=ada client=- holder=d1.example limit=domain/recipients/hour '
             'was=none is="max=500 action=log until=1795305600 reason=\\"black friday\\" '
             'author=\\"ada\\"" reason="black friday"'),
            (["limit", "set", "d1.example", HOUR, "700", "--action", "hold"],
             'limit changed by=ada client=- holder=d1.example limit=domain/recipients/hour '
             'was="max=500 action=log until=1795305600 reason=\\"black friday\\" '
             'author=\\"ada\\"" is="max=700 action=hold author=\\"ada\\"" reason=""'),
            (["limit", "unset", "d1.example", HOUR],
             'limit changed by=ada client=- holder=d1.example limit=domain/recipients/hour '
             'was="max=700 action=hold author=\\"ada\\"" is=none reason=""'),
            (["limit", "unset", "d1.example", HOUR], None),
            (["plan", "set", "d1.example", "business"],
             'plan changed by=ada client=- holder=d1.example was=none is=business reason=""'),
            (["plan", "unset", "d1.example"],
             'plan changed by=ada client=- holder=d1.example was=business is=none reason=""'),
            (["plan", "unset", "d1.example"], None), (["limit", "show", "d1.example"], None)):
        code, _, err = tollgate(*args)
        tap.same((code, LINE.findall(err)), (0, [want] if want else []), "log: " + " ".join(args))


def rows(tollgate, *args):
    return list(csv.DictReader(io.StringIO(tollgate.good(*args, "--format", "csv"))))


def shows_nobody(tollgate):
    tap.ok("Nobody has a plan" in tollgate.good("limit", "show", "--all"), "nobody has any")
    tap.same(json.loads(tollgate.good("limit", "show", "--all", "--format", "json")), [], "as JSON")


def shows_all(tollgate, redis, folder):
    proc.write_text(os.path.join(folder, "assign"), "d2.example business\nd3.example nosuch\n")
    tollgate.good("limit", "set", "d600.example", HOUR, "unlimited", "--reason", "=trusted")
    tollgate.good("limit", "set", "alice@d5.example", "user/messages/day", "7")
    tollgate.good("limit", "set", "@server", "server/messages/day", "5000")
    tollgate.good("limit", "set", "@client:192.0.2.7", "client/messages/10min", "1")
    tollgate.good("plan", "set", "d2.example", "default")
    tollgate.good("plan", "set", "d4.example", "business")
    redis("SET", "tg:{d7.example}:plan", "gone")  # past `tollgate`; the account has counted
    redis("HSET", "tg:{d7.example}:limits", HOUR, "max=1 until=1700000000", "no limit", "max=1")
    redis("SADD", "tg:accounts:{00}", "d7.example", "d8.example")
    code, out, err = tollgate("limit", "show", "--all", "--format", "csv")
    got = [(r["account"], r["kind"], r["name"], r["of"], r["max"], r["state"], r["author"])
           for r in csv.DictReader(io.StringIO(out))]
    tap.same((code, got), (0, [
        ("@client", "override", "client/messages/10min", "192.0.2.7", "1", "in force", "ada"),
        ("@server", "override", "server/messages/day", "", "5000", "in force", "ada"),
        ("d2.example", "plan", "default", "", "", "set", ""),
        ("d2.example", "plan", "business", "", "", "assigned, replaced", ""),
        ("d3.example", "plan", "nosuch", "", "", "assigned, not configured", ""),
        ("d4.example", "plan", "business", "", "", "set", ""),
        ("d5.example", "override", "user/messages/day", "alice@d5.example", "7", "in force", "ada"),
        ("d600.example", "override", HOUR, "", "unlimited", "in force: no limit", "ada"),
        ("d7.example", "plan", "gone", "", "", "set, not configured", ""),
        ("d7.example", "override", HOUR, "", "1", "ended", "")]), "CSV: everybody who has any")
    tap.ok("1 override of d7.example cannot be read" in err, "one that is none is told", err)
    shown = json.loads(tollgate.good("limit", "show", "--all", "--format", "json"))
    tap.same([(r["account"], r["name"], r["max"], r["reason"]) for r in shown][7],
             ("d600.example", HOUR, "unlimited", "=trusted"), "JSON")
    tap.ok("d600.example  override" in tollgate.good("limit", "show", "--all"), "a table")


def fill(redis):
    """More domains than are read at once; each d<n> has used n recipients."""
    windows = Windows(redis)
    for i in range(700):
        redis("SADD", "tg:accounts:{%02x}" % (i % 16), "d%d.example" % i)
        if i in (9, 79, 80, 99, 100, 699):
            windows.consume("d%d.example" % i, "recipients", "hour", i, NOW)
    windows.consume("d4.example", "recipients", "hour", 900, NOW)
    windows.consume("@server", "messages", "day", 4400, NOW)
    windows.consume("d5.example", "messages", "day", 6, NOW, user="alice@d5.example")
    windows.consume("d6.example", "messages", "day", 19, NOW, user="bob@d6.example")
    for domain, user, count in (("d5", "alice", 6), ("d6", "bob", 19), ("d6", "carl", 1),
                                ("d8", "dave", 15)):
        redis("HINCRBY", "tg:{%s.example}:day:2026-11-21" % domain, "out_messages", str(count))
        redis("HSET", "tg:{%s.example}:users:day:2026-11-21" % domain,
              "%s@%s.example out_messages" % (user, domain), str(count))


def scans(redis):
    """How many hashes were looked through."""
    found = re.search("cmdstat_hscan:calls=([0-9]+)", redis("INFO", "commandstats"))
    return int(found.group(1)) if found else 0


def over(tollgate, redis):
    def got(*args):
        return [(r["account"], r["user"], r["limit"], int(r["percent"]))
                for r in rows(tollgate, "usage", "--over", *args)]
    domains = [("d699.example", "", HOUR, 699), ("d100.example", "", HOUR, 100),
               ("d99.example", "", HOUR, 99), ("d4.example", "", HOUR, 90),
               ("@server", "", "server/messages/day", 88), ("d80.example", "", HOUR, 80)]
    tap.same(got("80"), domains, "at least 80 %: by its own plan and overrides, the fullest first")
    tap.same(got("700"), [], "nobody is that far")
    users = [("d6.example", "bob@d6.example", "user/messages/day", 95),
             ("d5.example", "alice@d5.example", "user/messages/day", 85)]
    before = scans(redis)
    tap.same(sorted(got("80", "--users")), sorted(domains + users), "users too")
    tap.same(scans(redis) - before, 2 * 2, "two days of the domains of which one can be so full")
    tap.same(len(got("0")), 700 - 2 + 1, "0 %: every limit but those lifted and exempt")
    tap.ok("d699.example" in tollgate.good("usage", "--over", "80"), "a table")
    tap.same(tollgate.good("usage", "--over", "1000"), "Nobody has used 1000% of a limit.\n",
             "none")
    shown = json.loads(tollgate.good("usage", "--over", "100", "--format", "json"))
    tap.same([(r["account"], r["used"], r["max"], r["room"]) for r in shown],
             [("d699.example", 699, 100, 0), ("d100.example", 100, 100, 0)], "JSON")


def wrong(tollgate):
    for args, text in ((["usage"], "name a domain"), (["usage", "--users"], "--users needs --over"),
                       (["usage", "d1.example", "--users"], "--users needs --over"),
                       (["usage", "d1.example", "--over", "5"], "name none"),
                       (["usage", "--over", "x"], "expected a number"),
                       (["limit", "show", "--all", "d1.example"], "--all needs limit show"),
                       (["limit", "unset", "--all"], "--all needs limit show"),
                       (["limit", "show", "d1.example", "--format", "csv"], "needs --all"),
                       (["limit", "show"], "limit show needs D")):
        code, out, err = tollgate(*args)
        tap.ok(code == 64 and text in err and out == "", " ".join(args), code, err)


def main():
    tap.need("redis-server")
    folder = proc.scratch("limit_all")
    server = RedisServer(folder, env=stopped_clock(folder, NOW))
    redis = server.connect()
    proc.write_text(os.path.join(folder, "assign"), "")
    tollgate = Tollgate(folder, server.url, now=NOW, more=CONF % folder, domains=DOMAINS)
    tollgate.env.update(SUDO_USER="", USER="ada", LOGNAME="")
    shows_nobody(tollgate)
    logs(tollgate)
    shows_all(tollgate, redis, folder)
    fill(redis)
    over(tollgate, redis)
    wrong(tollgate)
    server.stop()


tap.run(main)
