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
NOBODY = {"release_by": "", "release_at": "", "release_reason": ""}
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
    want = [dict(time=str(NOW_S - ago), account=account, node=node, queue_id=queue_id, **NOBODY)
            for account, node, queue_id, ago in HELD]
    tap.same(rows, want, "CSV")
    rows = json.loads(tollgate.good("held", "--format", "json"))
    tap.same([dict({k: v or "" for k, v in r.items()}, time=str(r["time"])) for r in rows], want,
             "JSON")
    out = tollgate.good("held", "Example.COM.", "--format", "csv")
    tap.same([r["queue_id"] for r in csv.DictReader(io.StringIO(out))],
             ["2D4AAA908ED", "3D4AAA908EE"], "one domain")
    tap.ok("Q1" in tollgate.good("held", "_unattributed"), "those of nobody")
    tap.same(tollgate.good("held", "quiet.example"), "No mail is held for quiet.example.\n", "none")
    tap.same(json.loads(tollgate.good("held", "quiet.example", "--format", "json")), [], "as JSON")


def asked(tollgate, redis):
    """Whose release was asked for elsewhere; of this hold, not of an earlier one of that id."""
    def ask(node, queue_id, account, held_s):
        redis("HSET", "tg:{@%s}:release" % node, queue_id, json.dumps(
            {"account": account, "held": held_s, "by": "anna", "client": "192.0.2.9",
             "reason": "a customer", "at": NOW_S - 60}))

    ask("mx1", "2D4AAA908ED", "example.com", NOW_S - 3700)
    ask("mx2", "3D4AAA908EE", "example.com", NOW_S - 9000)
    redis("HSET", "tg:{@mx2}:release", "4jWnX03VvBz1cTBS", "no JSON")
    rows = json.loads(tollgate.good("held", "--format", "json"))
    tap.same([(r["queue_id"], r["release_by"], r["release_at"], r["release_reason"])
              for r in rows if r["release_by"]],
             [("2D4AAA908ED", "anna", NOW_S - 60, "a customer")], "a release that was asked for")
    line = [t for t in tollgate.good("held").splitlines() if "2D4AAA908ED" in t]
    tap.ok(line and line[0].endswith("2D4AAA908ED       11:59, by anna"), "as text", line)


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
    asked(tollgate, redis)
    wrong(tollgate, redis)
    server.stop()


tap.run(main)
