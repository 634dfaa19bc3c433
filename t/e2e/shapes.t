#!/usr/bin/env python3
"""Odd shapes of messages through real Postfix: the bytes counted are the bytes that were sent, and
what was refused or broken off counts nowhere."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtp
import tap
from site_postfix import OUTSIDE, Site, mail
from traffic import expected, leg

ALICE = "alice@example.com"


def one(w, name, size, send, account="example.com"):
    with w.traffic.message(name, size, {account: [leg("in", 1, size)]}):
        session = w.client(OUTSIDE)
        send(session)
        session.quit()


def whole(w, name, data, parameters="", to=ALICE, account="example.com", sender="x@gmail.test"):
    """Sent as it is, and delivered as it was sent."""
    one(w, name, len(data), lambda s: s.send(sender, [to], data, parameters), account)
    w.check_delivered(to, data, name)


def raw(w, name, wire, size):
    """Sent as given, with its end; `size` is what it must count."""
    one(w, name, size, lambda s: s.send_raw("x@gmail.test", [ALICE], wire))


def well_formed(w):
    whole(w, "folded headers", mail("X-Folded: one\r\n two\r\n\tthree", "X-More: a\r\n  b"))
    whole(w, "dot-stuffed lines", mail(body=b".\r\n..\r\n.leading\r\nnot . leading\r\n"))
    whole(w, "8-bit body", mail(body="Grüße, 8 Bit\r\n".encode()), "BODY=8BITMIME")
    whole(w, "no blank after the colon", mail("X:nospace", "Y:\ttab", "Z:"))
    whole(w, "blanks around values", mail("X:  two", "Y: trailing  "))
    whole(w, "no body", mail(body=b""))
    whole(w, "empty lines at the end", mail(body=b"x\r\n\r\n\r\n\r\n"))
    whole(w, "a long body", mail(body=(b"x" * 76 + b"\r\n") * 3000))
    whole(w, "many headers", mail(*["X-%d: %s" % (i, "v" * (i % 60)) for i in range(900)]))
    big = mail(body=(b"y" * 70 + b"\r\n") * (20 * 1024 * 1024 // 72))
    whole(w, "20 MB", big)
    data = mail(body="in UTF-8: ü\r\n".encode())
    whole(w, "SMTPUTF8, a domain in UTF-8", data, "SMTPUTF8", "info@bücher.example",
          "xn--bcher-kva.example", "jörg@gmail.test")
    whole(w, "the same domain as A-label", mail(), "", "info@xn--bcher-kva.example",
          "xn--bcher-kva.example")


def chunked(w):
    for chunk in (65536, 4096, 7):
        data = mail(body=b".dots are not stuffed here\r\n" * 500)
        one(w, "BDAT in chunks of %d" % chunk, len(data),
            lambda s, c=chunk: s.send_bdat("x@gmail.test", [ALICE], data, c))
        w.check_delivered(ALICE, data, "BDAT")


def malformed(w):
    """Postfix makes mail of it; what it hands on is what counts."""
    data = mail(body=b"one\r\ntwo\r\n")
    raw(w, "bare LF: counted with CRLF", data.replace(b"\r\n", b"\n") + b"\r\n.\r\n", len(data) + 2)
    raw(w, "NUL in the body", smtp.stuffed(mail(body=b"a\0b\r\n")), len(mail(body=b"a\0b\r\n")))
    data = mail(body=b"x" * 5000 + b"\r\n")
    raw(w, "a line of 5,000", smtp.stuffed(data), len(data))
    headers = mail().split(b"\r\n\r\n")[0] + b"\r\n"
    raw(w, "no blank line after the headers", headers + b".\r\n", len(headers) + 2)
    raw(w, "nothing at all", b".\r\n", 2)


def several(w):
    """Some messages in one session, with one in between that is taken back."""
    sizes = []

    def send(session):
        for body in (b"one\r\n", b"two two\r\n", b"three three three\r\n"):
            data = mail(body=body)
            session.send("x@gmail.test", [ALICE], data)
            sizes.append(len(data))
            session.envelope("x@gmail.test", [ALICE])
            session.command("RSET")

    with w.traffic.changes("three messages in a session, RSET between them", 3) as wanted:
        session = w.client(OUTSIDE)
        send(session)
        session.quit()
        for n in sizes:
            wanted.append(lambda n=n: expected({"example.com": [leg("in", 1, n)]}, n))


def refused(w):
    """None of these is let through; the message after them proves that they left nothing."""
    data = mail()
    session = w.client(OUTSIDE)
    session.command("MAIL FROM:<x@gmail.test>")
    session.command("RCPT TO:<u@notours.test>", 554)
    session.command("DATA", 554)
    session.command("RSET")
    session.command("MAIL FROM:<x@gmail.test> SIZE=99999999", 552)
    session.quit()
    session = w.client(OUTSIDE)
    try:
        session.send("x@gmail.test", [ALICE], mail("X-Refuse: please"))
        tap.ok(False, "header_checks refuses")
    except smtp.Refused as e:
        tap.same((e.code, e.text), (550, "5.7.1 message content rejected"),
                 "header_checks refuses")
    session.quit()
    session = w.client(OUTSIDE)
    session.envelope("x@gmail.test", [ALICE])
    session.command("DATA", 354)
    session.socket.sendall(data[:40])
    session.close()
    w.client(OUTSIDE).close()

    size = len(data)
    with w.traffic.message("refused and broken off: nothing; one refused recipient: not counted",
                           size, {"example.com": [leg("in", 1, size)]}):
        session = w.client(OUTSIDE)
        session.command("MAIL FROM:<x@gmail.test>")
        session.command("RCPT TO:<%s>" % ALICE)
        session.command("RCPT TO:<u@notours.test>", 554)
        session.command("DATA", 354)
        session.socket.sendall(smtp.stuffed(data))
        session.expect(250, "end of data")
        session.quit()


def main():
    tap.need("postfix", "redis-server", root=True)
    w = Site("header_checks = regexp:{{/^X-Refuse:/ REJECT}}\nlocal_header_rewrite_clients =")
    well_formed(w)
    chunked(w)
    malformed(w)
    several(w)
    refused(w)
    w.stop()


tap.run(main)
