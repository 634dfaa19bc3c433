#!/usr/bin/env python3
"""Held messages that are in no queue when tollgate release runs: the mail log tells what became of
them. Log lines as real Postfix, Sendmail and tollgate-relay write them (t/e2e/hold.t)."""

import gzip
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from release_site import HELD, MAIN, REMOVED, Site, history, own_var_log

OFF, BACK = "postsuper: %s: released from hold", "postsuper: %s: placed on hold"
REQUEUED, ALL = "postsuper: %s: requeued", "postsuper: Released from hold: 2 messages"
ACTIVE = "qmgr: %s: from=<alice@example.com>, size=339, nrcpt=1 (queue active)"
SENT = "smtp: %s: to=<x@gmail.test>, relay=127.0.0.1[127.0.0.1]:25, dsn=2.0.0, status=sent (250 ok)"
DONE, BEGIN = "qmgr: %s: removed", "cleanup: %s: message-id=<1@client.test>"
PICKUP = "pickup: 4jcLzn6LkLz1bnbJ: uid=102 from=<alice@example.com> orig_id=%s"
QUARANTINE = "sm-mta: %s: milter=tollgate, quarantine=example.com: limit of 1 message per day"
MAILED = "sm-mta: %s: to=<x@gmail.test>, delay=00:00:01, mailer=esmtp, pri=30, dsn=2.0.0, stat=Sent"
LONG, SHORT = "4jcLzj5sFHz1bnZC", "1A3B5A90925"
CHARGE, FORGET, EXPIRED, WAIT, UNKNOWN = "charge", "forget", "expired", "wait", "unknown"

HISTORIES = [
    ("postsuper -H", LONG, [HELD, OFF, ACTIVE, SENT, DONE], CHARGE),
    ("postsuper -H ALL, which names no ids", LONG, [HELD, ALL, ACTIVE, SENT, DONE], CHARGE),
    ("postsuper -r", LONG, [HELD, REQUEUED, PICKUP], CHARGE),
    ("postsuper -r ALL, which names no ids", LONG, [HELD, PICKUP], CHARGE),
    ("postsuper -H, then -d before the delivery", LONG, [HELD, OFF, REMOVED], CHARGE),
    ("postsuper -d", LONG, [HELD, REMOVED], FORGET),
    ("postsuper -d ALL, which names no ids", LONG, [HELD, "postsuper: Deleted: 2 messages"],
     FORGET),
    ("postsuper -H, -h and -d", LONG, [HELD, OFF, BACK, REMOVED], FORGET),
    ("nothing in the log", LONG, [], UNKNOWN),
    ("only other messages in the log", LONG, [ACTIVE.replace("%s", "4jcLzj5sFHz1bnZD")], UNKNOWN),
    ("a log that begins later: -H", LONG, [OFF], CHARGE),
    ("a log that begins later: -H ALL", LONG, [ACTIVE], CHARGE),
    ("a log that begins later: -d", LONG, [REMOVED], FORGET),
    ("a short id, in a log that begins later", SHORT, [ACTIVE, SENT, DONE], UNKNOWN),
    ("a short id", SHORT, [HELD, ALL, ACTIVE, SENT, DONE], CHARGE),
    ("an earlier message of that id", SHORT, [BEGIN, ACTIVE, DONE, BEGIN, HELD, REMOVED], FORGET),
    ("a later message of that id", SHORT, [BEGIN, HELD, BEGIN, ACTIVE, SENT, DONE], FORGET),
    ("held again under that id", SHORT, [HELD, OFF, ACTIVE, DONE, BEGIN, HELD], FORGET),
    ("Sendmail: sent", "6ASIJeK2019201", [QUARANTINE, MAILED], CHARGE),
    ("Sendmail: deleted", "6ASIJeK2019201", [QUARANTINE], FORGET),
    ("Sendmail: still in quarantine", "6ASIJeK2019201",
     [QUARANTINE, MAILED.replace("Sent", "quarantined")], FORGET),
    ("another program", LONG, ["imap-login: %s: from=<a@b>"], UNKNOWN),
    ("no line of a program", LONG, ["%s: from=<a@b>", "x" * 3000000 + ": ", "postsuper: "],
     UNKNOWN),
]


def outcome(asked):
    """What tollgated was asked for the one message."""
    wanted = [a for a in asked if a[0] in ("release", "forget")]
    if not wanted:
        return ""
    if wanted[0][0] == "forget":
        return EXPIRED if wanted[0][-1] == "unknown" else FORGET
    return CHARGE if wanted[0][-1] == "mta" else "release"


def check(site, name, want, *args):
    text, asked_for = {CHARGE: ("1 charged", CHARGE), FORGET: ("1 forgotten", FORGET),
                       EXPIRED: ("1 forgotten", EXPIRED), WAIT: ("1 waiting", ""),
                       UNKNOWN: ("1 gone (no mail log tells whether sent or deleted)", "")}[want]
    code, out, err, asked, _ = site.run(*args)
    tap.ok((code, err) == (0, "") and text in out and outcome(asked) == asked_for, name, code, out,
           err, asked)
    site.reset()


def histories(site):
    for name, queue_id, lines, want in HISTORIES:
        site.hold(1, id=queue_id, on_hold=False, log=lines)
        check(site, name, want)


def ages(site):
    site.hold(1, on_hold=False, age_s=5, log=[HELD, OFF])
    check(site, "held just now, and let out: charged", CHARGE)
    site.hold(1, on_hold=False, age_s=5, log=[HELD])
    check(site, "held just now, and gone: it may be on its way to hold", WAIT)
    site.hold(1, on_hold=False, age_s=8 * 86400, log=[])
    check(site, "unknown for a week: forgotten, and tollgated says why", EXPIRED)
    site.hold(1, on_hold=False, seen="", log=[HELD, OFF])
    check(site, "let out before the first run saw it: charged", CHARGE)
    site.hold(1, on_hold=False, seen="", log=[HELD, REMOVED])
    check(site, "deleted before the first run saw it: forgotten", FORGET)
    site.hold(1, on_hold=False, seen="/etc/postfix-gone", log=[HELD, OFF])
    _, out, _, asked, _ = site.run()
    tap.ok(outcome(asked) == "" and "1 not found in the queues" in out,
           "of an instance that is not looked at: its log does not count", out, asked)
    site.reset()


def moving(site):
    """A listing that misses a message on its way from one queue to another."""
    site.hold(1, on_hold=False, log=[HELD])
    later = os.path.join(site.folder, "later")
    proc.write_text(later, json.dumps({"queue_name": "deferred", "queue_id": "Q1", "sender": "a@b",
                                       "recipients": [], "arrival_time": site.start}))
    check(site, "found when the queues are read again: charged, not forgotten", CHARGE)
    os.unlink(later)


def said(site):
    for word, want in (("sent", CHARGE), ("deleted", FORGET)):
        site.hold(1, on_hold=False, log=[])
        check(site, "--gone " + word, want, "Q1", "--gone", word)
    site.hold(1)
    code, out, err, asked, calls = site.run("Q1", "--gone", "sent")
    tap.ok(code == 65 and "Q1 is still in the queue" in err and outcome(asked) == "", "--gone of a "
           "message that is in the queue", code, err, asked)
    for words, code, text in ((["--gone", "sent"], 64, "name the message"),
                              (["Q9", "--gone", "sent"], 65, "no message with the queue id Q9"),
                              (["example.com", "--gone", "deleted"], 65, "no message with the"),
                              (["Q1", "--gone", "lost"], 64, "lost")):
        got, _, err, asked, _ = site.run(*words)
        tap.ok(got == code and text in err and outcome(asked) == "", " ".join(words), got, err)
    site.reset()


def write_log(path, queue_id, lines, unpacked=True):
    text = "\n".join(history(queue_id, lines)) + "\n"
    if unpacked:
        proc.write_text(path, text)
    else:
        with gzip.open(path, "wt") as f:
            f.write(text)


def logs(site):
    """Where the lines may be."""
    log = os.path.join(site.folder, "maillog")
    for name in (".1", "-20261128", ".20261128-145428.gz"):
        site.hold(1, on_hold=False, log=[])
        write_log(log + name, "Q1", [HELD, OFF], not name.endswith("gz"))
        check(site, "in the rotated file " + name, CHARGE)
        os.unlink(log + name)
    site.hold(1, on_hold=False, log=[OFF, ACTIVE])
    write_log(log + ".1", "Q1", [HELD, OFF, BACK])
    os.utime(log + ".1", (time.time() - 60,) * 2)
    check(site, "in both, in their order", CHARGE)
    os.unlink(log + ".1")
    site.hold(1, on_hold=False, log=[])
    write_log(log + ".2", "Q1", [HELD, OFF])
    os.utime(log + ".2", (site.start - 60,) * 2)
    check(site, "a file that ended before it was held is not read", UNKNOWN)
    os.unlink(log + ".2")
    site.flag("syslog", True)
    proc.write_text(site.folder + "/journal", "\n".join(history("Q1", [HELD, OFF])) + "\n")
    for name in ("mail.log", "maillog"):
        site.hold(1, on_hold=False, log=[OFF])
        write_log("/var/log/" + name, "Q1", [HELD, REMOVED])
        check(site, "without maillog_file: /var/log/" + name, FORGET)
        os.unlink("/var/log/" + name)
    site.hold(1, on_hold=False, log=[])
    check(site, "or the systemd journal", CHARGE)
    site.hold(1, on_hold=False, log=[])
    write_log("/var/log/mail.log", "Q1", [HELD, REMOVED])
    os.utime("/var/log/mail.log", (site.start - 60,) * 2)
    check(site, "also if an old mail.log is there", CHARGE)
    os.unlink("/var/log/mail.log")
    os.unlink(site.folder + "/journal")
    site.hold(1, on_hold=False, log=[])
    check(site, "no log at all", UNKNOWN)
    os.mkdir("/var/log/mail.log")
    os.mkfifo("/var/log/maillog")
    site.hold(1, on_hold=False, log=[])
    check(site, "what is no file tells nothing", UNKNOWN)
    os.rmdir("/var/log/mail.log")
    relay_log(site)
    site.flag("syslog", False)


def relay_log(site):
    lock = os.path.join(site.folder, "state", "relay", "queue", "lock")
    os.makedirs(os.path.dirname(lock))
    proc.write_text(lock, "")
    for verb, want in (("release", CHARGE), ("delete", FORGET), ("list", UNKNOWN)):
        site.hold(1, on_hold=False, seen="tollgate-relay", log=[])
        proc.write_text("/var/log/mail.log", "Nov 28 20:12:21 mx tollgate-relay[7]: queue command "
                        "verb=%s id=Q1 answer=done\n" % verb)
        check(site, "tollgate-relay queue " + verb, want)


def large(site):
    """The newest part of a large log, in less memory than it has."""
    log = os.path.join(site.folder, "maillog.1")
    site.hold(1, on_hold=False, log=[])
    with open(log, "w") as f:
        f.write("\n".join(history("Q1", [HELD, REMOVED])) + "\n")
        f.truncate(300 << 20)
        f.seek(0, os.SEEK_END)
        f.write("\n" + "\n".join(history("Q1", [OFF])) + "\n")
    began = time.monotonic()
    check(site, "the end of a large log", CHARGE)
    tap.note("300 MB in %.1f s" % (time.monotonic() - began))
    os.unlink(log)


def main():
    site = Site()
    histories(site)
    ages(site)
    moving(site)
    said(site)
    logs(site)
    large(site)
    site.control.close()


tap.run(own_var_log(__file__, main))
