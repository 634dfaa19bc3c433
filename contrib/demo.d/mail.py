#!/usr/bin/env python3
"""Sends mail of every class through the demo's relay, and receives what the relay sends out.

usage: mail.py RELAY_PORT SINK_PORT

The address that the client binds says who sends: 127.0.0.1 is this host, 127.0.0.3 a customer's
network, 127.0.0.9 the Internet.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../t/lib"))
import sink
import smtp

HOST, CUSTOMER, INTERNET = "127.0.0.1", "127.0.0.3", "127.0.0.9"

# Description, count, client, envelope sender, recipients, kilobytes, header lines.
MAIL = (
    ("in: from the Internet", 6, INTERNET, "ann@gmail.test", ["alice@example.com"], 40, ()),
    ("in: to two domains", 2, INTERNET, "ann@gmail.test",
     ["alice@example.com", "carol@example.org"], 12, ()),
    ("in: a newsletter", 3, INTERNET, "news@shop.test", ["bob@example.com"], 60,
     ("List-Id: <news.shop.test>",)),
    ("in: a bounce", 1, INTERNET, "", ["bob@example.com"], 4, ()),
    ("in and forward: a forwarder", 4, INTERNET, "ann@gmail.test", ["sales@example.com"], 25, ()),
    ("out: a customer's network", 5, CUSTOMER, "alice@example.com", ["ann@gmail.test"], 30, ()),
    ("out: two recipients, two domains", 2, CUSTOMER, "carol@example.org",
     ["ann@gmail.test", "joe@yahoo.test"], 10, ()),
    ("out: urgent", 1, CUSTOMER, "bob@example.com", ["joe@yahoo.test"], 3, ("X-Priority: 1",)),
    ("out: a script of this host", 3, HOST, "www@example.org", ["ann@gmail.test"], 5, ()),
    ("forward: a redirect with SRS", 2, HOST, "SRS0=HHH=TT=gmail.test=ann@example.com",
     ["alice@home.test"], 20, ()),
    ("forward: a redirect that kept the sender", 1, HOST, "ann@gmail.test", ["carol@home.test"], 8,
     ("Delivered-To: carol@example.org",)),
    ("local: two users of this server", 4, CUSTOMER, "alice@example.com", ["carol@example.org"],
     15, ()),
)


def message(number, sender, kilobytes, headers):
    head = ["Message-Id: <%d@demo.test>" % number, "From: " + (sender or "postmaster@gmail.test"),
            "Date: " + time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
            "Subject: number %d" % number] + list(headers)
    body = b"It was a bright cold day in April, and the clocks were striking thirteen.\r\n"
    body *= kilobytes * 1024 // len(body)
    return "".join(h + "\r\n" for h in head).encode() + b"\r\n" + body


def main():
    relay_port, sink_port = int(sys.argv[1]), int(sys.argv[2])
    outside = sink.Sink(sink_port)
    number = leaving = 0
    for what, times, source, sender, recipients, kilobytes, headers in MAIL:
        print("  %2d x  %-42s %s -> %s" % (times, what, sender or "<>", ", ".join(recipients)))
        for _ in range(times):
            number += 1
            session = smtp.Smtp(relay_port, source=source)
            session.send(sender, recipients, message(number, sender, kilobytes, headers))
            session.quit()
        leaving += times * sum(not r.endswith(("@example.com", "@example.org")) or r[:5] == "sales"
                               for r in recipients)
    end = time.monotonic() + 30
    while len(outside.recipients()) < leaving and time.monotonic() < end:
        time.sleep(0.05)
    print("\n%d messages accepted; %d copies sent to other servers." % (
        number, len(outside.recipients())))
    return len(outside.recipients()) != leaving


sys.exit(main())
