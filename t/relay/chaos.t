#!/usr/bin/env python3
"""tollgate-relay killed at random under load: no accepted message is lost; duplicates only of what
was under way to another server."""

import collections
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap

MESSAGES = int(os.environ.get("TG_CHAOS_MESSAGES", "400"))
KILLS = int(os.environ.get("TG_CHAOS_KILLS", "8"))
CLIENTS = 8
DELIVERIES = 4


class Load:
    def __init__(self, r):
        self.relay, self.lock = r, threading.Lock()
        self.next, self.told, self.unknown = 0, set(), set()

    def take(self):
        with self.lock:
            self.next += 1
            return self.next

    def enough(self):
        return len(self.told) >= MESSAGES

    def client(self):
        while not self.enough():
            try:
                c = smtp.Smtp(self.relay.port, timeout_s=20)
                for _ in range(10):
                    self.send(c)
                c.quit()
            except (OSError, smtp.Refused):
                time.sleep(0.02)  # it is being started again

    def send(self, c):
        number = self.take()
        size = 2000000 if number % 50 == 0 else 500
        text = ("Subject: %d\r\n\r\n" % number).encode() + b"x" * 98 + b"\r\n"
        text += (b"y" * 98 + b"\r\n") * (size // 100)
        c.envelope("", ["u%d@host.test" % number, "u%d@else.test" % number])
        c.command("DATA", 354)
        with self.lock:
            self.unknown.add(number)
        c.socket.sendall(smtp.stuffed(text))
        c.expect(250, "end of data")
        with self.lock:
            self.unknown.discard(number)
            self.told.add(number)


def in_maildirs(r):
    folder = os.path.join(r.folder, "mail", "host.test")
    found = collections.Counter()
    for user in os.listdir(folder):
        found[int(user[1:])] = len(os.listdir(os.path.join(folder, user, "new")))
    return found


def at_sink(s):
    found = collections.Counter()
    for d in s.deliveries:
        number = int(re.match(r"u(\d+)@", d.recipients[0]).group(1))
        subject = int(re.search(rb"Subject: (\d+)\r\n", d.data).group(1))
        found[number] += 1 if number == subject and d.data.endswith(b"y\r\n") else 1000000
    return found


def main():
    seed = int(os.environ.get("TG_SEED", random.randrange(1000000)))
    tap.note("seed %d" % seed)
    hand = random.Random(seed)
    s = sink.Sink()
    r = relay.Relay(proc.scratch("chaos"), settings={"relay": {
        "next_hop": "127.0.0.1:%d" % s.port, "deliveries_max": DELIVERIES}})
    r.start()
    load = Load(r)
    clients = [threading.Thread(target=load.client, daemon=True) for _ in range(CLIENTS)]
    for c in clients:
        c.start()
    for kill in range(KILLS):
        goal = MESSAGES * (kill + hand.random()) / (KILLS + 1)
        proc.wait_for("%d accepted" % goal, lambda g=goal: len(load.told) >= g, 120)
        r.kill()
        r.start()
    for c in clients:
        c.join(120)
    r.wait_empty(120)
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")
    boxes, sent = in_maildirs(r), at_sink(s)
    tap.ok(len(load.told) >= MESSAGES, "%d accepted, %d unknown, %d kills" % (
        len(load.told), len(load.unknown), KILLS))
    tap.same([n for n in load.told if boxes[n] == 0], [], "each accepted one is in its Maildir")
    tap.same([n for n in load.told if sent[n] == 0], [], "and went to the next hop")
    tap.same([n for n in boxes if boxes[n] > 1], [], "no Maildir has one twice")
    known = load.told | load.unknown
    tap.same([n for n in list(boxes) + list(sent) if n not in known], [],
             "nothing that was not accepted")
    twice = [n for n in sent if sent[n] > 1]
    tap.ok(len(twice) <= KILLS * DELIVERIES and all(sent[n] < 100 for n in twice),
           "%d sent twice: at most what was under way at each kill" % len(twice), twice)
    left = os.listdir(os.path.join(r.folder, "relay-queue", "tmp"))
    tap.same(left, [], "nothing left over")


tap.run(main)
