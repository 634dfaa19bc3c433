#!/usr/bin/env python3
"""A pipeline with many trips under way: each gets its own replies, none outlasts its time, and the
breaker opens and closes; over real servers, and over ones that lie, stammer and stall."""

import itertools
import os
import re
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_redis
import proc
import redis_fleet
import redis_server
import tap

TIMEOUT_MS = 300
SLACK_MS = 10000  # what a loaded machine may add
MANY = 3000       # more than may be under way
MEMORY_KB = 100000 if not proc.is_sanitized(redis_fleet.PIPELINE_PROBE) else 500000
UNREACHABLE = "the store is unreachable"

LIES = [
    b"+torn", b"$100\r\nshort\r\n", b"$3\r\nlong\r\n", b"$-7\r\n", b"*-7\r\n", b"*2000000000\r\n",
    b"*99999999999999999999\r\n", b"$9223372036854775807\r\n", b"$600000000\r\nx", b":12x\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\0", b"*4000000\r\n" * 8, b"*1\r\n" * 5000,
]


# --- real servers -------------------------------------------------------------------------------


def check_many(pipeline, what):
    trips = ["ECHO %d ; ECHO x%d" % (i, i) if i % 7 == 0 else "ECHO %d" % i for i in range(MANY)]
    wrong = [(trip, said) for trip, said in zip(trips, pipeline.many(*trips))
             if said["replies"] != trip.replace("ECHO ", "").split(" ; ")]
    tap.none(wrong[:3], "%s: %d trips at once, each gets its own replies" % (what, MANY))
    big = "x" * 100000
    got = pipeline.many(*["SET big%d %s ; GET big%d" % (i, big, i) for i in range(30)])
    tap.ok(all(said["replies"] == ["OK", big] for said in got), what + ": 3 MB each way")


def check_gathered(pipeline, server):
    pipeline("GET k")
    server("CONFIG", "RESETSTAT")
    pipeline.many(*["ECHO %d" % i for i in range(50)])
    reads = re.search(r"total_reads_processed:(\d+)", server("INFO", "stats"))[1]
    tap.same(reads, "2", "what is begun together goes out in one write (the other read is INFO)")


def check_scripts(pipeline, server):
    trips = ["script sum 1" for _ in range(200)]
    first = [said["replies"][0] for said in pipeline.many(*trips)]
    tap.same(sorted(first), list(range(1, 201)), "a script runs once a trip")
    server("SCRIPT", "FLUSH")
    got = pipeline.many("script sum 1 ; script other 5", "GET sum", "script sum 1 ; GET other")
    tap.same(got[0]["replies"], [201, 5], "a server that forgot it gets it again")
    tap.same(server("GET", "sum"), "202", "and runs it once")


def check_idle(pipeline, server):
    pipeline("GET k")
    server("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    proc.wait_for("the end of the connections",
                  lambda: server("CLIENT", "LIST").count("\n") == 1)
    said = pipeline.many("SET k v")[0]
    tap.same((said["replies"], said["open"]), (["OK"], False),
             "a connection that was closed while idle is made again, and nobody notices")


def check_errors(pipeline, server):
    server("REPLICAOF", "127.0.0.1", "1")
    said = pipeline.many("SET k w", "GET k")
    tap.ok(said[0]["replies"][0].startswith("READONLY") and not said[0]["open"],
           "an error is a reply", said)
    tap.same(said[1]["replies"], ["v"], "and the next one is its own")
    server("REPLICAOF", "NO", "ONE")


def check_away(folder):
    server = redis_server.RedisServer(folder)
    pipeline = redis_fleet.Pipeline(server.url, TIMEOUT_MS)
    tap.same(pipeline("SET k v"), ["OK"], "a server")
    server.kill()
    tap.ok(isinstance(pipeline("GET k"), str), "it is killed")
    tap.same(pipeline("GET k"), UNREACHABLE, "the breaker is open: nobody waits")
    server.start()
    tap.same(pipeline.good("GET k"), [None], "it is back")
    server.freeze()
    said = pipeline.many(*["GET k%d" % i for i in range(100)])
    tap.ok(all("no answer in time" in s["error"] and s["ms"] < TIMEOUT_MS + SLACK_MS for s in said),
           "a stall ends for all in one time", said[0], said[-1])
    said = pipeline.many(*["GET k%d" % i for i in range(100)])
    tap.ok(all(s["error"] == UNREACHABLE for s in said), "and nobody waits after that", said[0])
    server.thaw()
    check_many_after(pipeline)
    tap.same(pipeline.close(), 0, "an orderly end")
    server.stop()


def check_many_after(pipeline):
    pipeline.good("GET k")
    got = pipeline.many(*["ECHO %d" % i for i in range(100)])
    tap.same([s["replies"] for s in got], [["%d" % i] for i in range(100)],
             "late replies are not taken for others'")


def check_logins(folder):
    password = folder + "/password"
    proc.write_text(password, "secret\n")
    server = redis_fleet.Server(folder, ["--requirepass", "secret"])
    url = "redis://127.0.0.1:%d/3" % server.port
    pipeline = redis_fleet.Pipeline(url, password_file=password)
    tap.same(pipeline("SET k v"), ["OK"], "a password and a database")
    tap.ok("db=3" in [c for c in pipeline("CLIENT LIST")[0].split("\n") if "cmd=client" in c][0],
           "the right one")
    pipeline.close()
    pipeline = redis_fleet.Pipeline(url)
    tap.ok("store.password_file" in pipeline("SET k v"), "without a password: what is wrong")
    pipeline.close()
    server.stop()


def check_tls(folder):
    tls = redis_fleet.Tls(folder)
    server = redis_fleet.Server(folder, tls=tls)
    pipeline = redis_fleet.Pipeline("rediss://127.0.0.1:%d" % server.port, tls=tls.words())
    check_many(pipeline, "TLS")
    tap.same(pipeline.close(), 0, "an orderly end")
    server.stop()


# --- servers that a test makes up -----------------------------------------------------------------


def within_time(said):
    return said["ms"] < TIMEOUT_MS + SLACK_MS and said["memory_kb"] < MEMORY_KB


def check_lies():
    for lie in LIES:
        for is_closed in (False, True):
            server = fake_redis.FakeRedis(lambda _, lie=lie: [lie])
            server.closes = is_closed
            pipeline = redis_fleet.Pipeline("redis://" + server.name, TIMEOUT_MS)
            said = pipeline.many("GET a", "GET b", "GET c")
            tap.ok("error" in said[-1] and all(within_time(s) for s in said), "%r" % lie[:40],
                   said)
            server.closes = False
            server.answer = lambda words: fake_redis.bulk(words[1])
            tap.same(pipeline.good("GET good"), ["good"], "and after it")
            pipeline.close()
            server.stop()


def check_flood():
    for head, more in ((b"$600000000\r\n", b"x" * 65536), (b"+", b"x" * 65536)):
        server = fake_redis.FakeRedis(lambda _, h=head, m=more:
                                      itertools.chain([h], itertools.repeat(m)))
        pipeline = redis_fleet.Pipeline("redis://" + server.name, 20000)
        said = pipeline.many("GET x")[0]
        tap.ok("of more than 4 MB" in said["error"] and said["memory_kb"] < MEMORY_KB * 3,
               "a flood of %r" % head, said)
        pipeline.close()
        server.stop()


def check_late(tls, files):
    """Each reply says what was asked, some too late for their trip, some byte by byte."""
    count = itertools.count()

    def answer(words):
        reply = fake_redis.bulk(words[1])
        n = next(count)
        if n % 4 == 1:
            return [0.15, reply]
        if n % 4 == 3:
            return [reply[:5], 0.15, reply[5:]]
        return [bytes([b]) for b in reply]

    server = fake_redis.FakeRedis(answer, tls)
    pipeline = redis_fleet.Pipeline("%s://%s" % ("rediss" if tls else "redis", server.name), 10000,
                                    tls=files)
    pipeline("GET first")
    said = []
    for i in range(8):
        trips = ["GET key%d" % (2 * i + k) for k in range(2)]
        said += zip(trips, pipeline.many(*trips, timeout_ms=100))
        pipeline("GET between")
    tap.none([s for s in said if s[1]["replies"] not in ([], [s[0][4:]])],
             "no late reply is taken for another's")
    tap.ok(any(s[1]["replies"] for s in said) and any("error" in s[1] for s in said),
           "some came in time")
    tap.ok(not any(s[1]["open"] for s in said),
           "a trip that has less time than the server does not open the breaker")
    tap.same(pipeline("GET last"), ["last"], "the connection is good")
    tap.same(len(server.log) - next(count), 2, "and the same as ever", server.log[:4])
    pipeline.close()
    server.stop()


def check_noscript():
    server = fake_redis.FakeRedis(lambda words: b"-NOSCRIPT no\r\n")
    pipeline = redis_fleet.Pipeline("redis://" + server.name)
    tap.same(pipeline("script foo 1"), ["NOSCRIPT no"], "NOSCRIPT for ever is an answer")
    tap.same([words[0] for words in server.log[-2:]], ["EVALSHA", "EVAL"], "the source went once")
    server.answer = lambda _: b"-LOADING Redis is loading the dataset in memory\r\n"
    tap.ok(pipeline("script foo 1")[0].startswith("LOADING"), "so is LOADING")
    pipeline.close()
    server.stop()


def check_surplus():
    """Replies that nobody asked for end the connection, before they can be taken for others'."""
    server = fake_redis.FakeRedis(lambda words: fake_redis.bulk(words[1]) * 3)
    pipeline = redis_fleet.Pipeline("redis://" + server.name, TIMEOUT_MS)
    got = [pipeline("GET %d" % i) for i in range(5)]
    tap.same(got, [["%d" % i] for i in range(5)], "three replies to one command")
    pipeline.close()
    server.stop()


def check_silence():
    server = fake_redis.FakeRedis(lambda _: [0.01])
    pipeline = redis_fleet.Pipeline("redis://" + server.name, TIMEOUT_MS)
    begun = pipeline.begin(*["GET %d" % i for i in range(MANY)])
    said = [pipeline.end(n) for n in begun]
    tap.ok(all("no answer in time" in s["error"] and within_time(s) for s in said),
           "silence, with many more waiting", said[0], said[-1])
    # a trip that waited for the connection has less time than the server, and opens nothing
    tap.ok(proc.wait_for("a breaker that opens", lambda: pipeline.many("GET again")[0]["open"]),
           "the breaker is open")
    tap.same(pipeline.close(), 0, "an orderly end")
    server.stop()
    nobody = redis_fleet.Pipeline("redis://127.0.0.1:%d" % redis_fleet.free_port(), TIMEOUT_MS)
    tap.ok("cannot connect" in nobody("GET x"), "nobody listens")
    tap.same(nobody("GET x"), UNREACHABLE, "and nobody waits")
    nobody.close()


def check_end():
    server = fake_redis.FakeRedis(lambda _: [60])
    pipeline = redis_fleet.Pipeline("redis://" + server.name, 60000)
    pipeline.begin("GET a", "GET b")
    proc.wait_for("the question", lambda: ["GET", "a"] in server.log)
    tap.same(pipeline.close(), 0, "an end while trips are under way")
    server.stop()


def main():
    tap.need("openssl", "redis-server")
    folder = proc.scratch("pipeline")
    server = redis_server.RedisServer(folder)
    pipeline = redis_fleet.Pipeline(server.url)
    check_many(pipeline, "a Unix socket")
    check_gathered(pipeline, server.connect())
    check_scripts(pipeline, server.connect())
    check_idle(pipeline, server.connect())
    check_errors(pipeline, server.connect())
    pipeline.close()
    server.stop()
    check_away(proc.scratch("away"))
    check_logins(proc.scratch("login"))
    check_tls(proc.scratch("tls"))
    check_lies()
    check_flood()
    files = redis_fleet.Tls(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server)
    check_late(None, [""] * 4)
    check_late(context, files.words())
    check_noscript()
    check_surplus()
    check_silence()
    check_end()


tap.run(main)
