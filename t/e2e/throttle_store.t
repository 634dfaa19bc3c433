#!/usr/bin/env python3
"""Redis stops and dies while mail is limited: mail goes on through Postfix within the time budget,
limited by tollgated itself, and the totals are exact in the end."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from site_postfix import Load, Site

CAROL = "carol@example.org"
TIMEOUT_S, AWAY_S = 4.0, 3.0
LIMIT = dict(scope="domain", metric="recipients", max="100000", per="hour", action="defer")
SMALL = "shop.example"  # has a limit of its own


class Prober(threading.Thread):
    """One message after the other, each timed."""

    def __init__(self, w):
        super().__init__(daemon=True)
        self.w, self.ended = w, threading.Event()
        self.took, self.faults = [], []  # (when, seconds)

    def run(self):
        while not self.ended.is_set():
            begun = time.monotonic()
            attempt = self.w.attempt(CAROL, ["probe@gmail.test"], login=CAROL)
            self.took.append((begun, time.monotonic() - begun))
            if not attempt.accepted:
                self.faults.append(repr(attempt))
            time.sleep(0.02)

    def since(self, when):
        return [s for at, s in self.took if at >= when]


def away(w, prober, name, leave, come_back):
    """While Redis is not there, no message waits but those that find out."""
    begun = time.monotonic()
    leave()
    time.sleep(AWAY_S)
    proc.wait_for("some messages", lambda: len(prober.since(begun)) >= 6)
    times = prober.since(begun)
    slow = [s for s in times if s >= TIMEOUT_S * 0.9]
    small = [w.attempt("www@" + SMALL, ["small@gmail.test"], login="www@" + SMALL).accepted
             for _ in range(4)]
    come_back()
    tap.ok(len(times) >= 6 and len(slow) <= 2 and max(times) < 3 * TIMEOUT_S,
           "%s: mail goes on, none waits but who finds out" % name, times)
    tap.note("%s: %d messages one by one in %g s, the slowest %.2f s" % (
        name, len(times), AWAY_S, max(times)))
    tap.ok(sum(small) <= 2, "%s: tollgated limits by itself" % name, small)
    return sum(small)


def frozen_and_killed(w):
    w.redis_server.kill()  # even a process that stands still ends by this


def start_again(w):
    w.redis_server.start()
    w.redis = w.redis_server.connect()


def out(w, domain):
    try:
        return int(w.redis("HGET", "tg:{%s}:total" % domain, "out_messages") or 0)
    except (OSError, ConnectionError):
        return -1


def total(w, domain, want):
    try:
        proc.wait_for("the total", lambda: out(w, domain) >= want, 60)
    except TimeoutError:
        pass
    return out(w, domain)


def settings():
    small = dict(LIMIT, max="2")
    folder = proc.scratch("plans")
    proc.write_text(folder + "/plans", SMALL + " small\n")
    return {"store": {"on_failure": "local", "timeout": "%dms" % (TIMEOUT_S * 1000)},
            "throttle": {"mode": "enforce", "assign": ["file:%s/plans" % folder]},
            "plans": [{"name": "default", "limits": [LIMIT]}, {"name": "small", "limits": [small]}]}


def main():
    tap.need("postfix", "redis-server", "smtp-source", root=True)
    w = Site(settings=settings())
    prober = Prober(w)
    prober.start()
    load = Load(w)
    load.start()
    proc.wait_for("the load", lambda: load.sent > 0)
    server = w.redis_server
    small = away(w, prober, "stopped", server.freeze, server.thaw)
    proc.wait_for("the store to be asked again", lambda: out(w, "example.org") > 0)
    small += away(w, prober, "killed", server.kill, lambda: start_again(w))
    proc.wait_for("the store to be asked again", lambda: out(w, "example.org") > 0)
    server.freeze()
    small += away(w, prober, "stopped, then killed", lambda: frozen_and_killed(w),
                  lambda: start_again(w))
    for thread in (prober, load):
        thread.ended.set()
        thread.join()
    tap.none(load.faults, "no message of the load was refused")
    tap.none(prober.faults[:5], "nor of those sent one by one")
    tap.same(total(w, "example.com", load.sent), load.sent, "all of the load is counted, once")
    tap.note("%d messages of the load" % load.sent)
    tap.same(total(w, "example.org", len(prober.took)), len(prober.took), "and all of the others")
    tap.same(total(w, SMALL, small), small, "and what passed the small limit")
    w.stop()


tap.run(main)
