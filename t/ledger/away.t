#!/usr/bin/env python3
"""Redis is away while records come: memory does not grow, and when it is back all is there soon.

TG_AWAY=full is the long form (make chaos): 4,000,000 records of 10,000 accounts; then memory grows
by less than 64 MB, and all is caught up within 60 s.
"""

import os
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import accountant
import proc
import redis_server
import tap
import tollgate

FULL = os.environ.get("TG_AWAY") == "full"
RECORDS, ACCOUNTS = (4000000, 10000) if FULL else (60000, 500)
GROWTH_BYTES, CAUGHT_UP_S = 64 << 20, 60 if FULL else 300


class Away:
    def __init__(self):
        self.folder = proc.scratch("away")
        self.redis = redis_server.RedisServer(self.folder)
        self.redis.kill()
        self.bytes_file = os.path.join(self.folder, "bytes")
        self.node = accountant.Node(self.folder, "mx1", self.redis.url)
        self.is_measured = not proc.is_sanitized(accountant.DRIVER)  # it has a malloc of its own
        self.env = dict(tollgate.preload(self.folder, "malloc_shim"),
                        TG_MALLOC_FILE=self.bytes_file, TG_ACCOUNTS=str(ACCOUNTS), TG_PAUSES="no",
                        TG_SEGMENT_BYTES=str(64 << 20))
        with open(self.node.log, "ab") as log:
            self.driver = subprocess.Popen(
                self.node.argv(RECORDS, "wait"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, env=dict(os.environ, **self.env))

    def state(self):
        """What the accountant says of itself: folded, dirty ..."""
        self.driver.stdin.write(b"\n")
        self.driver.stdin.flush()
        line = self.driver.stdout.readline().decode()
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}

    def is_ready(self, timeout_s):
        """Have all records come?"""
        readable, _, _ = select.select([self.driver.stdout], [], [], timeout_s)
        return bool(readable) and self.driver.stdout.readline() == b"ready\n"

    def end(self):
        self.driver.communicate(timeout=240)
        return self.driver.returncode

    def bytes(self):
        text = proc.read_text(self.bytes_file).strip() if os.path.exists(self.bytes_file) else ""
        return int(text or 0)


def grown(away):
    """To the end of the records: how much more memory than in the first moment, at most."""
    if away.is_measured:
        proc.wait_for("the first records", lambda: away.bytes() > 0)
    first = away.bytes()
    most, began = first, time.monotonic()
    while not away.is_ready(0.05):
        most = max(most, away.bytes())
    while away.state()["folded"] < RECORDS:
        most = max(most, away.bytes())
        time.sleep(0.05)
    tap.note("%d records in %.1f s; %d bytes of memory at first, at most %d" % (
        RECORDS, time.monotonic() - began, first, most))
    return most - first


def want():
    """Messages and bytes of the node."""
    messages = size = 0
    for number in range(1, RECORDS + 1):
        kind, released = accountant.kind_of(number)
        if kind == "message" or (released and released <= RECORDS):
            messages += 1
            size += 1000 + number * 37 % 4999
    return messages, size


def caught_up(away):
    """Seconds until Redis has all."""
    away.redis.start()
    began = time.monotonic()
    proc.wait_for("no row is dirty", lambda: away.state()["dirty"] == 0, CAUGHT_UP_S)
    return time.monotonic() - began


def main():
    tap.need("redis-server")
    away = Away()
    growth = grown(away)
    if away.is_measured:
        tap.ok(growth < GROWTH_BYTES, "memory grows by less than 64 MB", growth)
    dirty = away.state()["dirty"]
    tap.ok(dirty >= ACCOUNTS * 4, "rows wait for Redis", dirty)
    tap.note("%d rows caught up in %.1f s" % (dirty, caught_up(away)))
    node = away.redis.connect().hash("tg:{@mx1}:total")
    tap.same((int(node["messages"]), int(node["bytes"])), want(), "all of them are counted")
    tap.same(away.end(), 0, "a clean end")
    away.redis.stop()


tap.run(main)
