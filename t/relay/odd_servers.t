#!/usr/bin/env python3
"""Servers as they are, for tollgate-relay as a client: odd replies, and what a sender is told of
them."""

import email
import email.policy
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import smtp
import tap
from odd_server import OddServer

TEXT = b"Subject: x\r\nFrom: alice@host.test\r\n\r\nhello\r\n.dot\r\n"

CASES = [
    ("replies without text", dict(BANNER=b"220\r\n", EHLO=b"250\r\n", MAIL=b"250\r\n",
                                  RCPT=b"250\r\n", DATA=b"354\r\n", DOT=b"250\r\n",
                                  QUIT=b"221\r\n"), "delivered"),
    ("replies with a blank alone", dict(BANNER=b"220 \r\n", EHLO=b"250-\r\n250 \r\n",
                                        MAIL=b"250 \r\n", DATA=b"354 \r\n"), "delivered"),
    ("a long banner", dict(BANNER=b"220-one\r\n220-two\r\n220 three\r\n"), "delivered"),
    ("byte by byte", dict(EHLO=b"250-odd\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME\r\n"),
     "delivered"),
    ("EHLO refused with 502, HELO accepted", dict(EHLO=b"502 5.5.1 what?\r\n"), "delivered"),
    ("EHLO refused with 500, HELO accepted", dict(EHLO=b"500 what?\r\n"), "delivered"),
    ("extensions in lower case",
     dict(EHLO=b"250-odd\r\n250-size 1000\r\n250-pipelining\r\n250 8bitmime\r\n"), "delivered"),
    ("SIZE without a number", dict(EHLO=b"250-odd\r\n250-SIZE\r\n250 PIPELINING\r\n"), "delivered"),
    ("lines that end in LF alone",
     dict(EHLO=b"250-odd\n250 8BITMIME\n", MAIL=b"250 ok\n", RCPT=b"250 ok\n"), "delivered"),
    ("251 to RCPT", dict(RCPT=b"251 User not local; will forward\r\n"), "delivered"),
    ("220 and 521 in one banner", dict(BANNER=b"220-odd\r\n521 5.7.1 blocked\r\n"), "deferred"),
    ("554 as banner", dict(BANNER=b"554 no service\r\n"), "deferred"),
    ("closed after the final dot", dict(DOT=None), "deferred"),
    ("421 to RCPT", dict(RCPT=b"421 4.7.0 too busy\r\n"), "deferred"),
    ("452 to RCPT", dict(RCPT=b"452 4.5.3 too many\r\n"), "deferred"),
    ("552 to RCPT, which stands for 452", dict(RCPT=b"552 too many\r\n"), "deferred"),
    ("550 to DATA", dict(DATA=b"550 5.7.1 no\r\n"), "failed"),
    ("451 to the final dot", dict(DOT=b"451 4.3.0 later\r\n"), "deferred"),
    ("552 to the final dot", dict(DOT=b"552 5.2.2 full\r\n"), "failed"),
    ("no SMTP at all", dict(BANNER=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "deferred"),
    ("RCPT refused in a pipeline, DATA accepted",
     dict(EHLO=b"250-odd\r\n250 PIPELINING\r\n", RCPT=b"550 5.1.1 who?\r\n", DATA=b"354 go\r\n",
          DOT=b"554 no recipients\r\n"), "failed"),
]


def relay_to(server):
    r = relay.Relay(proc.scratch("odd"), settings={"relay": {
        "next_hop": "127.0.0.1:%d" % server.port, "retry_first": "1h", "retry_max": "1h",
        "timeout": "60s"}})
    r.start()
    return r


def send(r, sender="alice@host.test", recipient="x@else.test", data=TEXT, parameters=""):
    c = smtp.Smtp(r.port)
    qid = c.send(sender, [recipient], data, parameters)
    c.quit()
    return qid


def outcomes():
    for name, replies, want in CASES:
        server = OddServer(dict(replies), drip=name == "byte by byte")
        r = relay_to(server)
        qid = send(r)
        got = r.wait_log("(delivered|deferred|failed) qid=%s " % qid).group(1)
        tap.same(got, want, name, server.log, *r.log().split("\n")[-10:])
        if want == "failed":
            r.wait_mail("alice@host.test")
        if want == "delivered":
            tap.ok(server.data[-1].endswith(b"hello\r\n..dot\r\n"), name + ": the text")
        r.stop()
        server.close()


REFUSALS = [
    ("UTF-8", "550 5.1.1 用户不存在 Empfänger unbekannt\r\n".encode()),
    ("Latin-1", "550 5.1.1 Empfänger unbekannt\r\n".encode("latin-1")),
    ("NUL and ESC", b"550 5.1.1 no\0such \x1b[31muser\r\n"),
    ("bare CR around dots", b"550 5.1.1 .\r.\r.\r\n"),
    ("C1 and bidi controls", "550 5.1.1 a\u009b31mb\u202ec\r\n".encode()),
    ("twenty lines of 490", b"".join(b"550-5.1.1 " + b"x" * 480 + b"\r\n" for _ in range(20)) +
     b"550 5.1.1 end\r\n"),
]


def is_valid(name, wire):
    """A message that MIME allows, all of it 7-bit, with its report."""
    lines = wire.split(b"\r\n")
    tap.none([line for line in lines if b"\r" in line or b"\n" in line or b"\0" in line or
              b"\x1b" in line], name + ": no control byte but CRLF")
    tap.ok(max(len(line) for line in lines) <= 998, name + ": no line over 998 bytes (RFC 5322)")
    tap.ok(wire.isascii(), name + ": ASCII on the wire")
    message = email.message_from_bytes(wire, policy=email.policy.default)
    parts = list(message.walk())
    tap.none([repr(p.defects) for p in parts if p.defects], name + ": well-formed")
    tap.same([p.get_content_type() for p in message.iter_parts()],
             ["text/plain", "message/delivery-status", "text/rfc822-headers"], name + ": its parts")
    return message


def bounces():
    """The sender is elsewhere, so that the bounce goes out by SMTP."""
    for name, refusal in REFUSALS:
        server = OddServer({"RCPT": [refusal]})
        r = relay_to(server)
        send(r, "alice@sender.test")
        proc.wait_for("bounce", lambda: server.data)  # pylint: disable=W0640
        message = is_valid(name, server.data[0].replace(b"\r\n..", b"\r\n."))
        tap.ok(b"\r\nStatus: 5.1.1\r\n" in server.data[0], name + ": the status")
        if name == "UTF-8":
            text = next(message.iter_parts()).get_content()
            tap.ok("用户不存在 Empfänger unbekannt" in text, name + ": is readable", text)
        r.stop()
        server.close()


def original_header():
    """What is quoted of the message itself."""
    server = OddServer({"RCPT": [b"550 5.1.1 no\r\n"]})
    r = relay_to(server)
    header = "Subject: für alle = gut\r\nX-Long: ".encode() + b"y" * 3000 + b"\r\n"
    send(r, "alice@sender.test", data=header + b"\r\nhello\r\n", parameters="BODY=8BITMIME")
    proc.wait_for("bounce", lambda: server.data)
    message = is_valid("an 8-bit header with a line of 3,000", server.data[0])
    quoted = list(message.iter_parts())[2].get_payload(decode=True)
    tap.ok(header in quoted, "is quoted byte for byte", quoted[-500:])
    tap.ok(not any(b"BODY=8BITMIME" in line for line in server.log if b"MAIL FROM:<>" in line),
           "the bounce is 7-bit")
    r.stop()
    server.close()


def internationalised():
    server = OddServer({"EHLO": b"250-odd\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
                        "RCPT": ["550 5.1.1 kein Empfänger\r\n".encode()]})
    r = relay_to(server)
    send(r, "jörg@sender.test", "ä@else.test", parameters="SMTPUTF8")
    proc.wait_for("bounce", lambda: server.data)
    text = server.data[0].decode()
    for line in ("Content-Type: message/global-delivery-status", "To: <jörg@sender.test>",
                 "Final-Recipient: utf-8; ä@else.test", "Content-Transfer-Encoding: 8bit",
                 "Diagnostic-Code: smtp; 550 5.1.1 kein Empfänger"):
        tap.ok("\r\n" + line + "\r\n" in text, line, text)
    tap.ok(any(b"MAIL FROM:<>" in line and b"SMTPUTF8" in line for line in server.log),
           "it asks for SMTPUTF8", server.log)
    r.stop()
    server.close()


def main():
    outcomes()
    bounces()
    original_header()
    internationalised()


tap.run(main)
