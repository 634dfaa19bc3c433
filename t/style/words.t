#!/usr/bin/env python3
"""What people read is plain English: turns that a native reader stumbles over do not return."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

# A turn, and what to write.
TURNS = (
    (r"let pass|lets? through|is let in", "accept, is accepted"),
    (r"passed over", "is ignored, is skipped"),
    (r"hand(s|ed)? in\b", "report, push"),
    (r"is told (of|with|in|by)|told at once", "is logged, is reported"),
    (r"in no doubt", "say what is certain"),
    (r"(?<!mis)taken for", "mistaken for, read as"),
    (r"waited for\b", "timeout for"),
    (r"what becomes of", "what happens to"),
    (r"goes? on with", "continue with"),
    (r"of ours|of our own", "of Tollgate's own"),
    (r"it holds? within", "takes effect within"),
    (r"is (no|none) (value|date|number|option)\b", "is not a valid ..."),
    (r"(?<![-\w:])mend(ed|s|ing)?\b(?!:)", "fix, repair"),
    (r"\bdoes another\b.*\?", "an error states what is wrong"),
)
# In programs, too: how errors were worded once.
CODE_TURNS = TURNS + (
    (r"\bmend:", "fix:"),
    (r'what is \\"', "unexpected argument"),
    (r"\b(option|value|--[a-z-]+) wants\b", "needs, expected"),
    (r'"--[a-z-]+ goes with', "needs, excludes"),
    (r"(?<!\$)\b1 (second|minute|hour|day|recipient|message|byte)s\b", "the singular"),
    (r"\bwant of room", "lack of room"),
    (r"limits? that acts?\b|no limit holds", "an enforced limit, in force"),
)
READ = re.compile(r"(doc|etc)/|README\.md$|NEWS$|HACKING$")
CODE = re.compile(r"(cli|lib|milter|relay|contrib)/")


def faults(path, text, turns=TURNS):
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        for turn, better in turns:
            if re.search(turn, line, re.I):
                found.append("%s:%d: %s: write: %s" % (path, number, line.strip(), better))
    return found


def main():
    pages = [p for p in tree.files() if READ.match(p)]
    tap.ok(len(pages) >= 8, "pages are found", pages)
    tap.none([f for p in pages for f in faults(p, tree.read(p).decode())], "plain English")
    code = [p for p in tree.files() if CODE.match(p)]
    tap.ok(len(code) >= 80, "code is found", code)
    tap.none([f for p in code for f in faults(p, tree.read(p).decode(), CODE_TURNS)],
             "in messages and comments, too")
    tap.same(len(faults("x", "A line is passed over.\nIt is ignored.\n")), 1,
             "a turn that comes back would be found")


tap.run(main)
