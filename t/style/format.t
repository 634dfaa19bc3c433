#!/usr/bin/env python3
"""Format: clang-format, 100 columns, files under 500 lines, no trailing blanks, no tabs in code."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

COLUMNS = 100
LINES = 500
FORMATTER = "14"  # the clang-format of Debian 12; each version finds something else to change


def code_faults(path):
    faults = []
    text = tree.lines(path)
    for number, line in text:
        if len(line) > COLUMNS:
            faults.append("%s:%d: %d columns, at most %d" % (path, number, len(line), COLUMNS))
        if "\t" in line:
            faults.append("%s:%d: a tab; indent with 4 spaces" % (path, number))
    if len(text) - 1 >= LINES:
        faults.append("%s:%d: a file has under %d lines" % (path, len(text) - 1, LINES))
    return faults


def text_faults(path):
    faults = ["%s:%d: blanks at the end" % (path, number) for number, line in tree.lines(path)
              if re.search(r"[ \t\r]$", line)]
    data = tree.read(path)
    if data and not data.endswith(b"\n"):
        faults.append("%s:%d: no newline at the end" % (path, data.count(b"\n") + 1))
    return faults


def clang_format_version():
    _, text = tree.output("clang-format", "--version")
    return re.search(r"version (\d+)", text).group(1)


def clang_format_faults(paths):
    code, text = tree.output("clang-format", "--style=file", "--dry-run", "--Werror", *paths)
    faults = [line for line in text.split("\n") if re.match(r"\S+:\d+:\d+: ", line)]
    return faults[:50] or ([] if code == 0 else [text])


def main():
    tap.need("clang-format")
    files = tree.files()
    code = [p for p in files if tree.is_code(p)]
    scripts = [p for p in files if tree.is_shell(p) or tree.is_python(p)]
    tap.ok(len(code) > 10 and len(scripts) > 5, "code and scripts are found",
           "%d, %d" % (len(code), len(scripts)))
    version, what = clang_format_version(), "clang-format has nothing to change"
    if version == FORMATTER:
        tap.none(clang_format_faults(code), what)
    else:
        tap.skip_check(what, "version %s; the code is in the form of %s" % (version, FORMATTER))
    tap.none(sum(map(code_faults, code + scripts), []), "columns, tabs and lengths of files")
    prose = [p for p in files if not p.startswith("t/data/") and not p.endswith(".patch")]
    tap.none(sum(map(text_faults, prose), []), "no trailing blanks, a newline at the end")


tap.run(main)
