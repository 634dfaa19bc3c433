"""Windows in Redis as throttle.lua writes them, at times that the test names."""

import os

import proc

SCRIPT = os.path.join(proc.SOURCE, "lib", "throttle", "throttle.lua")
CLOCK = "redis.call('TIME')"
SET_CLOCK = "{ math.floor(tonumber(ARGV[#ARGV]) / 1000), tonumber(ARGV[#ARGV]) % 1000 * 1000 }"
LENGTHS_MS = {"10min": 600_000, "hour": 3_600_000, "day": 86_400_000, "7days": 604_800_000}
MOST = 1 << 50


class Windows:
    def __init__(self, redis, prefix="tg"):
        self.redis, self.prefix = redis, prefix
        with open(SCRIPT, encoding="utf-8") as file:
            source = file.read()
        assert source.count(CLOCK) == 1
        self.sha = redis("SCRIPT", "LOAD", source.replace(CLOCK, SET_CLOCK))

    def key(self, holder, metric, per, user=""):
        return "%s:{%s}:window:%s:%s%s" % (self.prefix, holder, metric, per,
                                           ":" + user if user else "")

    def consume(self, holder, metric, per, amount, at, user="", ends=(0, 0, 0)):
        """`at`: an aware datetime; `ends` (start of this month, its end, the next one's) for the
        window month."""
        ends_ms = [int(e.timestamp() * 1000) for e in ends] if per == "month" else []
        self.redis("EVALSHA", self.sha, 1, self.key(holder, metric, per, user), "consume",
                   LENGTHS_MS.get(per, 0), amount, 1, MOST, 0, 1, *ends_ms,
                   int(at.timestamp() * 1000))

    def look(self, holder, metric, per, amount, maximum, at, user=""):
        """What the throttle itself would answer: used, and in how many ms it fits."""
        reply = self.redis("EVALSHA", self.sha, 1, self.key(holder, metric, per, user), "look",
                           LENGTHS_MS[per], amount, 1, maximum, 0, 1,
                           int(at.timestamp() * 1000))
        return reply[2], reply[6] if len(reply) > 3 else 0
