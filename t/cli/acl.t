#!/usr/bin/env python3
"""The Redis users of tollgate-keys(7) may do what the page says of each, and no more."""

import os
import re
import shlex
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import milterclient
import proc
import tap
import tree
from redis_server import Redis, RedisError, RedisServer
from tollgated import Tollgated, libconfig, merged, wait_counted
from web import Web

MESSAGES = 3
COUNTERS = ("report smtp --domain example.com --by user",
            "report smtp --domain example.com --step day",
            "report imap-usage --domain example.com")
ALL_COUNTERS = ("report smtp --by domain", "report server-status --by node",
                "totals --from today --to today", "adjust list", "period list", "period verify")
LIMITS = ("usage example.com", "limit show example.com", "plan show example.com",
          "violations example.com", "why bob@example.com")
ALL_LIMITS = ("violations", "violations --summary", "usage other.test", "top --once --interval 1",
              "report refusals", "report anomalies")
CHANGES = ("limit set example.com domain/recipients/hour 7", "plan set example.com default")
ALL = COUNTERS + ALL_COUNTERS + LIMITS + ALL_LIMITS + CHANGES

# Each role: what it may do of the above.
READING = COUNTERS + ALL_COUNTERS + LIMITS + ALL_LIMITS
MAY = {"tollgate": ALL, "reader": READING, "web": READING,
       "webadmin": READING + CHANGES, "billing": COUNTERS + ALL_COUNTERS,
       "example": COUNTERS + LIMITS}
# What nobody may, and what only some may see.
NEVER = (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "1"), ("SHUTDOWN", "NOSAVE"))
FOREIGN = {
    "collector": (("DEL", "tg:{example.com}:violations"), ("XADD", "tg:violations", "*", "a", "b"),
                  ("ZADD", "tg:{example.com}:held", "1", "x"), ("SET", "tg:web:session:{x}", "y"),
                  ("GET", "tg:popauth:{192.0.2.1}"), ("GET", "other")),
    "web": (("HSET", "tg:{example.com}:total", "in_messages", "7"),
            ("SET", "tg:{example.com}:plan", "x"), ("DEL", "tg:violations"), ("GET", "other")),
    "webadmin": (("HSET", "tg:{example.com}:total", "in_messages", "7"),
                 ("ZADD", "tg:{example.com}:held", "1", "x"), ("DEL", "tg:violations"),
                 ("GET", "other"))}
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
    tap.none([c for c in FOREIGN.get(role, ()) if not is_denied(redis, c)],
             role + ": nothing that is another's")
    if role not in ("tollgate", "collector"):
        tap.ok(is_denied(redis, ("DEL", "tg:{example.com}:total")), role + ": writes nothing")
    redis.close()


def deliver(daemon):
    with milterclient.Session(daemon.socket, client="203.0.113.9", auth="bob@example.com") as s:
        for _ in range(MESSAGES):
            tap.ok(s.deliver("bob@example.com", ["x@gmail.test"],
                             milterclient.message_of([], 500)).accepted, "accepted")


def credentials(folder, role):
    return {"username": role, "password_file": os.path.join(folder, "password")}


def collect(folder, server, redis):
    """With refusals and an anomaly that sets a limit, as well as counters."""
    c = collector.Collector(
        folder, server.url,
        {"store": credentials(folder, "collector"), "throttle": {"on_anomaly": "defer"},
         "collect": {"anomaly_learn": "0ms", "anomaly_connections": 0, "anomaly_clients": 0,
                     "anomaly_recipients": 3}})
    logins = collector.Logins(c.log_path)
    c.start()
    logins.write(20)
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
    for text in ("smtpd[77]: B1C2D30001: client=x[192.0.2.4], sasl_method=PLAIN, "
                 "sasl_username=u1@example.com",
                 "qmgr[78]: B1C2D30001: from=<u1@example.com>, size=500, nrcpt=9 (queue active)"):
        logins.file.write(("%s mx postfix/%s\n" % (stamp, text)).encode())
    c.daemon.until("its counters", lambda: collector.counted(redis, "example.com") == logins.count)
    c.daemon.until("the anomaly", lambda: redis("EXISTS", "tg:anomalies"))
    c.daemon.until("its limit", lambda: "recipients" in str(redis.hash("tg:{example.com}:limits")))
    tap.same(c.stop(), 0, "tollgate-collect ends well")
    tap.ok("NOPERM" not in c.log(), "collector: it needs no more", c.log()[-1500:])


def change(web, cookie, want):
    page = web.get("/limits/@server", cookie)
    fields = {"token": page.token(), "what": "set", "scope": "server", "metric": "bytes",
              "per": "day", "max": "9GB", "reason": "x",
              "seen": re.search(r'name="seen" value="(\w+)"', page.text).group(1)}
    answer = web.post("/limits/@server", fields, cookie)
    tap.same(answer.status, want, "web: a limit", web.wrote()[-1500:])


def serve(folder, server):
    web = Web(folder, server.url)
    proc.write_text(web.command.conf, proc.read_text(web.command.conf).replace(
        "store: {", 'store: { username = "web"; password_file = "%s/password";' % folder))
    web.add_user("root", "correct horse", "admin")
    web.start()
    cookie = web.sign_in("root", "correct horse")
    answers = [web.get(path, cookie).status for path in ("/", "/violations", "/account", "/r/smtp")]
    tap.same(answers, [200] * 4, "web: pages", cookie, web.wrote()[-1500:])
    tap.ok("NOPERM" not in web.wrote(), "web: it needs no more", web.wrote()[-1500:])
    change(web, cookie, 503)
    web.stop()
    proc.write_text(web.command.conf,
                    proc.read_text(web.command.conf).replace('"web"', '"webadmin"'))
    web.start()
    change(web, cookie, 303)
    tap.same(web.stop(), 0, "tollgate-web ends well")


def main():
    tap.need("redis-server")
    folder = proc.scratch("acl")
    server = RedisServer(folder)
    redis = Redis(server.path)
    table = users(tree.read("doc/tollgate-keys.7").decode())
    tap.same(sorted(table), sorted([*MAY, "collector"]), "the users of the manual")
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
    check_bounds(server, "collector")
    collect(folder, server, redis)
    serve(folder, server)
    daemon.stop()


tap.run(main)
