#!/usr/bin/env python3
"""tollgate totals: the last month, users, and nothing where a bill would be incomplete."""

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


def rows(text):
    return [{k: v for k, v in r.items() if v not in ("0", None)}
            for r in csv.DictReader(io.StringIO(text))]


def main():
    tap.need("redis-server")
    folder = proc.scratch("totals")
    server = RedisServer(folder)
    redis = server.connect()
    now = datetime.datetime.now(UTC)  # the clock stands: no month ends meanwhile
    last = now.replace(day=1, hour=12) - datetime.timedelta(days=1)
    end = int(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
    counted = Counted()
    for user, n in (("alice@example.com", 3), ("bob@example.com", 4), ("_other", 5)):
        counted.add(last, "example.com", {"in_messages": n, "in_spam_messages": 1}, user)
    counted.add(last, "a.example", {"out_bytes": 9}, "carol@a.example")
    counted.write(redis, {"mx1": end})
    tollgate = Tollgate(folder, server.url, now=now, domains="example.com\n")
    month = last.strftime("%Y-%m")

    tap.same(tollgate.good("totals", "--month", "last"), tollgate.good("totals", "--month", month),
             "the last month")
    tap.same(tollgate.good("totals", "--month", "last", "--require-complete"),
             tollgate.good("totals", "--month", "last"), "a complete one is printed")
    counted.write(redis, {"mx1": end - 1})
    code, out, err = tollgate("totals", "--month", "last", "--require-complete")
    tap.ok(code == 75 and out == "" and "mx1" in err, "an incomplete one is not", code, err)

    users = rows(tollgate.good("totals", "--month", "last", "--by", "user"))
    tap.same([(r["account"], r["user"], r.get("in_messages")) for r in users],
             [("a.example", "carol@a.example", None), ("example.com", "_other", "5"),
              ("example.com", "alice@example.com", "3"), ("example.com", "bob@example.com", "4")],
             "by account and user")
    tap.same({r["in_spam_messages"] for r in users}, {""}, "what users do not have is not 0")
    data = json.loads(tollgate.good("totals", "--month", "last", "--by", "user", "--domain",
                                    "example.com", "--format", "json"))
    tap.same((data["total"]["in_messages"], data["rows"][0]["in_spam_messages"]), (12, None),
             "JSON, of one domain")
    for args in (["--month", "next"], ["--month", "last", "--by", "node"], ["--require-complete"]):
        tap.same(tollgate("totals", *args)[0], 64, "totals %s is refused" % " ".join(args))
    server.stop()


tap.run(main)
