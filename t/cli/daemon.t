#!/usr/bin/env python3
"""The command beside a running tollgated with its private store: what classify foretells is what is
counted, reports and totals show it, and doctor has nothing to say against it."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
from redis_server import Redis
from tollgated import Tollgated, counted, difference, wait_counted

# client (None: the sendmail command), login, sender, recipients, header lines, bytes
MESSAGES = (
    ("203.0.113.9", "", "a@x.test", ["bob@example.com", "carol@example.org"], [], 5000),
    ("203.0.113.9", "bob@example.com", "bob@example.com", ["x@gmail.test", "y@yahoo.test"],
     ["X-Priority: 1"], 7001),
    ("198.51.100.9", "", "carol@example.org", ["bob@example.com", "z@gmail.test"],
     ["List-Id: <l.example.org>"], 900),
    ("203.0.113.9", "", "", ["bob@example.com"], ["Subject: undelivered"], 1234),
    (None, "", "joe@orig.test", ["x@gmail.test"], ["Delivered-To: carol@example.org"], 600),
    ("203.0.113.9", "", "a@x.test", ["who@else.test"], [], 333),
)


def foretold(daemon, message):
    client, login, sender, recipients, headers, size = message
    args = ["--from", sender or "<>", "--bytes", str(size)]
    args += ["--client", client] if client else ["--non-smtp"]
    args += ["--auth", login] if login else []
    for recipient in recipients:
        args += ["--to", recipient]
    for header in headers:
        args += ["--header", header]
    code, out, err = daemon.command("classify", *args, "--format", "json")
    tap.ok(code == 0 and err == "", "classify", code, err)
    return {c["account"] or "@mx1": c["counters"] for c in json.loads(out)["counted"]
            if not c["user"]}


def deliver(daemon, message):
    client, login, sender, recipients, headers, size = message
    with milterclient.Session(daemon.socket, client=client, auth=login) as session:
        reply = session.deliver(sender, recipients, milterclient.message_of(headers, size))
    tap.ok(reply.accepted, "let through", reply)


def messages(daemon, redis):
    for number, message in enumerate(MESSAGES, 1):
        before, want = counted(redis), foretold(daemon, message)
        deliver(daemon, message)
        wait_counted(redis, number)
        tap.same(difference(before, counted(redis)), want, "counted as foretold: %s" % (message,))


def reports(daemon, redis):
    data = json.loads(daemon.command("report", "smtp", "--by", "domain", "--format", "json")[1])
    tap.same({row["domain"]: row["total_bytes"] for row in data["rows"]},
             {"example.com": 5000 + 14002 + 1234, "example.org": 5000 + 900 + 600},
             "the report by domain")
    tap.ok(not data["complete"] and data["note"].startswith("So far: counted until"), "so far",
           data["note"])
    data = json.loads(daemon.command("report", "smtp", "--user", "bob@example.com", "--format",
                                     "json")[1])
    tap.same(data["total"]["out_bytes"], 14002, "the report of a user")
    data = json.loads(daemon.command("totals", "--from", "today", "--to", "today", "--format",
                                     "json")[1])
    got = {row["account"]: {name: row[name] for name in data["columns"] if row[name]}
           for row in data["rows"]}
    want = {account: fields for account, fields in counted(redis).items() if account[0] != "@"}
    tap.same(got, want, "totals have all there is")


def postfix(folder):
    """A Postfix that says nothing of milters or domains."""
    for name in ("main.cf", "master.cf"):
        path = os.path.join(folder, name)
        proc.write_text(path, "compatibility_level = 3.6\nmydestination =\nalias_maps =\n"
                        if name == "main.cf" else "")
        os.utime(path, (0, 0))  # postconf waits for files that are new


def findings(daemon, *what):
    out = daemon.command("doctor", "--postfix", daemon.folder)[1]
    lines = [re.split(" +", line, maxsplit=1) for line in out.splitlines() if line[:1] > " "]
    return [" ".join(line) for line in lines
            if line[0] in ("warn", "fail", "unknown") and line[1].startswith(what)]


def doctor(daemon):
    about = ("settings", "state_dir", "disk", "tollgated", "store", "clock", "node", "ledger",
             "socket", "hosted")
    proc.wait_for("a heartbeat", lambda: not findings(daemon, *about))
    tap.same(findings(daemon, *about), [], "doctor has nothing against it")
    daemon.kill()
    tap.same([line[:19] for line in findings(daemon, "tollgated", "ledger", "store")],
             ["fail tollgated: not"], "killed: it does not run, the rest is in order")
    daemon.start()
    proc.wait_for("a heartbeat", lambda: not findings(daemon, *about))
    tap.ok(True, "started again: in order again")


def main():
    folder = proc.scratch("daemon")
    daemon = Tollgated(folder, "private:", "unix:%s/milter.sock" % folder)
    daemon.host(["example.com", "example.org"])
    daemon.start()
    store = os.path.join(daemon.state, "redis", "redis.sock")
    proc.wait_for("the private store", lambda: os.path.exists(store) and proc.can_connect(store))
    redis = Redis(store)
    messages(daemon, redis)
    reports(daemon, redis)
    postfix(folder)
    doctor(daemon)
    tap.same(daemon.stop(), 0, "it ends")
    tap.none(daemon.complaints(), "no complaints in its log")


tap.run(main)
