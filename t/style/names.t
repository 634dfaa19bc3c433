#!/usr/bin/env python3
"""Nothing unfinished, nothing that points out of the project; sound manual pages and scripts."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

# Spelled apart, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(%s|%s|%s)\b" % ("TO" + "DO", "FIX" + "ME", "X" * 3))
RELEASED = re.compile(r"(?!t/(data|mutants)/)[\w.]+/")
OUTSIDE = re.compile(r"(\.\./|/work/)" + r"(shared|wt|main)\b")

# Examples come early in our pages, where an admin looks first.
ORDER = "sections out of conventional order"


def mentions(pattern, paths, what):
    return ["%s:%d: %s: %s" % (path, number, what, line.strip()[:80])
            for path in paths for number, line in tree.lines(path) if pattern.search(line)]


def manual_faults(paths):
    faults = []
    for path in paths:
        code, text = tree.output("mandoc", "-Tlint", "-W", "warning", path)
        lines = [re.sub(r"^mandoc: ", "", x) for x in text.split("\n") if x and ORDER not in x]
        ended_well = code == 0 or ORDER in text
        faults += lines or ([] if ended_well else ["%s:0: mandoc ends with %d" % (path, code)])
    return faults


def shell_faults(paths):
    faults = []
    for path in paths:
        code, text = tree.output("bash", "-n", path)
        faults += [text] if code != 0 else []
    code, text = tree.output("shellcheck", "--format=gcc", "--severity=info", *paths)
    return faults + (text.split("\n") if code != 0 else [])


def python_faults(paths):
    faults = []
    for path in paths:
        try:
            compile(tree.read(path), path, "exec")
        except SyntaxError as e:
            faults.append("%s:%d: %s" % (path, e.lineno or 0, e.msg))
    return faults


def test_faults(paths):
    """A test script that nothing runs, or that cannot be run."""
    return unnamed(paths) + ["%s:1: is not executable" % path for path in paths
                             if not os.access(os.path.join(tree.SOURCE, path), os.X_OK)]


def unnamed(paths):
    """Files that would be missing from a release."""
    makefile = tree.read("Makefile.am").decode()
    return ["%s:1: Makefile.am does not name it" % path for path in paths
            if not re.search(r"(^|\s)%s(\s|$)" % re.escape(path), makefile)]


def main():
    tap.need("mandoc", "shellcheck", "bash")
    files = tree.files()
    prose = [p for p in files if not p.startswith("t/data/")]
    tap.ok(len(files) > 50, "the tree is found", "%d files in %s" % (len(files), tree.SOURCE))
    tap.none(mentions(UNFINISHED, prose, "unfinished"), "nothing is left to do")
    tap.none(mentions(OUTSIDE, prose, "points out of the project"), "the tree stands alone")
    tap.none(manual_faults([p for p in files if re.match(r"doc/.*\.[1-9]$", p)]), "manual pages")
    tap.none(shell_faults([p for p in files if tree.is_shell(p)]), "shell scripts")
    tap.none(python_faults([p for p in files if tree.is_python(p)]), "Python scripts")
    tap.none(test_faults([p for p in files if re.match(r"t/.*\.t$", p)]), "every test is run")
    tap.none(unnamed([p for p in files if RELEASED.match(p)]), "everything is part of a release")


tap.run(main)
