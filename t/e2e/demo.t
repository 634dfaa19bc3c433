#!/usr/bin/env python3
"""contrib/demo: builds, runs, shows In, Out, Forward and local mail with the right figures, says
how to plug it into Postfix, and leaves nothing behind."""

import csv
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap

# What contrib/demo.d/mail.py sends, by its table.
WANT = {
    "example.com": {"in_messages": 16, "in_recipients": 16, "out_messages": 6,
                    "forward_messages": 6, "local_sent_messages": 4, "bounces_received": 1,
                    "priority_bulk_messages": 3, "priority_high_messages": 1},
    "example.org": {"in_messages": 2, "out_messages": 5, "out_recipients": 7, "forward_messages": 1,
                    "local_received_messages": 4},
}


def totals(text):
    """The CSV of the output, by account."""
    lines = text.replace("\r", "").split("\n")
    head = next(i for i, line in enumerate(lines) if line.startswith("account,"))
    rows = []
    for line in lines[head:]:
        if "," not in line:
            break
        rows.append(line)
    return {row["account"]: row for row in csv.DictReader(rows)}


def left_behind(folder):
    """Processes that have to do with the demo's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        text = proc.read_text("/proc/%s/cmdline" % pid)
        if folder in text and int(pid) != os.getpid():
            found.append("%s %s" % (pid, text.replace("\0", " ")))
    return found


def main():
    tap.need("autoreconf", "redis-server")
    folder = proc.scratch("demo")
    code, out, err = proc.run([os.path.join(proc.SOURCE, "contrib/demo"), "--no-install"],
                              env={"TMPDIR": folder}, timeout_s=600)
    tap.same(code, 0, "it ends well", out[-3000:], err[-3000:])
    rows = totals(out)
    faults = ["%s %s: got %s, want %d" % (account, name, rows.get(account, {}).get(name), number)
              for account, fields in WANT.items() for name, number in fields.items()
              if rows.get(account, {}).get(name) != str(number)]
    tap.none(faults, "the totals are those of the mail that was sent")
    tap.ok(re.search(r"in .*out .*forward", out), "a report shows in, out and forward")
    tap.ok("█" in out or "▏" in out, "a report is drawn as a chart")
    tap.ok(re.search(r"(?m)^smtpd_milters = .*tollgate/milter.sock", out) and
           "non_smtpd_milters" in out.split("smtpd_milters = ", 1)[1],
           "the last thing is how to attach it to Postfix", out[-800:])
    tap.same(os.listdir(folder), [], "no file is left behind")
    tap.none(left_behind(folder), "no process is left behind")


tap.run(main)
