#!/usr/bin/env python3
"""The native engine and mail servers that stall: one that is silent, one whose packet never comes
to its end, one that does not read its answers. Each has its deadline, takes no memory to speak of,
and the others go on."""

import os
import select
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)
TIMEOUT_S = 10  # the least that milter.timeout may be
DEAF_BYTES = 4 << 20  # what lies in the sockets, and in one buffer
GROWTH_KB = 4 << 10
QUIET_CPU_S = 0.05  # in a second


class Site:
    def __init__(self):
        self.folder = proc.scratch("pressure")
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"milter": {"engine": "native", "timeout": "%ds" % TIMEOUT_S}})
        self.daemon.host(["example.com"])
        self.daemon.start()

    def status(self, word):
        for line in proc.read_text("/proc/%d/status" % self.daemon.daemon.pid).split("\n"):
            if line.startswith(word):
                return int(line.split()[1])
        return 0

    def cpu_s(self):
        fields = proc.read_text("/proc/%d/stat" % self.daemon.daemon.pid).rpartition(")")[2]
        return sum(int(x) for x in fields.split()[11:13]) / os.sysconf("SC_CLK_TCK")


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def negotiated(site, steps=milterclient.OFFER_STEPS):
    m = milterclient.Milter(site.daemon.socket).negotiate(steps=steps)
    m.connect("client.test", "203.0.113.9", 4711)
    return m


def deaf(site):
    """A mail server that sends MAIL and RSET for ever and reads no answer, until it is not read any
    more itself: the connection and the bytes that it got rid of."""
    m, sent = negotiated(site, milterclient.HEARD_STEPS), 0
    pair = packet(b"M", b"<x@elsewhere.test>\0") + packet(b"A")
    octets = pair * 1000
    m.sock.setblocking(False)
    for _ in range(60):
        while sent < DEAF_BYTES and select.select([], [m.sock], [], 1)[1]:
            sent += m.sock.send(octets[sent % len(octets):])
        negotiated(site).close()  # else it may be the daemon that stands still
        used_s = site.cpu_s()
        if not select.select([], [m.sock], [], 1)[1] and site.cpu_s() - used_s < QUIET_CPU_S:
            break
    m.sock.setblocking(True)
    return m, sent, len(pair)


def test_deaf(site):
    before_kb = site.status("VmRSS")
    m, sent, size = deaf(site)
    tap.ok(sent < DEAF_BYTES, "who does not read his answers is not read", sent)
    used_s = site.cpu_s()
    time.sleep(1)  # the time that is measured
    used_s = site.cpu_s() - used_s
    tap.ok(used_s < QUIET_CPU_S, "meanwhile there is nothing to do", used_s)
    grown_kb = site.status("VmRSS") - before_kb
    tap.ok(proc.is_sanitized("tollgated") or grown_kb < GROWTH_KB, "little memory is taken",
           grown_kb)
    with milterclient.Session(site.daemon.socket) as s:
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "others go on")
    for _ in range(sent // size):
        if m.reply().code != "c":
            break
    else:
        tap.ok(True, "each of %d commands has its answer in the end" % (sent // size))
    m.close()


def closed_at(connections, also):
    """When each of them is closed by the other side (monotonic). Those of which a byte comes now
    and then are in upper case."""
    began, left, when = time.monotonic(), dict(connections), {}
    while left and time.monotonic() - began < 3 * TIMEOUT_S:
        for name, m in list(left.items()):
            try:
                is_over = select.select([m.sock], [], [], 0)[0] and not m.sock.recv(65536)
                if not is_over and name.isupper():
                    m.send_raw(b"x")
            except (BrokenPipeError, ConnectionResetError):
                is_over = True  # with a byte that was not read any more
            if is_over:
                when[name] = time.monotonic()
                del left[name]
        also()
        time.sleep(0.5)
    return when


def is_closed(m):
    """Its answers are followed by an end."""
    try:
        while m.sock.recv(65536):
            pass
    except ConnectionResetError:
        pass  # what it had sent was not read
    except TimeoutError:
        return False
    return True


def test_deadlines(site):
    """A packet that comes byte by byte is as late as one that does not come at all; a session that
    is used stays."""
    began = time.monotonic()
    late = {name: negotiated(site) for name in ("silent", "half", "DRIP", "BODY")}
    late["half"].send_raw(b"\0\0\0\x30M<x@else")
    late["DRIP"].send_raw(b"\0\0\xff\xffM<x@")
    late["BODY"].mail("<x@elsewhere.test>")
    late["BODY"].send_raw(b"\0\0\xff\xffBline")
    begun = time.monotonic()
    unheard, _, _ = deaf(site)
    with milterclient.Session(site.daemon.socket) as used:
        good = []
        when = closed_at(late, lambda: good.append(
            used.deliver(OUTSIDE, [ALICE], MESSAGE).accepted))
        tap.same(sorted(when), sorted(late), "all of them are closed")
        tap.ok(all(began + TIMEOUT_S - 1 < s < begun + TIMEOUT_S + 8 for s in when.values()),
               "when milter.timeout is over", when, began, begun)
        tap.ok(len(good) > TIMEOUT_S and all(good), "a session that is used goes on",
               good)
    tap.ok(is_closed(unheard), "who never reads is closed, too")
    for m in [unheard, *late.values()]:
        m.close()


def main():
    site = Site()
    test_deaf(site)
    test_deadlines(site)
    tap.same(site.daemon.stop(), 0, "a clean end")
    tap.none(site.daemon.complaints(), "no complaints")


tap.run(main)
