#!/usr/bin/env python3
"""tollgate-relay: mail in by SMTP, out to Maildirs and to a next hop; limits; restarts."""

import os
import smtplib
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap

BIG = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 262144


def text(subject, body="hello"):
    return ("Subject: %s\r\nFrom: a@x.test\r\n\r\n%s\r\n" % (subject, body)).encode()


def end_of_line(data):
    return data.replace(b"\r\n", b"\n")


def deliveries(r, s):
    with smtplib.SMTP("127.0.0.1", r.port) as client:
        client.sendmail("a@x.test", ["Bob+tag@Host.test"], text("one"))
        got = r.wait_mail("bob@host.test")
        lines = got.split(b"\n")
        tap.same(lines[0], b"Return-Path: <a@x.test>", "Return-Path at the top")
        tap.same(lines[1], b"Delivered-To: Bob+tag@Host.test", "Delivered-To")
        tap.ok(lines[2].startswith(b"Received: from ") and
               b"by relay.test (tollgate-relay) with ESMTP id" in got, "Received", got)
        tap.ok(got.endswith(end_of_line(text("one"))), "then what was sent", got)
        client.sendmail("a@host.test", ["c@else.test", "d@other.test", "bob@host.test"],
                        text("two", ".dot\r\n..dots\r\n."))
    r.wait_mail("bob@host.test", 2)
    proc.wait_for("delivery to the sink", s.count)
    d = s.deliveries[0]
    tap.same((d.sender, sorted(d.recipients)), ("a@host.test", ["c@else.test", "d@other.test"]),
             "what is not hosted goes to the next hop, in one transaction")
    tap.ok(d.data.endswith(text("two", ".dot\r\n..dots\r\n.")), "dots as they were", d.data[-100:])
    r.wait_empty()
    tap.same(r.queued(), [], "the queue is empty")


def sizes_and_bytes(r):
    eight = bytes(range(128, 256)) * 4
    with smtplib.SMTP("127.0.0.1", r.port) as client:
        client.ehlo()
        tap.same(client.esmtp_features.get("size"), str(50 << 20), "SIZE is offered")
        client.sendmail("a@x.test", ["eight@host.test"], b"Subject: 8\r\n\r\n" + eight + b"\r\n",
                        mail_options=["BODY=8BITMIME"])
        tap.ok(r.wait_mail("eight@host.test").endswith(b"\n\n" + eight + b"\n"), "8-bit as it was")
        client.sendmail("a@x.test", ["big@host.test"], BIG)
        got = r.wait_mail("big@host.test")
        tap.ok(got.endswith(end_of_line(BIG)), "20 MB as they were", len(got))
        client.sendmail("", ["null@host.test"], text("null"))
        tap.ok(r.wait_mail("null@host.test").startswith(b"Return-Path: <>\n"), "null sender")
        client.sendmail("jörg@bücher.test", ["ä@host.test"], text("utf8"),
                        mail_options=["SMTPUTF8"])
        tap.ok("Return-Path: <jörg@bücher.test>".encode() in r.wait_mail("ä@host.test"),
               "SMTPUTF8")


def pipelined(r):
    one = b"".join([b"MAIL FROM:<a@x.test>\r\n", b"RCPT TO:<pipe@host.test>\r\n",
                    b"RCPT TO:<>\r\n", b"DATA\r\n"])
    with socket.create_connection(("127.0.0.1", r.port)) as s:
        f = s.makefile("rb")
        s.sendall(b"EHLO c\r\n" + one)
        while not f.readline().startswith(b"354"):
            pass
        s.sendall(b"Subject: p\r\n\r\np\r\n.\r\n" + one)
        codes = [f.readline()[:3] for _ in range(5)]
        tap.same(codes, [b"250", b"250", b"250", b"501", b"354"], "pipelined behind the text")
        s.sendall(b"Subject: p\r\n\r\nq\r\n.\r\nQUIT\r\n")
        tap.same([f.readline()[:3] for _ in range(3)], [b"250", b"221", b""], "and to the end")
    r.wait_mail("pipe@host.test", 2)


def command_line_clients(r, s):
    code, out, err = proc.run(["swaks", "-s", "127.0.0.1:%d" % r.port, "-f", "a@x.test", "-t",
                               "swaks@host.test", "--body", ".\n..\n"])
    tap.same(code, 0, "swaks", out, err)
    r.wait_mail("swaks@host.test")
    before = s.count()
    code, out, err = proc.run(["/usr/sbin/smtp-source", "-s", "10", "-m", "200", "-l", "5000", "-f",
                               "a@x.test", "-t", "many@else.test", "127.0.0.1:%d" % r.port])
    tap.same(code, 0, "smtp-source: 200 messages over 10 sessions", out, err)
    proc.wait_for("all of them", lambda: s.count() == before + 200)
    r.wait_empty()


def refusals(r):
    c = smtp.Smtp(r.port)

    def refused(line, code, what):
        try:
            c.command(line)
            tap.ok(False, what, "was accepted")
        except smtp.Refused as e:
            tap.same(e.code, code, what, e)

    c.command("MAIL FROM:<a@x.test>")
    refused("RCPT TO:<a@b@host.test>", 501, "two @ outside quotes")
    refused("RCPT TO:<x@host.test> NOTIFY=NEVER", 555, "an extension that is not offered")
    c.command("RSET")
    refused("MAIL FROM:<a@x.test> SIZE=99999999999", 552, "larger than the limit")
    refused("XCLIENT ADDR=192.0.2.1", 500, "XCLIENT is not for us")
    c.close()


def restarts(r):
    r.write_settings(relay={"next_hop": "127.0.0.1:%d" % proc.free_port()})
    r.restart()
    c = smtp.Smtp(r.port)
    qid = c.send("a@host.test", ["later@else.test", "now@host.test"], text("stays"))
    r.wait_mail("now@host.test")
    r.wait_log("deferred qid=%s" % qid)
    tap.same(r.queued(), [qid], "deferred: it stays in the queue")
    tap.same(r.kill(), -9, "killed")
    s = sink.Sink()
    r.write_settings(relay={"next_hop": "127.0.0.1:%d" % s.port})
    r.start()
    proc.wait_for("delivery", s.count)
    r.wait_empty()
    tap.same(s.deliveries[0].recipients, ["later@else.test"], "delivered after a restart")
    tap.same(len(r.mail("now@host.test")), 1, "what was delivered before is not again")


def stopping(r):
    idle, busy = smtp.Smtp(r.port), smtp.Smtp(r.port)
    busy.envelope("a@x.test", ["drain@host.test"])
    busy.command("DATA", 354)
    r.daemon.signal(15)
    code, _ = idle.reply()
    tap.same(code, 421, "an idle session is told to go")
    busy.socket.sendall(smtp.stuffed(text("drain")))
    busy.expect(250, "a message under way")
    tap.ok(True, "a message under way is taken")
    tap.same(busy.reply()[0], 421, "and then the session ends")
    tap.same(r.daemon.wait(30), 0, "clean end")
    r.start()
    r.wait_mail("drain@host.test")


def mailboxes(r):
    """Local parts of hosted domains: those that can have a Maildir are in one, below its domain;
    the others are refused at RCPT."""
    cases = [  # in RCPT, the folder
        ("a/b", "a%2Fb"), ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"), ("..", "%2E."),
        (".hidden", "%2Ehidden"), ("a..b", "a..b"), ("/", "%2F"), ("%2e%2e", "%252e%252e"),
        ('"a b"', "a%20b"), ('"a\\\\b"', "a\\b"), ('"+"', "+"), ("+tag", "+tag"), ("x+y/z", "x"),
        ("CON", "con"), ("new", "new"), ("tmp", "tmp"), ("a*?[b]", "a*?[b]"),
        ("$(id)", "$(id)"), ("`id`", "`id`"), ("~root", "~root"), ("-rf", "-rf"),
        ("x" * 196, "x" * 196),
        ('""', None), ("x" * 200, None), ("x" * 250, None),
    ]
    root = os.path.join(r.folder, "mail", "boxes.test")
    for local, folder in cases:
        c = smtp.Smtp(r.port)
        try:
            c.send("a@host.test", [local + "@boxes.test"], text("box"))
            got = 250
        except smtp.Refused as e:
            got = e.code
        c.close()
        if folder is None:
            tap.ok(got in (501, 550), "refused at RCPT: " + local[:30], got)
        else:
            proc.wait_for(local, lambda f=folder: os.path.isdir(os.path.join(root, f, "new")) and
                          os.listdir(os.path.join(root, f, "new")))
            tap.ok(True, "%s in %s" % (local[:30], folder[:30]))
    want = sorted(f.split("/")[0] for _, f in cases if f)
    tap.same(sorted(os.listdir(root)), want, "and nothing else is there")
    tap.same(sorted(os.listdir(os.path.join(r.folder, "mail"))), ["boxes.test", "host.test"],
             "nor beside it")
    c = smtp.Smtp(r.port)
    c.command("MAIL FROM:<a@host.test> SMTPUTF8")
    for address in (b"j\xfc@host.test", b"j\xe4@host.test", b"\xc0\xaf@host.test"):
        try:
            c.command(b"RCPT TO:<" + address + b">")
            tap.ok(False, "%r is refused" % address)
        except smtp.Refused as e:
            tap.same(e.code, 553, "%r is no UTF-8: refused" % address)
    c.close()


def bounces(r):
    with smtplib.SMTP("127.0.0.1", r.port) as client:
        client.sendmail("bounced@host.test", ["refuse@else.test"], text("to nobody"))
        got = r.wait_mail("bounced@host.test").decode()
        tap.ok(got.startswith("Return-Path: <>\n"), "returned by the null sender", got)
        for line in ("Content-Type: multipart/report; report-type=delivery-status;",
                     "Final-Recipient: rfc822; refuse@else.test", "Action: failed",
                     "Status: 5.1.1", "Subject: to nobody"):
            tap.ok(line in got, line[:60], got)
        client.sendmail("", ["refuse@else.test"], text("null"))
        r.wait_log("given up qid=.* sender=\"\"")
        r.wait_empty()
        tap.same(len(r.mail("bounced@host.test")), 1, "never a bounce to a bounce")


def full_disk(folder):
    """No room: told at MAIL, before anything is sent."""
    r = relay.Relay(folder, settings={"ledger": {"min_free": "1024GB"}})
    r.start()
    try:
        smtp.Smtp(r.port).command("MAIL FROM:<a@x.test>")
        tap.ok(False, "no room", "was accepted")
    except smtp.Refused as e:
        tap.same(e.code, 452, "no room: 452 at MAIL", e)
    r.stop()


def repeated(folder):
    """A reply that stays the same is written down once, however often it is tried."""
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % proc.free_port(),
                                                "retry_first": "10ms", "retry_max": "10ms"}})
    r.start()
    c = smtp.Smtp(r.port)
    qid = c.send("a@host.test", ["x@else.test"], text("again and again"))
    proc.wait_for("ten tries", lambda: r.log().count("deferred qid=" + qid) > 10)
    r.stop()
    with open(os.path.join(r.settings["relay"]["queue_dir"], "mail", qid), "rb") as f:
        lines = f.read().split(b"\n")
    tap.same(len([x for x in lines if x.startswith(b"T 0 ")]), 1, "one line for one reply")


def main():
    tap.need("swaks", "/usr/sbin/smtp-source")
    folder = proc.scratch("relay")
    s = sink.Sink()
    r = relay.Relay(folder, ["host.test", "boxes.test"],
                    settings={"relay": {"next_hop": "127.0.0.1:%d" % s.port}})
    r.start()
    deliveries(r, s)
    sizes_and_bytes(r)
    pipelined(r)
    command_line_clients(r, s)
    refusals(r)
    bounces(r)
    mailboxes(r)
    stopping(r)
    restarts(r)
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")
    full_disk(proc.scratch("full"))
    repeated(proc.scratch("repeated"))


tap.run(main)
