#!/usr/bin/env python3
"""Admins are told which part of a month's limit is used: by two nodes on one Redis that run the
sample of contrib/notify, whose mails a program in sendmail's place keeps."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from limit_site import Site, limit

SAMPLE = os.path.join(os.path.abspath(proc.SOURCE), "contrib/notify/mail-admin")
SENDMAIL = """\
#!/bin/sh
[ ! -e %(folder)s/fails ] || { echo "no disk" >&2; exit 75; }
file=$(mktemp %(folder)s/new.XXXXXX)
{ echo "$@"; cat; } >"$file"
mv "$file" "%(folder)s/mail.${file##*.}"
"""


# Kills tollgated, which runs it, where the file `kill` says so: before the mail or behind it.
NOTIFY = """\
#!/bin/sh
dies() {
    [ "$(cat %(folder)s/kill 2>/dev/null)" = "$1" ] || return
    rm %(folder)s/kill
    kill -KILL $PPID
    exit
}
dies before
SENDMAIL=%(folder)s/sendmail %(sample)s "$@"
code=$?
dies behind
exit $code
"""


def program(path, text):
    proc.write_text(path, text)
    os.chmod(path, 0o755)
    return path


class Telling(Site):
    def __init__(self):
        self.mails = proc.scratch("telling-mails")
        program(self.mails + "/sendmail", SENDMAIL % {"folder": self.mails})
        notify = program(self.mails + "/notify",
                         NOTIFY % {"folder": self.mails, "sample": SAMPLE})
        self.admins = self.mails + "/admins"
        proc.write_text(self.admins, "example.com boss@example.com\njump.example it@jump.example\n"
                        "fail.example f@fail.example\n"
                        "before.example k@before.example\nbehind.example k@behind.example\n"
                        "bad.example no-address-at-all\n"
                        "@customer:4711 c@cust.example\n")
        proc.write_text(self.mails + "/customers", "c1.example 4711\nc2.example 4711\n")
        super().__init__(
            "telling", limit("domain/messages/month", 10), limit("domain/messages/hour", 1000),
            limit("customer/messages/month", 4, "hold"), nodes=2,
            domains=("example.com", "jump.example", "none.example", "fail.example", "c1.example",
                     "c2.example", "before.example", "behind.example"),
            throttle={"notify": notify, "notify_every": "1s",
                      "admins": ["file:" + self.admins]},
            billing={"customers": ["file:" + self.mails + "/customers"]}, timeout="10s")

    def pass_on(self, domain, count, node=0):
        for _ in range(count):
            self.send("a@" + domain, ["x@far.test"], auth="a@" + domain, node=node)

    def told(self):
        """(to, subject) of each mail, in no order."""
        found = []
        for name in os.listdir(self.mails):
            if name.startswith("mail."):
                with open(os.path.join(self.mails, name), encoding="utf-8") as file:
                    lines = file.read().splitlines()
                found.append((lines[0].split()[-1], lines[2], lines))
        return found

    def of(self, to):
        return [mail for mail in self.told() if mail[0] == to]

    def looks(self, count=3):
        """So many looks of the nodes have begun, and the one before the last has ended."""
        before = 0
        for _ in range(count):
            def renewed():
                nonlocal before
                left, before = before, self.redis("PTTL", "tg:telling")
                return before > left
            proc.wait_for("the next look", renewed)

    @contextlib.contextmanager
    def no_look(self):
        """It is the test's turn to look, and the nodes do not meanwhile."""
        turn = "SET", "tg:telling", "test", "NX", "PX", 600000
        proc.wait_for("a turn", lambda: self.redis(*turn))
        yield
        self.redis("DEL", "tg:telling")

    def mark(self, holder):
        keys = self.redis("KEYS", "tg:{%s}:window:*:told:*" % holder)
        return [self.redis("GET", key) for key in keys if not key.endswith(":claim")]


def one_domain(w):
    w.pass_on("example.com", 4)
    w.looks()
    tap.same(w.told(), [], "40%: nobody is told")
    w.pass_on("example.com", 1, node=1)
    proc.wait_for("half", lambda: w.mark("example.com") == ["50"])
    w.pass_on("example.com", 2)
    w.looks()
    mails = w.of("boss@example.com")
    tap.same([m[1] for m in mails],
             ["Subject: tollgate: example.com has used 50% of a month's limit"],
             "the domain's admin is told of 50% once, not of 70%")
    text = "\n".join(mails[0][2])
    tap.none([x for x in ("To: boss@example.com\n", "  allows          10 messages per month\n",
                          "  used            5\n", "deferred until the next month")
              if x not in text], "what, and what will happen")
    w.pass_on("example.com", 1)
    proc.wait_for("80%", lambda: w.mark("example.com") == ["80"])
    w.pass_on("example.com", 5, node=1)
    proc.wait_for("all", lambda: w.mark("example.com") == ["100"])
    w.looks()
    tap.same(sorted(m[1].split()[5] for m in w.of("boss@example.com")), ["100%", "50%", "80%"],
             "each threshold once, by both nodes together")
    w.redis("HSET", "tg:{example.com}:limits", "domain/messages/month", "max=12 action=defer")
    w.looks(4)
    tap.same(len(w.of("boss@example.com")), 3, "another maximum tells nothing twice")


def others(w):
    with w.no_look():
        w.pass_on("jump.example", 10)
        w.pass_on("none.example", 10)
    proc.wait_for("all at once", lambda: w.mark("jump.example") == ["100"])
    w.looks()
    tap.same([m[1].split()[5] for m in w.of("it@jump.example")], ["100%"],
             "who passes all at once gets one mail")
    w.pass_on("c1.example", 1)
    w.pass_on("c2.example", 1, node=1)
    proc.wait_for("the customer", lambda: w.mark("@customer:4711") == ["50"])
    tap.same([m[1].split()[2:6] for m in w.of("c@cust.example")],
             [["@customer:4711", "has", "used", "50%"]], "two domains of a customer, one limit")
    tap.same(sorted(m[:2] for m in w.told() if m[0] == "postmaster" and "month's" in m[1]), [],
             "who has no admin is nobody's mail")
    tap.ok("no-address-at-all" in w.nodes[0].log() or "bad.example" in w.nodes[0].log(),
           "an admin without an address is named in the log")


def failure(w):
    """A program that fails is run again; the claim of a minute is taken away, so as not to wait."""
    proc.write_text(w.mails + "/fails", "")
    w.pass_on("fail.example", 5)
    proc.wait_for("a complaint", lambda: any("no disk" in n.log() for n in w.nodes))
    tap.same(w.mark("fail.example"), [], "what failed is not marked as told")
    os.unlink(w.mails + "/fails")
    w.redis("DEL", "tg:{fail.example}:window:messages:month:told:%s:claim" % month_of(w))
    proc.wait_for("the next look", lambda: w.mark("fail.example") == ["50"])
    tap.same(len(w.of("f@fail.example")), 1, "it is told at the next look")


def killed(w, where, mails):
    """A node dies while it tells; the other one does it once the claim is over, which is taken away
    here, so as not to wait for a minute. At least once: behind the mail that is a second one."""
    domain = where + ".example"
    claim = "tg:{%s}:window:messages:month:told:%s:claim" % (domain, month_of(w))
    w.pass_on(domain, 4)
    proc.write_text(w.mails + "/kill", where)
    w.redis("HSET", "tg:{%s}:limits" % domain, "domain/messages/month", "max=8 action=defer")
    proc.wait_for("a kill", lambda: not all(n.daemon.is_running() for n in w.nodes))
    dead = [n for n in w.nodes if not n.daemon.is_running()]
    tap.same([n.daemon.process.returncode for n in dead], [-9],
             where + " the mail a node is killed")
    tap.same(w.mark(domain), [], "nothing is marked as told")
    tap.ok(0 < w.redis("PTTL", claim) <= 60000, "a claim of a minute at most is left")
    w.redis("DEL", claim)
    proc.wait_for("the other node", lambda: w.mark(domain) == ["50"])
    w.looks()
    tap.same([m[1].split()[5] for m in w.of("k@" + domain)], ["50%"] * mails,
             "the other one tells it: mails in all: %d" % mails)
    dead[0].start()


def month_of(w):
    key = w.redis("KEYS", "tg:{@customer:4711}:window:*:told:*")[0]
    return key.split(":told:")[1].split(":")[0]


def main():
    tap.need("redis-server")
    proc.month_lasts(300)
    w = Telling()
    one_domain(w)
    others(w)
    failure(w)
    killed(w, "before", 1)
    killed(w, "behind", 2)
    left_ms = w.redis("PTTL", "tg:{example.com}:window:messages:month:told:" + month_of(w))
    tap.ok(86400000 - 60000 < left_ms <= 32 * 86400000, "the mark goes a day after the month",
           left_ms)
    w.stop()


tap.run(main)
