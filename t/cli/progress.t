#!/usr/bin/env python3
"""A report that takes more than a second says on a terminal how far it is, and nowhere else."""

import datetime
import os
import pty
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_proxy import RedisProxy
from redis_server import RedisServer
from tollgate import Tollgate

REPORTS = (("totals", "--from", "2026-11-20", "--to", "2026-11-21"),
           ("report", "smtp", "--by", "domain", "--step", "day", "--from", "2026-11-20"),
           ("report", "smtp", "--by", "user", "--from", "2026-11"))


def on_terminal(tollgate, *args):
    """stdout through a pipe, stderr as a terminal shows it."""
    master, slave = pty.openpty()
    env = dict(os.environ, **tollgate.env, TERM="xterm")
    argv = [os.path.join(proc.BUILD, "tollgate"), "-c", tollgate.conf] + list(args)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=slave, env=env)
    os.close(slave)
    out = process.communicate(timeout=120 * proc.PATIENCE)[0].decode()
    shown = b""
    try:
        while True:
            shown += os.read(master, 65536)
    except OSError:
        pass
    os.close(master)
    return process.returncode, out, shown.decode()


def main():
    folder = proc.scratch("progress")
    server = RedisServer(folder)
    counted = Counted()
    for i in range(300):
        counted.add(datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC), "d%d.example" % i,
                    {"in_messages": 1, "in_bytes": i}, "u@d%d.example" % i)
    counted.write(server.connect(), {"mx1": 1795300000})
    now = datetime.datetime(2026, 11, 21, 13, 0, 0, tzinfo=UTC)
    tollgate = Tollgate(folder, server.url, now=now)
    # What the store says first takes longer than a report may before it tells how far it is.
    other = os.path.join(folder, "slow")
    os.mkdir(other)
    slow = Tollgate(other, RedisProxy(folder, server.path, first_s=1.5).url, now=now)
    for args in REPORTS:
        usual = tollgate.good(*args)
        code, out, err = slow(*args)
        tap.ok((code, out) == (0, usual) and "reading" not in err,
               "%s: nothing in a file" % " ".join(args[:3]), err)
        code, out, shown = on_terminal(slow, *args)
        tap.ok((code, out) == (0, usual), "the report is the same")
        tap.ok(re.search(r"\rtollgate: reading, \d+ %", shown), "how far it is", repr(shown))
        rest = shown.rpartition("\r\x1b[K")[2]
        tap.ok(rest != shown and "reading" not in rest, "and the line goes", repr(shown))
    server.stop()


tap.run(main)
