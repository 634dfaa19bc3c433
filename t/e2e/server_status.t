#!/usr/bin/env python3
"""The report server-status of a real Postfix: its processes from /proc, its queue by postqueue."""

import csv
import io
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import postfix_server
import proc
import redis_server
import smtp
import tap

QUEUED = 3
UNITS = [os.path.join(postfix_server.SBIN, "master"), "/nonexistent/dovecot"]


def postqueue(folder, postfix):
    """Of this instance, first in the PATH that is returned."""
    program = os.path.join(folder, "bin", "postqueue")
    os.mkdir(os.path.dirname(program))
    proc.write_text(program, '#!/bin/sh\nexec /usr/sbin/postqueue -c %s "$@"\n' % postfix.conf)
    os.chmod(program, 0o755)
    return os.path.dirname(program) + ":" + os.environ["PATH"]


def fill(postfix):
    """Messages that stay: the next server is not there."""
    session = smtp.Smtp(postfix.smtp)
    for _ in range(QUEUED):
        session.send("x@gmail.test", ["bob@example.com"], b"Subject: hi\r\n\r\nhi\r\n")
    session.quit()
    proc.wait_for("deferred messages", lambda: postfix.log().count("status=deferred") >= QUEUED)


def report(c):
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", c.conf, "report",
                               "server-status", "--by", "node", "--format", "csv"])
    tap.ok(code == 0, "report server-status", code, err)
    rows = list(csv.DictReader(io.StringIO(out, newline=""), strict=True))
    tap.note(out)
    return rows[0]


def main():
    folder = proc.scratch("server_status")
    redis = redis_server.RedisServer(folder)
    postfix = postfix_server.Postfix(folder, "example.com", sink_port=proc.free_port())
    postfix.start()
    fill(postfix)
    c = collector.Collector(folder, redis.url, {"collect": {"units": UNITS}})
    proc.write_text(c.log_path, "")
    c.env = {"PATH": postqueue(folder, postfix)}
    c.start()
    key = "tg:{@%s}:total" % collector.NODE
    proc.wait_for("two readings", lambda: int(
        redis.connect().hash(key).get("status_seconds", 0)) >= 20, 60)
    tap.same(c.stop(), 0, "the collector stops")
    row = report(c)
    # Whole seconds are counted: of 20 or more one may be in one sum and not yet in the other.
    tap.ok(abs(float(row["status_spool"]) - QUEUED) <= QUEUED / 20, "messages in the queue", row)
    tap.ok(float(row["status_handles"]) > 20, "open files", row)
    tap.ok(float(row["status_threads"]) >= 3, "threads: master, qmgr, postlogd", row)
    tap.ok(float(row["status_memory_mib"]) >= 10, "memory", row)
    postfix.stop()
    redis.stop()


tap.need("redis-server", "/usr/sbin/postqueue", root=True)
tap.run(main)
