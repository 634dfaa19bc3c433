#!/usr/bin/env python3
"""Many domains and many readers: lists of all domains are right, read once for all who ask, and
soon read again; answers come while hundreds of connections are idle or trickle; memory stays small.

The suite has 6,000 domains. `make web-load' has 50,000 of 31 days, and says how long answers take:
at the median they may take 100 ms."""

import asyncio
import datetime
import os
import re
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from web import Web
from web_load import UTC, Filled, domain

FULL = os.environ.get("TG_WEB_LOAD") == "full"
DOMAINS, DAYS = (50000, 31) if FULL else (6000, 2)
MONTH = "2026-10"
NOW = datetime.datetime(2026, 10, 31, 12, tzinfo=UTC)
RANGE = "from=%s-01&to=%s-%02d" % (MONTH, MONTH, DAYS)
LISTED = "/r/smtp?mode=domain&" + RANGE
READERS, IDLE, SLOW = 200, 1000, 50
MEDIAN_MS, MEMORY_KB = 100, 100 * 1024


def names(page):
    """The domains of the page's table, in its order."""
    return re.findall(r'href="/r/[^"]*domain=(d\d{5}\.example)[^"]*"', page)


def unique(items):
    return list(dict.fromkeys(items))


def right(web, filled, bearer):
    want = filled.largest(100)
    page = web.get(LISTED, headers=bearer)
    tap.same(page.status, 200, "the list of all domains")
    tap.same(unique(names(page.text))[:100], [name for _, name in want], "the largest come first")
    rows = web.get("/r/smtp.json?mode=domain&top=5&" + RANGE, headers=bearer)
    tap.ok(all('"%s"' % name in rows.text and str(size) in rows.text for size, name in want[:5]),
           "with their figures", rows.text[:1000])
    own = {"Authorization": "Bearer " + web.add_token("one", "domain", domain(7))}
    page = web.get("/r/smtp?" + RANGE, headers=own)
    tap.ok(page.status == 200 and not [n for n in names(page.text) if n != domain(7)],
           "who has one domain sees no other, whoever asked before")
    tap.same(web.get(LISTED, headers=own).status, 400, "and gets no list of them")


def renewed(web, redis, filled, bearer):
    """What is kept is not kept for long, and its age is told."""
    web.get(LISTED, headers=bearer)
    old = proc.wait_for("an answer with an age", lambda: web.get(LISTED, headers=bearer)
                        .headers.get("age"))
    tap.ok(1 <= int(old) <= 5, "an answer says how old its figures are", old)
    winner = filled.largest(1)[0][1]
    other = domain(0) if winner != domain(0) else domain(1)
    for day in filled.days:
        redis("HINCRBY", "tg:{%s}:day:%s-%02d" % (other, MONTH, day), "in_bytes", 10**12)
    redis("HINCRBY", "tg:{%s}:month:%s" % (other, MONTH), "in_bytes", 10**12)
    proc.wait_for("the new figures",
                  lambda: names(web.get(LISTED, headers=bearer).text)[0] == other)
    tap.ok(True, "figures that change are soon shown")


async def ask(port, path, bearer):
    """Status and body of the answer, and how long it took, in ms."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n"
                  "Connection: close\r\n\r\n" % (path, bearer["Authorization"])).encode())
    text = await asyncio.wait_for(reader.read(), 120 * proc.PATIENCE)
    writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), body, (time.monotonic() - began) * 1000


async def at_once(port, paths, bearer):
    return await asyncio.gather(*[ask(port, path, bearer) for path in paths])


def many_readers(web, bearer, what):
    paths = ["/", LISTED] * (READERS // 2)
    answers = asyncio.run(at_once(web.port, paths, bearer))
    wrong = [path for path, (status, body, _) in zip(paths, answers)
             if status != 200 or not body.rstrip().endswith(b"</html>")]
    tap.none(wrong, "%d readers at once are answered%s" % (READERS, what))
    tap.note("%d readers at once%s: all within %.0f ms" %
             (READERS, what, max(took for _, _, took in answers)))


def medians(web, bearer):
    """One reader after the other, for longer than figures are kept."""
    for path in ("/", "/d/" + domain(17), "/r/smtp", LISTED):
        took, end = [], time.monotonic() + (12 if FULL else 0)
        while len(took) < 20 or time.monotonic() < end:
            took.append(asyncio.run(ask(web.port, path, bearer))[2])
        took.sort()
        tap.note("%s: median %.1f ms, slowest %.1f ms, %d answers" %
                 (path, statistics.median(took), took[-1], len(took)))
        if FULL:
            tap.ok(statistics.median(took) <= MEDIAN_MS, "%s: at most %d ms" % (path, MEDIAN_MS))


async def crowd(web, bearer):
    """Readers are answered while others are idle, or send a byte now and then."""
    idle = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(IDLE)]
    slow = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(SLOW)]
    answered = []
    for i in range(20):
        for _, writer in slow:
            writer.write(b"GET / HTTP/1.1\r\nX: " if i == 0 else b"a")
        answered.append((await ask(web.port, LISTED if i % 2 else "/", bearer))[0])
    still = sum(not reader.at_eof() for reader, _ in idle + slow)
    for _, writer in idle + slow:
        writer.close()
    return answered, still


def memory_kb(web):
    return int(re.search(r"VmHWM:\s+(\d+) kB", proc.read_text("/proc/%d/status" %
                                                              web.daemon.pid)).group(1))


def main():
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, files[0]), files[1]))
    folder = proc.scratch("load")
    server = RedisServer(folder)
    redis = server.connect()
    redis.socket.settimeout(300)
    began = time.monotonic()
    filled = Filled(redis, DOMAINS, DAYS, MONTH)
    tap.note("%d domains of %d days in %.1f s" % (DOMAINS, DAYS, time.monotonic() - began))
    web = Web(folder, server.url, now=NOW, timeout="10min", connections_max=3000,
              client_connections_max=3000)
    web.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, files[1]), files[1]))
    bearer = {"Authorization": "Bearer " + web.add_token("all", "admin")}
    right(web, filled, bearer)
    many_readers(web, bearer, "")
    medians(web, bearer)
    answered, still = asyncio.run(crowd(web, bearer))
    tap.same(set(answered), {200}, "answers while %d connections are idle and %d trickle" %
             (IDLE, SLOW))
    tap.same(still, IDLE + SLOW, "all of which were open")
    many_readers(web, bearer, ", after that")
    renewed(web, redis, filled, bearer)
    used = memory_kb(web)
    tap.note("memory at most %.0f MB" % (used / 1024))
    if not proc.is_sanitized("tollgate-web"):
        tap.ok(used < MEMORY_KB, "memory is small", used)
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
