#!/usr/bin/env python3
"""throttle.lua in a real Redis, with a clock that the test sets, against a list of all events.

Never more than the maximum in any window; nothing refused that fits by more than a sixtieth of the
window; the time to retry is the first at which it fits.
"""

import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer

SCRIPT = os.path.join(proc.SOURCE, "lib", "throttle", "throttle.lua")
CLOCK = "redis.call('TIME')"
SET_CLOCK = "{ math.floor(tonumber(ARGV[#ARGV]) / 1000), tonumber(ARGV[#ARGV]) % 1000 * 1000 }"
START = 1_800_000_000_000
HOUR, DAY = 3_600_000, 86_400_000
EVENTS = 1500


class Window:
    def __init__(self, redis, key, length, maximum, soft=0):
        self.redis, self.key, self.length, self.maximum, self.soft = (
            redis, key, length, maximum, soft)
        with open(SCRIPT, encoding="utf-8") as file:
            source = file.read()
        assert source.count(CLOCK) == 1
        self.sha = redis("SCRIPT", "LOAD", source.replace(CLOCK, SET_CLOCK))

    def ask(self, mode, now, amount, ends=(0, 0)):
        reply = self.redis("EVALSHA", self.sha, 1, self.key, mode, self.length, amount, *ends, 1,
                           self.maximum, self.soft, 1, now)
        names = ("now", "stopped", "used", "over", "crossing", "soft", "retry")
        return dict(zip(names, reply))

    def back(self, then, now, amount):
        self.redis("EVALSHA", self.sha, 1, self.key, "back %d" % then, self.length, amount, 0, 0, 0,
                   now)


def total(events, end, length):
    return sum(amount for at, amount in events if end - length < at <= end)


def rolling(redis, name, length, maximum, largest, seed):
    random.seed(seed)
    window = Window(redis, "w%d" % seed, length, maximum)
    events, faults, now, refused = [], [], START + seed, 0
    for _ in range(EVENTS):
        far = random.randrange(50) == 0
        now += random.randrange(2 * length) if far else random.randrange(length // 40 + 2)
        amount = random.randint(1, largest)
        events = [e for e in events if e[0] > now - 2 * length]
        answer = window.ask("consume", now, amount)
        if not answer["stopped"]:
            events.append((now, amount))
            if total(events, now, length) > maximum:
                faults.append("%d at %d: more than %d" % (amount, now, maximum))
            continue
        refused += 1
        if amount > maximum:
            if answer["retry"] != -1:
                faults.append("%d never fits, told %r" % (amount, answer))
            continue
        if total(events, now, length + -(-length // 60)) + amount <= maximum:
            faults.append("%d at %d: refused though it fits" % (amount, now))
        at = now + answer["retry"]
        if window.ask("look", at, amount)["stopped"] or not window.ask("look", at - 1,
                                                                      amount)["stopped"]:
            faults.append("%d at %d: wrong time to retry: %r" % (amount, now, answer))
    tap.ok(refused < EVENTS, name + ": some pass")
    tap.none(faults[:10], name + ": exact against all events")


def month(redis):
    ends = (START + 1_000_000, START + 2_000_000)
    window = Window(redis, "month", 0, 10, soft=50)
    steps = [(10, 5, 0), (20, 6, 1), (999_999, 5, 0), (1_000_000, 10, 0), (1_000_001, 1, 1)]
    for at, amount, stopped in steps:
        answer = window.ask("consume", START + at, amount, ends)
        tap.same(answer["stopped"], stopped, "month: %d at %d" % (amount, at))
    tap.same(answer["retry"], 999_999, "month: room at its end")


def events(redis):
    window = Window(redis, "events", 60_000, 10, soft=80)
    tap.same(window.ask("consume", START, 7)["soft"], 0, "below the soft percentage")
    tap.same(window.ask("consume", START + 1, 1)["soft"], 1, "reached")
    tap.same(window.ask("consume", START + 2, 1)["soft"], 0, "told once a window")
    tap.same(window.ask("consume", START + 3, 5)["crossing"], 1, "crossed")
    tap.same(window.ask("consume", START + 4, 5)["crossing"], 0, "told once")
    tap.same(window.ask("look", START + 5, 1)["stopped"], 0, "a look")
    tap.same(window.ask("consume", START + 6, 1)["stopped"], 0, "does not consume")
    tap.same(window.ask("consume", START + 7, 1)["crossing"], 1, "crossed again after a fit")
    window.back(START, START + 8, 7)
    tap.same(window.ask("look", START + 9, 7)["used"], 3, "given back")
    window.back(START, START + 8, 70)
    tap.same(window.ask("look", START + 9, 7)["used"], 0, "never below nothing")
    ttl = redis("PTTL", "events")
    tap.ok(60_000 < ttl <= 63_000, "the key goes with its window", ttl)


def main():
    tap.need("redis-server")
    with tempfile.TemporaryDirectory(prefix="tg-") as folder:
        server = RedisServer(folder)
        try:
            redis = server.connect()
            rolling(redis, "600 an hour", HOUR, 600, 10, 1)
            rolling(redis, "500 a day", DAY, 500, 9, 2)
            rolling(redis, "1 a day", DAY, 1, 2, 3)
            rolling(redis, "10 a second", 1000, 10, 4, 4)
            rolling(redis, "7 in 1009 ms", 1009, 7, 3, 5)
            rolling(redis, "5 MB in 7 days", 7 * DAY, 5_000_000, 400_000, 6)
            month(redis)
            events(redis)
        finally:
            server.stop()


tap.run(main)
