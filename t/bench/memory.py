#!/usr/bin/env python3
"""memory.py [DOMAINS [MESSAGES]]: memory of tollgated with so many hosted domains, of which each
gets mail: after the start, while messages come, when all is pushed, and after a reload."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tollgated

PLAN = {"name": "default", "limits": [
    {"scope": "domain", "metric": "bounces", "max": "1000", "per": "hour", "action": "defer"},
    {"scope": "domain", "metric": "recipients", "max": "600", "per": "hour", "action": "defer"},
    {"scope": "user", "metric": "messages", "max": "200", "per": "day", "action": "defer"}]}


def memory_mb(daemon):
    """Now and at most."""
    status = proc.read_text("/proc/%d/status" % daemon.daemon.pid)
    return tuple(int(re.search(r"%s:\s+(\d+) kB" % field, status).group(1)) / 1024
                 for field in ("VmRSS", "VmHWM"))


def say(what, daemon, began):
    now, most = memory_mb(daemon)
    print("%-28s %6.0f MB, at most %6.0f MB, after %.0f s" % (what, now, most,
                                                             time.monotonic() - began), flush=True)


def main():
    domains = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else domains
    folder = proc.scratch("memory")
    redis = redis_server.RedisServer(folder)
    daemon = tollgated.Tollgated(folder, redis.url, "unix:%s/milter.sock" % folder,
                                 {"log": {"level": "notice"}, "ledger": {"push": "200ms"},
                                  "plans": [PLAN]})
    daemon.host("d%d.test" % i for i in range(1, domains + 1))
    began = time.monotonic()
    daemon.start()
    say("%d domains" % domains, daemon, began)
    step = max(messages // 10, 1)
    for sent in range(0, messages, step):
        code, out, err = proc.run(
            [os.path.join(proc.BUILD, "t/bench/load"), "-s", daemon.socket, "-c", "8", "-B",
             "-m", str(step), "-H", "5", "-b", "1000", "-p", "100", "-d", str(domains),
             "-f", str(sent)], timeout_s=3600)
        if code != 0:
            sys.exit("memory.py: " + err + out)
        say("%d messages" % (sent + step), daemon, began)
    connection = redis.connect()
    tollgated.wait_counted(connection, messages, quiet_s=60)
    say("all counted and pushed", daemon, began)
    daemon.host("d%d.test" % i for i in range(1, domains + 2))
    daemon.reload()
    daemon.daemon.until("the reload", lambda: "configuration reloaded" in daemon.log(), 60)
    say("reloaded", daemon, began)
    daemon.stop()
    redis.stop()


main()
