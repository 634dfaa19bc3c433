#!/usr/bin/env python3
"""The Redis users of tollgate-keys(7) may do what the page says of each, and no more."""

import os
import re
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
import tree
from redis_server import Redis, RedisError, RedisServer
from tollgated import Tollgated, libconfig, merged, wait_counted

MESSAGES = 3
COUNTERS = ("report smtp --domain example.com --by user",
            "report smtp --domain example.com --step day",
            "report imap-usage --domain example.com")
ALL_COUNTERS = ("report smtp --by domain", "report server-status --by node",
                "totals --from today --to today")
LIMITS = ("usage example.com", "limit show example.com", "plan show example.com",
          "violations example.com", "why bob@example.com")
ALL_LIMITS = ("violations", "violations --summary", "usage other.test", "top --once --interval 1",
              "report refusals", "report anomalies")
CHANGES = ("limit set example.com domain/recipients/hour 7", "plan set example.com default")
ALL = COUNTERS + ALL_COUNTERS + LIMITS + ALL_LIMITS + CHANGES

# Each role: what it may do of the above.
MAY = {"tollgate": ALL, "reader": COUNTERS + ALL_COUNTERS + LIMITS + ALL_LIMITS,
       "billing": COUNTERS + ALL_COUNTERS, "example": COUNTERS + LIMITS}
# What nobody may, and what only some may see.
NEVER = (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "1"), ("SHUTDOWN", "NOSAVE"))
OTHERS = (("HGETALL", "tg:{other.test}:total"), ("SMEMBERS", "tg:accounts:{00}"), ("SCAN", "0"))


def users(manual):
    """name -> the words of its ACL SETUSER."""
    text = manual.replace(" \\e\n", " ")
    lines = re.findall(r"(?m)^redis-cli (ACL SETUSER .*)$", text)
    return {shlex.split(line)[2]: shlex.split(line) for line in lines}


def run_as(daemon, role, command):
    conf = os.path.join(daemon.folder, role + ".conf")
    proc.write_text(conf, libconfig(merged(daemon.settings, {"store": {"username": role}})))
    words = command.split()
    return proc.run([os.path.join(tree.BUILD, "tollgate"), words[0], "-c", conf] + words[1:])


def check_role(daemon, role):
    for command in ALL:
        code, out, err = run_as(daemon, role, command)
        if command in MAY[role]:
            tap.ok(code == 0 and "NOPERM" not in out + err, "%s: %s" % (role, command), out, err)
        else:
            tap.ok(code != 0 and "NOPERM" in out + err, "%s: not %s" % (role, command), out, err)


def is_denied(redis, command):
    try:
        redis(*command)
    except RedisError as e:
        return str(e).startswith("NOPERM")
    return False


def check_bounds(server, role):
    redis = Redis(server.path)
    redis("AUTH", role, "secret")
    tap.none([c for c in NEVER if not is_denied(redis, c)], role + ": may not harm the server")
    if role == "example":
        tap.none([c for c in OTHERS if not is_denied(redis, c)], "it sees no other customer")
    if role != "tollgate":
        tap.ok(is_denied(redis, ("DEL", "tg:{example.com}:total")), role + ": writes nothing")
    redis.close()


def deliver(daemon):
    with milterclient.Session(daemon.socket, client="203.0.113.9", auth="bob@example.com") as s:
        for _ in range(MESSAGES):
            tap.ok(s.deliver("bob@example.com", ["x@gmail.test"],
                             milterclient.message_of([], 500)).accepted, "accepted")


def main():
    tap.need("redis-server")
    folder = proc.scratch("acl")
    server = RedisServer(folder)
    redis = Redis(server.path)
    table = users(tree.read("doc/tollgate-keys.7").decode())
    tap.same(sorted(table), sorted(MAY), "the users of the manual")
    for words in table.values():
        tap.same(redis(*words), "OK", " ".join(words[:3]))

    password = os.path.join(folder, "password")
    proc.write_text(password, "secret\n")
    daemon = Tollgated(folder, server.url, "unix:%s/milter.sock" % folder,
                       {"store": {"username": "tollgate", "password_file": password}})
    daemon.host(["example.com", "other.test"])
    daemon.start()
    deliver(daemon)
    wait_counted(redis, MESSAGES)
    tap.ok("NOPERM" not in daemon.log(), "tollgated needs no more", daemon.log())

    for role in MAY:
        check_role(daemon, role)
        check_bounds(server, role)
    daemon.stop()


tap.run(main)
