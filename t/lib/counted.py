"""Counters in Redis as tollgated writes them: plain fields beside the nodes' shares."""

import datetime
import hashlib
import zoneinfo

UTC = datetime.timezone.utc
LEDGERS = {"mx1": "0badcafe", "mx2": "12345678"}


class Counted:
    """What has been counted, by key. Each message goes to its account, its user and its node."""

    def __init__(self, zone="UTC", prefix="tg"):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.prefix = prefix
        self.shares = {}      # key -> {share field: {counter: amount}}
        self.accounts = set()
        self.nodes = set()

    def _periods(self, when):
        here = when.astimezone(self.zone)
        yield "total"
        yield here.strftime("month:%Y-%m")
        yield here.strftime("day:%Y-%m-%d")
        yield when.astimezone(UTC).strftime("hour:%Y-%m-%dT%H")

    def _count(self, key, node, user, counters):
        share = "_%s.%s%s" % (node, LEDGERS.get(node, "deadbeef"), " " + user if user else "")
        amounts = self.shares.setdefault(key, {}).setdefault(share, {})
        for name, amount in counters.items():
            amounts[name] = amounts.get(name, 0) + amount

    def add(self, when, account, counters, user="", node="mx1"):
        """`when` is an aware datetime; an account of "@" counts for the node alone."""
        self.nodes.add(node)
        for period in self._periods(when):
            self._count("%s:{@%s}:%s" % (self.prefix, node, period), node, "", counters)
            if account == "@":
                continue
            self.accounts.add(account)
            self._count("%s:{%s}:%s" % (self.prefix, account, period), node, "", counters)
            if user and period.startswith(("month", "day")):
                self._count("%s:{%s}:users:%s" % (self.prefix, account, period), node, user,
                            counters)

    def _hash(self, shares):
        fields = {"_nodes": " ".join(sorted({name.split(" ")[0] for name in shares}))}
        for share, amounts in shares.items():
            fields[share] = "17 " + " ".join("%s %d" % pair for pair in amounts.items())
            user = share.split(" ")[1] + " " if " " in share else ""
            for name, amount in amounts.items():
                fields[user + name] = fields.get(user + name, 0) + amount
        return fields

    def write(self, redis, pushed_through):
        """`pushed_through`: {node: Unix seconds}."""
        commands = [["SET", self.prefix + ":schema", "1"]]
        for account in self.accounts:
            shard = int(hashlib.sha256(account.encode()).hexdigest()[0], 16)
            commands.append(["SADD", "%s:accounts:{%02x}" % (self.prefix, shard), account])
        for node, time in pushed_through.items():
            commands.append(["SADD", self.prefix + ":nodes", node])
            commands.append(["HSET", "%s:{@%s}:node" % (self.prefix, node), "version", "0.1.0",
                             "started", time - 3600, "seen", time, "counted_through", time,
                             "pushed_through", time])
        for key, shares in self.shares.items():
            fields = self._hash(shares)
            commands.append(["HSET", key] + [word for pair in fields.items() for word in pair])
        for at in range(0, len(commands), 1000):
            redis.pipe(commands[at:at + 1000])

    def amount(self, account, counter, period="total", user=""):
        """The sum that a report must give."""
        kind = "users:" if user else ""
        shares = self.shares.get("%s:{%s}:%s%s" % (self.prefix, account, kind, period), {})
        return sum(amounts.get(counter, 0) for share, amounts in shares.items()
                   if not user or share.endswith(" " + user))
