#!/usr/bin/env python3
"""Failed logins at made-up names under a wildcard entry do not grow the store: a month has room for
accounting.names_max of them, also over restarts."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
from collector import Collector
from tollgate import stopped_clock

FAILED = ("%s mx dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts "
          "in 2 secs): user=<u@n%d.wild.example>, method=PLAIN, rip=192.0.2.1, session=<s%d>\n")


def names(redis):
    return sorted(key for key in redis("KEYS", "tg:{*wild.example}:total"))


def failed(c, now, first, count):
    at = now.strftime("%b %e %H:%M:%S")
    with open(c.log_path, "a") as log:
        for n in range(first, first + count):
            log.write(FAILED % (at, n, n))


def main():
    tap.need("redis-server")
    folder = proc.scratch("names")
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    proc.write_text(folder + "/domains", ".wild.example\n")
    c = Collector(folder, server.url, {"accounting": {"names_max": 3}})
    now = datetime.datetime.now(datetime.timezone.utc)
    c.env = stopped_clock(folder, now)  # the month does not turn meanwhile
    known = ["tg:{n%d.wild.example}:total" % n for n in range(3)]
    for run in range(3):
        failed(c, now, 10 * run, 10)
        code, _, err = c.once()
        tap.same(code, 0, "run %d" % run, err)
        tap.same(names(redis), sorted(known + ["tg:{wild.example}:total"]),
                 "the first three names have accounts, the others are the entry's")
        total = sum(int(redis("HGET", key, "imap_auth_failed") or 0) for key in names(redis))
        tap.same(total, 10 * (run + 1), "and all are counted")
    server.stop()


tap.run(main)
