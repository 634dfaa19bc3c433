#!/usr/bin/env python3
"""What one message leaves behind for the next: in one SMTP session, and over a restart."""

import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import smtp
import tap
from fake_milter import FakeMilter, packet


def text(subject, hops=0):
    received = b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n" * hops
    return received + b"Subject: %s\r\nFrom: a@x.test\r\n\r\nhello\r\n" % subject.encode()


def first_only(event_name, answer):
    """A milter that gives the answer once, and then lets all go on."""
    answers = [answer]

    def once(_):
        return answers.pop(0) if answers else packet("c")
    return FakeMilter({event_name: once})


def relay_with(milter, **settings):
    r = relay.Relay(proc.scratch("sessions"), settings={"relay": dict({"milters": [milter.where]},
                                                                      **settings)})
    r.start()
    return r


def two_in_a_session(r, quick=False):
    """Sends them; gives the replies. quick: with a reset between them."""
    c = smtp.Smtp(r.port)
    done = [c.attempt("a@x.test", ["one@host.test"], text("one"))]
    if quick:
        c.command("RSET")
    done.append(c.attempt("a@x.test", ["two@host.test"], text("two")))
    c.quit()
    return done


FIRST = [  # event, answer, is the first accepted, held, delivered
    ("eom", packet("q", "why\0") + packet("c"), True, True, False),
    ("eom", packet("d"), True, False, False),
    ("eom", packet("r"), False, False, False),
    ("eom", packet("t"), False, False, False),
    ("eom", packet("h", "X-First\0yes\0") + packet("c"), True, False, True),
    ("eom", packet("+", "<three@host.test>\0") + packet("c"), True, False, True),
    ("eom", packet("b", "another body\r\n") + packet("c"), True, False, True),
    ("eom", packet("e", "<>\0\0") + packet("c"), True, False, True),
    ("eom", packet("a"), True, False, True),
    ("body", packet("a"), True, False, True),
    ("header", packet("a"), True, False, True),
    ("data", packet("a"), True, False, True),
    ("rcpt", packet("a"), True, False, True),
    ("mail", packet("a"), True, False, True),
    ("mail", packet("d"), True, False, False),
    ("rcpt", packet("d"), True, False, False),
    ("data", packet("r"), False, False, False),
    ("rcpt", packet("r"), False, False, False),
    ("mail", packet("t"), False, False, False),
]


def after_the_first(quick):
    for event, answer, accepted, held, delivered in FIRST:
        m = first_only(event, answer)
        r = relay_with(m)
        what = "%s at %s, then another message%s: " % (answer[4:5].decode(), event,
                                                       " behind RSET" if quick else "")
        first, second = two_in_a_session(r, quick)
        tap.same((first.accepted, second.accepted), (accepted, True), what + "accepted")
        got = r.wait_mail("two@host.test")
        tap.ok(b"Return-Path: <a@x.test>\n" in got and got.endswith(b"\n\nhello\n") and
               b"X-First" not in got, what + "the second is delivered as it came", got)
        if delivered:
            r.wait_mail("one@host.test")
        r.wait_empty()
        tap.same(len(r.queued("hold")), int(held), what + "held")
        tap.same(len(r.mail("one@host.test")), int(delivered), what + "the first")
        last = proc.wait_for("the session", m.session)
        tap.same(last[len(last) - last[::-1].index("mail") - 1:][:6],
                 ["mail", "rcpt", "data", "header", "header", "eoh"],
                 what + "the milter sees all of the second")
        r.stop()


def many():
    """Hops, errors and recipients are counted for each message by itself."""
    r = relay.Relay(proc.scratch("many"))
    r.start()
    c = smtp.Smtp(r.port)
    for number in range(60):
        c.send("a@x.test", ["many@host.test"], text("many %d" % number, hops=49))
    c.quit()
    r.wait_mail("many@host.test", 60)
    tap.ok(True, "sixty messages of 49 hops in one session")
    with smtplib.SMTP("127.0.0.1", r.port) as client:
        try:
            client.sendmail("a@x.test", ["many@host.test"], text("too many", hops=51))
            code = 250
        except smtplib.SMTPDataError as e:
            code = e.smtp_code
    tap.same(code, 554, "one of 51 hops is refused")
    r.stop()


def held_over_a_restart():
    m = first_only("eom", packet("q", "why\0") + packet("c"))
    r = relay_with(m)
    first, _ = two_in_a_session(r)
    r.wait_mail("two@host.test")
    r.stop()
    r.write_settings(relay={"next_hop": "127.0.0.1:%d" % proc.free_port(), "retry_first": "1h",
                            "retry_max": "1h"})
    r.start()
    c = smtp.Smtp(r.port)
    second = c.send("a@host.test", ["later@else.test"], text("by hand"))
    c.quit()
    r.wait_log("deferred qid=" + second)
    proc.wait_for("hold", lambda: r.command("queue", "hold", second)[0] == 0)
    for stop, how in ((r.stop, "a restart"), (r.kill, "kill -9")):
        stop()
        r.write_settings(relay={"next_hop": ""})
        r.start()
        c = smtp.Smtp(r.port)
        c.send("a@x.test", ["after@host.test"], text("after"))
        c.quit()
        r.wait_mail("after@host.test", 1 if stop == r.stop else 2)  # pylint: disable=W0143
        r.command("queue", "flush")
        r.wait_empty()
        tap.same(r.queued("hold"), sorted([first.queue_id, second]), how + ": both are still held")
        tap.same(r.mail("one@host.test"), [], how + ": and not delivered")
    code, out, _ = r.command("queue", "list")
    tap.ok(code == 0 and out.count("held") == 2, "and listed as held", out)
    tap.same(r.command("queue", "release", first.queue_id)[0], 0, "released")
    r.wait_mail("one@host.test")
    tap.same(r.queued("hold"), [second], "that one is delivered, the other waits")
    r.stop()


def main():
    after_the_first(False)
    after_the_first(True)
    many()
    held_over_a_restart()


tap.run(main)
