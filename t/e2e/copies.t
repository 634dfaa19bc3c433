#!/usr/bin/env python3
"""recipient_bcc_maps and sender_bcc_maps of a real Postfix: what it sends elsewhere is what counts,
leg by leg."""

import os
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from site_postfix import OUTSIDE, Site, mail
from traffic import expected, leg

MAPS = """\
recipient_delimiter = +
recipient_bcc_maps = inline:{
  { alice@example.com = copy@elsewhere.test }, { both@example.com = copy@elsewhere.test },
  { @a.wild.example = all@elsewhere.test }, { in@example.com = bob@example.com },
  { chain@example.com = sales@example.com }, { sales@example.com = alice@partner.test },
  { far@partner.test = watch@elsewhere.test }, { copy@elsewhere.test = again@elsewhere.test },
  { bouncer@example.com = bounced@elsewhere.test } } regexp:$config_directory/patterns
sender_bcc_maps = inline:{
  { carol@example.org = archive@elsewhere.test }, { dan@example.org = copy@elsewhere.test },
  { eve@example.org = bob@example.com }, { @gmail.test = stranger@elsewhere.test } }
"""
PATTERNS = "/^pat@example\\.com$/ pattern@elsewhere.test\n/^@example\\.com$/ never@elsewhere.test\n"

IN, OUT, FORWARD = "in", "out", "forward"


def legs_of(n, *kinds):
    return [leg(kind, recipients, copies * n) for kind, recipients, copies in kinds]


def local(n, sender, recipient):
    return {sender: [leg("local_sent", 1, n)], recipient: [leg("local_received", 1, n)]}


def added(accounts, account, *kinds):
    return {**accounts, account: accounts.get(account, []) + list(kinds)}


# name, sender, login, recipients, what is sent elsewhere, what counts: n is the message's size
CASES = (
    ("a recipient's copy", "x@yahoo.test", None, ["alice@example.com"], ["copy@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1), (FORWARD, 1, 1))}),
    ("with an extension", "x@yahoo.test", None, ["Alice+tag@Example.com"], ["copy@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1), (FORWARD, 1, 1))}),
    ("of a whole domain", "x@yahoo.test", None, ["any@a.wild.example"], ["all@elsewhere.test"],
     lambda n: {"a.wild.example": legs_of(n, (IN, 1, 1), (FORWARD, 1, 1))}),
    ("none", "x@yahoo.test", None, ["bob@example.com"], [],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1))}),
    ("a hosted target adds nothing", "x@yahoo.test", None, ["in@example.com"], [],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1))}),
    ("a hosted forwarder passes the copy on", "x@yahoo.test", None, ["chain@example.com"],
     ["alice@partner.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1), (FORWARD, 1, 1))}),
    ("a forwarder's target and a copy to the same address", "x@yahoo.test", None,
     ["sales@example.com"], ["alice@partner.test", "alice@partner.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1), (FORWARD, 2, 1))}),
    ("two recipients with one copy", "x@yahoo.test", None,
     ["alice@example.com", "both@example.com"], ["copy@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (IN, 2, 1), (FORWARD, 1, 1))}),
    ("a pattern, of the whole address", "x@yahoo.test", None, ["pat@example.com"],
     ["pattern@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1), (FORWARD, 1, 1))}),
    ("a pattern, not without the extension", "x@yahoo.test", None, ["pat+e@example.com"], [],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1))}),
    ("of local mail: the recipient's domain pays", "bob@example.org", "bob@example.org",
     ["alice@example.com"], ["copy@elsewhere.test"],
     lambda n: added(local(n, "example.org", "example.com"), "example.com", leg(FORWARD, 1, n))),
    ("of a recipient elsewhere: the owner pays", "bob@example.com", "bob@example.com",
     ["far@partner.test"], ["far@partner.test", "watch@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (OUT, 2, 2))}),
    ("a recipient who is also a copy's target", "bob@example.org", "bob@example.org",
     ["copy@elsewhere.test", "alice@example.com"],
     ["copy@elsewhere.test", "again@elsewhere.test", "copy@elsewhere.test"],
     lambda n: added(added(local(n, "example.org", "example.com"), "example.com",
                           leg(FORWARD, 1, n)), "example.org", leg(OUT, 2, n))),
    ("a sender's copy", "carol@example.org", "carol@example.org", ["z@yahoo.test"],
     ["z@yahoo.test", "archive@elsewhere.test"],
     lambda n: {"example.org": legs_of(n, (OUT, 2, 2))}),
    ("of MAIL FROM, paid by the login", "Carol+x@example.org", "alice@example.com",
     ["z@yahoo.test"], ["z@yahoo.test", "archive@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (OUT, 2, 2))}),
    ("a sender's copy of local mail", "carol@example.org", "carol@example.org",
     ["bob@example.com"], ["archive@elsewhere.test"],
     lambda n: added(local(n, "example.org", "example.com"), "example.org", leg(OUT, 1, n))),
    ("a sender's copy to a hosted address", "eve@example.org", "eve@example.org",
     ["z@yahoo.test"], ["z@yahoo.test"], lambda n: {"example.org": legs_of(n, (OUT, 1, 1))}),
    ("a sender's and a recipient's copy to one target", "dan@example.org", "dan@example.org",
     ["alice@example.com"], ["copy@elsewhere.test"],
     lambda n: added(local(n, "example.org", "example.com"), "example.com", leg(FORWARD, 1, n))),
    ("a sender from outside: nobody pays", "s@gmail.test", None, ["bob@example.com"],
     ["stranger@elsewhere.test"],
     lambda n: {"example.com": legs_of(n, (IN, 1, 1)), "_unattributed": legs_of(n, (OUT, 1, 1))}),
    ("a bounce from outside", "", None, ["alice@example.com"], ["copy@elsewhere.test"],
     lambda n: {"example.com": [leg(IN, 1, n, bounces=1), leg(FORWARD, 1, n)]}),
)


def elsewhere(w):
    hosted = ("example.com", "example.org", "a.wild.example")
    return Counter(r for r in w.sink.recipients() if r.lower().split("@")[1] not in hosted)


def run_case(w, case):
    name, sender, login, recipients, sent, want = case
    data, before = mail(), elsewhere(w)
    with w.traffic.message(name, len(data), want(len(data))):
        w.send(sender, recipients, data, OUTSIDE, login)
    w.postfix.wait_empty()
    got = sorted((elsewhere(w) - before).elements())
    tap.same(got, sorted(sent), name + ": what Postfix sends")


def own_bounce(w):
    """Postfix adds no copies to what it writes itself."""
    data = mail(sender="alice@example.com")
    before = elsewhere(w)

    def of_bounce():
        n = len(w.delivered("bouncer@example.com"))
        return expected({**local(n, "_unattributed", "example.com"), "example.com": [
            leg("local_received", 1, n, bounces=1)]}, n)

    with w.traffic.changes("a bounce of its own has no copy", 2) as wanted:
        w.send("bouncer@example.com", ["refuse@partner.test"], data, OUTSIDE, "alice@example.com")
        wanted.append(lambda: expected({"example.com": [leg(OUT, 1, len(data))]}, len(data)))
        wanted.append(of_bounce)
    w.postfix.wait_empty()
    tap.same(elsewhere(w) - before, Counter(), "nor does Postfix send one")


def main():
    tap.need("postfix", "redis-server", root=True)
    w = Site(MAPS)
    proc.write_text(os.path.join(w.postfix.conf, "patterns"), PATTERNS)
    for case in CASES:
        run_case(w, case)
    own_bounce(w)
    w.stop()


tap.run(main)
