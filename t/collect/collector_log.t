#!/usr/bin/env python3
"""Nights in which the clocks change, and a million lines (TG_LOG=full: ten) in memory that does not
grow."""

import datetime
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
from collector import Collector, counted
from tollgate import stopped_clock

FULL = os.environ.get("TG_LOG") == "full"
LINES = 10000000 if FULL else 1000000
FEW = LINES // 10
RSS_KB = 24 * 1024
RATIO = 1.3
MESSAGE = """%(t)s mx postfix/smtpd[%(p)d]: connect from x[192.0.2.1]
%(t)s mx postfix/smtpd[%(p)d]: %(q)s: client=x[192.0.2.1], sasl_username=u%(b)d@example.com
%(t)s mx postfix/cleanup[9]: %(q)s: message-id=<%(i)d@x.test>
%(t)s mx postfix/qmgr[7]: %(q)s: from=<u%(b)d@example.com>, size=1000, nrcpt=1 (queue active)
%(t)s mx postfix/smtpd[%(p)d]: disconnect from x[192.0.2.1] ehlo=1 mail=1 quit=1 commands=3
%(t)s mx postfix/smtp[%(p)d]: %(q)s: to=<a@o.test>, relay=mx.o.test[198.51.100.7]:25, delay=1, \
delays=0/0/0.5/0.5, dsn=2.0.0, status=sent (250 ok)
%(t)s mx postfix/qmgr[7]: %(q)s: removed
%(t)s mx dovecot: imap-login: Login: user=<u%(b)d@example.com>, rip=192.0.2.1, session=<s%(i)d>
%(t)s mx dovecot: imap(u%(b)d@example.com)<%(p)d><s%(i)d>: Disconnected: Logged out in=10 out=90
"""
PER_MESSAGE = 9
NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.timezone.utc)  # lines have no year
# The zone; times of its clocks, in the order of the log; UTC hour -> how many.
NIGHTS = [
    ("Europe/Zagreb", ["Oct 25 01:30:00", "Oct 25 02:10:00", "Oct 25 02:50:00", "Oct 25 02:10:00",
                       "Oct 25 02:50:00", "Oct 25 03:10:00"],
     {"2026-10-24T23": 1, "2026-10-25T00": 2, "2026-10-25T01": 2, "2026-10-25T02": 1}),
    ("Europe/Zagreb", ["Mar 29 01:59:59", "Mar 29 03:00:01", "Mar 29 03:59:59"],
     {"2026-03-29T00": 1, "2026-03-29T01": 2}),
    ("Australia/Lord_Howe", ["Apr  5 01:20:00", "Apr  5 01:58:00", "Apr  5 01:31:00",
                             "Apr  5 01:55:00", "Apr  5 02:10:00"],
     {"2026-04-04T14": 2, "2026-04-04T15": 3}),
    ("Australia/Lord_Howe", ["Oct  4 01:59:00", "Oct  4 02:31:00"],
     {"2026-10-03T15": 2}),
]


def test_nights(folder):
    clock = stopped_clock(folder, NOW)
    server = redis_server.RedisServer(folder, clock)
    redis = server.connect()
    for number, (zone, times, wants) in enumerate(NIGHTS):
        redis("FLUSHALL")
        source = "file:%s/night%d.log" % (folder, number)
        c = Collector(folder, server.url, {"timezone": zone, "collect": {
            "timezone": zone, "sources": [source]}}, name="night%d" % number)
        c.env = clock
        text = "".join(
            "%s mx dovecot: imap-login: Login: user=<u@example.com>, session=<s%d>\n" % (at, i)
            for i, at in enumerate(times))
        proc.write_text(os.path.join(folder, "night%d.log" % number), text)
        code, _, err = c.once()
        tap.same(code, 0, "%s, %s" % (zone, times[0]), err)
        found = {key.split(":hour:")[1]: int(redis("HGET", key, "imap_connections") or 0)
                 for key in redis("KEYS", "tg:{@mx1}:hour:*")}
        found = {k: v for k, v in found.items() if v}
        # Hours are kept for 45 days.
        tap.same(found, wants if times[0].startswith("Oct 25") else {}, "each line in its hour")
        _, out, _ = c.run("--explain", "-", stdin=text.encode())
        hours = re.findall(r"(?m)^  reads   (\S{13}):", out)
        tap.same({h: hours.count(h) for h in hours}, wants, "and so says --explain")
        day = "%s-%02d-%02d" % (2026, ["Mar", "Apr", "Oct"].index(times[0][:3]) + 3 +
                                (5 if times[0][:3] == "Oct" else 0), int(times[0][4:6]))
        tap.same(counted(redis, "@mx1", kind="day:" + day), len(times), "all in that day")
    server.stop()


def write_log(path, lines):
    """Digits of queue ids are their own; returns how many messages."""
    with open(path, "w") as log:
        for i in range(lines // PER_MESSAGE):
            second = i * 86400 // (lines // PER_MESSAGE)
            log.write(MESSAGE % {
                "t": "Nov 20 %02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60),
                "p": 1000 + i % 500, "b": i % 250, "q": "4jC%08dzZz" % i, "i": i})
    return lines // PER_MESSAGE


def run_measured(c):
    """Exit code, peak memory in KB, and seconds."""
    began = time.monotonic()
    with open(c.log_file, "ab") as log:
        process = subprocess.Popen(c.argv("--once"), stdout=log, stderr=log, env=dict(
            os.environ, **c.env))
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss, time.monotonic() - began


def test_many(folder):
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    peaks = []
    for lines in (FEW, LINES):
        redis("FLUSHALL")
        c = Collector(folder, server.url, {"collect": {"sources": [
            "file:%s/%d.log" % (folder, lines)]}}, name="many%d" % lines)
        messages = write_log("%s/%d.log" % (folder, lines), lines)
        code, peak, seconds = run_measured(c)
        tap.note("%d lines, %.0f a second, at most %d KB" % (lines, lines / seconds, peak))
        peaks.append(peak)
        tap.same(code, 0, "%d lines" % lines, c.log()[-1000:])
        wants = {"smtp_in_connections": messages, "smtp_out_connections": messages,
                 "smtp_out_sent_bytes": 1000 * messages, "imap_connections": messages,
                 "imap_bytes": 100 * messages}
        tap.same({k: counted(redis, "@mx1", k) for k in wants}, wants, "all of them count")
        os.unlink("%s/%d.log" % (folder, lines))
    if not proc.is_sanitized("tollgate-collect"):
        tap.ok(peaks[1] < RSS_KB, "memory stays below %d KB" % RSS_KB, str(peaks))
        tap.ok(peaks[1] < peaks[0] * RATIO, "and does not grow with the log", str(peaks))
    server.stop()


def main():
    tap.need("redis-server")
    for test in (test_nights, test_many):
        tap.note(test.__name__)
        test(proc.scratch("collector"))


tap.run(main)
