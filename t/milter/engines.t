#!/usr/bin/env python3
"""Both engines get the same bytes: whole sessions, and sessions whose packets are lost, doubled,
cut, swapped or put elsewhere. Each answer is the same, and so is what is counted in the end. What
makes libmilter crash is sent to the native engine alone, which closes the connection.

TG_STREAMS says how many (400); TG_SEED which."""

import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

STREAMS = int(os.environ.get("TG_STREAMS", "400"))
SEED = int(os.environ.get("TG_SEED", "1"))
# The native engine wants no reply there, libmilter does.
NOT_ALIKE = 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x80000
COMMANDS = b"ABCEHKLMNQRTU"
LIMITS = [{"scope": "domain", "metric": "messages", "max": "60", "per": "hour", "action": "defer"}]


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def macros(stage, *words):
    return (b"D", stage + b"".join(w.encode() + b"\0" for w in words))


class Site:
    """A daemon on one engine, with a Redis of its own."""

    def __init__(self, engine):
        self.folder = proc.scratch("engines-" + engine)
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"milter": {"engine": engine},
             "throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": LIMITS}]})
        self.daemon.host(["example.com", "other.test"])
        self.daemon.start()

    def talk(self, raw):
        """What the engine answers to these bytes, until it closes the connection."""
        s = milterclient.connect_socket(self.daemon.socket)
        answer = b""
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed already
        while True:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                continue  # what came before is still there
            if not more:
                break
            answer += more
        s.close()
        return answer


def offer(r):
    version = r.choice([6, 6, 6, 6, 4, 3, 2, 2, 7, 1])
    steps = r.choice([0x1fffff, 0x1fffff, 0x1fffff, 0x7f, 0x3ff, 0, r.getrandbits(21)])
    actions = r.choice([0x1ff, 0x1ff, 0x1ff, 0x3f, 0, r.getrandbits(9)])
    return b"O", struct.pack(">III", version, actions, steps & ~NOT_ALIKE)


def connect(r):
    where = r.choice([b"4\x9c\x40203.0.113.9\0", b"4\0\0" b"127.0.0.1\0",
                      b"6\x9c\x402001:db8::1\0", b"6\x9c\x40IPv6:2001:db8::2\0", b"U",
                      b"L\0\0/path\0", b"4\x9c\x4010.1\0", b"4\x9c\x40no\0", b"X\0\0a\0"])
    return b"C", r.choice([b"client.test", b"localhost", b"[203.0.113.9]"]) + b"\0" + where


def one_message(r, number):
    sender = r.choice(["alice@example.com", "x@elsewhere.test", "", "bob@other.test"])
    out = [macros(b"M", *r.choice([[], ["i", "%dX" % number], ["{mail_addr}", sender],
                                   ["{auth_authen}", "alice@example.com", "{mail_addr}", sender]])),
           (b"M", b"<%s>\0SIZE=10\0" % sender.encode())]
    for _ in range(r.choice([1, 1, 2, 3])):
        recipient = r.choice(["alice@example.com", "y@elsewhere.test", "c@other.test", "<",
                              "d@x@y"])
        out += [macros(b"R", "{rcpt_addr}", recipient, "{rcpt_mailer}",
                       r.choice(["smtp", "virtual", "error"]), "{rcpt_host}", "h"),
                (b"R", b"<%s>\0" % recipient.encode())]
    if r.random() < 0.2:
        out += [macros(b"T", "i", "%dT" % number), (b"T", b"")]
    for _ in range(r.choice([0, 1, 3, 9])):
        out.append((b"L", r.choice([b"Subject\0 hi\0", b"X-Folded\0 a\n b\0", b"From\0 a@b\0",
                                    b"Empty\0\0", b"X\0no lead\0"])))
    out += [(b"N", b"")] * (r.random() < 0.2)
    out += [(b"B", b"line\r\n" * r.choice([1, 100, 10000]))] * r.choice([0, 1, 1, 2])
    out += [macros(b"E", "i", "%dE" % number), (b"E", r.choice([b"", b"", b"tail\r\n"]))]
    return out + [(b"A", b"")] * r.choice([0, 1])


def session(r, number):
    out = [offer(r), macros(b"C", "j", "mx", "v", r.choice(["Postfix 3.7.11", "8.17.1.9"]),
                            "{client_addr}", "203.0.113.9"), connect(r), (b"H", b"client.test\0")]
    for i in range(r.choice([1, 1, 2, 3])):
        out += one_message(r, number * 10 + i)
    if r.random() < 0.1:
        out += [(b"K", b""), connect(r), (b"H", b"next\0")] + one_message(r, number * 10 + 9)
    return out + [(b"Q", b"")] * (r.random() < 0.8)


def mutate(r, packets):
    """Not a macro packet's strings: one of an odd number is libmilter's end."""
    kind, at = r.choice("dropdouble swap cut empty letter stray tail".split()), 0
    at = r.randrange(len(packets))
    command, data = packets[at]
    if kind == "dropdouble":
        return packets[:at] + [packets[at]] * r.choice([0, 2]) + packets[at + 1:]
    if kind == "swap":
        to = r.randrange(len(packets))
        packets = list(packets)
        packets[at], packets[to] = packets[to], packets[at]
        return packets
    if command == b"D":
        return packets
    if kind == "cut":
        data = data[:r.randrange(len(data) + 1)]
    elif kind == "empty":
        data = b""
    elif kind == "letter":
        command = bytes([r.choice(COMMANDS)])
    elif kind == "tail":
        data += r.choice([b"\0", b"x", b"x\0"])
    else:
        stray = bytes([r.choice(COMMANDS)]), r.choice([b"", b"x\0", b"x\0y\0"])
        return packets[:at] + [stray] + packets[at:]
    return packets[:at] + [(command, data)] + packets[at + 1:]


def is_negotiated(packets):
    """libmilter answers an end of message with body twice where no negotiation came first."""
    return packets and packets[0][0] == b"O" and len(packets[0][1]) >= 12


def answers(raw):
    """The packets of an answer; of the negotiation only what is agreed on, not which macros; of a
    text no times."""
    out = []
    while len(raw) >= 5:
        size = struct.unpack(">I", raw[:4])[0]
        command, data, raw = raw[4:5], raw[5:4 + size], raw[4 + size:]
        out.append((command, data[:12] if command in b"Oy" else data))
    return out + ([raw] if raw else [])


def streams():
    r = random.Random(SEED)
    for number in range(STREAMS):
        packets = session(r, number)
        for _ in range(r.choice([0, 0, 1, 1, 2, 5])):
            packets = mutate(r, packets)
        if is_negotiated(packets):
            yield number, packets


def test_alike(sites):
    count, bad = 0, 0
    for number, packets in streams():
        raw = b"".join(packet(c, d) for c, d in packets)
        native, other = [answers(site.talk(raw)) for site in sites]
        count += 1
        if native != other:
            bad += 1
            if bad <= 3:
                tap.note("stream %d: %r" % (number, packets))
                tap.note("native:    %r" % (native,))
                tap.note("libmilter: %r" % (other,))
    tap.same(bad, 0, "%d streams (seed %d): the same answers" % (count, SEED))


def test_counts(sites):
    with milterclient.Session(sites[0].daemon.socket) as a, \
            milterclient.Session(sites[1].daemon.socket) as b:
        for s in (a, b):
            last = s.deliver("x@elsewhere.test", ["last@other.test"], milterclient.message_of())
    for site in sites:
        site.daemon.stop()
    counts = [tollgated.counted(site.redis) for site in sites]
    tap.ok(counts[0].get("example.com", {}).get("in_messages", 0) > STREAMS // 20,
           "many messages count", "%r %r" % (last, counts[0].keys()))
    tap.same(counts[0], counts[1], "both count the same")


def test_crash(site):
    """What libmilter does not survive, or takes for something else."""
    begin = b"".join(packet(*p) for p in (offer_of(milterclient.HEARD_STEPS), (b"C", b"h\0U"),
                                          (b"M", b"<a@b>\0")))
    cases = [(packet(b"D", b"R{rcpt_addr}\0"), "a macro has no value", "a macro without a value"),
             (b"\0\0\0\0", "a packet of length 0", "a packet of length 0"),
             (struct.pack(">I", 5 << 20) + b"L", "a packet is too long", "a packet of 5 MB"),
             (packet(b"X"), "an unknown command", "an unknown command"),
             (packet(b"D", b"M{mail_addr}\0" + b"x" * 20000 + b"\0"), "too many bytes of macros",
              "20,000 bytes of macros")]
    for raw, problem, what in cases:
        for _ in range(2):
            tail = site.talk(begin + raw + packet(b"R", b"<c@d>\0"))
            tap.same(answers(tail)[1:], [(b"c", b"")], what + " closes the connection")
        lines = [x for x in site.daemon.log().split("\n") if problem in x]
        tap.same(len(lines), 1, "one line of the log a minute: " + problem)


def offer_of(steps):
    return b"O", struct.pack(">III", 6, 0x1ff, steps)


def replies(site, steps, *content):
    raw = b"".join(packet(c, d) for c, d in (
        offer_of(steps), (b"C", b"h\0U"), (b"H", b"h\0"), (b"M", b"<x@elsewhere.test>\0"),
        (b"R", b"<alice@other.test>\0")) + content + ((b"Q", b""),))
    return b"".join(a[0] for a in answers(site.talk(raw)))


def test_quiet(site):
    """No reply where none is wanted, and none to MAIL and RCPT where there is nothing to refuse."""
    whole = (b"L", b"Subject\0 hi\0"), (b"B", b"x\r\n"), (b"E", b"")
    tap.same(replies(site, milterclient.HEARD_STEPS, *whole), b"Occc",
             "replies to MAIL, RCPT and end of message only")
    proc.wait_for("no window that is full", lambda: replies(
        site, milterclient.OFFER_STEPS, (b"A", b"")) == b"O")
    tap.same(replies(site, milterclient.OFFER_STEPS, *whole), b"Oc", "or to the last only")


def main():
    sites = [Site("native"), Site("libmilter")]
    test_alike(sites)
    test_crash(sites[0])
    test_quiet(sites[0])
    test_quiet_counts_too(sites[1])
    test_counts(sites)
    for site in sites:
        tap.same(site.daemon.complaints(), [], "no complaints")
    tap.done()


def test_quiet_counts_too(site):
    """The same messages on the other engine, so that both have counted the same."""
    size = len(b"Subject: hi\r\n\r\nx\r\n")
    for _ in range(2):
        with milterclient.Session(site.daemon.socket, client="unknown") as s:
            tap.ok(s.deliver("x@elsewhere.test", ["alice@other.test"],
                             milterclient.message_of(["Subject: hi"], size)).accepted, "and there")


main()
