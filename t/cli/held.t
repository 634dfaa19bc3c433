#!/usr/bin/env python3
"""tollgate held: what Redis shows of held messages, of all nodes."""

import csv
import datetime
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from tollgate import Tollgate

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=datetime.timezone.utc)
NOW_S = int(NOW.timestamp())
# Account, node, queue id, seconds ago: the longest held first.
HELD = [("example.org", "mx2", "4jWnX03VvBz1cTBS", 90000),
        ("example.com", "mx1", "2D4AAA908ED", 3700),
        ("example.com", "mx2", "3D4AAA908EE", 3600), ("_unattributed", "mx1", "Q1", 30)]
TABLE = """\
held since            for  account        node  queue id
────────────────────────────────────────────────────────────────
2026-11-20 11:00    1d 1h  example.org    mx2   4jWnX03VvBz1cTBS
10:58             1h 2min  example.com    mx1   2D4AAA908ED
11:00                  1h  example.com    mx2   3D4AAA908EE
11:59                 30s  _unattributed  mx1   Q1
"""


def fill(redis):
    redis("SET", "tg:schema", "1")
    for account, node, queue_id, ago in HELD:
        redis("ZADD", "tg:{%s}:held" % account, str(NOW_S - ago), node + "/" + queue_id)
    redis("SADD", "tg:accounts:{0a}", "example.com", "example.org", "quiet.example")
    redis("ZADD", "tg:{example.com}:held", "1", "nothing of ours")


def lists(tollgate):
    tap.same(tollgate.good("held"), TABLE, "all of them")
    rows = list(csv.DictReader(io.StringIO(tollgate.good("held", "--format", "csv"))))
    want = [{"time": str(NOW_S - ago), "account": account, "node": node, "queue_id": queue_id}
            for account, node, queue_id, ago in HELD]
    tap.same(rows, want, "CSV")
    rows = json.loads(tollgate.good("held", "--format", "json"))
    tap.same([dict(r, time=str(r["time"])) for r in rows], want, "JSON")
    out = tollgate.good("held", "Example.COM.", "--format", "csv")
    tap.same([r["queue_id"] for r in csv.DictReader(io.StringIO(out))],
             ["2D4AAA908ED", "3D4AAA908EE"], "one domain")
    tap.ok("Q1" in tollgate.good("held", "_unattributed"), "those of nobody")
    tap.same(tollgate.good("held", "quiet.example"), "No mail is held for quiet.example.\n", "none")
    tap.same(json.loads(tollgate.good("held", "quiet.example", "--format", "json")), [], "as JSON")


def wrong(tollgate, redis):
    for args, code, text in ((["a", "b"], 64, 'unexpected argument "b"'), (["a..b"], 64, "a..b"),
                             (["--format", "xml"], 64, "xml")):
        got, out, err = tollgate("held", *args)
        tap.ok(got == code and text in err and out == "", "held " + " ".join(args), got, err)
    redis("SET", "tg:{example.org}:held", "x")
    got, out, err = tollgate("held")
    tap.ok(got == 65 and "example.org" in err and out == "", "a key of another type", got, err)


def main():
    tap.need("redis-server")
    folder = proc.scratch("held")
    server = RedisServer(folder)
    redis = server.connect()
    tollgate = Tollgate(folder, server.url, now=NOW)
    tap.same(tollgate.good("held"), "No mail is held.\n", "an empty store")
    fill(redis)
    lists(tollgate)
    wrong(tollgate, redis)
    server.stop()


tap.run(main)
