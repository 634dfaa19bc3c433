#!/usr/bin/env python3
"""A public name leads to its file, and a struct's name means one thing in the whole tree."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

ROOTS = ("lib/", "milter/", "relay/", "cli/", "web/", "collect/")

COMMENT = re.compile(r"/\*.*?\*/", re.S)
FUNCTION = re.compile(r"^[a-z][\w \*]*?\b\**(\w+)\(", re.M)
STRUCT = re.compile(r"^(struct|enum|union) (\w+) \{", re.M)


def sources(ending):
    return [path for path in tree.files() if path.startswith(ROOTS) and path.endswith(ending)]


def plain(path):
    return COMMENT.sub("", tree.read(path).decode())


def stems_of(folder, paths):
    return {os.path.basename(p)[:-2] for p in paths if os.path.dirname(p) == folder}


def prefixes(header, stems):
    """The header's name and, where it belongs to a family (limit_reply to limit), the family's; in
    singular and plural."""
    parts = os.path.basename(header)[:-2].split("_")
    for length in range(1, len(parts) + 1):
        stem = "_".join(parts[:length])
        if stem in stems:
            yield from (stem, stem.rstrip("s"), stem + "s")


def is_led(name, allowed):
    return any(name == p or name.startswith(p + "_") for p in allowed)


def stray_names():
    code = sources((".c", ".h"))
    for header in sources(".h"):
        allowed = set(prefixes(header, stems_of(os.path.dirname(header), code)))
        for name in FUNCTION.findall(plain(header)):
            if not is_led(name, allowed) and not name.startswith("TG_"):
                yield "%s:1: %s has none of the prefixes %s" % (header, name,
                                                               " ".join(sorted(allowed)))


def double_structs():
    places = {}
    for path in sources((".c", ".h")):
        for kind, name in STRUCT.findall(plain(path)):
            places.setdefault(name, []).append(path)
    return ["%s:1: the name %s stands in %s, too" % (found[0], name, " ".join(found[1:]))
            for name, found in sorted(places.items()) if len(found) > 1]


def main():
    tap.ok(len(sources(".h")) > 50, "headers are found")
    tap.none(list(stray_names()), "the prefix of a public name is its file's name")
    tap.none(double_structs(), "no two structs share a name")


tap.run(main)
