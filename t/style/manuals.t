#!/usr/bin/env python3
"""Manual pages look right at 80 columns, in groff and in mandoc; examples can be pasted."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

COLUMNS = 80
NARROWEST = 20  # of a column of text
IN_A_ROW = 3    # single words below each other that make a squeezed column
EXAMPLE = 67    # columns of a line in a display: groff 1.23 indents it by 13

RENDERERS = {"groff": ["groff", "-K", "utf8", "-mdoc", "-Tutf8", "-P-cbou", "-rLL=%dn" % COLUMNS],
             "mandoc": ["mandoc", "-K", "utf-8", "-T", "utf8", "-O", "width=%d" % COLUMNS]}


def rendered(renderer, path):
    """Lines of the page, without bold and underline; complaints of the renderer count as lines."""
    code, out, err = proc.run(RENDERERS[renderer] + [path])
    lines = re.sub(".\b", "", out).split("\n")
    return lines + ["" if code == 0 else "exit status %d" % code] + \
        ["%s: %s" % (renderer, line) for line in err.split("\n") if line]


def squeezed(lines):
    """First lines of columns that hold one word a line at the right margin."""
    found, run = [], 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        narrow = len(words) == 1 and len(line) - len(line.lstrip()) > COLUMNS - NARROWEST
        run = run + 1 if narrow else 0
        found += [number - run + 1] if run == IN_A_ROW else []
    return found


def layout_faults(renderer, path):
    lines = rendered(renderer, os.path.join(tree.SOURCE, path))
    faults = ["%s in %s: no page" % (path, renderer)] if len(lines) < 30 else []
    faults += ["%s in %s: %s" % (path, renderer, line) for line in lines
               if len(line) > COLUMNS or line.startswith(renderer + ": ")]
    return faults + ["%s in %s, line %d: a column is squeezed" % (path, renderer, number)
                     for number in squeezed(lines)]


def displays(path):
    """(number, text) of each line that is shown as it stands."""
    literal = False
    for number, line in tree.lines(path):
        if line.startswith((".Bd -literal", ".Bd -unfilled")):
            literal = True
        elif line.startswith(".Ed"):
            literal = False
        elif literal:
            yield number, line
        elif line.startswith((".Dl ", ".D1 ")):
            yield number, line[4:]


def as_seen(text):
    text = re.sub(r"\\\(..", "x", text.replace("\\&", "").replace("\\e", "\\"))
    return re.sub(r"^\.(Ic|Nm|Li|Ar) ", "", text)


def example_faults(path):
    return ["%s:%d: more than %d columns: %s" % (path, number, EXAMPLE, line)
            for number, line in displays(path) if len(as_seen(line)) > EXAMPLE]


def main():
    tap.need("groff", "mandoc")
    pages = [p for p in tree.files() if re.match(r"doc/.*\.[1-9]$", p)]
    tap.ok(len(pages) >= 6, "the pages are found", "%d" % len(pages))
    for renderer in sorted(RENDERERS):
        tap.none([f for p in pages for f in layout_faults(renderer, p)],
                 "%s: no line over %d columns, no squeezed column" % (renderer, COLUMNS))
    tap.none([f for p in pages for f in example_faults(p)], "examples do not break")

    column = " " * 65
    tap.same(squeezed(["a b", column + "one", column + "two", column + "three"]), [2],
             "a squeezed column would be seen")
    tap.same(squeezed(["a b", column + "one", column + "two words", "three"]), [],
             "and only that")
    tap.same(as_seen(".Ic usage \\(dqx\\(dq \\e"), "usage xxx \\", "what a reader sees of a line")


tap.run(main)
