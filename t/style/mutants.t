#!/usr/bin/env python3
"""Every mutant still applies, changes one place, and names tests that there are."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree


def tests_of(text):
    return re.findall(r"^test: *(\S+)$", text.split("\n--- ")[0], re.M)


def exists(test):
    path = test if test.endswith(".t") else test + ".c"
    return os.path.exists(os.path.join(tree.SOURCE, path))


def faults(path):
    text = tree.read(path).decode()
    tests = tests_of(text)
    if not tests:
        yield "%s:1: it names no test" % path
    for test in tests:
        if not exists(test):
            yield "%s:1: there is no test %s" % (path, test)
    if len(re.findall(r"^@@ ", text, re.M)) != 1:
        yield "%s:1: it changes more than one place" % path
    code, said = tree.output("patch", "-p1", "--dry-run", "--force", "--silent", "-d", tree.SOURCE,
                             "-i", os.path.join(tree.SOURCE, path))
    if code != 0:
        yield "%s:1: it does not apply: %s" % (path, said.replace("\n", " "))


def main():
    tap.need("patch")
    patches = [p for p in tree.files() if re.match(r"t/mutants/.*\.patch$", p)]
    short = [p for p in patches if re.search(r"^short:", tree.read(p).decode(), re.M)]
    tap.ok(len(patches) >= 60, "there are mutants", "%d" % len(patches))
    tap.ok(len(short) >= 5, "some are in the short form", "%d" % len(short))
    tap.none([fault for path in patches for fault in faults(path)], "they apply, and name tests")


tap.run(main)
