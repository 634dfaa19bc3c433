#!/usr/bin/env python3
"""tollgate pack: a folder that shows a domain what it is billed, and can be checked anywhere."""

import datetime
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc


def check(folder):
    return subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False,
                          capture_output=True).returncode


def main():
    tap.need("redis-server", "sha256sum")
    folder = proc.scratch("pack")
    server = RedisServer(folder)
    redis = server.connect()
    now = datetime.datetime.now(UTC)  # the clock stands: no month ends meanwhile
    last = now.replace(day=1, hour=12) - datetime.timedelta(days=1)
    month = last.strftime("%Y-%m")
    counted = Counted()
    counted.add(last, "example.com", {"in_messages": 3, "in_bytes": 30})
    counted.add(last - datetime.timedelta(days=1), "example.com", {"in_messages": 4})
    counted.add(last, "secret.example", {"in_messages": 5})
    counted.write(redis, {"mx1": int(now.timestamp())})
    tollgate = Tollgate(folder, server.url, now=now, more='billing: { grace = "0ms"; };',
                        domains="example.com\n")
    out = os.path.join(folder, "out")
    code, _, err = tollgate("pack", "example.com", month, "--output", out)
    tap.ok(code == 66 and "not closed" in err, "of a closed month only", err)
    tollgate.good("adjust", "add", "example.com", "in_messages", "-1", "--period", month,
                  "--reason", "a credit")
    tollgate.good("period", "close", "last")
    tollgate.good("pack", "Example.COM", "last", "--output", out)
    tap.same(sorted(os.listdir(out)), ["README", "SHA256SUMS", "adjustments.csv", "audit.txt",
                                       "bill.csv", "days.csv", "definitions.txt", "messages.csv"],
             "the files")
    tap.same(check(out), 0, "sha256sum finds them good")
    bill = proc.read_text(os.path.join(out, "bill.csv"))
    tap.ok("example.com,counted,7," in bill and "example.com,adjusted,-1," in bill and
           "example.com,billed,6," in bill, "the bill", bill)
    everything = "".join(proc.read_text(os.path.join(out, f)) for f in os.listdir(out))
    tap.ok("secret.example" not in everything, "no name of others")
    days = proc.read_text(os.path.join(out, "days.csv")).strip().split("\n")
    tap.ok(len(days) > 28 and days[-1].startswith(last.strftime("%Y-%m-%d,3,")) and
           sum(int(d.split(",")[1]) for d in days[1:]) == 7, "each day", days[-3:])
    tap.ok("a credit" in proc.read_text(os.path.join(out, "adjustments.csv")), "the adjustments")
    tap.ok("Messages from outside" in proc.read_text(os.path.join(out, "definitions.txt")),
           "the definitions")
    digest = tollgate.good("period", "verify", month).split()[-1]
    tap.ok(digest in proc.read_text(os.path.join(out, "audit.txt")), "the hash")
    path = os.path.join(out, "bill.csv")
    proc.write_text(path, bill.replace(",6,", ",7,"))
    tap.same(check(out), 1, "what was changed is found")
    code, _, err = tollgate("pack", "example.com", "last", "--output", out)
    tap.ok(code == 73 and "--output" in err, "no folder is written over", err)
    tap.same(tollgate("pack", "example.com")[0], 64, "it needs both")
    server.stop()


tap.run(main)
