#!/usr/bin/env python3
"""SMTP sessions of a real Postfix, as its milter sees them: each counts once for whom it was."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from site_postfix import OUTSIDE, Site, mail
from tollgated import node_messages, sessions, wait_counted

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.org"
FAR = "far@gmail.test"


def connections(w):
    """account or user -> sessions."""
    out = {}
    for key in w.redis("KEYS", "tg:{*}:users:month:*") + w.redis("KEYS", "tg:{*}:total"):
        account = key[key.index("{") + 1:key.index("}")]
        for field, count in sessions(w.redis.hash(key)).items():
            who = field.rpartition(" ")[0] or account
            if field.endswith("smtp_in_connections"):
                out[who] = out.get(who, 0) + count
    return out


def opened(w):
    return int(w.redis("HGET", "tg:{@mx1}:total", "milter_sessions") or 0)


def after(w, work, count, messages):
    """What changes while `count` more milter sessions end, in which so many messages passed."""
    before, had, passed = connections(w), opened(w), node_messages(w.redis)
    work()
    try:
        proc.wait_for("%d sessions" % count, lambda: opened(w) >= had + count)
        w.postfix.wait_empty()
    except TimeoutError:
        tap.note("%d sessions of %d" % (opened(w) - had, count))
    wait_counted(w.redis, passed + messages)
    now = connections(w)
    return {k: v - before.get(k, 0) for k, v in now.items() if v != before.get(k, 0)}


def many_messages(w):
    """RSET, HELO and a refused recipient between the messages of one session."""
    session = w.client(OUTSIDE)
    session.send("x@gmail.test", [BOB], mail())
    session.command("RSET")
    session.send("x@gmail.test", [BOB, ALICE], mail())
    session.ehlo()
    session.send("x@gmail.test", [CAROL], mail())
    session.envelope("x@gmail.test", [BOB])
    session.command("RSET")
    session.quit()


def nothing(w):
    w.client(OUTSIDE).quit()
    session = w.client(OUTSIDE)
    session.envelope("x@gmail.test", [BOB])
    session.quit()


def five(w):
    for _ in range(5):
        w.send("x@gmail.test", [BOB], mail(), address=OUTSIDE)


def main():
    w = Site()
    proc.wait_for("those that waited for Postfix", lambda: opened(w) >= w.postfix.probes)
    # XCLIENT ends one milter session and begins another.
    tap.same(after(w, lambda: many_messages(w), 2, 3),
             {"example.com": 1, "example.org": 1, BOB: 1, ALICE: 1, CAROL: 1},
             "three messages of one session")
    tap.same(after(w, lambda: five(w), 10, 5), {"example.com": 5, BOB: 5}, "five sessions")
    tap.same(after(w, lambda: nothing(w), 4, 0), {}, "sessions that deliver nothing")
    tap.same(after(w, lambda: w.send(ALICE, [FAR, CAROL], mail(), login=ALICE), 1, 1),
             {"example.com": 1, ALICE: 1, "example.org": 1, CAROL: 1}, "a customer's session")
    tap.same(after(w, lambda: w.postfix.command("sendmail", "-f", BOB, FAR, stdin=mail()), 1, 1),
             {},
             "the sendmail command has no session")
    w.stop()


tap.run(main)
