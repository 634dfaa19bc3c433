#!/usr/bin/env python3
"""The tables of lib/core/utf8_columns.c agree with Unicode: with the version of Unicode that every
Python has, so that the test says the same on all of them.

utf8_columns.t print: writes the tables anew, by this Python's version of Unicode."""

import os
import re
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

SOURCE = "lib/core/utf8_columns.c"
# Category Cf, yet shown: the soft hyphen, and signs that stand over or around numbers
SHOWN = {0xad, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd, 0x110cd} | set(range(0x600, 0x606))
# What has become wide or combining since Unicode 3.2, or changed its kind
CHANGED_SINCE = ("0x6de 0x1734 0x17a4 0x17b4-0x17b5 0x1885-0x1886 0x200b 0x231a-0x231b "
                 "0x2329-0x232a 0x25fd-0x25fe 0x2600-0x27bf 0x302e-0x302f 0x3248-0x324f "
                 "0x4dc0-0x4dff")


def columns(data, code):
    """Of an assigned character."""
    letter = chr(code)
    category = data.category(letter)
    if 0x1160 <= code <= 0x11ff or category in ("Mn", "Me"):
        return 0
    if category == "Cf" and code not in SHOWN:
        return 0
    return 2 if data.east_asian_width(letter) in ("W", "F") else 1


def ranges(data, wanted):
    """Those of `wanted` columns; over unassigned characters between two of them."""
    found, last = [], None
    for code in range(0x80, 0x110000):
        if data.category(chr(code)) == "Cn":
            continue
        if columns(data, code) == wanted:
            if last == wanted:
                found[-1][1] = code
            else:
                found.append([code, code])
        last = columns(data, code)
    return found


def print_table(name, wanted):
    print("static const struct utf8_range %s[] = {" % name)
    for low, high in ranges(unicodedata, wanted):
        print("    {0x%04x, 0x%04x}," % (low, high))
    print("};")


def table(name):
    text = tree.read(SOURCE).decode()
    body = re.search(r"struct utf8_range %s\[\] = \{(.*?)\n\};" % name, text, re.S).group(1)
    return [(int(low, 16), int(high, 16))
            for low, high in re.findall(r"\{(0x[0-9a-f]+), (0x[0-9a-f]+)\}", body)]


def changed():
    for item in CHANGED_SINCE.split():
        low, _, high = item.partition("-")
        yield from range(int(low, 16), int(high or low, 16) + 1)


def main():
    old = unicodedata.ucd_3_2_0
    tables = {"combining": (0, table("combining")), "wide": (2, table("wide"))}
    skipped = set(changed())
    for name, (wanted, rows) in tables.items():
        tap.ok(rows and all(a <= b for a, b in rows) and
               all(a[1] < b[0] for a, b in zip(rows, rows[1:])), "%s is in order" % name)
    ours = {code: wanted for wanted, rows in tables.values()
            for low, high in rows for code in range(low, high + 1)}
    wrong = ["U+%04X: %d columns, not %d" % (code, ours.get(code, 1), columns(old, code))
             for code in range(0x80, 0x110000)
             if old.category(chr(code)) not in ("Cn", "Cs", "Cc", "Co") and code not in skipped and
             ours.get(code, 1) != columns(old, code)]
    tap.same(wrong, [], "every character of Unicode 3.2 has its columns")
    tap.done()


if sys.argv[1:] == ["print"]:
    print_table("combining", 0)
    print_table("wide", 2)
else:
    main()
