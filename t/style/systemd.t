#!/usr/bin/env python3
"""The systemd unit is confined as promised; its account and folders are well-formed."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

EXPOSURE = 2.0


def exposure(unit):
    _, text, _ = proc.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit])
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
    return (float(found.group(1)) if found else None), text


def main():
    tap.need("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
    folder = proc.scratch("systemd")
    root = os.path.join(folder, "root")
    os.makedirs(root + "/etc")
    for name in ("tollgated.service", "tollgate-relay.service"):
        unit = os.path.join(folder, name)
        text = tree.read("contrib/systemd/%s.in" % name).decode()
        # The program need not be there for its unit to be checked.
        proc.write_text(unit, re.sub(r"@sbindir@/[\w-]+", "/bin/true", text))
        level, report = exposure(unit)
        tap.ok(level is not None and level <= EXPOSURE,
               "%s: exposure is at most %s" % (name, EXPOSURE), report)
        code, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit])
        tap.ok(code == 0 and name + ":" not in err, "the unit is well-formed", out + err)

    users = os.path.join(tree.SOURCE, "contrib/systemd/tollgate.sysusers")
    code, out, err = proc.run(["systemd-sysusers", "--root=" + root, os.path.abspath(users)])
    tap.ok(code == 0, "the account can be made", out + err)
    tap.ok(re.search(r"(?m)^tollgate:.*:/var/lib/tollgate:",
                     proc.read_text(root + "/etc/passwd")), "it is the account of the unit")
    tap.ok(re.search(r"(?m)^postfix:.*:tollgate$", proc.read_text(root + "/etc/group")),
           "in Postfix's group", proc.read_text(root + "/etc/group"))

    proc.write_text(root + "/etc/passwd", proc.read_text(root + "/etc/passwd") +
                    "root:x:0:0::/:/bin/sh\n")
    files = os.path.abspath(os.path.join(tree.SOURCE, "contrib/systemd/tollgate.tmpfiles"))
    code, out, err = proc.run(["systemd-tmpfiles", "--create", "--root=" + root, files])
    tap.ok(code == 0 and not err, "the folders can be made", out + err)
    tap.same(oct(os.stat(root + "/var/spool/postfix/tollgate").st_mode & 0o7777), "0o750",
             "only the mail server's group enters the milter's folder")


tap.run(main)
