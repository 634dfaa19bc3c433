"""A journal with its accountant (t/ledger/accountant-driver), and what they must have counted."""

import os
import re

import proc

DRIVER = os.path.join(proc.BUILD, "t/ledger/accountant-driver")
COUNTERS = ("in_messages", "in_bytes", "throttled_messages")


class Node:
    def __init__(self, folder, name, url):
        self.name, self.url = name, url
        self.state = os.path.join(folder, name)
        self.log = os.path.join(folder, name + ".log")
        self.last = 0

    def argv(self, last, mode=None):
        return [DRIVER, self.state, self.url, self.name, str(last)] + ([mode] if mode else [])

    def start(self, last, mode=None):
        return proc.Daemon(self.argv(last, mode), self.log)

    def run(self, last, mode=None, env=None):
        """To the end: (exit code, what it said)."""
        code, out, said = proc.run(self.argv(last, mode), env=env)
        with open(self.log, "a", encoding="utf-8") as f:
            f.write(said)
        found = re.search(r"^last (\d+)$", out, re.M)
        self.last = int(found.group(1)) if found else self.last
        return code, said

    def journal(self):
        return os.path.join(self.state, "journal")

    def segments(self):
        return sorted(f for f in os.listdir(self.journal()) if f.endswith(".journal"))


def kind_of(number):
    """As the driver has it: what is it, and what becomes of it by which number."""
    if number % 10 == 3:
        return "held", {3: number + 4, 23: number + 4}.get(number % 40)
    if number % 40 in (7, 27, 29, 37):
        return "lets go", None
    return ("event" if number % 10 == 5 else "message"), None


def is_held(number, last):
    return number % 40 == 13 or (number % 10 == 3 and number + 4 > last)


def expected(nodes):
    """Account or (account, user) -> [messages, bytes, throttled messages], and ("held", account) ->
    members, for all records of the nodes."""
    sums = {}

    def add(key, place, amount):
        sums.setdefault(key, [0, 0, 0])[place] += amount

    for node in nodes:
        for number in range(1, node.last + 1):
            size = 1000 + number * 37 % 4999
            domain = "d%d.example" % (number % 7)
            kind, released = kind_of(number)
            if kind == "event":
                add(domain, 2, 1)
            if kind == "message" or (released and released <= node.last):
                for key in (domain, (domain, "u%d@%s" % (number % 5, domain)), "@" + node.name):
                    add(key, 0, 1)
                    add(key, 1, size)
            if kind == "held" and is_held(number, node.last):
                sums.setdefault(("held", domain), []).append("%s/Q%d" % (node.name, number))
    return {key: sorted(value) if key[0] == "held" else value for key, value in sums.items()}


def counted(redis):
    """The same out of Redis: totals, the users of all months, and what is held."""
    sums = {}
    accounts = [a for i in range(16) for a in redis("SMEMBERS", "tg:accounts:{%02x}" % i)]
    for account in accounts + ["@" + n for n in redis("SMEMBERS", "tg:nodes")]:
        total = redis.hash("tg:{%s}:total" % account)
        sums[account] = [int(total.get(name, 0)) for name in COUNTERS]
        if account.startswith("@") and [int(total["messages"]), int(total["bytes"])] != \
                sums[account][:2]:
            sums[account] = ["differs"]
    for key in redis("KEYS", "tg:{*}:users:month:*"):
        account = re.search("{(.*)}", key).group(1)
        for field, value in redis.hash(key).items():
            user, _, counter = field.rpartition(" ")
            if counter in COUNTERS:
                entry = sums.setdefault((account, user), [0, 0, 0])
                entry[COUNTERS.index(counter)] += int(value)
    for key in redis("KEYS", "tg:{*}:held"):
        account = re.search("{(.*)}", key).group(1)
        sums[("held", account)] = sorted(redis("ZRANGE", key, "0", "-1"))
    return sums


def differences(got, want):
    return ["%s: got %s, want %s" % (k, got.get(k), want.get(k))
            for k in sorted(set(got) | set(want), key=str) if got.get(k) != want.get(k)]
