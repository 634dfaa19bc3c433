#!/usr/bin/env python3
"""What milters see of mail that comes through tollgate-relay, and what becomes of their answers."""

import os
import smtplib
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap
from fake_milter import FakeMilter, packet

TEXT = b"Subject:  two blanks\r\nX-Fold: a\r\n\tb\r\nX-None:c\r\n\r\n.body\r\n\xff\r\n"


class Bench:
    def __init__(self):
        self.sink = sink.Sink()
        self.relay = None

    def through(self, *milters, settings=None, more=None):
        """A relay of its own with these milters; gives it, started."""
        if self.relay:
            tap.same(self.relay.stop(), 0, "stopped")
            tap.none(self.relay.complaints(), "no complaints in the log")
        own = {"milters": [m.where for m in milters], "next_hop": "127.0.0.1:%d" % self.sink.port,
               "milter_timeout": "60s"}
        own.update(settings or {})
        self.relay = relay.Relay(proc.scratch("milters"), settings=dict(more or {}, relay=own))
        self.relay.start()
        return self.relay


def send(r, recipients=("bob@host.test",), data=TEXT, sender="a@x.test"):
    """The reply to the end of the message, or to what was refused before."""
    c = smtp.Smtp(r.port)
    try:
        c.envelope(sender, recipients, "SIZE=%d" % len(data))
        c.command("DATA", 354)
        c.socket.sendall(smtp.stuffed(data))
        return c.expect(250, "end of data")
    except smtp.Refused as e:
        return "%d %s" % (e.code, e.text)
    finally:
        c.close()


def sight(bench):
    """Order of events, macros, header and body: as Postfix gives them."""
    m = FakeMilter()
    r = bench.through(m)
    qid = send(r, ["bob@host.test", "Joe@ELSE.test"])[-13:]
    tap.same(proc.wait_for("end of the session", m.session),
             ["connect", "abort", "helo", "mail", "rcpt", "rcpt", "data", "header", "header",
              "header", "eoh", "body", "eom", "abort", "abort", "quit"], "the events in order")
    tap.same(m.message(), TEXT, "the message byte for byte, without our Received")
    connect = m.named("connect")[0]
    host, rest = connect.data.split(b"\0", 1)
    tap.same((host, rest[:1], rest[3:]), (b"localhost", b"4", b"127.0.0.1\0"), "connect")
    tap.ok(struct.unpack(">H", rest[1:3])[0] > 0, "with the client's port")
    tap.same(connect.macros.get("j"), "relay.test", "j")
    tap.ok(connect.macros.get("v", "").startswith("tollgate-relay "), "v")
    tap.same(connect.macros.get("_"), "localhost [127.0.0.1]", "_")
    mail, first, second = m.named("mail")[0], m.named("rcpt")[0], m.named("rcpt")[1]
    tap.same(mail.strings(), ["<a@x.test>", "SIZE=%d" % len(TEXT)], "MAIL and its parameters")
    tap.same(mail.macros, {"{mail_addr}": "a@x.test", "{mail_host}":
                           "127.0.0.1:%d" % bench.sink.port, "{mail_mailer}": "relay"},
             "macros of MAIL, no i yet")
    tap.same(first.macros, {"{rcpt_addr}": "bob@host.test", "{rcpt_host}": "host.test",
                            "{rcpt_mailer}": "virtual"}, "macros of the first RCPT")
    tap.same(second.macros, {"{rcpt_addr}": "joe@else.test", "i": qid,
                             "{rcpt_host}": "127.0.0.1:%d" % bench.sink.port,
                             "{rcpt_mailer}": "relay"}, "from the second on with i")
    for name in ("data", "header", "eoh", "body", "eom"):
        tap.same(m.named(name)[0].macros, {"i": qid}, "i at " + name)


def declined(bench):
    """No events but MAIL, RCPT and end of message; no blank kept; asked-for macros."""
    symbols = struct.pack(">I", 2) + b"{client_addr} j\0"
    m = FakeMilter(steps=0x1 | 0x2 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200 | 0x4000, symbols=symbols)
    tap.ok("queued" in send(bench.through(m)), "accepted")
    names = proc.wait_for("end of the session", m.session)
    tap.same([n for n in names if n != "abort"], ["mail", "rcpt", "eom", "quit"],
             "only what was not declined")
    tap.same(m.named("mail")[0].macros, {"{client_addr}": "127.0.0.1", "j": "relay.test"},
             "the macros it asked for")


def verdicts(bench):
    def reply(event, answer, **more):
        return send(bench.through(FakeMilter({event: answer}, **more)))

    temporary = "451 4.7.1 Service unavailable - try again later"
    tap.same(reply("mail", packet("t")), temporary, "TEMPFAIL at MAIL")
    tap.same(reply("rcpt", packet("r")), "550 5.7.1 Command rejected", "REJECT at RCPT")
    tap.same(reply("data", packet("y", "450 4.7.1 later 100%%\0")), "450 4.7.1 later 100%",
             "a reply of its own at DATA")
    tap.same(reply("header", packet("r")), "550 5.7.1 Command rejected", "REJECT at a header")
    tap.same(reply("body", packet("t")), temporary, "TEMPFAIL at the body")
    tap.same(reply("eom", packet("y", "554-5.7.1 one\r\n554 5.7.1 two\0")),
             "554 5.7.1 one\n5.7.1 two", "lines at the end")
    tap.same(reply("eom", packet("p") * 3 + packet("a"))[:12], "2.0.0 Ok: qu",
             "progress, then ACCEPT")
    tap.same(bench.relay.wait_mail("bob@host.test")[:13], b"Return-Path: ", "and delivered")
    tap.ok("queued" in reply("eom", packet("d")), "DISCARD is told as queued")
    bench.relay.wait_log("discarded qid=")
    tap.same((bench.relay.queued(), bench.relay.mail("bob@host.test")), ([], []), "and is gone")
    tap.ok("queued" in reply("rcpt", packet("d")), "DISCARD at RCPT")
    bench.relay.wait_log("discarded qid=")
    tap.ok("queued" in reply("eom", packet("q", "suspicious\0") + packet("c")), "quarantine")
    tap.same(len(bench.relay.queued("hold")), 1, "is held")
    try:
        smtp.Smtp(bench.through(FakeMilter({"connect": packet("r")})).port)
        tap.ok(False, "REJECT at connect")
    except smtp.Refused as e:
        tap.same(e.code, 554, "REJECT at connect")


def one_recipient(bench):
    """A refused recipient is no hindrance to the others."""
    m = FakeMilter({"rcpt": lambda e: packet("r") if b"bad" in e.data else packet("c")})
    r = bench.through(m)
    with smtplib.SMTP("127.0.0.1", r.port) as c:
        refused = c.sendmail("a@x.test", ["bad@host.test", "good@host.test"], TEXT)
    tap.same(list(refused), ["bad@host.test"], "one is refused")
    r.wait_mail("good@host.test")
    tap.same(r.mail("bad@host.test"), [], "and gets nothing")


def changes(bench):
    changed = [packet("h", "X-Added\0 at the end\0"), packet("i", b"\0\0\0\0X-Top\0 first\0"),
               packet("m", b"\0\0\0\1Subject\0 changed\0"), packet("m", b"\0\0\0\1X-None\0\0"),
               packet("+", "<added@host.test>\0"), packet("-", "<gone@host.test>\0"),
               packet("2", "<more@else.test>\0NOTIFY=NEVER\0"), packet("e", "<new@x.test>\0"),
               packet("b", "new\r\n"), packet("b", "body\r\n"), packet("c")]
    second = FakeMilter()
    r = bench.through(FakeMilter({"eom": b"".join(changed)}), second)
    send(r, ["bob@host.test", "gone@host.test"])
    got = r.wait_mail("bob@host.test")
    r.wait_mail("added@host.test")
    proc.wait_for("the sink", lambda: "more@else.test" in bench.sink.recipients())
    want = (b"X-Top: first\nSubject: changed\nX-Fold: a\n\tb\nX-Added: at the end\n"
            b"\nnew\nbody\n")
    tap.ok(got.endswith(want), "header and body changed", got)
    tap.ok(got.startswith(b"Return-Path: <new@x.test>"), "sender changed", got)
    tap.ok(got.index(b"Received:") < got.index(b"X-Top"), "our Received stays at the top")
    tap.same(bench.sink.deliveries[-1].recipients, ["more@else.test"], "recipient added elsewhere")
    tap.same(r.mail("gone@host.test"), [], "recipient deleted")
    tap.same(second.message().replace(b"\r\n", b"\n"), want, "the next milter sees it changed")
    bare = FakeMilter({"eom": packet("h", "X-A\0v\0") + packet("c")}, steps=0)
    r = bench.through(bare)
    send(r)
    tap.ok(b"\nX-A: v\n" in r.wait_mail("bob@host.test"), "the blank is ours where it did not ask")


def away(bench):
    for action, want in (("tempfail", "451 4.7.1 Service unavailable - try again later"),
                         ("reject", "550 5.7.1 Command rejected"), ("accept", None)):
        gone = FakeMilter()
        gone.shutdown()
        gone.server_close()
        got = send(bench.through(gone, settings={"milter_default": action}))
        tap.ok(got == want if want else "queued" in got, "nobody listens: " + action, got)
        dies = FakeMilter({"rcpt": None})
        got = send(bench.through(dies, settings={"milter_default": action}))
        tap.ok(got == want if want else "queued" in got, "it dies at RCPT: " + action, got)
    silent = FakeMilter({"mail": b""})
    got = send(bench.through(silent, settings={"milter_timeout": "200ms"}))
    tap.same(got[:3], "451", "it is silent")
    wrong = FakeMilter({"mail": packet("y", "451 5.7.1 class differs\0")})
    tap.same(send(bench.through(wrong))[:3], "451", "it speaks nonsense")
    gone = FakeMilter()
    gone.shutdown()
    gone.server_close()
    r = bench.through(gone, settings={"milter_default": "quarantine"})
    tap.ok("queued" in send(r), "nobody listens: quarantine")
    tap.same(len(r.queued("hold")), 1, "held")


def refused_recipients(bench):
    """Those who ask for it see what we refuse ourselves."""
    m = FakeMilter(steps=0x800)
    nobody = {"networks": {"host": ["192.0.2.1"]}}
    r = bench.through(m, more=nobody)
    tap.same(send(r, ["x@else.test"]), "554 5.7.1 Relay access denied", "refused")
    rcpt = m.named("rcpt")[0]
    tap.same((rcpt.macros["{rcpt_mailer}"], rcpt.macros["{rcpt_host}"]), ("error", "5.7.1"),
             "mailer error, host the code")
    plain = FakeMilter()
    send(bench.through(plain, more=nobody), ["x@else.test"])
    tap.same(plain.named("rcpt"), [], "others do not")


def look_up_fails(bench):
    """What fails before a message is queued fails before the last milter could count it."""
    first, last = FakeMilter(), FakeMilter()
    r = bench.through(first, last, more={"hosted": {
        "forwards": ["socketmap:unix:/nonexistent/socket:forwards"]}})
    tap.ok(send(r).startswith("451 4.3.0"), "a forwarder cannot be looked up: 451")
    tap.same((len(first.named("eom")), len(last.named("eom"))), (1, 0),
             "the last milter is not asked for its verdict")
    tap.same((r.queued(), r.mail("bob@host.test")), ([], []), "nothing is queued")


def main():
    bench = Bench()
    for part in (sight, declined, verdicts, one_recipient, changes, away, refused_recipients,
                 look_up_fails):
        part(bench)
    bench.through()
    bench.relay.stop()


tap.run(main)
