#!/usr/bin/env python3
"""What no mail server should send: huge messages count exactly, nonsense hurts nobody else."""

import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

OUTSIDE = "x@elsewhere.test"
GROWTH_KB = 200 * 1024  # of memory
SANITIZED_GROWTH_KB = 1024 * 1024  # they keep what was freed for a while


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


class Site:
    """A daemon, its Redis, and what it must have counted so far."""

    def __init__(self):
        self.folder = proc.scratch("abuse")
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(self.folder, self.server.url,
                                          "unix:%s/milter.sock" % self.folder)
        self.daemon.host(["example.com"])
        self.daemon.start()
        self.want = {"in_messages": 0, "in_recipients": 0, "in_bytes": 0}

    def counted(self, count, recipients, size):
        self.want["in_messages"] += count
        self.want["in_recipients"] += recipients
        self.want["in_bytes"] += size

    def is_right(self, what):
        tollgated.wait_counted(self.redis, self.want["in_messages"])
        got = tollgated.counted(self.redis).get("example.com", {})
        return tap.same({k: got.get(k, 0) for k in self.want}, self.want, what)

    def session(self):
        return milterclient.Session(self.daemon.socket)

    def others_go_on(self, after):
        """A well-behaved message beside the others."""
        message = milterclient.message_of(["Subject: hi"], 500)
        with self.session() as s:
            good = s.deliver(OUTSIDE, ["alice@example.com"], message).accepted
        self.counted(1, 1, 500)
        tap.ok(good and self.daemon.daemon.is_running(), "others go on after " + after)

    def rss_kb(self):
        for line in proc.read_text("/proc/%d/status" % self.daemon.daemon.pid).split("\n"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0


def begin(s, recipients=("alice@example.com",)):
    s.queue_id = milterclient.next_queue_id()
    s.mail(OUTSIDE)
    for recipient in recipients:
        s.rcpt(recipient)


def end(s):
    s.macros(b"E")
    return s.milter.eom()


def many_headers(site):
    count = 100000
    with site.session() as s:
        begin(s)
        lines = b"".join(packet(b"L", b"X-H%d\0 v\0" % i) for i in range(count))
        s.milter.send_raw(lines)
        tap.ok(end(s).accepted, "100,000 headers")
    site.counted(1, 1, sum(len("X-H%d: v\r\n" % i) for i in range(count)) + 2)


def long_header(site):
    with site.session() as s:
        begin(s)
        s.milter.header("X-Long", " " + "y" * (1 << 20))
        s.milter.header("X-Folded", " a\n" * 300000)
        s.milter.body(b"body\r\n")
        tap.ok(end(s).accepted, "a header line of 1 MB, and one of 300,000 folds")
    long_one = len("X-Long: ") + (1 << 20) + 2
    folded = len("X-Folded:") + 300000 * len(" a\r\n") + 2
    site.counted(1, 1, long_one + folded + 2 + 6)


def over_long_header(site):
    with site.session() as s:
        begin(s)
        gone = False
        try:
            s.milter.header("X-Long", " " + "y" * (5 << 20))
            end(s)
        except (OSError, milterclient.Lost):
            gone = True
        tap.ok(gone, "a packet of 5 MB ends its connection")


def many_recipients(site):
    count = 50000
    with site.session() as s:
        begin(s, ["user%d@example.com" % i for i in range(count)])
        s.milter.header("Subject", " hi")
        s.milter.body(b"body\r\n")
        tap.ok(end(s).accepted, "50,000 recipients")
    site.counted(1, count, 13 + 2 + 6)


def nul_bytes(site):
    with site.session() as s:
        begin(s)
        s.milter.send(b"L", b"X-Nul\0 a\0hidden\0")
        s.milter.body(b"a\0b" * 1000)
        tap.ok(end(s).accepted, "NUL bytes in header and body")
        begin(s)
        s.milter.send(b"E", b"body in the last packet\r\n")
        tap.ok(s.milter.reply().accepted, "body within the end-of-message packet")
    site.counted(1, 1, len("X-Nul: a\r\n") + 2 + 3000)
    site.counted(1, 1, 2 + len("body in the last packet\r\n"))


NEGOTIATE = packet(b"O", struct.pack(">III", 6, 0x1ff, 0x1fffff))
CONNECT = packet(b"C", b"client.test\0004" + struct.pack(">H", 4711) + b"203.0.113.9\0")
MAIL, RCPT = packet(b"M", b"<x@elsewhere.test>\0"), packet(b"R", b"<alice@example.com>\0")
BAD = {
    "a packet of length 0": NEGOTIATE + struct.pack(">I", 0),
    "a packet of length 2^32 - 1": NEGOTIATE + b"\xff\xff\xff\xffM",
    "a length of 1.9 MB and no more": NEGOTIATE + struct.pack(">I", 1900000) + b"M",
    "a torn length": NEGOTIATE + b"\0\0",
    "a torn packet": NEGOTIATE + CONNECT + MAIL[:-5],
    "no negotiation": CONNECT + MAIL + RCPT + packet(b"E"),
    "a short negotiation": packet(b"O", b"\0\0\0\6"),
    "version 1": packet(b"O", struct.pack(">III", 1, 0x1ff, 0x1fffff)) + CONNECT,
    "a second negotiation": NEGOTIATE + NEGOTIATE + CONNECT,
    "an unknown command": NEGOTIATE + CONNECT + packet(b"Z", b"what?"),
    "a command of 8 bits": NEGOTIATE + packet(b"\xff", b"what?"),
    "connect without a NUL": NEGOTIATE + packet(b"C", b"client.test"),
    "connect without an address": NEGOTIATE + packet(b"C", b"client.test\0004"),
    "connect of an unknown family": NEGOTIATE + packet(b"C", b"client.test\0X\0\0zzz\0"),
    "connect with a bad address": NEGOTIATE + packet(b"C", b"client.test\0004\0\1999.1.1\0"),
    "connect with a bad IPv6 address": NEGOTIATE + packet(b"C", b"client.test\0006\0\1::zz\0"),
    "connect with a long path": NEGOTIATE + packet(b"C", b"h\0L\0\0" + b"/x" * 500 + b"\0"),
    "helo without a NUL": NEGOTIATE + CONNECT + packet(b"H", b"client"),
    "MAIL without a NUL": NEGOTIATE + CONNECT + packet(b"M", b"<x@elsewhere.test>"),
    "MAIL without anything": NEGOTIATE + CONNECT + packet(b"M"),
    "MAIL of one NUL": NEGOTIATE + CONNECT + packet(b"M", b"\0") + RCPT + packet(b"A"),
    "RCPT before MAIL": NEGOTIATE + CONNECT + RCPT + RCPT + MAIL,
    "header without a value": NEGOTIATE + CONNECT + MAIL + RCPT + packet(b"L", b"X\0"),
    "header without a NUL": NEGOTIATE + CONNECT + MAIL + RCPT + packet(b"L", b"X"),
    "an end of nothing": NEGOTIATE + CONNECT + packet(b"E"),
    "an end without recipients": NEGOTIATE + CONNECT + MAIL + packet(b"E"),
    "aborts": NEGOTIATE + packet(b"A") + CONNECT + packet(b"A") * 3 + MAIL + packet(b"A") * 3,
    "body first": NEGOTIATE + packet(b"B", b"x" * 70000),
    "macros of no stage": NEGOTIATE + packet(b"D", b"?i\0x\0") + packet(b"D") + CONNECT,
    "quit in a message": NEGOTIATE + CONNECT + MAIL + RCPT + packet(b"Q"),
    "nothing at all": b"",
}


def malformed(site):
    for what, octets in BAD.items():
        m = milterclient.Milter(site.daemon.socket, timeout=20)
        try:
            m.send_raw(octets)
        except OSError:
            pass
        m.close()
        if not site.daemon.daemon.is_running():
            tap.ok(False, "alive after " + what)
            return
    site.others_go_on("%d kinds of broken packets" % len(BAD))


def random_packets(site):
    """Valid commands in a random order with random data: libmilter's states and ours. Macros come
    in pairs: of a name without a value libmilter reads on into whatever stands behind it."""
    source = random.Random(20261121)
    for _ in range(300):
        m = milterclient.Milter(site.daemon.socket, timeout=20)
        octets = NEGOTIATE if source.random() < 0.9 else b""
        for _ in range(source.randrange(1, 25)):
            data = source.choice([b"", b"\0", b"<a@example.com>\0", b"x\0y\0", b"\xff" * 9, b"i\0"])
            command = source.choice([b"A", b"B", b"C", b"D", b"H", b"L", b"M", b"N", b"O", b"R",
                                     b"T", b"U", b"K", b"Q"])
            if command == b"C" and source.random() < 0.8:
                octets += CONNECT
            elif command == b"D":
                octets += packet(b"D", source.choice([b"", b"M", b"Mi\0004id\0", b"E{x}\0y\0"]))
            else:
                octets += packet(command, data)
        try:
            m.send_raw(octets)
        except OSError:
            pass
        m.close()
    site.others_go_on("300 connections of random packets")


def stalled(site):
    """Half a packet, and silence, from many. While they last libmilter may make others wait: it
    hands a session to a worker that sits in such a read."""
    open_ones = []
    for _ in range(60):
        m = milterclient.Milter(site.daemon.socket, timeout=20)
        m.send_raw(NEGOTIATE + CONNECT + MAIL[:7])
        open_ones.append(m)
    for m in open_ones:
        m.close()


def next_connection(site):
    """QUIT_NC: another client on the same milter connection, without a new negotiation."""
    with site.session() as s:
        begin(s)
        s.milter.header("X", " y")
        tap.ok(end(s).accepted, "a message before the change of client")
        s.milter.send(b"K")
        s.milter.connect("other.test", "203.0.113.10", 4712)
        begin(s)
        s.milter.header("X", " y")
        tap.ok(end(s).accepted, "a message after it")
    site.counted(2, 2, 2 * (6 + 2))


def main():
    site = Site()
    site.others_go_on("the start")
    site.is_right("one message is counted")
    before = site.rss_kb()
    for work in (many_headers, long_header, over_long_header, many_recipients, nul_bytes,
                 malformed, random_packets, stalled, next_connection):
        work(site)
        site.others_go_on(work.__name__.replace("_", " "))
    site.is_right("all is counted, to the byte")
    grown = site.rss_kb() - before
    limit = SANITIZED_GROWTH_KB if proc.is_sanitized("tollgated") else GROWTH_KB
    tap.ok(grown < limit, "memory is bounded: %d MB more" % (grown // 1024))
    tap.same(site.daemon.stop(), 0, "a clean end")
    tap.none(site.daemon.complaints(), "nothing was complained about")


tap.run(main)
