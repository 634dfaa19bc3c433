#!/usr/bin/env python3
"""The lines that print-main.cf prints for a main.cf: tollgated is the last, all else stays."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

PRINT = os.path.join(tree.SOURCE, "contrib/postfix/print-main.cf")
OURS, ABSOLUTE = "unix:tollgate/milter.sock", "unix:/var/spool/postfix/tollgate/milter.sock"
BRACES = "{ %s, default_action=tempfail }" % OURS
DKIM = "inet:localhost:8891"
SPAM = "{ unix:spamass/spamass.sock, default_action=accept }"

# What stands in main.cf; what the lines must say.
CASES = (
    ("no milter", "", {"smtpd_milters": OURS, "non_smtpd_milters": OURS,
                       "milter_default_action": "tempfail", "enable_long_queue_ids": "yes",
                       "internal_mail_filter_classes": "bounce"}),
    ("another milter", "smtpd_milters = %s\nmilter_default_action = accept\n" % DKIM,
     {"smtpd_milters": DKIM + ", " + BRACES, "non_smtpd_milters": BRACES,
      "milter_default_action": None}),
    ("one setting for both", "smtpd_milters = %s\nnon_smtpd_milters = $smtpd_milters\n" % DKIM,
     {"smtpd_milters": DKIM + ", " + BRACES, "non_smtpd_milters": DKIM + ", " + BRACES}),
    ("milters with actions", "smtpd_milters = %s %s\n" % (SPAM, DKIM),
     {"smtpd_milters": SPAM + ", " + DKIM + ", " + BRACES}),
    ("ours, not the last", "smtpd_milters = %s, %s\n" % (OURS, DKIM),
     {"smtpd_milters": DKIM + ", " + BRACES}),
    ("ours by its whole path", "smtpd_milters = %s, %s\n" % (ABSOLUTE, DKIM),
     {"smtpd_milters": DKIM + ", " + BRACES}),
    ("ours with an action", "smtpd_milters = %s, %s\n" % (BRACES, DKIM),
     {"smtpd_milters": DKIM + ", " + BRACES}),
    ("ours alone", "smtpd_milters = %s\n" % OURS,
     {"smtpd_milters": OURS, "milter_default_action": "tempfail"}),
)


def printed(*arguments):
    code, out, err = proc.run(["bash", PRINT, *arguments])
    return code, dict(re.findall(r"(?m)^(\w+) = (.*)$", out)), out + err


def check(folder, name, main_cf, want):
    proc.write_text(os.path.join(folder, "main.cf"),
                    "compatibility_level = 3.6\nqueue_directory = /var/spool/postfix\n" + main_cf)
    code, lines, text = printed("-c", folder)
    tap.same((code, {k: lines.get(k) for k in want}), (0, want), name, text)
    again(folder, name, lines)


def again(folder, name, lines):
    """Put into main.cf, the lines are what is printed then."""
    proc.write_text(os.path.join(folder, "main.cf"),
                    "compatibility_level = 3.6\nqueue_directory = /var/spool/postfix\n" +
                    "".join("%s = %s\n" % line for line in lines.items()))
    tap.same(printed("-c", folder)[1], lines, name + ": and so once they are there")


def main():
    tap.need("bash", "postconf")
    folder = proc.scratch("print-main")
    proc.write_text(os.path.join(folder, "master.cf"), "")
    for name, main_cf, want in CASES:
        check(folder, name, main_cf, want)

    proc.write_text(os.path.join(folder, "main.cf"), "compatibility_level = 3.6\n")
    for socket, want in (("inet:8890@127.0.0.1", "inet:127.0.0.1:8890"),
                         ("inet6:8890@[::1]", "inet:[::1]:8890"),
                         ("unix:/run/tollgate/milter.sock", "unix:/run/tollgate/milter.sock")):
        tap.same(printed("-c", folder, socket)[1].get("smtpd_milters"), want, socket)
    for arguments, code in ((["-h"], 0), (["--help"], 0), (["-x"], 64), (["-c"], 64),
                            (["nonsense"], 64), ([ABSOLUTE, ABSOLUTE], 64)):
        got, lines, text = printed(*arguments)
        tap.ok((got, lines) == (code, {}) and "usage: print-main.cf" in text, arguments, got, text)


tap.run(main)
