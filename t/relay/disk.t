#!/usr/bin/env python3
"""tollgate-relay and its disk: what is forced to it before an answer, and what happens when it is
full or fails."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap
import tollgate
from fake_milter import FakeMilter, packet

TEXT = b"Subject: x\r\nFrom: a@host.test\r\n\r\nhello\r\n"


def send(r, recipients, data=TEXT, sender="a@host.test"):
    """The queue id, or the refusal."""
    c = smtp.Smtp(r.port)
    try:
        return c.send(sender, recipients, data)
    except smtp.Refused as e:
        return e
    finally:
        c.close()


def lines_of(path, until):
    """The lines that the shim wrote up to one with that text, once it is there."""
    def found():
        lines = proc.read_text(path).split("\n")
        at = [i for i, line in enumerate(lines) if until in line]
        return lines[:at[0] + 1] if at else None
    return proc.wait_for(until, found)


def index(lines, *words):
    """Where the first line stands that has all the words; -1: nowhere."""
    return next((i for i, line in enumerate(lines) if all(w in line for w in words)), -1)


def in_order(lines, *steps):
    at = [index(lines, *step) for step in steps]
    return -1 not in at and at == sorted(at)


def synced():
    folder = proc.scratch("synced")
    log, fail = os.path.join(folder, "sync.log"), os.path.join(folder, "fail")
    s, m = sink.Sink(), FakeMilter()
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % s.port,
                                                "milters": [m.where]}})
    r.env = dict(tollgate.preload(folder, "sync_shim"), TG_SYNC_LOG=log, TG_SYNC_FAIL=fail)
    r.start()
    qid = send(r, ["out@else.test"])
    lines = lines_of(log, "queued as " + qid)
    tap.ok(in_order(lines, ("fsync", "/tmp/" + qid), ("rename", "/mail/" + qid),
                    ("fsync", "relay-queue/mail"), ("send 250", qid)),
           "250 follows fsync of the file, rename and fsync of the folder", *lines)
    r.wait_empty()
    lines = lines_of(log, "unlink %s/mail/%s" % (r.settings["relay"]["queue_dir"], qid))
    tap.ok(in_order(lines, ("fdatasync", "/mail/" + qid), ("unlink", "/mail/" + qid)),
           "the outcome is on the disk before the message goes", *lines)
    qid = send(r, ["bob@host.test"])
    r.wait_mail("bob@host.test")
    r.wait_empty()
    lines = lines_of(log, "unlink %s/mail/%s" % (r.settings["relay"]["queue_dir"], qid))
    tap.ok(in_order(lines, ("fsync", "bob/tmp/"), ("rename", "bob/new/"), ("fsync", "bob/new"),
                    ("unlink", "/mail/" + qid)), "so is a delivery to a Maildir", *lines)
    before = len(m.named("eom"))
    for place in ("relay-queue/tmp", "relay-queue/mail"):
        proc.write_text(fail, place)
        got = send(r, ["never@host.test"])
        tap.ok(isinstance(got, smtp.Refused) and got.code == 452, "fsync of %s fails: 452" % place,
               got)
        os.unlink(fail)
        tap.same((r.queued(), os.listdir(os.path.join(r.folder, "relay-queue", "tmp"))), ([], []),
                 "and nothing is left of the message")
        tap.same(len(m.named("eom")) - before, 0 if "tmp" in place else 1,
                 "the milter is asked only about what can be written")
    tap.same(r.mail("never@host.test"), [], "nor was it delivered")
    tap.same(r.stop(), 0, "stopped")


def outcome_not_synced():
    """A delivery whose outcome may not be on the disk is not repeated; one to a Maildir that may
    not be on the disk has not taken place."""
    folder = proc.scratch("outcome")
    log, fail = os.path.join(folder, "sync.log"), os.path.join(folder, "fail")
    s = sink.Sink()
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % s.port,
                                                "retry_first": "50ms", "retry_max": "1h"}})
    r.env = dict(tollgate.preload(folder, "sync_shim"), TG_SYNC_LOG=log, TG_SYNC_FAIL=fail)
    r.start()
    proc.write_text(fail, "relay-queue/mail/")
    qid = send(r, ["out@else.test"])
    r.wait_log("delivery not recorded qid=%s .*cannot sync" % qid)
    tap.same((s.count(), r.queued()), (1, [qid]), "the outcome cannot be synced: it stays queued")
    os.unlink(fail)
    r.command("queue", "flush")
    r.wait_empty()
    tap.same(s.count(), 1, "a disk that works again: it goes, and was sent once")
    proc.write_text(fail, "bob/tmp/")
    qid = send(r, ["bob@host.test"])
    r.wait_log("deferred qid=%s " % qid)
    tap.same((r.mail("bob@host.test"), r.queued()), ([], [qid]),
             "a Maildir that cannot be synced: not delivered, and queued")
    os.unlink(fail)
    r.wait_empty()
    tap.same(len(r.mail("bob@host.test")), 1, "then it is delivered, once")
    tap.same(r.stop(), 0, "stopped")


def fill(folder):
    """All of a small file system."""
    path = os.path.join(folder, "filler")
    with open(path, "ab", buffering=0) as f:
        for size in (65536, 512):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    return path


class SmallDisk:
    """A relay with its queue on a file system of its own."""

    def __init__(self, name, size, settings):
        self.folder = proc.scratch(name)
        self.queue = os.path.join(self.folder, "relay-queue")
        os.mkdir(self.queue)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", self.queue],
                       check=True)
        self.relay = relay.Relay(self.folder, settings={"ledger": {"min_free": "0B"},
                                                        "relay": settings})

    def __enter__(self):
        self.relay.start()
        return self.relay

    def __exit__(self, *_):
        self.relay.stop()
        subprocess.run(["umount", "-l", self.queue], check=True)


def nothing_twice():
    s, closed = sink.Sink(), proc.free_port()
    recipients = ["u%d@else.test" % i for i in range(300)]
    with SmallDisk("full", "2m", {"next_hop": "127.0.0.1:%d" % closed, "retry_first": "1h",
                                  "retry_max": "1h"}) as r:
        ids = [send(r, recipients) for _ in range(2)]
        for qid in ids:
            r.wait_log("deferred qid=%s" % qid)
        r.stop()
        r.write_settings(relay={"next_hop": "127.0.0.1:%d" % s.port, "retry_first": "50ms",
                                "retry_max": "100ms"})
        filler = fill(r.folder + "/relay-queue")
        for qid in ids:  # as a copy of the file system may be: without the room that was reserved
            subprocess.run(["fallocate", "--dig-holes", r.folder + "/relay-queue/mail/" + qid],
                           check=True)
        fill(r.folder + "/relay-queue")
        r.start()
        r.command("queue", "flush")
        for qid in ids:
            r.wait_log("not tried qid=%s .*No space left" % qid)
            proc.wait_for("more attempts",
                          lambda qid=qid: r.log().count("not tried qid=" + qid) > 3)
        tap.same(s.count(), 0, "no room for outcomes: nothing is sent")
        os.unlink(filler)
        r.wait_empty()
        tap.same(sorted(s.recipients()), sorted(recipients * 2), "room again: each is sent once")


def not_counted():
    m = FakeMilter({"eom": packet("c")})
    with SmallDisk("counted", "1m", {"milters": [m.where]}) as r:
        got = send(r, ["bob@host.test"], TEXT + b"x" * 70 + b"\r\n" * 300000)
        tap.ok(isinstance(got, smtp.Refused) and got.code == 452, "a message that has no room: 452",
               got)
        tap.same(m.named("eom"), [], "and the milter, who would count it, is not asked")
        got = send(r, ["bob@host.test"], TEXT + b"y" * 70 + b"\r\n")
        tap.ok(r.wait_mail("bob@host.test"), "one that has room is delivered", got)
        tap.same(len(m.named("eom")), 1, "and asked about")


def main():
    tap.need("mount", "umount", "fallocate", root=True)
    synced()
    outcome_not_synced()
    nothing_twice()
    not_counted()


tap.run(main)
