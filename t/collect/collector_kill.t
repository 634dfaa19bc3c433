#!/usr/bin/env python3
"""tollgate-collect killed at every write to its ledger, and at any time, while logs rotate: each
line counts once, with no gap."""

import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults
import proc
import redis_server
import tap
from collector import Collector, Logins, counted, differences

DICE = random.Random(int(os.environ.get("TG_SEED", "4711")))
WRITES_MAX = 400
ROUNDS = 12


class Queue:
    """A log of Postfix: messages that come, are delivered, and leave, a few at a time under way."""

    def __init__(self, path):
        self.path, self.file = path, open(path, "ab", buffering=0)
        self.begun = self.sent = 0

    def say(self, text):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
        self.file.write(("%s mx postfix/%s\n" % (stamp, text)).encode())

    def begin(self):
        self.begun += 1
        self.say("smtpd[%d]: connect from unknown[192.0.2.9]" % (1000 + self.begun))
        self.say("smtpd[%d]: 4jC%07dzZz: client=unknown[192.0.2.9], sasl_method=PLAIN, "
                 "sasl_username=u@example.com" % (1000 + self.begun, self.begun))
        self.say("qmgr[7]: 4jC%07dzZz: from=<u@example.com>, size=500, nrcpt=1 (queue active)"
                 % self.begun)

    def end(self):
        self.sent += 1
        self.say("smtp[%d]: 4jC%07dzZz: to=<a@other.test>, relay=mx.other.test[198.51.100.7]:25, "
                 "delay=2, delays=0/0/1/1, dsn=2.0.0, status=sent (250 ok)"
                 % (5000 + self.sent, self.sent))
        self.say("qmgr[7]: 4jC%07dzZz: removed" % self.sent)
        self.say("smtpd[%d]: disconnect from unknown[192.0.2.9] ehlo=1 unknown=0/2 quit=1 "
                 "commands=2/4" % (1000 + self.sent))

    def rotate(self):
        """As `postfix logrotate` does; not twice in a second."""
        name = self.path + time.strftime(".%Y%m%d-%H%M%S", time.gmtime())
        if os.path.exists(name):
            return
        os.rename(self.path, name)
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)

    def wants(self):
        """What is counted when all that began has ended."""
        return {"smtp_in_connections": self.begun, "smtp_in_bad_commands": 2 * self.sent,
                "smtp_out_connections": self.sent, "smtp_out_connection_seconds": 2 * self.sent,
                "smtp_out_sent_bytes": 500 * self.sent}


def faults_of(redis, queue):
    found = {name: counted(redis, "@mx1", name) for name in queue.wants()}
    return [] if found == queue.wants() else ["counted %s" % found, "logged  %s" % queue.wants()]


def finish(c, redis, logins, queue):
    """All is over; what the last lines began is counted once later ones could have come."""
    while queue.sent < queue.begun:
        queue.end()
    code, _, err = c.once()
    tap.same(code, 0, "the last run ends well", err)

    def is_counted():
        return c.once()[0] != 0 or not faults_of(redis, queue)
    try:
        proc.wait_for("all deliveries", is_counted)
    except TimeoutError:
        pass
    tap.none(differences(redis, logins), "each of %d logins counts once" % logins.count)
    tap.none(faults_of(redis, queue), "each session and delivery counts once")
    tap.same(redis("HGET", "tg:{@mx1}:collect", "gaps"), "0", "no gap",
             str(redis.hash("tg:{@mx1}:gaps")))


def test_every_write(folder):
    """Killed at its first write of a run, then at its second, and so on, until a run has fewer."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    shim = faults.Faults(proc.scratch("shim"))
    c = Collector(folder, server.url, {"collect": {"sources": [
        "file:" + os.path.join(folder, "mail.log"), "file:" + os.path.join(folder, "queue.log")]}})
    c.env = shim.env
    logins, queue = Logins(c.log_path), Queue(os.path.join(folder, "queue.log"))
    number, ends = 0, []
    tap.same(c.once()[0], 0, "the empty logs are known")
    while number < WRITES_MAX and ends[-3:] != [0, 0, 0]:
        number += 1
        logins.write(DICE.randrange(1, 9))
        queue.begin()
        if number % 3 == 0:
            queue.end()
        if DICE.randrange(4) == 0:
            logins.rotate()
        if DICE.randrange(6) == 0:
            queue.rotate()
        logins.write(DICE.randrange(3))
        shim.fail("pwrite-kill", number)
        code, _, err = c.once()
        ends.append(code)
        if code not in (0, -9):
            tap.note(err)
    tap.ok(ends.count(-9) > 20 and set(ends) == {0, -9}, "killed at each of its writes",
           "%d runs, %d killed" % (len(ends), ends.count(-9)))
    shim.mend("pwrite-kill")
    finish(c, redis, logins, queue)
    server.stop()


def test_full_disk(folder):
    """Each write of a fold fails once: the fold is dropped, and read again."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    shim = faults.Faults(proc.scratch("shim"))
    c = Collector(folder, server.url)
    c.env = shim.env
    logins = Logins(c.log_path)
    failed = 0
    for number in range(1, 60, 2):
        logins.write(5)
        shim.fail("pwrite-fail", number)
        code, _, err = c.once()
        failed += code != 0
        if code != 0 and not re.search("disk full|disk I/O|locked", err):
            tap.note(err)
    tap.ok(failed > 3, "some runs fail", "%d of 30" % failed)
    shim.mend("pwrite-fail")
    code, _, err = c.once()
    tap.same(code, 0, "the last run ends well", err)
    tap.none(differences(redis, logins), "each login counts once")
    server.stop()


def writer(logins, queue, stop):
    while not stop.is_set():
        logins.write(DICE.randrange(20))
        queue.begin()
        if queue.begun % 2 == 0:
            queue.end()
        if DICE.randrange(30) == 0:
            logins.rotate()
        if DICE.randrange(60) == 0:
            queue.rotate()
        time.sleep(0.01)


def test_any_time(folder):
    """The daemon is killed at any time while logs are written and rotated, and Redis with it."""
    server = redis_server.RedisServer(folder)
    c = Collector(folder, server.url, {"collect": {"sources": [
        "file:" + os.path.join(folder, "mail.log"), "file:" + os.path.join(folder, "queue.log")]}})
    logins, queue = Logins(c.log_path), Queue(os.path.join(folder, "queue.log"))
    tap.same(c.once()[0], 0, "the empty logs are known")
    stop = threading.Event()
    thread = threading.Thread(target=writer, args=(logins, queue, stop))
    thread.start()
    for _ in range(ROUNDS):
        c.start()
        time.sleep(0.2 + DICE.random() * 1.2)
        if DICE.randrange(4) == 0:
            server.kill()
            c.kill()
            server.start()
        elif DICE.randrange(3) == 0:
            server.connect()("FLUSHALL")
            c.kill()
        else:
            c.kill()
    stop.set()
    thread.join()
    finish(c, server.connect(), logins, queue)
    server.stop()


def main():
    tap.need("redis-server")
    for test in (test_every_write, test_full_disk, test_any_time):
        tap.note(test.__name__)
        test(proc.scratch("collector"))


tap.run(main)
