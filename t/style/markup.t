#!/usr/bin/env python3
"""Markup is written by lib/core/html.c alone: no other C file holds a tag in a string, so no text
can get into a page without being escaped."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

CODE = re.compile(r"(cli|collect|lib|milter|relay|web)/.*\.[ch]$")
WRITER = "lib/core/html.c"
# A string that has "<name" with a blank, "/" or ">" after a name of HTML or SVG, or "</", "<!".
# Usage texts write <name>, mail <user@domain>: those are no names of elements.
ELEMENTS = ("a abbr article aside b body br button code col dd details div dl dt fieldset figure "
            "footer form g h1 h2 h3 head header hr html i img input label legend li line link main "
            "meta nav ol option output p path pattern rect script section select small span style "
            "summary svg table tbody td text textarea tfoot th thead title tr u ul").split()
TAG = re.compile(r"</[a-z]|<!|<(?:%s)[ />]" % "|".join(ELEMENTS))
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def faults(path, text):
    return ["%s:%d: %s: write it with html_open() and html_text()" % (path, number, string)
            for number, line in enumerate(text.split("\n"), 1)
            for string in STRING.findall(line) if TAG.search(string)]


def main():
    code = [path for path in tree.files() if CODE.match(path)]
    tap.ok(WRITER in code, "the writer is found", code)
    tap.none([fault for path in code if path != WRITER
              for fault in faults(path, tree.read(path).decode())], "no markup in strings")
    tap.same(len(faults("x", '"<td>%s"\n"</p>"\nputs("<a href")\n"<user@example.com>"\n')), 3,
             "markup would be found")
    tap.done()


if __name__ == "__main__":
    main()
