#!/usr/bin/env python3
"""tollgate usage against windows that throttle.lua wrote into a real Redis whose clock stands.

With TG_GOLDEN=write the files in t/data/cli are written anew: look at the diff.
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
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate, golden, stopped_clock
from windows import LENGTHS_MS, Windows

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
MONTH_ENDS = (datetime.datetime(2026, 10, 31, 23, tzinfo=UTC),
              datetime.datetime(2026, 11, 30, 23, tzinfo=UTC),
              datetime.datetime(2026, 12, 31, 23, tzinfo=UTC))
CONF = """
throttle: { mode = "enforce"; exempt: { clients = ["192.0.2.0/24"];
    users = ["vip@example.com"]; }; };
plans = ( { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "500"; per = "hour"; action = "log"; },
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "defer"; },
    { scope = "domain"; metric = "bytes"; max = "10GB"; per = "month"; action = "reject"; },
    { scope = "domain"; metric = "bounces"; max = "100"; per = "10min"; action = "reject"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "hold"; },
    { scope = "user"; metric = "recipients"; max = "1000"; per = "7days"; action = "defer"; },
    { scope = "server"; metric = "messages"; max = "100000"; per = "day"; action = "log"; },
    { scope = "client"; metric = "messages"; max = "100"; per = "10min"; action = "defer"; } ); }
);
"""


def ago(**time):
    return NOW - datetime.timedelta(**time)


def fill(windows):
    for minutes in (75, 55, 40, 40, 20, 5):
        windows.consume("example.com", "recipients", "hour", 120, ago(minutes=minutes))
    windows.consume("example.com", "bytes", "month", 7 << 30, ago(days=3), ends=MONTH_ENDS)
    windows.consume("example.com", "bounces", "10min", 30, ago(minutes=11))
    windows.consume("example.com", "bounces", "10min", 4, ago(minutes=1))
    windows.consume("example.org", "bytes", "month", 12 << 30, ago(days=3), ends=MONTH_ENDS)
    windows.consume("@server", "messages", "day", 4321, ago(hours=2))
    windows.consume("@client:192.0.2.7", "messages", "10min", 3, ago(minutes=2))
    windows.consume("@client:2001:db8::/64", "messages", "10min", 250, ago(minutes=2))


def fill_users(windows, redis):
    counted = Counted("Europe/Berlin")
    for i in range(60):
        user = "user%02d@example.com" % i
        counted.add(ago(hours=i), "example.com", {"out_messages": 3 * i, "out_recipients": 3 * i},
                    user)
        windows.consume("example.com", "messages", "day", 3 * i, ago(hours=i), user)
        windows.consume("example.com", "recipients", "7days", 3 * i, ago(hours=i), user)
    counted.add(ago(days=6), "example.com", {"forward_messages": 1, "forward_recipients": 950},
                "a.long.name.of.a.newsletter@example.com")
    windows.consume("example.com", "recipients", "7days", 950, ago(days=6),
                    "a.long.name.of.a.newsletter@example.com")
    counted.write(redis, {"mx1": int(NOW.timestamp())})


def shown(tollgate):
    narrow = {"COLUMNS": "80"}
    golden("usage.txt", tollgate.good("usage", "Example.COM", env=narrow))
    golden("usage-ascii.txt", tollgate.good("usage", "example.com", "--top", "0",
                                            env={"COLUMNS": "60", "LC_ALL": "C"}))
    golden("usage-over.txt", tollgate.good("usage", "example.org", env=narrow))
    golden("usage-user.txt", tollgate.good("usage", "example.com", "--user", "User59+x@example.com",
                                           "--user", "nobody@example.com", env=narrow))
    golden("usage-server.txt", tollgate.good("usage", "@server", env=narrow))
    golden("usage-client.txt", tollgate.good("usage", "@client:2001:DB8:0::7", env=narrow))
    golden("usage.csv", tollgate.good("usage", "example.com", "--format", "csv"))
    golden("usage.json", tollgate.good("usage", "@client:192.0.2.7", "--format", "json"))


def rows_of(tollgate, *args):
    text = tollgate.good("usage", *args, "--format", "csv")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exact(tollgate, windows, redis):
    """Random windows: the throttle's own answers."""
    draw = random.Random(7)
    faults = []
    for turn in range(30):
        limits = {}
        for per, length in LENGTHS_MS.items():
            holder, maximum = "r%d.wild.example" % turn, draw.randrange(1, 60)
            limits[per] = maximum
            back = 2 * length
            for _ in range(draw.randrange(12)):
                at = NOW - datetime.timedelta(milliseconds=back)
                windows.consume(holder, "messages", per, draw.randrange(1, 20), at)
                back = draw.randrange(back + 1)
            redis("HSET", "tg:{%s}:limits" % holder, "domain/messages/" + per, "max=%d" % maximum)
        for row in rows_of(tollgate, holder, "--top", "0"):
            per = row["limit"].split("/")[2]
            if not row["limit"].startswith("domain/messages/"):
                continue
            used, retry_ms = windows.look(holder, "messages", per, 1, limits[per], NOW)
            want = (used, max(0, limits[per] - used), -(-retry_ms // 1000))
            got = (int(row["used"]), int(row["room"]), int(row["reopens_s"]))
            if got != want:
                faults.append("%s: got %r, want %r" % (row, got, want))
    tap.none(faults, "used, room and time to reopen are what the throttle answers")


def months(tollgate, windows):
    ends = (datetime.datetime(2026, 9, 30, 22, tzinfo=UTC), *MONTH_ENDS[:2])
    windows.consume("last.wild.example", "bytes", "month", 5, ago(days=30), ends=ends)
    rows = {row["limit"]: row for row in rows_of(tollgate, "last.wild.example")}
    tap.same(rows["domain/bytes/month"]["used"], "0", "last month counts no more")
    rows = {row["limit"]: row for row in rows_of(tollgate, "example.org")}
    tap.same(int(rows["domain/bytes/month"]["reopens_at"]), int(MONTH_ENDS[1].timestamp()),
             "a full month reopens at its end")


def forecasts(tollgate, windows, redis):
    """100 MB a day; the room of 400 MB lasts for 11 hours of today, three days and 13 hours."""
    counted, user, mb = Counted("Europe/Berlin"), "g@grow.wild.example", 1 << 20
    for day in range(1, 41):
        counted.add(ago(days=day), "grow.wild.example", {"out_bytes": 90 * mb,
                                                         "forward_bytes": 10 * mb}, user)
    counted.write(redis, {"mx1": int(NOW.timestamp())})
    for scope, subject, end in (("domain", "", 2400), ("user", user, 2900)):
        redis("HSET", "tg:{grow.wild.example}:limits", scope + "/bytes/month",
              "max=%d" % (end * mb))
        windows.consume("grow.wild.example", "bytes", "month", 2000 * mb, ago(hours=1), subject,
                        ends=MONTH_ENDS)
    rows = {row["limit"]: row for row in rows_of(tollgate, "grow.wild.example")}
    tap.ok(abs(int(rows["domain/bytes/month"]["over_at"]) - NOW.timestamp() - 4 * 86400) <= 1,
           "when a month will be full", rows)
    tap.ok(abs(int(rows["user/bytes/month"]["over_at"]) - NOW.timestamp() - 9 * 86400) <= 1,
           "a user's", rows)
    text = tollgate.good("usage", "grow.wild.example")
    tap.ok("domain/bytes/month will be full on 2026-11-25 if" in text, "it is said", text)
    tap.ok("user/bytes/month of %s will be full on 2026-11-30 if" % user in text, "of users, too",
           text)
    text = tollgate.good("limit", "show", "grow.wild.example")
    tap.ok("domain/bytes/month will be full on 2026-11-25 if" in text and user not in text,
           "limit show says it of the domain", text)
    text = tollgate.good("limit", "show", user)
    tap.ok("user/bytes/month of %s will be full on 2026-11-30 if" % user in text, "and of a user",
           text)
    over = tollgate.good("usage", "--over", "80", env={"COLUMNS": "200"})
    line = [line for line in over.splitlines() if "grow.wild" in line]
    tap.ok(len(line) == 1 and "2026-11-25" in line[0] and "full on" in over, "and of all domains",
           over)
    redis("HSET", "tg:{grow.wild.example}:limits", "domain/bytes/month", "max=%d" % (3000 * mb))
    row = [r for r in rows_of(tollgate, "grow.wild.example") if r["limit"] == "domain/bytes/month"]
    tap.ok((row[0]["forecast"], row[0]["over_at"]) == ("no", ""), "not before the month ends", row)


def nothing_consumed(tollgate, redis):
    before = {key: redis("DUMP", key) for key in redis("KEYS", "tg:*window*")}
    tollgate.good("usage", "example.com")
    tollgate.good("usage", "untouched.wild.example")
    tap.same({key: redis("DUMP", key) for key in redis("KEYS", "tg:*window*")}, before,
             "looking changes nothing")


def wrong(tollgate, redis):
    for code, text, args in (
            (64, "name a domain", []),
            (64, 'unexpected argument "b"', ["a.example", "b"]),
            (64, "each client has", ["@client"]),
            (64, "--user needs a domain", ["@server", "--user", "a@example.com"]),
            (64, "the whole address", ["example.com", "--user", "alice"]),
            (64, "--top many: expected a number", ["example.com", "--top", "many"]),
            (64, "did you mean json?", ["example.com", "--format", "jsn"])):
        got, out, err = tollgate("usage", *args)
        tap.ok(got == code and text in err and out == "", "usage " + " ".join(args), got, err)
    redis("SET", "tg:{example.com}:window:bytes:month", "x")
    got, out, err = tollgate("usage", "example.com")
    tap.ok(got == 65 and "window:bytes:month" in err and out == "", "a key of another type", err)


def main():
    folder = proc.scratch("usage")
    server = RedisServer(folder, env=stopped_clock(folder, NOW))
    redis = server.connect()
    windows = Windows(redis)
    tollgate = Tollgate(folder, server.url, "Europe/Berlin", now=NOW, more=CONF,
                        domains="example.com\nexample.org\n.wild.example\n")
    fill(windows)
    fill_users(windows, redis)
    shown(tollgate)
    exact(tollgate, windows, redis)
    months(tollgate, windows)
    forecasts(tollgate, windows, redis)
    nothing_consumed(tollgate, redis)
    data = json.loads(tollgate.good("usage", "example.com", "--format", "json"))
    tap.same([row["user"] for row in data["limits"] if row["user"]][0],
             "a.long.name.of.a.newsletter@example.com", "the fullest user comes first")
    tap.same(tollgate.good("usage", "a.long.name.of.a.newsletter@example.com"),
             tollgate.good("usage", "example.com", "--user",
                           "a.long.name.of.a.newsletter@example.com"), "an address is its user")
    out = tollgate.good("usage", "vip@example.com")
    tap.ok("vip@example.com is exempt by throttle.exempt.users" in out, "an exempt user", out)
    out = tollgate.good("usage", "example.com", env={"COLUMNS": "40"})
    tap.none([line for line in out.split("hosted")[1].splitlines()[3:] if len(line) > 40],
             "tables fit 40 columns")
    uncounted = Tollgate(folder, server.url, "UTC", now=NOW, domains="example.org\n",
                         more=CONF + "accounting: { users = false; };")
    out = uncounted.good("usage", "example.org")
    tap.ok("name them with --user" in out, "where users are not counted, that is said", out)
    wrong(tollgate, redis)


tap.run(main)
