"""What chaos needs: a record of what each client was told, a hand that kills, and the reckoning."""

import random
import threading
import time

import proc
import tap
import tollgated

LONGEST_S = 300
DOMAINS = ["d%d.test" % i for i in range(20)]


class Book:
    """Each message has a number, and a recipient that no other has: Redis tells of each one whether
    it was counted. Outcomes: told (accepted), unknown (its end was sent, no answer came)."""

    def __init__(self, goal):
        self.goal, self.lock = goal, threading.Lock()
        self.next_number, self.told_count = 0, 0
        self.size, self.outcome, self.queue_id = {}, {}, {}

    def take(self):
        """The next number, or None when enough has been accepted."""
        with self.lock:
            if self.told_count >= self.goal:
                return None
            self.next_number += 1
            return self.next_number

    @staticmethod
    def recipient(number):
        return "u%d@%s" % (number, DOMAINS[number % len(DOMAINS)])

    def ending(self, number, size, queue_id=None):
        """Before the end of the message is sent: from here on nobody knows."""
        self.size[number], self.queue_id[number] = size, queue_id
        self.outcome[number] = "unknown"

    def told(self, number, queue_id=None):
        with self.lock:
            self.outcome[number] = "told"
            self.queue_id[number] = queue_id or self.queue_id[number]
            self.told_count += 1

    def refused(self, number):
        """The client was told that it was not accepted."""
        self.outcome[number] = "refused"

    def numbers(self, outcome):
        return [n for n, o in self.outcome.items() if o == outcome]


class Hand:
    """Does things at random points of a run: actions are called when the count of accepted messages
    passes each of `times` thresholds."""

    def __init__(self, book, seed):
        self.book, self.random, self.plan = book, random.Random(seed), []
        self.until = time.monotonic() + LONGEST_S

    def at_random(self, times, action):
        self.plan += [(self.random.uniform(0.01, 0.97), action) for _ in range(times)]

    def last(self, action):
        self.plan.append((0.98, action))

    def run(self, workers):
        """Until the workers have ended."""
        for point, action in sorted(self.plan, key=lambda p: p[0]):
            while self.book.told_count < point * self.book.goal:
                if not any(w.is_alive() for w in workers):
                    raise RuntimeError("the clients ended at %d of %d messages" % (
                        self.book.told_count, self.book.goal))
                if time.monotonic() > self.until:
                    raise TimeoutError("%d of %d messages in all that time" % (
                        self.book.told_count, self.book.goal))
                time.sleep(0.001)
            time.sleep(self.random.uniform(0, 0.005))
            action()
        for w in workers:
            w.join(max(0, self.until - time.monotonic()))


def kill_and_start(tollgated, hand):
    """kill -9, and a new one at once, which is killed as it starts in one case of four."""
    tollgated.kill()
    while hand.random.random() < 0.25:
        tollgated.launch()
        time.sleep(hand.random.uniform(0, 0.1))
        tollgated.kill()
    tollgated.start()


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(count)]
    for t in threads:
        t.start()
    return threads


def users_counted(redis, months):
    """number -> [messages, bytes], out of the users' hashes of all domains."""
    out = {}
    for domain in DOMAINS:
        for month in months:
            for field, value in redis.hash("tg:{%s}:users:month:%s" % (domain, month)).items():
                if not field.startswith("u") or " " not in field:
                    continue
                user, counter = field.split(" ")
                number = int(user[1:user.index("@")])
                entry = out.setdefault(number, [0, 0])
                if counter in ("in_messages", "in_bytes"):
                    entry[counter == "in_bytes"] += int(value)
    return out


def reckon(name, book, redis, named, months):
    """named: numbers of the messages that the log calls doubtful -> counted? The truth must be: all
    that were told, and of the others exactly those that are named as counted."""
    told = set(book.numbers("told"))
    others = set(book.outcome) - told
    want = told | {n for n in others if named.get(n)}
    size = sum(book.size[n] for n in want)

    def node():
        fields = tollgated.plain(redis.hash("tg:{@%s}:total" % tollgated.NODE))
        return fields.get("messages", 0), fields.get("bytes", 0)

    def pushed_through():
        return int(redis("HGET", "tg:{@%s}:node" % tollgated.NODE, "pushed_through") or 0)

    try:
        proc.wait_for("the totals", lambda: node()[0] >= len(want), 60)
        ended = time.time()
        proc.wait_for("the last row", lambda: pushed_through() > ended, 60)
    except TimeoutError:
        pass
    tap.same(node(), (len(want), size), "%s: messages and bytes of the node" % name)
    counted = users_counted(redis, months)
    tap.none(["%d: %s, counted %s, sent %d bytes, named %s" % (
        n, book.outcome.get(n), counted.get(n), book.size.get(n, 0), named.get(n))
              for n in sorted(want | set(counted))
              if counted.get(n) != ([1, book.size[n]] if n in want else None)][:30],
             "%s: each message once, or not at all" % name)
    accounts = tollgated.counted(redis)
    faults = []
    for domain in DOMAINS:
        mine = [n for n in want if book.recipient(n).endswith("@" + domain)]
        fields = accounts.get(domain, {})
        got = tuple(fields.get("in_" + unit, 0) for unit in ("messages", "recipients", "bytes"))
        need = (len(mine), len(mine), sum(book.size[n] for n in mine))
        if got != need:
            faults.append("%s: got %s, want %s" % (domain, got, need))
    tap.none(faults, "%s: messages, recipients and bytes of each domain" % name)
    tap.note("%s: %d told, %d others, of which %d named as counted; %d bytes" % (
        name, len(told), len(others), len(want) - len(told), size))
