#!/usr/bin/env python3
"""The Redis of the simulation answers as a real one: commands in random order, and the scripts."""

import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree
from redis_server import RedisError, RedisServer

ROUNDS = 60
COMMANDS = 60
SIMULATE = os.path.join(tree.BUILD, "t/sim/simulate")
UNSORTED = {"SMEMBERS": 1, "HKEYS": 1, "HGETALL": 2}  # the model sorts by name
KEYS = ("tg:{a}:total", "tg:{a}:users:month:2026-11", "tg:{@n}:node", "set", "text", "held")
SHARES = ("_mx1.0a0a0a0a", "_mx2.0b0b0b0b", "_mx1.0c0c0c0c")


def counters(rng):
    return " ".join("%s %d" % (name, rng.randrange(5000)) for name in
                    rng.sample(("in_messages", "in_bytes", "out_bytes", "messages", "strange_name"),
                               rng.randrange(1, 5)))


def field(rng):
    return rng.choice(("in_messages", "in_bytes", "_x", "u@a in_bytes", SHARES[0]))


def script(rng):
    what = rng.randrange(8)
    if what == 0:
        return ["EVAL", "users", "1", KEYS[1], "0", "100"]
    if what == 1:
        return ["EVAL", "adopt", "1", rng.choice(KEYS[:2]), "mx1", "0", "1000"]
    if what == 2:
        stamp = rng.randrange(4)
        return ["EVAL", "node", "1", KEYS[2], "r%d" % rng.randrange(2), str(stamp), str(stamp + 1),
                "_run", "r%d" % rng.randrange(2), "_stamp", str(stamp + 1)]
    user = rng.choice(("", "u@a", "v@a"))
    return ["EVAL", "push", "1", KEYS[1] if user else KEYS[0], rng.choice(SHARES),
            str(rng.randrange(1, 9)), counters(rng), user, rng.choice(("", "3")),
            rng.choice(("", "sweep", "show")), rng.choice(("", "names"))]


def command(rng):
    key = rng.choice(KEYS)
    make = rng.choice((
        lambda: ["HGET", key, field(rng)], lambda: ["HMGET", key, field(rng), field(rng)],
        lambda: ["HGETALL", key], lambda: ["HKEYS", key],
        lambda: ["HLEN", key], lambda: ["SMEMBERS", key],
        lambda: ["HSET", key, field(rng), str(rng.randrange(99))],
        lambda: ["HDEL", key, field(rng)], lambda: ["SADD", key, rng.choice("xyz")],
        lambda: ["ZADD", key, str(rng.randrange(9)), rng.choice("xyz")],
        lambda: ["ZREM", key, rng.choice("xyz")], lambda: ["ZCARD", key],
        lambda: ["EXPIRE", key, "86400"],
        lambda: ["GET", key], lambda: ["SET", key, "v", "NX"], lambda: ["DEL", key],
        lambda: ["EXPIREAT", key, "9999999999"]) + (lambda: script(rng),) * 20)
    return make()


def text(reply):
    if isinstance(reply, list):
        return "[ " + "".join(map(text, reply)) + "] "
    if isinstance(reply, int):
        return ":%d " % reply
    return "_ " if reply is None else "$%s " % reply


def listed(word):
    """The order of the shares in _nodes is that in which a server gives its fields."""
    return re.sub(r"(?<=\$)_\S+(?: _\S+)+(?= )", lambda m: " ".join(sorted(m.group().split())),
                  word)


def sort(words, reply):
    step = UNSORTED.get(words[0])
    if step and isinstance(reply, list):
        groups = sorted(tuple(reply[i:i + step]) for i in range(0, len(reply), step))
        return [word for group in groups for word in group]
    if words[:2] == ["EVAL", "adopt"] and isinstance(reply, list):
        groups = sorted(tuple(reply[i:i + 3]) for i in range(1, len(reply), 3))
        return reply[:1] + [word for group in groups for word in group]
    return reply


def sources():
    """Of the scripts, as they are embedded."""
    made = proc.read_text(os.path.join(tree.BUILD, "lib/ledger/scripts.lua.c"))
    out = {}
    for name, body in re.findall(r"script_(\w+)_source\[\] =\n(.*?)\n    ;", made, re.S):
        out[name] = "".join(bytes(line, "utf-8").decode("unicode_escape")
                            for line in re.findall(r'^    "(.*)"$', body, re.M))
    return out


def main():
    tap.need("redis-server")
    server = RedisServer(proc.scratch("simredis"))
    redis, scripts = server.connect(), sources()
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        asked = [command(rng) for _ in range(COMMANDS)]
        redis("FLUSHALL")
        want = []
        for words in asked:
            try:
                line = words if words[0] != "EVAL" else ["EVAL", scripts[words[1]]] + words[2:]
                want.append(text(sort(words, redis(*line))))
            except RedisError:
                want.append("- ")
        code, out, err = proc.run([SIMULATE, "ask", tree.SOURCE + "/t/sim/redis.lua"],
                                  "".join("\t".join(w) + "\n" for w in asked).encode())
        got = out.split("\n")[:-1]
        faults = ["%s: %s, a real one says %s" % (" ".join(w), g, x)
                  for w, g, x in zip(asked, got, want) if listed(g) != listed(x)]
        tap.ok(code == 0 and len(got) == len(want) and not faults, "seed %d" % seed, err,
               *faults[:3])


tap.run(main)
