#!/usr/bin/env python3
"""A store against servers that lie, stammer, stall and send it in circles: no call outlasts its
time, no late reply is taken for another's, and memory is bounded."""

import itertools
import os
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_redis
import proc
import redis_fleet
import tap

BUDGET_MS = 150
SLACK_MS = 10000  # what a loaded machine may add
MEMORY_KB = 400000 if not proc.is_sanitized(redis_fleet.PROBE) else 800000
HUGE = b"x" * 65536

# What a server says instead of a reply -> does the call fail?
LIES = [
    (b"", True), (b"+torn", True), (b"$100\r\nshort\r\n", True), (b"$3\r\nlong\r\n", True),
    (b"$-7\r\n", True), (b"*-7\r\n", True), (b"*3\r\n:1\r\n", True), (b"*2000000000\r\n", True),
    (b"*99999999999999999999\r\n", True), (b"$99999999999999999999\r\n", True),
    (b"$9223372036854775807\r\n", True), (b"$600000000\r\nx", True), (b":12x\r\n", True),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", True), (b"\x16\x03\x01\x00", True), (b"\0\0\0\0", True),
    (b"*1000000\r\n" * 8, True), (b"*4000000\r\n", True), (b"*1\r\n" * 5000, True),
    (b"+a\r\n+b\r\n", True),
    (b"$-1\r\n", False), (b"*0\r\n", False), (b"-ERR no\r\n", False), (b"$0\r\n\r\n", False),
]


def within_budget(store, what, *details):
    said = store.last
    return tap.ok(said["ms"] < BUDGET_MS + SLACK_MS and said["memory_kb"] < MEMORY_KB, what, said,
                  *details)


def check_lies():
    """The connection stays open behind the lie, or is closed."""
    for lie, fails in LIES:
        for is_closed in (False, True):
            server = fake_redis.FakeRedis(None)
            server.answer = lambda _, lie=lie: [lie]
            server.closes = is_closed
            store = redis_fleet.Store("redis://" + server.name)
            error = store.error("GET x", timeout_ms=BUDGET_MS if fails else SLACK_MS)
            tap.ok((error != "") == fails and "\n" not in error, "%r" % lie[:40], error)
            within_budget(store, "in time")
            store.close()
            server.stop()


def check_flood():
    """Bytes without an end, of one reply and of many."""
    for head, more in ((b"$600000000\r\n", HUGE), (b"*600000000\r\n", b":1\r\n" * 9000),
                       (b"*1000000\r\n", b"*1\r\n" * 8000), (b"+", HUGE)):
        server = fake_redis.FakeRedis(lambda _, h=head, m=more:
                                      itertools.chain([h], itertools.repeat(m)))
        store = redis_fleet.Store("redis://" + server.name)
        tap.ok(store.error("GET x", timeout_ms=20000) != "", "a flood of %r" % head, store.last)
        tap.ok(store.last["memory_kb"] < MEMORY_KB, "bounded", store.last)
        store.close()
        server.stop()


def check_late(tls, files):
    """Each reply says what was asked; that to every other question comes when nobody waits for it
    any more, as a whole or its rest."""
    given_up = [threading.Event() for _ in range(12)]

    def answer(words):
        reply, number = fake_redis.bulk(words[1]), int(words[1][3:])
        if number % 2 == 0:
            yield from (bytes([b]) for b in reply)
            return
        yield reply[:5 if number % 4 == 3 else 0]
        given_up[number].wait()
        yield reply[5 if number % 4 == 3 else 0:]

    server = fake_redis.FakeRedis(answer, tls)
    store = redis_fleet.Store("%s://%s" % ("rediss" if tls else "redis", server.name), tls=files)
    wrong, right = [], 0
    for i in range(12):
        said = store.try_("GET key%d" % i, timeout_ms=100 if i % 2 else SLACK_MS)
        right += "replies" in said
        if said.get("replies", ["key%d" % i]) != ["key%d" % i]:
            wrong.append(said)
        given_up[i].set()
        store.try_("PING", timeout_ms=100)
        proc.wait_for("the end of the pause", lambda: "replies" in store.try_("PING"))
    tap.none(wrong, "no late reply is taken for another's")
    tap.same(right, 6, "the others came in time")
    store.close()
    server.stop()


# --- clusters ---------------------------------------------------------------------------------


def cluster_of(answer):
    server = fake_redis.FakeRedis(answer)
    return server, redis_fleet.Store("cluster://" + server.name)


def check_circles():
    servers = []
    here = fake_redis.FakeRedis(lambda _: b"-MOVED 12182 %s\r\n" % servers[1].name.encode())
    there = fake_redis.FakeRedis(lambda _: b"-MOVED 12182 %s\r\n" % servers[0].name.encode())
    servers += [here, there]
    store = redis_fleet.Store("cluster://" + here.name)
    error = store.error("GET foo", timeout_ms=5000)
    tap.ok("without end" in error, "MOVED in a circle", error)
    tap.ok(len(here.log) + len(there.log) < 100, "a bounded number of times")
    here.answer = lambda _: b"-ASK 12182 %s\r\n" % there.name.encode()
    there.answer = lambda _: b"-ASK 12182 %s\r\n" % here.name.encode()
    proc.wait_for("the end of the pause", lambda: "unreachable" not in store.error("GET foo"))
    tap.ok("without end" in store.last["error"], "ASK in a circle", store.last)
    here.answer = lambda _: b"-MOVED 12182 %s\r\n" % here.name.encode()
    there.answer = here.answer
    proc.wait_for("the end of the pause", lambda: "unreachable" not in store.error("GET foo"))
    tap.ok("without end" in store.last["error"], "MOVED to itself", store.last)
    store.close()
    for server in servers:
        server.stop()


def check_answers():
    calls = itertools.count()
    server, store = cluster_of(lambda _: b"-TRYAGAIN later\r\n")
    tap.ok(store.error("GET foo", timeout_ms=100) != "", "TRYAGAIN for ever", store.last)
    within_budget(store, "in time")
    server.answer = lambda _: b"-NOSCRIPT no\r\n"
    store.good("PING")
    tap.same(store("script foo 1"), ["NOSCRIPT no"], "NOSCRIPT for ever is an answer")
    server.answer = lambda words: b"-NOSCRIPT no\r\n" if words[0] == "EVALSHA" else b":7\r\n"
    tap.same(store("script foo 1"), [7], "the source is sent")
    tap.same(server.log[-1][0], "EVAL", "once")
    tap.same(server.log[-1][3:], ["foo", "1"], "with its words")
    server.answer = lambda _: b"-CLUSTERDOWN The cluster is down\r\n"
    tap.ok("CLUSTERDOWN" in store.error("GET foo"), "a cluster that is down", store.last)
    server.answer = lambda _: b"-READONLY You can't write against a read only replica.\r\n"
    tap.ok("READONLY" in proc.wait_for("an answer", lambda: store.error("SET foo 1")),
           "a replica", store.last)
    for text in ("MOVED", "MOVED x y", "MOVED 99999 127.0.0.1:1", "MOVED 1 host", "ASK 1 h:0",
                 "MOVED 1 %s:70000" % ("h" * 300)):
        server.answer = lambda _, t=text: b"-%s\r\n" % t.encode()
        tap.same(store.good("GET foo"), [text], "no redirection: " + text[:30])
    server.answer = lambda _: b"-MOVED 12182 127.0.0.1:%d\r\n" % (1 + next(calls) % 100)
    tap.ok(store.error("GET foo", timeout_ms=BUDGET_MS) != "", "MOVED to nowhere", store.last)
    within_budget(store, "in time")
    store.close()
    server.stop()


def check_maps():
    a = fake_redis.array
    node = a("127.0.0.1", 1, "id")
    maps = [b"*0\r\n", b"+OK\r\n", a(1, 2), a(a(0, 16383)), a(a(0, 16383, a("h" * 300, 1, "id"))),
            a(a(0, 99999, node)), a(a(9, 3, node)), a(a(0, 16383, a("h", 99999, "id"))),
            a(*[a(0, 16383, node)] * 2), a(*[a(0, 0, node)] * 20000), b"$5\r\nto", b"*-1\r\n",
            b"-ERR This instance has cluster support disabled\r\n"]
    for text in maps:
        server, store = cluster_of(lambda _: b"+OK\r\n")
        server.slots = text
        tap.ok(store.error("GET foo", timeout_ms=BUDGET_MS) != "", "slots: %r" % text[:50],
               store.last)
        within_budget(store, "in time")
        server.slots = a(a(0, 16383, a("", server.port, "id")))
        tap.same(store.good("GET foo"), ["OK"], "and then a good list")
        store.close()
        server.stop()


def check_sentinels():
    master = fake_redis.FakeRedis(lambda words: fake_redis.array("slave", "h", 1)
                                  if words[0] == "ROLE" else b"+OK\r\n")
    addresses = [b"$-1\r\n", b"*2\r\n", fake_redis.array("127.0.0.1"), b"+OK\r\n",
                 fake_redis.array("127.0.0.1", "0"), fake_redis.array("127.0.0.1", "port"),
                 fake_redis.array("", "1"), fake_redis.array("h" * 300, "1"), b"-ERR no\r\n",
                 fake_redis.array("127.0.0.1", str(master.port))]
    for text in addresses:
        sentinel = fake_redis.FakeRedis(lambda _, t=text: t)
        store = redis_fleet.Store("sentinel://%s/mail" % sentinel.name)
        tap.ok(store.error("SET x 1", timeout_ms=BUDGET_MS) != "", "a sentinel: %r" % text[:40],
               store.last)
        within_budget(store, "in time")
        store.close()
        sentinel.stop()
    tap.ok(not any(words[0] == "SET" for words in master.log), "no replica was written to")
    master.stop()


def main():
    tap.need("openssl")
    folder = proc.scratch("fake")
    files = redis_fleet.Tls(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server)
    check_lies()
    check_flood()
    check_late(None, [""] * 4)
    check_late(context, files.words())
    check_circles()
    check_answers()
    check_maps()
    check_sentinels()


tap.run(main)
