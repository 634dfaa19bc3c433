#!/usr/bin/env python3
"""Limits through real Postfix: who is stopped, with which reply at which stage, and who is not."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import smtp
import tap
import tollgated
from site_postfix import OUTSIDE, Site, mail

# Each has a domain of its own, whose plan it is. All others are without limits.
PLANS = {"example.com": ("defer", "recipients", 3, "defer"),
         "cust.example": ("reject", "recipients", 2, "reject"),
         "a.wild.example": ("flood", "bounces", 5, "defer"),
         "shop.example": ("forwards", "recipients", 2, "defer")}
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.org"
MALLORY = "mallory@cust.example"
FAR = "far@gmail.test"


def limit(metric, most, action, **more):
    return dict(scope="domain", metric=metric, max=str(most), per="hour", action=action, **more)


def settings(folder):
    proc.write_text(folder + "/plans", "".join("%s %s\n" % (d, p[0]) for d, p in PLANS.items()))
    plans = [{"name": p[0], "limits": [limit(*p[1:])]} for p in PLANS.values()]
    plans += [{"name": "default", "limits": [limit("recipients", 1000000, "log")]}]
    # Without leases a window has consumed what has passed, at any time.
    return {"throttle": {"mode": "enforce", "leases": False,
                         "assign": ["file:%s/plans" % folder]}, "plans": plans}


def counter(w, name, account):
    return int(w.redis("HGET", "tg:{%s}:total" % account, name) or 0)


def wait_counter(w, name, account, value):
    try:
        proc.wait_for(name, lambda: counter(w, name, account) >= value)
    except TimeoutError:
        pass
    return counter(w, name, account)


def used(w, domain, metric="recipients"):
    """What is consumed of the window."""
    return int(w.redis("HGET", "tg:{%s}:window:%s:hour" % (domain, metric), "s") or 0)


def is_refused(attempt, stage, code, text):
    return (len(attempt.refused) == 1 and attempt.refused[0][:2] == (stage, code) and
            re.match(text, attempt.refused[0][2]))


def at_rcpt(w, sender, recipients, login):
    """An attempt that is refused at RCPT, and how many there were. A full window is known there for
    a second; who comes later is refused at the end of data, and from then on at RCPT."""
    attempts = []

    def attempt():
        attempts.append(w.attempt(sender, recipients, login=login))
        return attempts[-1]

    return proc.wait_result("a refusal at RCPT", attempt, lambda a: a.refused and
                            a.refused[0][0] == "rcpt"), len(attempts)


# --- a domain over its limit ----------------------------------------------------------------------


def deferred(w):
    tap.ok(w.attempt(ALICE, [FAR, "b@gmail.test", "c@gmail.test"], login=ALICE).accepted,
           "defer: up to the limit")
    reply = (r"4\.7\.1 example\.com: limit of 3 recipients per hour reached "
             r"\(3 used, 1 more wanted\), try again ")
    first = w.attempt(ALICE, [FAR], login=ALICE)
    tap.ok(is_refused(first, "end", 450, reply) and not first.accepted,
           "defer: the next is refused at the end of data", first)
    second, more = at_rcpt(w, ALICE, [FAR], ALICE)
    tap.ok(is_refused(second, "rcpt", 450, reply) and not second.recipients,
           "defer: the one after it at RCPT", second)
    mixed, most = at_rcpt(w, ALICE, [BOB, FAR, CAROL], ALICE)
    tap.ok(is_refused(mixed, "rcpt", 450, reply) and mixed.accepted and
           mixed.recipients == [BOB, CAROL], "defer: a mixed message goes to those it may go to",
           mixed)
    log = w.postfix.log()
    tap.ok(re.search(r"milter-reject: END-OF-MESSAGE .*4\.7\.1 example\.com: limit", log),
           "the log of Postfix says so", log[-1500:])
    tap.same(used(w, "example.com"), 3, "refused attempts consume nothing")
    # each has one recipient that is over the limit
    want = 1 + more + most
    tap.same(wait_counter(w, "throttled_recipients", "example.com", want), want,
             "they are all counted")
    line = [x for x in w.tollgated.log().split("\n") if " violation " in x][0]
    tap.ok(re.search("domain=example.com user=alice@example.com scope=domain "
                     "metric=recipients limit=3/hour used=3 "
                     r"wanted=1 action=defer retry_after=\d+ qid=\w+ client=203\.0\.113\.9 "
                     "from=alice@example.com login=alice@example.com$", line),
           "a violation is a line in the log", line)


def others_go_on(w):
    tap.ok(w.attempt("x@gmail.test", [ALICE]).accepted, "inbound mail goes on")
    tap.ok(w.attempt(ALICE, [CAROL], login=ALICE).accepted, "local mail goes on")
    tap.ok(w.attempt(CAROL, [FAR], login=CAROL).accepted, "another domain goes on")
    w.delivered(CAROL)


def forgers(w):
    before = used(w, "example.org")
    forged, _ = at_rcpt(w, CAROL, [FAR], ALICE)
    tap.ok(is_refused(forged, "rcpt", 450, r"4\.7\.1 example\.com: limit"),
           "a login cannot spend another domain's limit by a forged sender", forged)
    tap.same(used(w, "example.org"), before, "nothing of it is consumed")
    tap.ok(w.attempt(ALICE, [FAR], login=CAROL).accepted, "and its own is not another's")
    tap.same(used(w, "example.org"), before + 1, "a login spends what is its domain's")
    tap.ok(w.attempt(MALLORY, [BOB], OUTSIDE).accepted, "a forger from outside: to a hosted domain")
    tap.ok(w.attempt(MALLORY, ["u@backup.test"], OUTSIDE).accepted, "and to a relayed one")
    denied = w.attempt(MALLORY, [FAR], OUTSIDE)
    tap.ok(is_refused(denied, "rcpt", 554, ".*Relay access denied"), "elsewhere it does not get")
    tap.same(used(w, "cust.example"), 0, "a forger from outside spends nobody's limit")


def rejected(w):
    tap.ok(w.attempt(MALLORY, [FAR, "b@gmail.test"], login=MALLORY).accepted,
           "reject: up to the limit")
    reply = (r"5\.7\.1 cust\.example: limit of 2 recipients per hour reached "
             r"\(2 used, 1 more wanted\), more is accepted in ")
    tap.ok(is_refused(w.attempt(MALLORY, [FAR], login=MALLORY), "end", 550, reply),
           "reject: the next is refused at the end of data")
    tap.ok(is_refused(at_rcpt(w, MALLORY, [FAR], MALLORY)[0], "rcpt", 550, reply),
           "reject: the one after it at RCPT")


def forwarders(w):
    for i in range(4):
        tap.ok(w.attempt("x@gmail.test", ["any@shop.example"]).accepted,
               "a forwarder: mail from outside passes (%d)" % (i + 1))
    own = w.attempt("www@shop.example", [FAR], login="www@shop.example")
    tap.ok(not own.accepted, "what it sends itself does not", own)


# --- the sendmail command -------------------------------------------------------------------------


def sendmail(w, sender, recipient):
    w.postfix.command("sendmail", "-f", sender, recipient, stdin=b"Subject: cron\n\nhello\n")


def maildrop(w):
    return os.listdir(os.path.join(w.postfix.dir, "queue", "maildrop"))


def is_emptied(w):
    """pickup removes a message after cleanup has taken it."""
    return proc.wait_for("maildrop to be empty", lambda: not maildrop(w))


def command_deferred(w):
    before = counter(w, "throttled_messages", "example.com")
    sendmail(w, ALICE, "cron@gmail.test")
    proc.wait_for("three attempts",
                  lambda: counter(w, "throttled_messages", "example.com") >= before + 3)
    tap.same(len(maildrop(w)), 1, "the sendmail command, deferred: it is tried again")
    w.redis("HSET", "tg:{example.com}:limits", "domain/recipients/hour", "max=4 action=defer")
    tap.ok(w.delivered("cron@gmail.test"), "and is delivered when there is room")
    tap.ok(is_emptied(w), "then maildrop is empty")
    tap.same(used(w, "example.com"), 4, "charged once")


def command_rejected(w):
    sendmail(w, MALLORY, "cron2@gmail.test")
    bounce = w.delivered(MALLORY)
    tap.ok(b"cust.example: limit of 2 recipients" in bounce,
           "the sendmail command, rejected: it is bounced to its sender, with the reason", bounce)
    tap.ok(is_emptied(w), "nothing stays in maildrop")
    tap.ok("cron2@gmail.test" not in w.sink.recipients(), "and nothing goes out")


# --- bounces --------------------------------------------------------------------------------------


def bounce_flood(w):
    victim = "u@a.wild.example"
    flood = [w.attempt("", [victim]) for _ in range(20)]
    tap.same([a.accepted for a in flood], [True] * 5 + [False] * 15, "bounces: 5 of 20 pass")
    tap.ok(all(is_refused(a, "rcpt", 450, r"4\.7\.1 a\.wild\.example: limit of 5 bounces")
               for a in flood[5:]), "the others are refused at RCPT", flood[5:])
    tap.ok(w.attempt("x@gmail.test", [victim]).accepted, "normal mail for the domain passes")
    tap.ok(w.attempt("u@a.wild.example", [FAR], login="u@a.wild.example").accepted,
           "what it sends passes")
    both = w.attempt("", [victim, CAROL])
    tap.same((both.accepted, both.recipients), (True, [CAROL]),
             "a bounce to two domains: the one over its limit is refused")
    tap.same(wait_counter(w, "throttled_bounces", "a.wild.example", 16), 16, "counted as stopped")
    tap.same(counter(w, "bounces_received", "a.wild.example"), 5, "and as received")


def own_bounce(w):
    """One that Postfix cannot write it would try for ever, and the delivery before it."""
    sendmail(w, "u2@a.wild.example", "nobody@bounce.test")
    tap.ok(b"no_such_user" in w.delivered("u2@a.wild.example"),
           "a bounce that Postfix itself writes passes")
    w.postfix.wait_empty()
    tap.ok("bounce failed" not in w.postfix.log(), "Postfix could always bounce what it had to")
    tap.same(wait_counter(w, "observed_bounces", "a.wild.example", 1), 1, "it is counted as over")


# --- observe --------------------------------------------------------------------------------------


def observe(w):
    w.tollgated.write_settings(throttle={"mode": "observe"})
    w.tollgated.reload()
    proc.wait_for("the reload", lambda: "configuration reloaded" in w.tollgated.log())
    stopped = counter(w, "throttled_messages", "example.com")
    attempts = [w.attempt(ALICE, [FAR], login=ALICE) for _ in range(3)]
    attempts += [w.attempt(MALLORY, [FAR], login=MALLORY), w.attempt("", ["u@a.wild.example"])]
    tap.none([a for a in attempts if not a.accepted or a.refused],
             "observe mode: for clients there are no limits")
    tap.same(wait_counter(w, "observed_messages", "example.com", 3), 3,
             "what would have been stopped is counted")
    tap.same(wait_counter(w, "observed_bounces", "a.wild.example", 2), 2, "bounces too")
    tap.same(counter(w, "throttled_messages", "example.com"), stopped, "nothing was stopped")


def main():
    tap.need("postfix", "redis-server", root=True)
    w = Site(settings=settings(proc.scratch("plans")))
    deferred(w)
    others_go_on(w)
    forgers(w)
    rejected(w)
    forwarders(w)
    command_deferred(w)
    command_rejected(w)
    bounce_flood(w)
    own_bounce(w)
    observe(w)
    w.stop()


tap.run(main)
