#!/usr/bin/env python3
"""The same messages through Postfix and through tollgate-relay: tollgated counts the same."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import auth_server
import postfix_server
import proc
import redis_server
import relay
import sink
import smtp
import tap
import tollgated

HOSTED = ["example.com", "example.org", "bücher.example"]
FORWARDS = [("sales@example.com", "alice@partner.test"),
            ("team@example.com", "bob@example.com x@gmail.test y@gmail.test z@yahoo.test")]
OUTSIDE, CUSTOMER, HOST = "127.0.0.5", "127.0.0.9", "127.0.0.1"
HEAD = (b"Message-Id: <1@client.test>\r\nFrom: x@gmail.test\r\nTo: y@example.com\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n")


def mail(*headers, body=b"hello\r\n"):
    return HEAD + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


# name, client, login, sender, recipients, data, parameters
CASES = [
    ("in", OUTSIDE, None, "x@gmail.test", ["bob@example.com"], mail(), ""),
    ("in, two domains", OUTSIDE, None, "x@gmail.test", ["bob@example.com", "c@example.org"],
     mail(), ""),
    ("in, a forwarder", OUTSIDE, None, "x@gmail.test", ["sales@example.com"], mail(), ""),
    ("in, a list", OUTSIDE, None, "x@gmail.test", ["team@example.com"], mail(), ""),
    ("bounce received", OUTSIDE, None, "", ["bob@example.com"], mail(), ""),
    ("local", HOST, None, "a@example.com", ["bob@example.org"], mail(), ""),
    ("out from the host", HOST, None, "a@example.com", ["p@gmail.test", "q@yahoo.test"],
     mail(), ""),
    ("out of a customer", CUSTOMER, None, "a@example.com", ["p@gmail.test"], mail(), ""),
    ("out with a login", HOST, "joe@example.org", "a@example.com", ["p@gmail.test"], mail(), ""),
    ("forwarded by SRS", HOST, None, "SRS0=HHH=TT=gmail.test=x@example.com", ["p@gmail.test"],
     mail(), ""),
    ("forwarded, by Delivered-To", HOST, None, "x@gmail.test", ["p@gmail.test"],
     mail(b"Delivered-To: bob@example.com"), ""),
    ("bounce sent", HOST, None, "", ["p@gmail.test"], mail(b"From: a@example.com"), ""),
    ("address forms", OUTSIDE, None, "x@gmail.test",
     ["BOB+tag@Example.COM", "@relay.test:carol@example.com", "dave@example.com."], mail(), ""),
    ("internationalised", OUTSIDE, None, "jörg@gmail.test", ["ä@bücher.example"],
     mail("Subject: ü".encode()), "SMTPUTF8"),
    ("priority and spam", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(b"X-Priority: 1", b"X-Spam-Flag: YES"), ""),
    ("a list's mail", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(b"List-Id: <l.gmail.test>"), ""),
    ("folds, blanks, empty values", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(b"X-Fold: a\r\n\tb\r\n  c", b"X:nospace", b"X-Empty:", b"X-Two:  two  ", b"X : blank",
          b"X-Later:\r\n folded"), ""),
    ("dots", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(body=b".\r\n..\r\n.a\r\n"), ""),
    ("dropped headers", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(b"Return-Path: <z@z.test>", b"Bcc: a@b.test,\r\n c@d.test", b"Content-Length: 5"), ""),
    ("no body", OUTSIDE, None, "x@gmail.test", ["bob@example.com"], mail(body=b""), ""),
    ("no empty line", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     HEAD + b"this is the body\r\n", ""),
    ("8-bit", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(body=bytes(range(128, 256)) + b"\r\n"), "BODY=8BITMIME"),
    ("large", OUTSIDE, None, "x@gmail.test", ["bob@example.com"],
     mail(body=(b"x" * 76 + b"\r\n") * 5000), "SIZE=400000"),
]


class Site:
    def __init__(self, folder):
        self.sink = sink.Sink()
        self.redis_server = redis_server.RedisServer(folder)
        self.redis = self.redis_server.connect()
        forwards = os.path.join(folder, "forwards")
        proc.write_text(forwards, "".join("%s %s\n" % (k, ",".join(v.split()))
                                          for k, v in FORWARDS))
        self.tollgated = tollgated.Tollgated(
            folder, self.redis_server.url, "inet:%d@127.0.0.1" % proc.free_port(),
            {"hosted": {"forwards": ["file:" + forwards]},
             "networks": {"host": [HOST], "customers": [CUSTOMER]}})
        self.tollgated.host(HOSTED)
        self.tollgated.start()
        self.postfix = postfix_server.Postfix(
            folder, "example.com example.org bücher.example xn--bcher-kva.example", FORWARDS,
            self.sink.port)
        self.postfix.use_milter(self.postfix_name())
        self.postfix.start()
        users = os.path.join(folder, "users")
        proc.write_text(users, proc.run([os.path.join(proc.BUILD, "tollgate-relay"), "user",
                                         "joe@example.org"], b"secret\n")[1])
        self.relay = relay.Relay(folder, base=self.tollgated.settings, settings={"relay": {
            "milters": ["tollgated"], "users_file": users,
            "next_hop": "127.0.0.1:%d" % self.sink.port}})
        self.relay.start()

    def postfix_name(self):
        port, _, host = self.tollgated.socket.partition(":")[2].partition("@")
        return "inet:%s:%s" % (host, port)

    def counts(self, port, case):
        """What one message changes in Redis, and what the sink gets."""
        _, client, login, sender, recipients, data, parameters = case
        before = tollgated.counted(self.redis)
        number = tollgated.node_messages(self.redis)
        c = smtp.Smtp(port, source=client)
        if login:
            c.auth_plain(auth_server.plain(login))
        c.send(sender, recipients, data, parameters)
        c.quit()
        tollgated.wait_counted(self.redis, number + 1)
        return tollgated.difference(before, tollgated.counted(self.redis))


def main():
    tap.need("postfix", "redis-server", root=True)
    site = Site(proc.scratch("counts"))
    for case in CASES:
        by_postfix = site.counts(site.postfix.submission if case[2] else site.postfix.smtp, case)
        by_relay = site.counts(site.relay.port, case)
        tap.ok(by_postfix, "counted: " + case[0])
        tap.same(by_relay, by_postfix, "and by the relay the same")
    site.relay.wait_empty()
    tap.same(site.relay.stop(), 0, "the relay ends well")
    site.postfix.stop()
    tap.same(site.tollgated.stop(), 0, "tollgated ends well")
    tap.none(site.relay.complaints() + site.tollgated.complaints(), "no complaints in the logs")


tap.run(main)
