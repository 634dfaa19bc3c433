#!/usr/bin/env python3
"""Reports of SMTP sessions end to end: a real Postfix with tollgated, its log read by
tollgate-collect, and what the reports say of the sessions that the test's clients had."""

import csv
import io
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from site_postfix import Site, mail

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.org"
GOOD, IDLE, BAD, LOST = 4, 2, 3, 1


def sessions(w):
    for i in range(GOOD):
        session = w.client()
        session.send("x@gmail.test", [BOB], mail())
        session.send("x@gmail.test", [BOB, CAROL] if i == 0 else [BOB], mail())
        session.quit()
    for _ in range(IDLE):
        w.client().quit()
    session = w.client()
    for _ in range(BAD):
        session.command("FROBNICATE", 500)
    session.quit()
    for _ in range(LOST):
        session = w.client()
        session.envelope("x@gmail.test", [ALICE])
        session.close()


def ended(w):
    return w.postfix.log().count(": disconnect from")


def collect(w, count):
    """What the log has, by now: --once reads it and ends."""
    w.postfix.wait_empty()
    proc.wait_for("the last session in the log", lambda: ended(w) >= count)
    w.tollgated.write_settings(collect={"user": "", "sources": ["file:" + w.postfix.maillog]})
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate-collect"), "-c",
                               w.tollgated.conf, "--once", "--from", "yesterday"], timeout_s=120)
    tap.ok(code == 0, "tollgate-collect --once", code, out, err)


def report(w, name, *args):
    code, out, err = w.tollgated.command("report", name, "--format", "csv", *args)
    tap.ok(code == 0, "report " + name, code, err)
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True))


def picked(row, *columns):
    return {c: int(row[c]) for c in columns}


def main():
    w = Site()
    before = report(w, "smtp-in-usage", "--by", "node")[0]
    tap.same((before["smtp_in_connections"], before["coverage"]), ("", "so far; no collector"),
             "before a collector runs nothing is known")
    probes = w.postfix.probes  # of who waited for Postfix: they connect and go
    proc.wait_for("the probes in the log", lambda: ended(w) >= probes)
    sessions(w)
    count = probes + GOOD + IDLE + 1 + LOST
    collect(w, count)
    row = report(w, "smtp-in-usage", "--by", "node")[0]
    tap.same(int(row["smtp_in_connections"]), count, "every session of the log")
    tap.ok("so far" in row["coverage"], "what is covered", row["coverage"])
    row = report(w, "smtp-in-errors", "--by", "node")[0]
    tap.same(picked(row, "smtp_in_connections", "smtp_in_bad_commands", "smtp_in_terminations",
                    "smtp_in_blocked", "smtp_in_auth_failed"),
             {"smtp_in_connections": count, "smtp_in_bad_commands": BAD,
              "smtp_in_terminations": probes + LOST, "smtp_in_blocked": 0,
              "smtp_in_auth_failed": 0},
             "what went wrong in them")
    got = {r["domain"]: int(r["smtp_in_connections"])
           for r in report(w, "smtp-in-usage", "--by", "domain")}
    tap.same(got, {"example.com": GOOD, "example.org": 1, "_unattributed": got["_unattributed"]},
             "domains have those that delivered to them")
    got = {r["user"]: int(r["smtp_in_connections"])
           for r in report(w, "smtp-in-usage", "--by", "user", "--domain", "example.com")}
    tap.same(got, {BOB: GOOD}, "and users")
    w.stop()


tap.run(main)
