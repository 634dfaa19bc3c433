#!/usr/bin/env python3
"""The log lines that tollgated(8) names are those of the code."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree


def strings():
    """All strings of the code that may be log lines, those over several lines joined."""
    files = [p for p in tree.files() if re.match(r"(lib|milter)/.*\.c$", p)]
    code = "".join(tree.read(p).decode() for p in files)
    return set(re.findall(r'"([^"\n]*)"', re.sub(r'"\s*\n\s*"', "", code)))


def named(manual):
    body = manual.split("\n.Sh DIAGNOSTICS\n")[1].split("\n.Sh ")[0]
    return [line for item in re.findall(r"(?m)^\.It Li (.*)$", body) for line in item.split(" , ")]


def main():
    known, lines = strings(), named(tree.read("doc/tollgated.8").decode())
    tap.ok(len(lines) > 20, "lines are found", lines)
    tap.none(["not in the code: " + line for line in lines if line not in known],
             "each of them is logged")


tap.run(main)
