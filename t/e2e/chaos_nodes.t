#!/usr/bin/env python3
"""Two nodes, their Redis, and a seeded sequence of faults while mail flows; all the time a checker
of its own (t/lib/chaos_checker.py) compares what the clients were told, the journals, the ledgers
and Redis.

TG_CHAOS=full is the long form (make chaos): 1,000,000 messages of 1,000 domains, 216 faults.
TG_CHAOS_SEED changes which fault comes when; TG_CHAOS_MESSAGES and TG_CHAOS_FAULTS how many.
"""

import csv
import io
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import chaos_checker
import chaos_faults
import proc
import tap

FULL = os.environ.get("TG_CHAOS") == "full"
SEED = int(os.environ.get("TG_CHAOS_SEED", "1"))
MESSAGES = int(os.environ.get("TG_CHAOS_MESSAGES", 1000000 if FULL else 12000))
FAULTS = int(os.environ.get("TG_CHAOS_FAULTS", 216 if FULL else 12))  # a multiple of 12: of each
DOMAINS, DISK_MB = (1000, 500) if FULL else (40, 100)
CONNECTIONS, PACE = "8", "800"  # messages a second of each node: faults come while mail flows
CHECK_EVERY_S = 15 if FULL else 1
CLIENT = os.path.join(proc.BUILD, "t/e2e/chaos-client")


class Run:
    def __init__(self):
        self.random = random.Random(SEED)
        self.site = chaos_faults.Site(proc.scratch("chaos-nodes"), DOMAINS, DISK_MB, self.random)
        self.checked = [chaos_checker.Node(n.name, n.state, n.book) for n in self.site.nodes]
        self.checks, self.faults, self.check_next = 0, [], 0

    def clients(self):
        """For each node one, with the other's numbers left out."""
        share = str(MESSAGES // 2)
        return [proc.Daemon([CLIENT, node.socket, node.book, share, str(DOMAINS), CONNECTIONS,
                             str(i), "2", PACE], os.path.join(node.folder, "client.log"))
                for i, node in enumerate(self.site.nodes)]

    def accounts(self):
        return ["d%d.test" % i for i in range(DOMAINS)] + ["@mx1", "@mx2"]

    def told(self):
        for node in self.checked:
            node.book.read()
        return sum(len(node.book.told) for node in self.checked)

    def shown(self):
        try:
            return chaos_checker.redis_sums(self.site.redis.connect(), self.accounts())
        except (OSError, chaos_faults.redis_server.RedisError):
            return {}

    def check(self):
        """All of it, while it runs. Redis first: the ledgers only grow."""
        shown = self.shown()
        for node in self.checked:
            self.faults += node.faults()
        self.faults += chaos_checker.too_much(shown, self.checked, self.site.by_hand)
        self.checks += 1
        self.check_next = time.monotonic() + CHECK_EVERY_S

    def check_when_due(self):
        if time.monotonic() >= self.check_next:
            self.check()

    def go(self):
        kinds = self.site.all() * (FAULTS // len(self.site.all()))
        self.random.shuffle(kinds)
        clients = self.clients()
        for i, fault in enumerate(kinds):
            while self.told() < MESSAGES * (i + 1) / (len(kinds) + 1):
                if not any(c.is_running() for c in clients):
                    raise RuntimeError("the clients ended early")
                self.check_when_due()
                time.sleep(0.05)
            if os.environ.get("TG_CHAOS_TRACE"):
                tap.note("%.1f %s" % (time.monotonic(), fault.__name__))
            fault()
        for client in clients:
            while client.is_running():
                self.check_when_due()
                time.sleep(0.1)
            tap.same(client.wait(), 0, "the clients were told of all their messages")
        return len(kinds)

    def settle(self):
        """Until Redis shows what the ledgers have, or nothing moves there any more."""
        redis = self.site.redis.connect()
        want = [len(node.journal.records) for node in self.checked]
        names = ["tg:{@%s}:" % node.name for node in self.checked]

        def state():
            return [redis("HGET", n + key, field) for n in names
                    for key, field in (("total", "messages"), ("node", "dirty_rows"))]

        before, changed = None, time.monotonic()
        while time.monotonic() - changed < 60:
            now = state()
            if now == [str(x) for w in want for x in (w, 0)]:
                break
            before, changed = now, changed if now == before else time.monotonic()
            time.sleep(0.1)


def equal_in_the_end(run):
    """To the byte: clients, journals, ledgers and Redis."""
    want = chaos_checker.added(run.checked)
    deadline = time.monotonic() + 120
    while (got := run.shown()) != want and time.monotonic() < deadline:
        time.sleep(1)  # what was changed by hand is found by the scrub, or after a new connection
    tap.none(["%s: redis %s, the ledgers %s" % (a, got.get(a), want.get(a))
              for a in sorted(set(got) | set(want)) if got.get(a) != want.get(a)][:20],
             "Redis shows what the ledgers have")
    told = {q for node in run.checked for q in node.book.told}
    counted = {q for node in run.checked for q in node.journal.records}
    sent = {q: size for node in run.checked for q, size in node.book.size.items()}
    refused = {q for node in run.checked for q in node.book.refused}
    tap.none(sorted((told - counted) | (counted & refused))[:20],
             "each accepted message counts, no refused one does")
    node = [sum(want["@" + n.name][unit] for n in run.checked) for unit in ("messages", "bytes")]
    tap.same(node, [len(counted), sum(sent[q] for q in counted)],
             "what was sent is what is counted, to the byte")
    doubtful = {q for n in run.site.nodes for q in n.doubtful()}
    tap.none(sorted((counted - told) - doubtful)[:20],
             "what is counted and was not confirmed is named in the log")
    tap.note("%d told, %d refused, %d not confirmed, of which %d are counted" % (
        len(told), len(refused), len(set(sent) - told - refused), len(counted - told)))


def listed(run):
    """What the command lists of each node: messages, bytes."""
    out = []
    for node in run.site.nodes:
        _, text, _ = node.command("messages", "--server", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        out.append((len({r["queue_id"] for r in rows}), sum(int(r["bytes"]) for r in rows)))
    return out


def checker_sees(run):
    """What is wrong is found: a message missing, twice, of another size, an amount too much."""
    node, real = run.checked[0], chaos_checker.ledger
    records = node.journal.records
    queue_id = next(iter(node.book.told))
    right = records[queue_id]
    tap.none(node.faults(), "nothing is wrong now")
    for sizes, text in ((right * 2, "bytes in the journal"), ([right[0] + 1], "sent"),
                        (None, "is not in the journal")):
        del records[queue_id]
        if sizes:
            records[queue_id] = sizes
        tap.ok(any(queue_id in f and text in f for f in node.faults()), "seen: " + text)
        records[queue_id] = right

    def one_more(path):
        number, sums = real(path)
        sums["d0.test"]["in_bytes"] += 1
        return number, sums

    chaos_checker.ledger = one_more
    tap.ok(any("d0.test" in f for f in node.faults()), "seen: a byte too much in a ledger")
    chaos_checker.ledger = real
    node.faults()
    shown = chaos_checker.added(run.checked)
    tap.none(chaos_checker.too_much(shown, run.checked, set()), "what the ledgers have is right")
    shown["d0.test"]["in_bytes"] += 1
    tap.ok(chaos_checker.too_much(shown, run.checked, set()), "seen: a byte too much in Redis")


def main():
    tap.need("redis-server", "mount", root=True)
    began = time.monotonic()
    run = Run()
    count = run.go()
    # What hands changed is found by the scrub within ten minutes, or after a new connection.
    run.site.flush()
    for node in run.site.nodes:
        node.kill()
        node.start()
    run.check()
    run.settle()
    run.check()
    tap.none(run.faults[:40], "nothing contradicts anything else, at any time")
    equal_in_the_end(run)
    sums = [n.ledger_sums["@" + n.name] for n in run.checked]
    tap.same(listed(run), [(s["messages"], s["bytes"]) for s in sums],
             "tollgate messages lists the same")
    checker_sees(run)
    tap.ok(run.checks >= 3 and count == FAULTS, "checked while it ran", run.checks, count)
    tap.note("seed %d: %d messages, %d faults, %d checks in %.0f s" % (
        SEED, MESSAGES, count, run.checks, time.monotonic() - began))
    tap.same(run.site.finish(), [0, 0], "both end well")
    tap.none([line for node in run.site.nodes for line in node.complaints()],
             "nothing broke inside")


tap.run(main)
