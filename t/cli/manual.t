#!/usr/bin/env python3
"""tollgate(1) has every command, every option that -h shows, and every report."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

EVERYWHERE = {"help", "version"}  # described once, before the commands
TOLLGATE = os.path.join(tree.BUILD, "tollgate")


def said(*arguments):
    code, out, err = proc.run([TOLLGATE, *arguments])
    tap.ok(code == 0 and out, "tollgate %s" % " ".join(arguments), err)
    return out


def listed(text):
    return re.findall(r"(?m)^  ([a-z][a-z-]+) +\S", text)


def section(manual, macro, name):
    """From its heading to the next one of that kind, or of a higher one."""
    pattern = r"(?ms)^\.%s %s$(.*?)(?=^\.(Sh|%s) )" % (macro, name, macro)
    found = re.search(pattern, manual + "\n.Sh ")
    return found.group(1) if found else ""


def synopsis(manual, command):
    parts = re.split(r"(?m)^\.Nm$", section(manual, "Sh", "SYNOPSIS"))
    return "".join(p for p in parts if re.match(r"\n\.Cm %s\b" % command, p))


def option_faults(manual, command, usage):
    common = section(manual, "Sh", "COMMANDS").split("\n.Ss ")[0]
    faults, body = [], common + section(manual, "Ss", command)
    for option in sorted(set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", usage)) - EVERYWHERE):
        macro = re.compile(r"Fl -%s\b" % option.replace("-", r"(\\-|-)"))
        if not macro.search(synopsis(manual, command)):
            faults.append("%s --%s is not in SYNOPSIS" % (command, option))
        if not macro.search(body):
            faults.append("%s --%s is not described" % (command, option))
    return faults


def main():
    manual = tree.read("doc/tollgate.1").decode()
    commands = listed(said("-h"))
    tap.ok(len(commands) >= 11, "commands are listed", commands)
    tap.none([c for c in commands if not section(manual, "Ss", c)], "each command is described")
    tap.none([c for c in commands if not synopsis(manual, c)], "each command is in SYNOPSIS")
    tap.none([f for c in commands for f in option_faults(manual, c, said(c, "-h"))],
             "so is each of its options")

    reports = listed(said("report"))
    body = section(manual, "Ss", "report")
    tap.ok(len(reports) >= 7, "reports are listed", reports)
    tap.none([r for r in reports if ".It Cm %s\n" % r not in body], "each report is described")

    tap.same(len(option_faults(manual, "report", "--server --no-such")), 2,
             "a missing option would be found")


tap.run(main)
