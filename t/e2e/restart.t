#!/usr/bin/env python3
"""tollgated is restarted and reloaded while mail comes through real Postfix, with a supervisor that
keeps its descriptors: Postfix notices nothing, every message is accepted and counted once.

TG_RESTARTS: how many (6)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import supervisor
import tap
import tollgated
from site_postfix import Load, Site

RESTARTS = int(os.environ.get("TG_RESTARTS", "6"))
LIMIT = {"scope": "domain", "metric": "messages", "max": "100000000", "per": "hour",
         "action": "defer"}


def restart(w, keeper, loads):
    """Not before each load has gone on since the last one."""
    passed = tollgated.node_messages(w.redis)
    proc.wait_for("mail", lambda: tollgated.node_messages(w.redis) > passed or
                  any(x.faults for x in loads), 60)
    w.tollgated.reload()
    tap.same(w.tollgated.stop(), 0, "a clean stop")
    keeper.start(w.tollgated)


def main():
    tap.need("postfix", "redis-server", "smtp-source", root=True)
    w = Site(settings={"throttle": {"mode": "enforce"}, "milter": {"engine": "native"},
                       "plans": [{"name": "default", "limits": [LIMIT]}]})
    w.tollgated.stop()
    keeper = supervisor.Supervisor(w.folder)
    os.chmod(keeper.path, 0o777)
    keeper.start(w.tollgated)
    loads = [Load(w), Load(w, "-d")]  # a session a message, and sessions of many
    for load in loads:
        load.start()
    for _ in range(RESTARTS):
        restart(w, keeper, loads)
    for load in loads:
        load.ended.set()
        load.join()
    tap.none([f for load in loads for f in load.faults], "no message was refused")
    sent = sum(load.sent for load in loads)
    tollgated.wait_counted(w.redis, sent)
    tap.same(tollgated.node_messages(w.redis), sent, "each is counted once")
    log = w.postfix.log()
    tap.none([x for x in log.split("\n") if "warning: milter" in x][:5], "Postfix noticed nothing")
    tap.note("%d messages, sessions handed over in %d of %d restarts" % (
        sent, w.tollgated.log().count("sessions taken over"), RESTARTS))
    w.stop()


tap.run(main)
