#!/usr/bin/env python3
"""The systemd units are confined as promised; their account and folders are well-formed."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

EXPOSURE = 2.0
POWERS = {"CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"}  # what postsuper cannot do without


def exposure(unit):
    _, text, _ = proc.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit])
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
    return (float(found.group(1)) if found else None), text


def service(folder, name):
    """The program need not be there for its unit to be checked."""
    text = tree.read("contrib/systemd/%s.in" % name).decode()
    unit = os.path.join(folder, name)
    proc.write_text(unit, re.sub(r"@s?bindir@/[\w-]+", "/bin/true", text))
    level, report = exposure(unit)
    tap.ok(level is not None and level <= EXPOSURE,
           "%s: exposure is at most %s" % (name, EXPOSURE), report)
    verify(unit)
    return text


def verify(unit):
    code, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit])
    name = os.path.basename(unit)
    tap.ok(code == 0 and name + ":" not in err, name + " is well-formed", out + err)


def release(folder):
    text = service(folder, "tollgate-release.service")
    powers = re.search(r"(?m)^CapabilityBoundingSet=(.*)", text).group(1)
    tap.same(set(powers.split()), POWERS, "held mail is released with no more powers than needed")
    timer = os.path.join(folder, "tollgate-release.timer")
    proc.write_text(timer, tree.read("contrib/systemd/tollgate-release.timer").decode())
    verify(timer)


def samples(kind):
    """In the order in which they are installed: tollgate's first."""
    folder = os.path.abspath(os.path.join(tree.SOURCE, "contrib/systemd"))
    return [os.path.join(folder, "%s.%s" % (name, kind))
            for name in ("tollgate", "tollgate-collect", "tollgate-web")
            if os.path.exists(os.path.join(folder, "%s.%s" % (name, kind)))]


def main():
    tap.need("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
    folder = proc.scratch("systemd")
    root = os.path.join(folder, "root")
    os.makedirs(root + "/etc")
    service(folder, "tollgated.service")
    service(folder, "tollgate-relay.service")
    service(folder, "tollgate-collect.service")
    service(folder, "tollgate-web.service")
    release(folder)

    code, out, err = proc.run(["systemd-sysusers", "--root=" + root] + samples("sysusers"))
    tap.ok(code == 0, "the accounts can be made", out + err)
    tap.ok(re.search(r"(?m)^tollgate:.*:/var/lib/tollgate:",
                     proc.read_text(root + "/etc/passwd")), "it is the account of the unit")
    tap.ok(re.search(r"(?m)^postfix:.*:tollgate$", proc.read_text(root + "/etc/group")),
           "in Postfix's group", proc.read_text(root + "/etc/group"))
    group = proc.read_text(root + "/etc/group")
    tap.ok(re.search(r"(?m)^postdrop:.*:tollgate,tollgate-collect$", group),
           "and in that of its maildrop, and so is the collector", group)
    for group in ("adm", "systemd-journal", "tollgate"):
        tap.ok(re.search(r"(?m)^%s:.*\btollgate-collect\b" % group,
                         proc.read_text(root + "/etc/group")),
               "the reader of logs is in the group " + group,
               proc.read_text(root + "/etc/group"))

    proc.write_text(root + "/etc/passwd", proc.read_text(root + "/etc/passwd") +
                    "root:x:0:0::/:/bin/sh\n")
    code, out, err = proc.run(["systemd-tmpfiles", "--create", "--root=" + root] +
                              samples("tmpfiles"))
    tap.ok(code == 0 and not err, "the folders can be made", out + err)
    tap.same(oct(os.stat(root + "/var/spool/postfix/tollgate").st_mode & 0o7777), "0o750",
             "only the mail server's group enters the milter's folder")


tap.run(main)
