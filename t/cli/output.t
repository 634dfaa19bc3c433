#!/usr/bin/env python3
"""A standard output that is closed or full is an error, for every command and program, and nothing
that was meant for it goes elsewhere; other standard descriptors may be closed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from tollgate import Tollgate

COMMANDS = (("-h",), ("-V",), ("report",), ("report", "-h"), ("report", "smtp"),
            ("report", "smtp", "--by", "domain", "--format", "csv"),
            ("report", "smtp", "--format", "json"), ("report", "smtp", "--format", "chart"),
            ("totals", "--month", "2026-11"), ("totals", "--month", "2026-11", "--format", "json"),
            ("usage", "example.com"), ("limit", "show", "example.com"), ("plan", "show"),
            ("plan", "show", "example.com"), ("violations",), ("violations", "--summary"),
            ("why", "example.com"), ("why", "4jWnX03VvBz1cTBS"),
            ("top", "--once", "--interval", "1"),
            ("classify", "--client", "192.0.2.1", "--from", "<>", "--to", "a@example.com"),
            ("classify", "--client", "192.0.2.1", "--from", "<>", "--to", "a@example.com",
             "--format", "json"), ("doctor",))
# (program, arguments): those that print and end
PROGRAMS = (("tollgated", ("-h",)), ("tollgated", ("-V",)), ("tollgated", ("-T",)),
            ("tollgated", ("-n",)), ("tollgated", ("-d",)),
            ("tollgate-relay", ("-h",)), ("tollgate-relay", ("-V",)), ("tollgate-relay", ("-T",)),
            ("tollgate-web", ("-h",)), ("tollgate-web", ("-V",)), ("tollgate-web", ("-T",)))


def closed(*descriptors):
    def close():
        for fd in descriptors:
            os.close(fd)
    return close


def full():
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def unwritable(site, argv, note):
    for how, preexec in (("closed", closed(1)), ("full", full)):
        code, _, err = proc.run(argv, env=site.env, preexec=preexec)
        tap.ok(code == 74 and err.count("cannot write the output") == 1,
               "%s, stdout is %s" % (note, how), code, err)


def main():
    tap.need("redis-server")
    folder = proc.scratch("output")
    server = RedisServer(folder)
    redis = server.connect()
    site = Tollgate(folder, server.url, domains="example.com\n")
    redis("CONFIG", "RESETSTAT")
    for words in COMMANDS:
        unwritable(site, [os.path.join(proc.BUILD, "tollgate"), "-c", site.conf] + list(words),
                   "tollgate " + " ".join(words))
    errors = redis("INFO", "errorstats")
    tap.ok("errorstat_ERR" not in str(errors), "the store got nothing that was not for it",
           errors)
    for program, words in PROGRAMS:
        unwritable(site, [os.path.join(proc.BUILD, program), "-c", site.conf] + list(words),
                   program + " " + " ".join(words))
    report = [os.path.join(proc.BUILD, "tollgate"), "-c", site.conf, "report", "smtp"]
    want = proc.run(report, env=site.env)
    tap.same(want[0], 0, "a report")
    for descriptors in ((0,), (2,), (0, 2)):
        got = proc.run(report, env=site.env, preexec=closed(*descriptors))
        tap.same(got, want, "the same report with %s closed" % (descriptors,))


tap.run(main)
