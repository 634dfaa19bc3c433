#!/usr/bin/env python3
"""tollgate node: the nodes of a store, and one that never comes back."""

import datetime
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc
COMPLETE = {"true": True, "false": False}


def fill(redis, now):
    """October: mx1 counts 100 messages, mx2 40, and mx2 is gone since."""
    counted = Counted()
    october = datetime.datetime.fromtimestamp(now, UTC) - datetime.timedelta(days=40)
    counted.add(october, "example.com", {"in_messages": 100}, node="mx1")
    counted.add(october, "example.com", {"in_messages": 40}, node="mx2")
    counted.write(redis, {"mx1": now, "mx2": now - 50 * 86400})
    redis("HSET", "tg:{@mx1}:node", "seen", now)
    redis("HSET", "tg:{@mx2}:node", "seen", now - 50 * 86400)
    redis("HSET", "tg:{@mx2}:node", "dirty_rows", 3)
    return october.strftime("%Y-%m")


def states(tollgate):
    code, out, err = tollgate("node", "list")
    tap.same(code, 0, "node list", err)
    return {line.split()[0]: line.split()[1] for line in out.split("\n")[1:] if line}


def total(tollgate, month):
    """(messages of example.com, is the month complete?)"""
    _, out, err = tollgate("totals", "--month", month, "--domain", "example.com", "--format", "csv")
    rows = [line.split(",") for line in out.strip().split("\n")]
    row = dict(zip(rows[0], rows[1])) if len(rows) > 1 else {"said": err}
    return int(row.get("in_messages", -1)), COMPLETE.get(row.get("complete"))


def main():
    tap.need("redis-server")
    folder = proc.scratch("node")
    server = RedisServer(folder)
    redis = server.connect()
    now = int(time.time())
    month = fill(redis, now)
    tollgate = Tollgate(folder, server.url, domains="example.com\n")
    tap.same(states(tollgate), {"mx1": "running", "mx2": "away"}, "one is away")
    tap.same(total(tollgate, month), (140, False), "so the month is not complete")

    code, _, err = tollgate("node", "retire", "mx1")
    tap.ok(code == 69 and "stop its tollgated first" in err, "one that runs is not retired", err)
    redis("HSET", "tg:{@mx2}:node", "seen", now)
    redis("HSET", "tg:{@mx2}:node", "_stopped", "0")
    tap.same(tollgate("node", "retire", "mx2")[0], 69, "nor one that wrote just now")
    redis("HSET", "tg:{@mx2}:node", "seen", now - 50 * 86400)
    code, _, err = tollgate("node", "retire", "mx3")
    tap.ok(code == 64 and "mx3" in err and "mx1" in err, "nor one that is not there", err)
    code, out, err = tollgate("node", "retire", "mx2")
    tap.ok(code == 0 and "retired" in out and "3 rows" in out, "one that is gone", out, err)
    tap.same(states(tollgate), {"mx1": "running", "mx2": "retired"}, "is retired")
    tap.same(total(tollgate, month), (140, True), "nothing waits for it, and its figures stay")
    tap.same(redis("ZRANGE", "tg:changed", "0", "-1"), ["@mx2"], "the other nodes hear of it")

    redis("SADD", "tg:nodes", "pop1")
    redis("HSET", "tg:{@pop1}:collect", "pushed_through", now)
    tap.same(states(tollgate)["pop1"], "collector", "a machine without a tollgated")
    tap.same(total(tollgate, month), (140, True), "which no month waits for")
    _, out, _ = tollgate("doctor")
    tap.ok("mx1 has reported" in out and "pop1" not in out, "and doctor misses nothing there", out)
    redis("SREM", "tg:nodes", "pop1")

    redis("HSET", "tg:{@mx2}:node", "seen", now + 10)
    redis("HSET", "tg:{@mx2}:node", "_stopped", "1")
    tap.same(tollgate("node", "retire", "mx2")[0], 0, "one that has stopped just now is retired")
    redis("HSET", "tg:{@mx2}:node", "seen", int(time.time()) + 10)
    tap.same(states(tollgate), {"mx1": "running", "mx2": "running"}, "who comes back, is back")
    for args in (["node"], ["node", "retire"], ["node", "list", "x"], ["node", "forget", "mx2"]):
        tap.same(tollgate(*args)[0], 64, "%s is refused" % " ".join(args))
    server.stop()


tap.run(main)
