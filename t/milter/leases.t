#!/usr/bin/env python3
"""Leases through the running daemon: two nodes and 64 connections spend one limit. Never one too
many passes; what was leased and not used comes back while both run, and then all that is left fits.

TG_MESSAGES: how many each connection sends (20)."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
from limit_site import MESSAGE, Site, limit

CONNECTIONS, EACH = 64, int(os.environ.get("TG_MESSAGES", "20"))
LIMIT = 150 * EACH  # of the 350 that are wanted of each connection's messages, in all
BACK_S = 40  # a slice of ten minutes, and some for a machine with much else to do
ALICE = "alice@example.com"
WINDOW = "tg:{example.com}:window:recipients:10min"


class Racer(threading.Thread):
    """Messages of one to ten recipients, one after the other."""

    def __init__(self, site, number):
        super().__init__()
        self.site, self.number = site, number
        self.passed, self.messages, self.faults = 0, 0, []

    def run(self):
        try:
            with milterclient.Session(self.site.nodes[self.number % 2].socket, auth=ALICE) as s:
                for i in range(EACH):
                    self.message(s, 1 + (7 * self.number + 3 * i) % 10)
        except (milterclient.Lost, OSError) as e:
            self.faults.append(repr(e))

    def message(self, session, count):
        result = session.deliver(ALICE, ["r%d@far.test" % i for i in range(count)], MESSAGE)
        self.messages += 1
        if result.accepted:
            self.passed += len(result.recipients)
        elif "example.com: limit of" not in result.text:
            self.faults.append(repr(result))


def race(site):
    racers = [Racer(site, n) for n in range(CONNECTIONS)]
    for racer in racers:
        racer.start()
    return racers


def joined(racers):
    """Recipients that passed, and messages that were sent."""
    for racer in racers:
        racer.join()
    return sum(r.passed for r in racers), sum(r.messages for r in racers)


def used(site):
    return int(site.redis("HGET", WINDOW, "s") or 0)


def log_trips(site):
    site.redis("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 1000000)


def trips(site):
    """Scripts about windows: how many a push makes of its own depends on the machine's pace."""
    commands = [entry[3] for entry in site.redis("SLOWLOG", "GET", -1)]
    return sum(1 for command in commands if command[0].upper() in ("EVAL", "EVALSHA")
               and any(":window:" in word for word in command[1:]))


def made(name, maximum=LIMIT):
    return Site(name, limit("domain/recipients/10min", maximum),
                limit("user/messages/10min", 1000000), nodes=2, timeout="10s", on_failure="defer",
                throttle={"leases": True})


def test_far_below():
    site = made("leases-far", 1000000)
    log_trips(site)
    passed, count = joined(race(site))
    needed = trips(site)
    tap.note("%d messages, %d trips" % (count, needed))
    tap.ok(0 < needed < count * 9 // 10, "far below the limits not each message needs a trip")
    proc.wait_for("leases to come back", lambda: used(site) == passed, BACK_S)
    tap.same(used(site), passed, "the store has counted what passed")
    site.stop()


def test_race():
    site = made("leases-race")
    racers = race(site)
    passed = joined(racers)[0]
    tap.none([f for r in racers for f in r.faults][:5], "each message has its answer")
    tap.ok(passed <= LIMIT, "never over the limit, on two nodes together", passed)
    proc.wait_for("leases to come back", lambda: used(site) == passed, BACK_S)
    tap.same(used(site), passed, "what was not used comes back")
    left = LIMIT - passed
    fits = lambda: site.send(ALICE, ["f%d@far.test" % i for i in range(left)], auth=ALICE, node=0)
    tap.note("%d of %d let through" % (passed, LIMIT))
    if left > 0:
        proc.wait_for("room", lambda: len(fits().recipients) == left, BACK_S)
    tap.ok(not site.send(ALICE, ["o@far.test"], auth=ALICE, node=1).accepted, "one more does not")
    tap.same(used(site), LIMIT, "all of the limit is used")
    tap.same(site.wait_counter("out_recipients", LIMIT), LIMIT, "and counted")
    site.stop()


def test_kill():
    """What a node had leased when it was killed is lost until its window passes; nothing of it is
    given to two."""
    site = made("leases-kill")
    racers = race(site)
    proc.wait_for("mail", lambda: used(site) > LIMIT // 4)
    site.nodes[0].kill()
    site.nodes[0].start()
    passed = joined(racers)[0] + joined(race(site))[0]
    tap.ok(passed <= LIMIT, "a node is killed: never over the limit", passed)
    tap.ok(passed <= used(site) <= LIMIT, "nor in the store", passed, used(site))
    site.stop()


def main():
    tap.need("redis-server")
    test_far_below()
    test_race()
    test_kill()


tap.run(main)
