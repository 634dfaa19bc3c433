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
START = 4_000_000_000_000  # in 2096: the server deletes what is long over by the true clock
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

    def ask(self, *question):
        return self.named(self.redis(*self.words(*question)))

    def ask_kept(self, *question):
        """The server deletes a window by its own clock, which a slow machine may outlast."""
        return self.named(self.redis.pipe([("MULTI",), self.words(*question),
                                           ("PERSIST", self.key), ("EXEC",)])[-1][0])

    def words(self, mode, now, amount, month=(0, 0, 0)):
        return ("EVALSHA", self.sha, 1, self.key, mode, self.length, amount, 1, self.maximum,
                self.soft, 1, *self.month(month), now)

    @staticmethod
    def named(reply):
        names = ("now", "stopped", "used", "over", "crossing", "soft", "retry", "room")
        return dict(zip(names, reply + [0] * (len(names) - len(reply))))

    def settle(self, mode, now, month=(0, 0, 0)):
        """0: the reservation was there."""
        return self.redis("EVALSHA", self.sha, 1, self.key, mode, self.length, 0, 0,
                          *self.month(month), now)[1]

    def month(self, month):
        return month if self.length == 0 else ()


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
        answer = window.ask_kept("consume", now, amount)
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
    ends = (START, START + 1_000_000, START + 2_000_000)
    window = Window(redis, "month", 0, 10, soft=50)
    steps = [(10, 5, 0), (20, 6, 1), (999_999, 5, 0), (1_000_000, 10, 0), (1_000_001, 1, 1)]
    for at, amount, stopped in steps:
        answer = window.ask("consume", START + at, amount, ends)
        tap.same(answer["stopped"], stopped, "month: %d at %d" % (amount, at))
    tap.same(answer["retry"], 999_999, "month: room at its end")
    for at, what in ((-1, "before"), (2_000_000, "after")):
        answer = window.ask("consume", START + at, 1, ends)
        tap.same((answer["now"], answer["stopped"]), (START + at, -1),
                 "month: a time %s the two months is said to be so" % what)
    later = tuple(e + 1_000_000 for e in ends)
    tap.same(window.ask("look", START + 1_999_999, 1, later)["used"], 10,
             "month: whoever names it, it is the same month")
    ahead = Window(redis, "month-ahead", 0, 10)
    ahead.ask("consume", START + 1_000_000, 10, ends)
    tap.same(ahead.ask("consume", START + 1, 1, ends)["stopped"], 1,
             "month: what was consumed while the clock was ahead counts now")
    tap.same(ahead.ask("consume", START + 1_000_001, 10, ends)["stopped"], 1,
             "month: and as long as it was said to")


def several(redis):
    """Windows of one call: each gets its own amount, months before others too."""
    sha, keys = Window(redis, "", 0, 0).sha, ("{a}month", "{b}month", "{b}hour", "{c}month")
    month = (START, START + DAY, START + 2 * DAY)
    for turn in range(4):
        asked = []
        for place, key in enumerate(keys):
            asked += [HOUR if "hour" in key else 0, place + 1, 1, 1000, 0, 1]
            asked += month if "month" in key else ()
        reply = redis("EVALSHA", sha, len(keys), *keys, "consume", *asked, START + 1000 + turn)
        tap.same(reply[1], 0, "several windows fit, turn %d" % turn)
    tap.same([redis("HGET", key, "s") for key in keys], ["4", "8", "12", "16"],
             "each has what it was asked for")
    tap.none([key for key in keys if "" in redis.hash(key)], "and nothing else")


def ahead(redis):
    """The clock was ahead, then it is set right: the window closes no longer than its length."""
    for name, offset in (("a step", 150_000), ("an hour", HOUR), ("a year", 365 * DAY)):
        window = Window(redis, "ahead %s" % name, HOUR, 4, soft=50)
        window.ask("consume", START + offset - 1_800_000, 2)
        window.ask("consume", START + offset, 2)
        answer = window.ask("consume", START, 1)
        tap.same((answer["stopped"], answer["used"]), (1, 4), "%s ahead: never more" % name)
        tap.ok(0 < answer["retry"] <= HOUR // 2 + HOUR // 60, "%s ahead: room in time" % name,
               answer)
        at = START + answer["retry"]
        tap.same((window.ask("consume", at - 1, 1)["stopped"],
                  window.ask("consume", at, 2)["stopped"]), (1, 0),
                 "%s ahead: and no sooner" % name)
        tap.same(window.ask("consume", START + HOUR + HOUR // 60, 2)["stopped"], 0,
                 "%s ahead: all of it is free after an hour" % name)
        tap.same(window.ask("look", START + 3 * HOUR, 4)["used"], 0, "%s ahead: then empty" % name)
    window = Window(redis, "ahead soft", HOUR, 4, soft=50)
    tap.same(window.ask("consume", START + DAY, 2)["soft"], 1, "ahead: the soft percentage")
    tap.same(window.ask("consume", START + 2 * HOUR, 2)["soft"], 1,
             "ahead: reached again after the clock is right")


def reservations(redis):
    ends = (START, START + DAY, START + 2 * DAY)
    for length in (HOUR, 0):
        def window(name, maximum=10):
            return Window(redis, "reserve %s %d" % (name, length), length, maximum)
        a = window("kept")
        tap.same(a.ask("reserve x1 5000", START, 6, ends)["stopped"], 0, "reserved")
        tap.same(a.ask("look", START + 1, 5, ends)["stopped"], 1, "it counts at once")
        tap.same(a.settle("keep x1", START + 4999, ends), 0, "kept in time")
        tap.same(a.settle("keep x1", START + 4999, ends), 1, "only once")
        tap.same(a.ask("look", START + 6000, 5, ends)["used"], 6, "and it stays")
        b = window("given back")
        b.ask("consume", START, 1, ends)
        b.ask("reserve y1 5000", START, 6, ends)
        b.ask("reserve y2 5000", START + 1, 3, ends)
        tap.same(b.settle("back y1", START + 2, ends), 0, "given back")
        tap.same(b.ask("look", START + 3, 5, ends)["used"], 4, "the others stay")
        c = window("lapsed")
        c.ask("reserve z1 5000", START, 6, ends)
        tap.same(c.ask("consume", START + 5000, 10, ends)["stopped"], 0,
                 "what nobody keeps is given back in time")
        tap.same(c.settle("keep z1", START + 5001, ends), 1, "and cannot be kept any more")
        tap.same(c.ask("look", START + 5002, 1, ends)["used"], 10, "which changes nothing")
        d = window("late")
        d.ask("reserve z1 5000", START, 6, ends)
        d.ask("look", START + 5000, 1, ends)
        tap.same(redis("HEXISTS", d.key, "p"), 0, "nothing is left of it")
        tap.same(d.ask("look", START + 5001, 1, ends)["used"], 0, "and it is given back once")
        e = window("clock back")
        e.ask("reserve z1 5000", START + DAY // 2, 6, ends)
        tap.same(e.ask("look", START + 1, 1, ends)["used"], 0,
                 "nor does it outlive a clock that is set back")


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
    tap.same(window.ask("look", START + 8, 0)["room"], window.ask("look", START + 8, 1)["retry"],
             "room for one")
    tap.same(window.ask("consume", START + 59_000, 1)["soft"], 0, "a later slice, the same window")
    tap.same(window.ask("consume", START + 62_000, 9)["soft"], 1, "told again in the next")
    window.ask("reserve r 5000", START + 125_000, 1)
    window.ask("consume", START + 129_000, 1)
    window.settle("back r", START + 129_999)
    tap.same(window.ask("look", START + 130_000, 7)["used"], 1, "given back in a later slice")
    ttl = redis("PTTL", "events")
    tap.ok(60_000 < ttl <= 63_000, "the key goes with its window", ttl)


def leases(redis):
    """No lease reaches the soft percentage before it is told, by the long way or the short one."""
    window = Window(redis, "leases", HOUR, 1000, soft=80)

    def lease(amount):
        reply = redis("EVALSHA", window.sha, 1, window.key, "lease 2", HOUR, amount, 1, 1000, 80, 1,
                      1000, START)
        return window.named(reply[:-2])["soft"], reply[-1]
    tap.same(lease(700), (0, 49), "a half of what is left below it")
    tap.same(lease(10), (0, 20), "in a slice that has begun, too")
    tap.same(lease(21), (1, 0), "nothing where it is reached")
    tap.same(lease(10), (0, 95), "then a half of what is left below the maximum")


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
            several(redis)
            ahead(redis)
            reservations(redis)
            events(redis)
            leases(redis)
        finally:
            server.stop()


tap.run(main)
