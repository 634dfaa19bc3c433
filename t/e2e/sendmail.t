#!/usr/bin/env python3
"""Real Sendmail in front of tollgated: the same classes, the same bytes."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import auth_server
import proc
import redis_server
import sendmail_server
import sink
import smtp
import tap
import tollgated
from site_postfix import mail
from traffic import Traffic, expected, leg

# Sendmail knows no XCLIENT: a client comes from the address that it binds.
HOST, OUTSIDE, CUSTOMER = "127.0.0.1", "127.0.0.9", "127.0.0.3"
HOSTED = ["example.com", "example.org", "shop.example", ".cust.example cust.example"]
FORWARDS = [("sales@example.com", "alice@partner.test")]


class Site:
    def __init__(self):
        # Sendmail does not trust a socket below a folder for everybody.
        self.folder = proc.scratch("site", "/run")
        self.sink = sink.Sink()
        self.redis_server = redis_server.RedisServer(self.folder)
        self.redis = self.redis_server.connect()
        socket = os.path.join(self.folder, "milter.sock")
        self.tollgated = tollgated.Tollgated(self.folder, self.redis_server.url, "unix:" + socket, {
            "hosted": {"forwards": ["file:%s/forwards" % self.folder]},
            "networks": {"host": [HOST], "customers": [CUSTOMER]}})
        self.tollgated.host(HOSTED)
        proc.write_text(self.folder + "/forwards", "".join("%s %s\n" % f for f in FORWARDS))
        self.sendmail = sendmail_server.Sendmail(self.sink.port, "unix:" + socket, FORWARDS)
        self.tollgated.start()
        self.sendmail.start()
        self.traffic = Traffic(self.redis)

    def session(self, source, login=None):
        session = smtp.Smtp(self.sendmail.port, source=source)
        if login:
            session.auth_plain(auth_server.plain(login))
        return session

    def send(self, sender, recipients, data, source, login=None, parameters=""):
        session = self.session(source, login)
        session.send(sender, recipients, data, parameters)
        session.quit()


def classes(w):
    data = mail()
    n = len(data)

    def case(name, source, sender, to, want, login=None, message=data):
        with w.traffic.message(name, len(message), want):
            w.send(sender, to, message, source, login)

    case("in", OUTSIDE, "x@gmail.test", ["alice@example.com", "carol@example.org"],
         {"example.com": [leg("in", 1, n)], "example.org": [leg("in", 1, n)]})
    case("in: a domain in capitals", OUTSIDE, "x@gmail.test", ["Alice@EXAMPLE.Com"],
         {"example.com": [leg("in", 1, n)]})
    case("in: a wildcard with an owner", OUTSIDE, "x@gmail.test", ["u@m.cust.example"],
         {"cust.example": [leg("in", 1, n)]})
    case("in: a bounce", OUTSIDE, "", ["alice@example.com"],
         {"example.com": [leg("in", 1, n, bounces=1)]})
    case("a forwarder: in and forward", OUTSIDE, "x@gmail.test", ["sales@example.com"],
         {"example.com": [leg("in", 1, n), leg("forward", 1, n)]})
    case("relay", OUTSIDE, "x@gmail.test", ["u@backup.test"],
         {"_unattributed": [leg("relay", 1, n)]})
    case("out: AUTH", OUTSIDE, "alice@example.com", ["x@gmail.test", "z@yahoo.test"],
         {"example.com": [leg("out", 2, 2 * n)]}, "alice@example.com")
    case("local and out in one message", OUTSIDE, "alice@example.com",
         ["carol@example.org", "x@gmail.test"],
         {"example.com": [leg("local_sent", 1, n), leg("out", 1, n)],
          "example.org": [leg("local_received", 1, n)]}, "alice@example.com")
    case("out: a customer's network", CUSTOMER, "u@m.cust.example", ["x@gmail.test"],
         {"cust.example": [leg("out", 1, n)]})
    case("out: a hosted sender on this host", HOST, "www@shop.example", ["x@gmail.test"],
         {"shop.example": [leg("out", 1, n)]})
    case("forward: SRS", HOST, "SRS0=HHH=TT=orig.test=joe@example.com", ["x@gmail.test"],
         {"example.com": [leg("forward", 1, n)]})
    delivered = mail("Delivered-To: carol@example.org")
    case("forward: Delivered-To", HOST, "joe@orig.test", ["x@gmail.test"],
         {"example.org": [leg("forward", 1, len(delivered))]}, message=delivered)
    own = mail(sender="carol@example.org")
    case("out: null sender, From: tells", HOST, "", ["x@gmail.test"],
         {"example.org": [leg("out", 1, len(own))]}, message=own)


def shapes(w):
    for name, data in (
            ("folded headers", mail("X-Folded: one\r\n two\r\n\tthree")),
            ("dot-stuffed lines", mail(body=b".\r\n..\r\n.leading\r\n")),
            ("no blank after the colon", mail("X:nospace", "Y:\ttab")),
            ("8-bit body", mail(body="Grüße\r\n".encode())),
            ("no body", mail(body=b"")),
            ("3 MB", mail(body=(b"y" * 70 + b"\r\n") * (3 * 1024 * 1024 // 72)))):
        size = len(data)
        with w.traffic.message("bytes: " + name, size, {"example.com": [leg("in", 1, size)]}):
            w.send("x@gmail.test", ["alice@example.com"], data, OUTSIDE)


def several(w):
    data = mail()
    with w.traffic.changes("two messages in a session, RSET and a lost one between", 2) as wanted:
        session = w.session(OUTSIDE)
        session.send("x@gmail.test", ["alice@example.com"], data)
        session.envelope("x@gmail.test", ["alice@example.com"])
        session.command("RSET")
        session.send("x@gmail.test", ["alice@example.com"], data)
        session.envelope("x@gmail.test", ["alice@example.com"])
        session.command("DATA", 354)
        session.socket.sendall(data[:50])
        session.close()
        for _ in range(2):
            wanted.append(lambda: expected({"example.com": [leg("in", 1, len(data))]}, len(data)))


def talk(pipe, lines):
    """SMTP on the standard input and output of a program."""
    for line in [b"", *lines]:
        pipe.stdin.write(line)
        pipe.stdin.flush()
        while (reply := pipe.stdout.readline())[3:4] == b"-":
            pass
        if reply[:1] not in b"23":
            raise smtp.Refused(int(reply[:3]), reply.decode(), line)


def by_command(w):
    """sendmail -bs with sendmail.cf: a client without an address, who is a user of this machine."""
    data = mail()
    lines = [b"EHLO localhost\r\n", b"MAIL FROM:<www@shop.example>\r\n",
             b"RCPT TO:<x@gmail.test>\r\n", b"DATA\r\n", smtp.stuffed(data), b"QUIT\r\n"]
    with w.traffic.message("sendmail -bs: this host", len(data),
                           {"shop.example": [leg("out", 1, len(data))]}):
        with subprocess.Popen([sendmail_server.PROGRAM, "-Am", "-bs", "-C", w.sendmail.cf],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, **w.sendmail.environment())) as pipe:
            talk(pipe, lines)


def main():
    tap.need(sendmail_server.PROGRAM, "m4", "redis-server", root=True)
    w = Site()
    classes(w)
    shapes(w)
    several(w)
    by_command(w)
    proc.wait_for("delivery", lambda: "alice@partner.test" in w.sink.recipients())
    tap.ok(True, "Sendmail really forwards to the forwarder's target")
    w.sendmail.stop()
    tap.same(w.tollgated.stop(), 0, "tollgated ends well", w.tollgated.log()[-2000:])
    tap.none(w.tollgated.complaints(), "nothing broke inside")


tap.run(main)
