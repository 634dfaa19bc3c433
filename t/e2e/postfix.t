#!/usr/bin/env python3
"""Real Postfix, real tollgated, real Redis: a message of every class makes exactly its numbers, to
the byte."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtp
import tap
from site_postfix import CUSTOMER, OUTSIDE, POP_CLIENT, Site, mail
from traffic import expected, leg


def inbound(w):
    n = len(mail())

    def case(name, to, want, sender="x@gmail.test", data=None):
        data = data or mail()
        with w.traffic.message(name, len(data), want):
            w.send(sender, to, data, OUTSIDE)

    case("in: one recipient", ["alice@example.com"], {"example.com": [leg("in", 1, n)]})
    case("in: two recipients, one domain", ["alice@example.com", "bob@example.com"],
         {"example.com": [leg("in", 2, n)]})
    case("in: two domains, each charged", ["alice@example.com", "carol@example.org"],
         {"example.com": [leg("in", 1, n)], "example.org": [leg("in", 1, n)]})
    case("in: a forged sender pays nothing", ["alice@example.com"],
         {"example.com": [leg("in", 1, n)]}, sender="carol@example.org")
    case("in: an alias domain, charged to its owner", ["n@example.net"],
         {"example.com": [leg("in", 1, n)]})
    case("in: a wildcard, charged as it appears", ["u@a.wild.example"],
         {"a.wild.example": [leg("in", 1, n)]})
    case("in: a wildcard with an owner", ["u@m.cust.example"], {"cust.example": [leg("in", 1, n)]})
    case("in: a domain in capitals", ["Alice@EXAMPLE.com"], {"example.com": [leg("in", 1, n)]})
    case("in: a bounce", ["alice@example.com"], {"example.com": [leg("in", 1, n, bounces=1)]},
         sender="")
    spam = mail("X-Spam-Flag: YES", "X-Priority: 1")
    case("in: spam of high priority", ["alice@example.com"],
         {"example.com": [leg("in", 1, len(spam), "high", spam=True)]}, data=spam)
    case("relay: a domain missing from the hosted set", ["u@backup.test"],
         {"_unattributed": [leg("relay", 1, n)]})


def forwarders(w):
    data = mail()
    n = len(data)

    def case(name, to, want):
        with w.traffic.message(name, n, want):
            w.send("x@gmail.test", [to], data, OUTSIDE)

    case("forwarder: one target", "sales@example.com",
         {"example.com": [leg("in", 1, n), leg("forward", 1, n)]})
    w.check_delivered("alice@partner.test", data, "Postfix really forwards it")
    case("forwarder: four targets, one hosted, two of one domain", "team@example.com",
         {"example.com": [leg("in", 1, n), leg("forward", 3, 2 * n)]})
    case("forwarder: a chain over two domains", "chain@example.org",
         {"example.org": [leg("in", 1, n), leg("forward", 1, n)]})
    case("forwarder: a whole domain", "any@shop.example",
         {"shop.example": [leg("in", 1, n), leg("forward", 1, n)]})
    case("forwarder: a hosted target adds nothing", "inhouse@example.com",
         {"example.com": [leg("in", 1, n)]})


def submission(w):
    n = len(mail())

    def case(name, to, want, login="alice@example.com", sender="alice@example.com", data=None):
        data = data or mail()
        with w.traffic.message(name, len(data), want):
            w.send(sender, to, data, OUTSIDE, login)

    case("out: AUTH, one recipient", ["x@gmail.test"], {"example.com": [leg("out", 1, n)]})
    case("out: two recipients of one domain are one copy", ["x@gmail.test", "y@gmail.test"],
         {"example.com": [leg("out", 2, n)]})
    case("out: two domains are two copies", ["x@gmail.test", "z@yahoo.test"],
         {"example.com": [leg("out", 2, 2 * n)]})
    case("out: the login pays, not the sender", ["x@gmail.test"],
         {"example.com": [leg("out", 1, n)]}, sender="carol@example.org")
    case("out: a login that is no address", ["x@gmail.test"], {"example.com": [leg("out", 1, n)]},
         login="jdoe", sender="x@elsewhere.test")
    case("local: own domain", ["bob@example.com"],
         {"example.com": [leg("local_sent", 1, n), leg("local_received", 1, n)]})
    case("local: another domain of the server", ["carol@example.org"],
         {"example.com": [leg("local_sent", 1, n)], "example.org": [leg("local_received", 1, n)]})
    case("local, out and forward in one message",
         ["carol@example.org", "x@gmail.test", "sales@example.com"],
         {"example.com": [leg("local_sent", 2, n), leg("out", 1, n), leg("local_received", 1, n),
                          leg("forward", 1, n)],
          "example.org": [leg("local_received", 1, n)]})
    bulk = mail("List-Id: <l.example.com>")
    case("out: a mailing list is bulk", ["x@gmail.test"],
         {"example.com": [leg("out", 1, len(bulk), "bulk")]}, data=bulk)
    with w.traffic.message("out: a login that XCLIENT tells", n,
                           {"example.org": [leg("out", 1, n)]}):
        session = smtp.Smtp(w.postfix.submission)
        session.xclient(ADDR=OUTSIDE, LOGIN="carol@example.org")
        session.send("carol@example.org", ["x@gmail.test"], mail())
        session.quit()
    with w.traffic.message("out: a customer's network", n, {"cust.example": [leg("out", 1, n)]}):
        w.send("m@cust.example", ["x@gmail.test"], mail(), CUSTOMER)
    with w.traffic.message("out: a customer's network, sender not hosted", n,
                           {"_unattributed": [leg("out", 1, n)]}):
        w.send("m@elsewhere.test", ["x@gmail.test"], mail(), CUSTOMER)
    with w.traffic.message("out: POP before SMTP", n, {"example.org": [leg("out", 1, n)]}):
        w.send("pop@example.org", ["u@backup.test"], mail(), POP_CLIENT)


def from_host(w):
    def case(name, sender, want, *headers, to="x@gmail.test", author="x@gmail.test"):
        data = mail(*headers, sender=author)
        with w.traffic.message(name, len(data), want):
            w.send(sender, [to], data)

    case("out: a hosted sender on this host", "www@shop.example",
         lambda n: {"shop.example": [leg("out", 1, n)]})
    case("forward: SRS0", "SRS0=HHH=TT=orig.test=joe@example.com",
         lambda n: {"example.com": [leg("forward", 1, n)]})
    case("forward: SRS1", "SRS1=HHH=other.test==HHH=TT=orig.test=joe@example.org",
         lambda n: {"example.org": [leg("forward", 1, n)]})
    case("forward: Delivered-To", "joe@orig.test",
         lambda n: {"example.org": [leg("forward", 1, n)]}, "Delivered-To: carol@example.org")
    case("forward: X-Original-To", "joe@orig.test",
         lambda n: {"example.com": [leg("forward", 1, n)]}, "X-Original-To: alice@example.com")
    case("forward: nobody known", "joe@orig.test",
         lambda n: {"_unattributed": [leg("forward", 1, n)]})
    case("out: null sender, From: tells", "",
         lambda n: {"example.org": [leg("out", 1, n)]}, author="Carol <carol@example.org>")
    case("out: null sender, From: not hosted", "",
         lambda n: {"_unattributed": [leg("out", 1, n)]})
    case("local: a script of this host", "www@shop.example",
         lambda n: {"shop.example": [leg("local_sent", 1, n)],
                    "example.com": [leg("local_received", 1, n)]}, to="bob@example.com")


def command(w):
    """The sendmail command: Postfix's pickup, without SMTP."""
    def case(name, sender, to, want, *headers):
        data = mail(*headers)
        with w.traffic.message(name, len(data), want(len(data))):
            w.postfix.command("sendmail", "-f", sender, "--", *to,
                              stdin=data.replace(b"\r\n", b"\n"))
        return data

    case("sendmail command: out", "www@shop.example", ["x@gmail.test"],
         lambda n: {"shop.example": [leg("out", 1, n)]})
    case("sendmail command: local", "www@shop.example", ["bob@example.com"],
         lambda n: {"shop.example": [leg("local_sent", 1, n)],
                    "example.com": [leg("local_received", 1, n)]})
    data = case("sendmail command: a redirect that kept the sender", "joe@orig.test",
                ["redirected@gmail.test"], lambda n: {"example.org": [leg("forward", 1, n)]},
                "Delivered-To: carol@example.org")
    w.check_delivered("redirected@gmail.test", data, "sendmail command")
    # What the milter sees includes the headers that Postfix adds to a message of its own host.
    with w.traffic.message("sendmail command: headers that Postfix adds count",
                           lambda: len(w.delivered("bare@gmail.test")),
                           lambda n: {"shop.example": [leg("out", 1, n)]}):
        w.postfix.command("sendmail", "-f", "www@shop.example", "bare@gmail.test",
                          stdin=b"Subject: bare\n\nhello\n")


def bounces(w):
    """A bounce that Postfix itself writes is mail of this host, to the sender."""
    data = mail(sender="alice@example.com")

    def of_bounce():
        n = len(w.delivered("bouncer@example.com"))
        return expected({"_unattributed": [leg("local_sent", 1, n)],
                         "example.com": [leg("local_received", 1, n, bounces=1)]}, n)

    with w.traffic.changes("out, and Postfix's own bounce for it", 2) as wanted:
        w.send("bouncer@example.com", ["refuse@gmail.test"], data, OUTSIDE, "alice@example.com")
        wanted.append(lambda: expected({"example.com": [leg("out", 1, len(data))]}, len(data)))
        wanted.append(of_bounce)


def main():
    tap.need("postfix", "redis-server", root=True)
    w = Site()
    inbound(w)
    forwarders(w)
    submission(w)
    from_host(w)
    command(w)
    bounces(w)
    w.stop()


tap.run(main)
