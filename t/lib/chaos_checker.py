"""An outside checker: what clients were told, the journals, the ledgers and Redis, compared with
each other while all of it runs. It shares no code with tollgated: journal and records are read by
what lib/sys/journal_segment.h and lib/core/record_codec.c say of them."""

import collections
import os
import sqlite3
import struct

HEAD_BYTES = 24
HAS_ACCOUNT, HAS_USER, HAS_BOUNCES = 0x10, 0x20, 0x40
LEG_NAMES = ("in", "out", "forward", "relay", "local_sent", "local_received", "message")
MESSAGE = 0


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _text(data, at):
    size, at = _varint(data, at)
    return data[at:at + size].decode(), at + size


def _leg(data, at, account):
    """(class, account, user, messages, recipients, bytes), where the next one is."""
    flags = data[at]
    at += 1
    user = ""
    if flags & HAS_ACCOUNT:
        account, at = _text(data, at)
    if flags & HAS_USER:
        user, at = _text(data, at)
    messages, at = _varint(data, at)
    recipients, at = _varint(data, at)
    size, at = _varint(data, at)
    if flags & HAS_BOUNCES:
        _, at = _varint(data, at)
    return (LEG_NAMES[flags & 0x0f], account, user, messages, recipients, size), at


def record(body):
    """(queue id, bytes, legs) of a message; None for records of other kinds."""
    if body[0] != 2 or body[1] != MESSAGE:
        return None
    queue_id, at = _text(body, 2)
    size, at = _varint(body, at)
    count, at = _varint(body, at + 1)
    legs, account = [], ""
    for _ in range(count):
        leg, at = _leg(body, at, account)
        account = leg[1]
        legs.append(leg)
    return queue_id, size, legs


class Journal:
    """A journal as it grows; read() goes on where it stopped."""

    def __init__(self, folder):
        self.folder = folder
        self.segment = self.offset = 0
        self.next = 1
        self.records = {}  # queue id -> [bytes, ...]: of each time that it stands there
        self.sums = collections.defaultdict(collections.Counter)  # account -> unit -> amount
        self.pending = []  # (number, legs) not in `sums` yet

    def _segments(self):
        return sorted(int(n[:20]) for n in os.listdir(self.folder) if n.endswith(".journal"))

    def _frames(self, data):
        """Whole records; a torn tail is not read."""
        at = 0
        while len(data) - at >= HEAD_BYTES:
            size, _, number, _ = struct.unpack_from(">IIQq", data, at)
            if number != self.next or len(data) - at < size + 8:
                break
            self.offset += size + 8
            self.next += 1
            yield data[at + HEAD_BYTES:at + 8 + size]
            at += size + 8

    def read(self):
        for segment in self._segments():
            if segment < self.segment:
                continue
            if segment > self.segment:
                self.segment, self.offset = segment, 0
            with open(os.path.join(self.folder, "%020d.journal" % segment), "rb") as f:
                f.seek(self.offset)
                for body in self._frames(f.read()):
                    found = record(body)
                    if found:
                        self.records.setdefault(found[0], []).append(found[1])
                        self.pending.append((self.next - 1, found[2]))

    def sum_until(self, number):
        """Adds what stands before that record to `sums`."""
        done = 0
        for at, legs in self.pending:
            if at >= number:
                break
            done += 1
            for kind, account, user, messages, recipients, size in legs:
                if user:
                    continue
                sums = self.sums[account]
                if kind == "message":
                    sums["messages"] += messages
                    sums["bytes"] += size
                else:
                    sums[kind + "_messages"] += messages
                    sums[kind + "_recipients"] += recipients
                    sums[kind + "_bytes"] += size
        del self.pending[:done]


class Book:
    """What a node's clients were told, as it grows."""

    def __init__(self, path):
        self.path, self.offset = path, 0
        self.size, self.told, self.refused = {}, set(), set()

    def read(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as f:
            f.seek(self.offset)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        for line in data.decode().splitlines():
            words = line.split()
            if words[0] == "E":
                self.size["C" + words[1]] = int(words[2])
            else:
                (self.told if words[0] == "T" else self.refused).add("C" + words[1])


def ledger(path):
    """Number of the next record, account -> counter -> amount: of one moment."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=20)
    try:
        db.execute("BEGIN")
        number = db.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
        sums = collections.defaultdict(collections.Counter)
        for account, text in db.execute("SELECT account, counters FROM rows WHERE kind = 'total'"):
            words = text.split(" ")
            for name, value in zip(words[::2], words[1::2]):
                sums[account][name] += int(value)
        return (int(number[0]) if number else 0), sums
    finally:
        db.close()


TRAFFIC = {"messages", "bytes"} | {"%s_%s" % (kind, unit) for kind in LEG_NAMES[:-1]
                                   for unit in ("messages", "recipients", "bytes")}


def traffic(fields):
    return {k: int(v) for k, v in fields.items() if k in TRAFFIC and int(v)}


class Node:
    def __init__(self, name, state, book):
        self.name, self.state = name, state
        self.journal, self.book = Journal(os.path.join(state, "journal")), Book(book)
        self.ledger_sums, self.ledger_number = {}, 0

    def faults(self):
        """What the journal and the ledger say against each other and against the clients."""
        out = []
        self.book.read()  # first: what was told by now is in the journal that is read next
        told, refused = set(self.book.told), set(self.book.refused)
        self.ledger_number, sums = ledger(os.path.join(self.state, "ledger.db"))
        self.journal.read()
        self.book.read()  # and what is in the journal was sent before
        records = self.journal.records
        out += ["%s: %s was accepted, and is not in the journal" % (self.name, q)
                for q in told if q not in records]
        out += ["%s: %s was refused, and is in the journal" % (self.name, q)
                for q in refused if q in records]
        for queue_id, sizes in records.items():
            if sizes != [self.book.size.get(queue_id)]:
                out.append("%s: %s: %s bytes in the journal, sent %s" % (
                    self.name, queue_id, sizes, self.book.size.get(queue_id)))
        return out[:20] + self._ledger_faults(sums)

    def _ledger_faults(self, sums):
        self.journal.sum_until(self.ledger_number)
        self.ledger_sums = {a: traffic(f) for a, f in sums.items() if traffic(f)}
        want = {a if a != "@" else "@" + self.name: dict(f) for a, f in self.journal.sums.items()}
        return ["%s: %s: the ledger says %s, the journal %s" % (
            self.name, a, self.ledger_sums.get(a), want.get(a))
                for a in sorted(set(want) | set(self.ledger_sums))
                if self.ledger_sums.get(a) != want.get(a)][:20]


def redis_sums(redis, accounts):
    """Plain fields of totals, of those that are there."""
    out = {}
    names = sorted(accounts)
    for at in range(0, len(names), 500):
        part = names[at:at + 500]
        replies = redis.pipe([("HGETALL", "tg:{%s}:total" % a) for a in part])
        for account, flat in zip(part, replies):
            fields = traffic(dict((k, v) for k, v in zip(flat[::2], flat[1::2])
                                  if not k.startswith("_")))
            if fields:
                out[account] = fields
    return out


def added(nodes):
    """All ledgers together."""
    out = collections.defaultdict(collections.Counter)
    for node in nodes:
        for account, fields in node.ledger_sums.items():
            out[account].update(fields)
    return {a: dict(f) for a, f in out.items()}


def too_much(shown, nodes, but):
    """What Redis showed before the ledgers were read, and is above them; accounts in `but` were
    changed by hand."""
    sums = added(nodes)
    return ["redis: %s %s: %d, the ledgers say %d" % (a, name, value, sums.get(a, {}).get(name, 0))
            for a, fields in shown.items() if a not in but
            for name, value in fields.items() if value > sums.get(a, {}).get(name, 0)][:20]
