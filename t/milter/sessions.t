#!/usr/bin/env python3
"""Sessions that tollgated counts: who is connected to, for how long, and what a kill leaves."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
from tollgated import Tollgated, sessions, wait_counted

BOB, ALICE, CAROL = "bob@example.com", "alice@example.com", "carol@example.org"
OUTSIDE, FAR = "x@elsewhere.test", "a@far.test"
MESSAGE = milterclient.message_of(["Subject: hi"], 300)
LIMIT = {"scope": "domain", "metric": "messages", "max": "0", "per": "hour", "action": "reject"}


class Site:
    def __init__(self, **settings):
        self.folder = proc.scratch("sessions")
        os.mkdir(self.folder + "/redis")
        self.server = redis_server.RedisServer(self.folder + "/redis")
        self.redis = self.server.connect()
        self.daemon = Tollgated(self.folder, self.server.url,
                                "unix:%s/milter.sock" % self.folder, settings)
        self.daemon.host(["example.com", "example.org"])
        self.daemon.start()
        self.messages = 0

    def session(self, client="203.0.113.9", auth=""):
        return milterclient.Session(self.daemon.socket, client=client, auth=auth)

    def deliver(self, session, sender, *recipients):
        reply = session.deliver(sender, list(recipients), MESSAGE)
        self.messages += reply.accepted
        return reply

    def ended(self, count):
        """Until so many sessions are counted as ended."""
        try:
            proc.wait_for("%d sessions" % count, lambda: self.node("milter_sessions") >= count, 20)
        except TimeoutError:
            pass  # the checks that follow say what is missing
        wait_counted(self.redis, self.messages)

    def node(self, field):
        return int(self.redis("HGET", "tg:{@mx1}:total", field) or 0)

    def fields(self, account):
        return self.redis.hash("tg:{%s}:total" % account)

    def connections(self):
        out = {}
        for account in ("example.com", "example.org", "_unattributed"):
            for key in self.redis("KEYS", "tg:{%s}:users:month:*" % account):
                out.update(sessions(self.redis.hash(key)))
            for name, count in sessions(self.fields(account)).items():
                out[account + " " + name] = count
        return {k[:-len(" smtp_in_connections")]: v for k, v in out.items()}

    def close(self):
        code = self.daemon.stop()
        tap.ok(code == 0 and not self.daemon.complaints(), "a clean stop", code,
               self.daemon.complaints())
        self.server.stop()


def who(site):
    """One session each, however many messages and recipients it has."""
    with site.session() as s:
        site.deliver(s, OUTSIDE, BOB)
        site.deliver(s, OUTSIDE, BOB, ALICE)
        site.deliver(s, OUTSIDE, ALICE, CAROL)
    site.ended(1)
    tap.same(site.connections(), {"example.com": 1, "example.org": 1, BOB: 1, ALICE: 1, CAROL: 1},
             "a session that delivers to two domains and three users")
    with site.session(auth=BOB) as s:
        site.deliver(s, BOB, FAR, FAR)
        site.deliver(s, BOB, CAROL)
    site.ended(2)
    tap.same(site.connections(), {"example.com": 2, "example.org": 2, BOB: 2, ALICE: 1, CAROL: 2},
             "one that sends out and to a local user")
    with site.session() as s:
        site.deliver(s, OUTSIDE, FAR)
    site.ended(3)
    tap.same(site.connections()["_unattributed"], 1, "relayed mail: nobody's")
    before = site.connections()
    for _ in range(3):
        with site.session():
            pass
    with site.session(client=None) as s:
        site.deliver(s, BOB, FAR)
    site.ended(7)
    tap.same(site.connections(), before, "what delivers nothing, and the sendmail command: nobody")
    tap.same(site.node("milter_sessions"), 7, "they are sessions of the milter all the same")
    tap.same(sessions(site.fields("@mx1")), {"milter_sessions": 7},
             "SMTP sessions of the node are the collector's")


def how_long(site):
    """A session's seconds are those of each that it delivered to."""
    count = site.node("milter_sessions")
    before = [int(site.fields("example.com").get("smtp_in_connection_seconds", 0)),
              site.node("milter_session_seconds")]
    start = time.monotonic()
    with site.session() as s:
        site.deliver(s, OUTSIDE, BOB)
        seen = int(site.redis("HGET", "tg:{@mx1}:node", "seen"))
        proc.wait_for("two seconds of the node", lambda: int(
            site.redis("HGET", "tg:{@mx1}:node", "seen")) >= seen + 3)
        least = int(time.monotonic() - start)
    site.ended(count + 1)
    after = [int(site.fields("example.com").get("smtp_in_connection_seconds", 0)),
             site.node("milter_session_seconds")]
    took = [b - a for a, b in zip(before, after)]
    tap.ok(least - 1 <= took[0] <= time.monotonic() - start + 1, "as long as it was", took, least)
    tap.same(took[0], took[1], "for the domain as for the node")


def killed(site):
    """What a session had delivered before a kill is counted; its length is lost."""
    before, count = site.connections(), site.node("milter_sessions")
    s = site.session()
    site.deliver(s, OUTSIDE, BOB)
    site.daemon.kill()
    site.daemon.start()
    site.ended(count)
    after = site.connections()
    tap.same((after[BOB] - before[BOB], after["example.com"] - before["example.com"]), (1, 1),
             "a session before a kill")
    with site.session() as again:
        site.deliver(again, OUTSIDE, BOB)
        site.daemon.stop()
    site.daemon.start()
    site.ended(count + 1)
    after = site.connections()
    tap.same((after[BOB] - before[BOB], site.node("milter_sessions") - count), (2, 1),
             "one that is open at a stop has ended there")


def refused(site):
    before, count = site.connections(), site.node("milter_sessions")
    site.daemon.write_settings(throttle={"mode": "enforce"},
                               plans=[{"name": "default", "limits": [LIMIT]}])
    site.daemon.restart()
    with site.session(auth=BOB) as s:
        tap.ok(not site.deliver(s, BOB, FAR).accepted, "a limit refuses")
    site.ended(count + 1)
    tap.same(site.connections(), before, "a session whose mail was refused is nobody's")


def without_users():
    site = Site(accounting={"users": False})
    with site.session() as s:
        site.deliver(s, OUTSIDE, BOB)
    site.ended(1)
    tap.same(site.connections(), {"example.com": 1}, "without users: accounts alone")
    site.close()


def main():
    proc.month_lasts(120)
    site = Site()
    who(site)
    how_long(site)
    killed(site)
    refused(site)
    site.close()
    without_users()


tap.run(main)
