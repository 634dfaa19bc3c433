#!/usr/bin/env python3
"""A stop while a back end hangs: in time, with exit code 0, and nothing is freed that a session
still uses (the build with sanitizers sees that). TERM comes twice, so that nothing waits for the
mail."""

import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
MESSAGE = milterclient.message_of(["Subject: hi"], 600)
STOP_S = 45  # the unit kills after TimeoutStopSec=60
NO_BOUNCES = {"name": "default", "limits": [{"scope": "domain", "metric": "bounces", "max": "0",
                                             "per": "hour", "action": "defer"}]}

FAKE_POSTCONF = """#!/bin/sh
while [ -e %s/hang ]; do echo >>%s/hanging; sleep 1; done
echo "mydestination = example.com"
"""


class Listener:
    """A Unix socket; what comes in goes on to another one, if there is one, and an answer back."""

    def __init__(self, path, word, behind=None):
        self.path, self.word, self.behind = path, word, behind
        self.asked = threading.Event()  # the word has come
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.listener.accept()
            other = None
            if self.behind:
                other = socket.socket(socket.AF_UNIX)
                other.connect(self.behind)
                threading.Thread(target=self.copy, args=(other, s), daemon=True).start()
            threading.Thread(target=self.copy, args=(s, other, True), daemon=True).start()

    def copy(self, source, target, look=False):
        try:
            while True:
                octets = source.recv(65536)
                if not octets:
                    break
                if look and self.word in octets:
                    self.asked.set()
                if target:
                    target.sendall(octets)
        except OSError:
            pass
        for s in (source, target):
            if s:
                s.close()


class Site:
    def __init__(self, name, settings):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.proxy = Listener(self.folder + "/proxy.sock", b"INFO", self.server.path)
        self.daemon = tollgated.Tollgated(self.folder, "unix://" + self.proxy.path,
                                          "unix:%s/milter.sock" % self.folder, settings)
        self.daemon.host(["example.com"])

    def hanging_session(self, sender):
        """A message whose answer does not come; what becomes of it is no matter here."""
        def work():
            try:
                with milterclient.Session(self.daemon.socket) as s:
                    s.deliver(sender, [ALICE], MESSAGE)
            except (milterclient.Lost, OSError):
                pass

        threading.Thread(target=work, daemon=True).start()

    def stops(self, what, signals=2):
        """TERM, twice; the rest of the checks."""
        began = time.monotonic()
        for _ in range(signals):
            self.daemon.daemon.signal(signal.SIGTERM)
            time.sleep(0.1)  # else the two become one
        tap.same(self.daemon.daemon.wait(120), 0, what + ": exit code 0")
        took_s = time.monotonic() - began
        tap.ok(took_s < STOP_S, what + ": in time", took_s)
        tap.none(self.daemon.complaints(), what + ": nothing was used after it was freed")

    def cut_off(self):
        """The messages under way of which the log tells at a stop."""
        return re.findall("stopped with messages under way open_messages=([0-9]+)",
                          self.daemon.log())

    def goes_on(self, what):
        """The next start finds all in order."""
        self.daemon.start()
        with milterclient.Session(self.daemon.socket) as s:
            tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, what + ": the next start serves")
        tap.same(self.daemon.stop(), 0, what + ": and ends")
        tap.none(self.daemon.complaints(), what + ": well")


def test_frozen_redis():
    """The session waits for Redis, then asks the limits of the process and logs a violation."""
    site = Site("frozen", {"store": {"timeout": "6s"}, "throttle": {"mode": "enforce"},
                           "plans": [NO_BOUNCES]})
    site.daemon.start()
    site.server.freeze()
    site.proxy.asked.clear()
    site.hanging_session("")
    tap.ok(site.proxy.asked.wait(80), "the session asks Redis")
    site.stops("Redis frozen")
    site.server.thaw()
    site.goes_on("Redis thawed")


def test_hanging_map():
    folder = proc.scratch("map")
    server = Listener(folder + "/map.sock", b"example")
    site = Site("socketmap", {"hosted": {"forwards": ["socketmap:unix:%s:f" % server.path]}})
    site.daemon.start()
    site.hanging_session(OUTSIDE)
    tap.ok(server.asked.wait(80), "the session asks the map")
    site.stops("socketmap hangs")
    tap.same(site.cut_off(), ["1"], "the message that is cut off is named")


def test_hanging_postfix():
    """A reload waits for postconf; the stop does not wait for the reload."""
    folder = proc.scratch("postfix")
    script = folder + "/postconf"
    proc.write_text(script, FAKE_POSTCONF % (folder, folder))
    os.chmod(script, 0o755)
    os.environ["PATH"] = folder + ":" + os.environ["PATH"]
    site = Site("postconf", {"hosted": {"domains": ["postfix:" + folder]}})
    site.daemon.start()
    proc.write_text(folder + "/hang", "")
    site.daemon.reload()
    proc.wait_for("postconf", lambda: os.path.exists(folder + "/hanging"))
    with milterclient.Session(site.daemon.socket) as idle:
        tap.ok(idle.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "mail meanwhile")
        site.stops("postconf hangs")
        tap.same(site.cut_off(), [], "nothing is cut off")
    tap.ok("a reload was abandoned" in site.daemon.log(), "the log says so")
    os.unlink(folder + "/hang")
    site.goes_on("postconf answers again")


def main():
    for test in (test_frozen_redis, test_hanging_map, test_hanging_postfix):
        tap.note(test.__name__)
        test()


tap.run(main)
