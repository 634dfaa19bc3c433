#!/usr/bin/env python3
"""tollgate adjust: corrections beside the figures, each added once and never changed."""

import csv
import datetime
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc
ADD = ("adjust", "add", "example.com", "out_messages", "-12", "--period", "2025-11", "--reason")


def fill(redis):
    counted = Counted()
    november = datetime.datetime(2025, 11, 20, tzinfo=UTC)
    counted.add(november, "example.com", {"out_messages": 100})
    counted.add(november, "example.net", {"in_bytes": 5})
    now = int(datetime.datetime.now(UTC).timestamp())
    counted.write(redis, {"mx1": now})


def listed(tollgate, *args):
    text = tollgate.good("adjust", "list", *args, "--format", "csv")
    return [(r["account"], r["period"], r["field"], int(r["amount"]), r["id"], r["reason"])
            for r in csv.DictReader(io.StringIO(text))]


def main():
    tap.need("redis-server")
    folder = proc.scratch("adjust")
    server = RedisServer(folder)
    redis = server.connect()
    fill(redis)
    tollgate = Tollgate(folder, server.url, domains="example.com\nexample.net\n")

    out = tollgate.good(*ADD, 'counted "twice", ticket 4711', "--id", "t4711")
    tap.ok("added as t4711" in out, "one is added", out)
    out = tollgate.good(*ADD, "again", "--id", "t4711")
    tap.ok("nothing was added" in out, "and not again", out)
    tollgate.good("adjust", "add", "EXAMPLE.net", "in_bytes", "+300", "--period", "2025-11",
                  "--reason", "moved", "--evidence", "queue id 4jc")
    rows = listed(tollgate)
    tap.same(rows[0], ("example.com", "2025-11", "out_messages", -12, "t4711",
                       'counted "twice", ticket 4711'), "listed as it was given")
    tap.ok(rows[1][:4] == ("example.net", "2025-11", "in_bytes", 300) and len(rows[1][4]) == 16,
           "with an id of its own", rows)
    tap.same(listed(tollgate, "example.com"), rows[:1], "of one domain")
    tap.same(listed(tollgate, "--period", "2025-10"), [], "of one month")
    tap.same(tollgate.good("adjust", "list", "--period", "2025-10"), "There are no adjustments.\n",
             "which people are told")
    data = json.loads(tollgate.good("adjust", "list", "example.net", "--format", "json"))
    tap.same((data[0]["amounts"], data[0]["evidence"]), ({"in_bytes": 300}, "queue id 4jc"), "JSON")
    text = tollgate.good("adjust", "list")
    tap.ok("out_messages -12" in text and "queue id 4jc" in text, "for people", text)

    out = tollgate.good("adjust", "revoke", "t4711", "--reason", "it was right")
    tap.ok("revoke/2025-11/t4711" in out, "revoked", out)
    out = tollgate.good("adjust", "revoke", "t4711", "--reason", "it was right")
    tap.ok("nothing was added" in out, "once", out)
    tap.same(sum(r[3] for r in listed(tollgate, "example.com")), 0, "by its opposite")
    tollgate.good("period", "close", "2025-11")
    file = tollgate.good("period", "show", "2025-11")
    tap.ok("example.net,adjusted,0,0,300," in file and "example.com,billed" in file and
           "example.com,adjusted" not in file, "the bill has what is left of them", file)
    out = tollgate.good("adjust", "revoke", rows[1][4], "example.net", "--reason", "not ours")
    month = datetime.datetime.now(UTC).strftime("%Y-%m")
    tap.ok(month in out, "of a closed month it goes into this one", out)

    redis("FLUSHALL")
    fill(redis)

    for args, text in (
            (["add", "example.com", "out_messages", "-12"], "needs --period"),
            (["add", "example.com", "out_messages"], "needs D FIELD N"),
            (["add", "none.example", "out_messages", "1", "--period", "2025-12", "--reason", "x"],
             "nothing was ever counted"),
            (["add", "example.com", "out_mesages", "1", "--period", "2025-12", "--reason", "x"],
             "out_messages"),
            (["add", "example.com", "out_messages", "0", "--period", "2025-12", "--reason", "x"],
             "not 0"),
            (["add", "example.com", "out_messages", "-1x", "--period", "2025-12", "--reason", "x"],
             "whole number"),
            (["add", "example.com", "out_messages", "1", "--period", "2999-12", "--reason", "x"],
             "not begun"),
            (["add", "example.com", "out_messages", "1", "--period", "2025-11", "--reason", "x"],
             "is closed"),
            (["revoke", "nothing", "--reason", "x"], "no such adjustment"),
            (["revoke", "t4711"], "needs --reason"),
            (["list", "--id", "x"], "need adjust add"),
            (["list", "a", "b"], "takes a domain")):
        code, _, err = tollgate("adjust", *args)
        tap.ok(code == 64 and text in err, "adjust %s is refused" % " ".join(args), code, err)
    server.stop()


tap.run(main)
