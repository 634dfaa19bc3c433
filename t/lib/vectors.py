"""The classification cases of t/data: their site as files, and what they must count."""

import json
import os

import proc

DATA = os.path.join(proc.SOURCE, "t", "data")


def cases():
    with open(os.path.join(DATA, "classify.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def write_site(folder, redis, prefix="tg"):
    """The world as files in the folder and POP-before-SMTP keys; settings for tollgated."""
    with open(os.path.join(DATA, "world.json"), encoding="utf-8") as f:
        world = json.load(f)
    lines = {
        "domains": ["%s %s" % (name, owner or "") for name, owner in world["hosted"].items()],
        "forwards": ["%s %s" % (a, ",".join(to)) for a, to in world["forwards"].items()],
        "logins": ["%s %s" % pair for pair in world["logins"].items()],
    }
    for name, text in lines.items():
        proc.write_text(os.path.join(folder, name), "".join(line + "\n" for line in text))
    for ip, login in world["popauth"].items():
        redis("SET", "%s:popauth:{%s}" % (prefix, ip), login)
    return {
        "hosted": {name: ["file:" + os.path.join(folder, name)] for name in lines},
        "networks": {"host": world["host"], "customers": world["customers"]},
    }


def add(total, expected):
    """Adds a case's counters to what has been expected so far."""
    for account, counters in expected.items():
        into = total.setdefault(account, {})
        for name, amount in counters.items():
            into[name] = into.get(name, 0) + amount
    return total
