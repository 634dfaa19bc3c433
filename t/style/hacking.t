#!/usr/bin/env python3
"""HACKING names paths, functions, types and macros that exist."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

PATH = re.compile(r"(?<![\w./-])(?:%s)/[\w./*-]+" % "|".join(re.escape(f) for f in tree.FOLDERS))
PLACEHOLDER = re.compile(r"[A-Z]{2}|\.\.\.")  # cli/NAME.c, lib/...
WORD = re.compile(r"\b(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
TYPE = re.compile(r"\b(struct|enum) ([a-z_0-9]+)\b")
PROSE = ("doc/", "t/data/", "NEWS", "README")


def exists(path):
    """As it stands, as a module (lib/core/window), or as a program that is built (t/core/x-t)."""
    path = path.rstrip(".,:")
    at = os.path.join(tree.SOURCE, path)
    return any(glob.glob(at + ending) for ending in ("", ".c", ".h", ".t"))


def known():
    """The words of the code, and the types that it defines."""
    words, types = set(), set()
    for path in tree.files():
        if path.startswith(PROSE):
            continue
        text = tree.read(path).decode("utf-8", "replace")
        words.update(WORD.findall(text))
        if tree.is_code(path):
            types.update(re.findall(r"\b(struct|enum) ([a-z_0-9]+) \{", text))
    return words, types


def faults(text):
    words, types = known()
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        paths = PATH.findall(line)
        found += ["HACKING:%d: no such path: %s" % (number, p) for p in paths
                  if not exists(p) and not PLACEHOLDER.search(p)]
        found += ["HACKING:%d: no such type: %s %s" % (number, *t) for t in TYPE.findall(line)
                  if t not in types]
        found += ["HACKING:%d: not in the code: %s" % (number, w)
                  for w in WORD.findall(PATH.sub("", line)) if w not in words]
    return found


def main():
    text = tree.read("HACKING").decode()
    tap.ok(len(PATH.findall(text)) > 20 and len(WORD.findall(text)) > 20,
           "HACKING names paths and functions")
    tap.none(faults(text), "all of them exist")
    wrong = "see lib/core/nowhere.h, no_such%s() and struct nobody\n" % "_function"
    tap.same(len(faults(wrong)), 3, "what does not exist would be found")


tap.run(main)
