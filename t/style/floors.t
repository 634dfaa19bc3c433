#!/usr/bin/env python3
"""The floors: an include only points down, no program includes another, objects do not use each
other in a circle, and lib/core is pure."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

# What a floor may include of the project. The four rooms above the Redis client do not know each
# other.
ROOMS = ("lib/ledger", "lib/throttle", "lib/sources", "lib/read")
BILLING = "lib/billing"  # above them
ADMIN = "lib/admin"  # above all
CLIENT = ("lib/core", "lib/sys", "lib/redis")
BELOW = {
    "lib/core": ("lib/core",),
    "lib/sys": ("lib/core", "lib/sys"),
    "lib/redis": CLIENT,
    **{room: CLIENT + (room,) for room in ROOMS},
    BILLING: CLIENT + ROOMS + (BILLING,),
    ADMIN: CLIENT + ROOMS + (BILLING, ADMIN),
}
PROGRAMS = ("milter", "cli", "relay", "web", "collect")

# What lib/core may include of the system: nothing that does I/O, reads a clock or makes a thread.
# time.h is there for calendars, stdio.h for snprintf, arpa/inet.h for the text of addresses; the
# symbols are checked below.
PURE_HEADERS = {
    "arpa/inet.h", "assert.h", "ctype.h", "errno.h", "float.h", "idn2.h", "inttypes.h", "limits.h",
    "math.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "string.h", "strings.h", "sysexits.h", "time.h",
}

# What lib/core may call. With _FORTIFY_SOURCE a function f is called as __f_chk.
PURE_CALLS = set("""
    abort calloc free malloc realloc qsort qsort_r bsearch
    memchr memcmp memcpy memmem memmove memset mempcpy memrchr bcmp
    strchr strcmp strcasecmp strlen strncasecmp strncmp strnlen strpbrk strrchr strspn strcspn
    strstr
    strtol strtoll strtoul strtoull
    snprintf vsnprintf
    gmtime_r localtime_r mktime timegm strftime
    inet_aton inet_ntop inet_pton
    __assert_fail __ctype_b_loc __ctype_tolower_loc __errno_location __stack_chk_fail
    _GLOBAL_OFFSET_TABLE_
""".split())
# A broken invariant says its place before it aborts.
PURE_EXCEPTIONS = {("err.o", "fprintf"), ("err.o", "stderr")}
PURE_PREFIXES = ("idn2_", "__asan_", "__ubsan_", "__sanitizer_", "__gcov")

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def floor_of(path):
    for floor in BELOW:
        if path.startswith(floor + "/"):
            return floor, BELOW[floor]
    top = path.split("/")[0]
    return (top, CLIENT + ROOMS + (BILLING, ADMIN, top)) if top in PROGRAMS else (None, ())


def includes():
    """(path, line, "<" or '"', name) of every include of the floors' files."""
    for path in tree.files():
        if tree.is_code(path) and floor_of(path)[0]:
            for number, text in tree.lines(path):
                found = INCLUDE.match(text)
                if found:
                    yield path, number, found.group(1), found.group(2)


def wrong_includes():
    faults = []
    for path, number, kind, name in includes():
        floor, allowed = floor_of(path)
        where = "%s:%d: " % (path, number)
        if kind == "<":
            if floor == "lib/core" and name not in PURE_HEADERS:
                faults.append(where + "<%s> is not for lib/core, which is pure" % name)
        elif name == "config.h":
            pass
        elif not name.startswith(tuple(a + "/" for a in allowed)):
            faults.append(where + '"%s": %s may include %s' % (name, floor, " ".join(allowed)))
    return faults


def symbols(archive):
    """(member, section, name) of every symbol of a static library."""
    code, text = tree.output("objdump", "-t", archive)
    if code != 0:
        raise RuntimeError(text)
    member = ""
    for line in text.split("\n"):
        if ":     file format" in line:
            member = line.split(":")[0]
        found = re.match(r"[0-9a-f]{8,} (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
        if found:
            yield member, found.group(2), found.group(3)


def where_used(name):
    """file:line of the first mention of a symbol in lib/core."""
    plain = re.sub(r"^__(.*)_chk$", r"\1", name)
    for path in tree.files():
        if path.startswith("lib/core/") and path.endswith(".c"):
            for number, text in tree.lines(path):
                if re.search(r"\b%s\b" % re.escape(plain), text):
                    return "%s:%d" % (path, number)
    return "lib/core:0"


def impure_calls(table):
    own = {name for _, section, name in table if section != "*UND*"}
    faults = []
    for member, section, name in table:
        plain = re.sub(r"^__(.*)_chk$", r"\1", name)
        if section != "*UND*" or name in own or plain in PURE_CALLS or name in PURE_CALLS:
            continue
        if not name.startswith(PURE_PREFIXES) and (member, plain) not in PURE_EXCEPTIONS:
            faults.append("%s: %s calls %s, lib/core is pure" % (where_used(name), member, name))
    return faults


def mutable_globals(table):
    """Data that can be written: .data and .bss, not .data.rel.ro, not what sanitizers add."""
    faults = []
    for member, section, name in table:
        if re.match(r"\.(data|bss|tdata|tbss)(\.(?!rel\.ro)|$)", section) or section == "*COM*":
            if not re.match(r"\.|__(asan|odr_asan|ubsan)|\*", name):
                faults.append("%s: %s has the mutable global %s" % (where_used(name), member, name))
    return faults


def objects():
    """The objects of the floors, as paths below BUILD; not those of sources that are gone."""
    for floor in list(BELOW) + list(PROGRAMS):
        folder = os.path.join(tree.BUILD, floor)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            source = os.path.join(tree.SOURCE, floor, re.sub(r"^.*-|\.o$", "", name) + ".c")
            if name.endswith(".o") and os.path.exists(source):
                yield os.path.join(floor, name)


def uses(paths):
    """object -> the objects that define what it uses. A name that two objects define (main) ties
    nobody."""
    defined, wanted = {}, {}
    code, text = tree.output("nm", "-gA", *(os.path.join(tree.BUILD, path) for path in paths))
    if code != 0:
        raise RuntimeError(text)
    for path, kind, name in re.findall(r"^(.*?):(?:[0-9a-f]+| +) (\w) (\S+)$", text, re.M):
        path = os.path.relpath(path, tree.BUILD)
        if kind == "U":
            wanted.setdefault(path, set()).add(name)
        elif kind in "TDBRV":
            defined.setdefault(name, set()).add(path)
    return {path: {next(iter(defined[name])) for name in wanted.get(path, ())
                   if len(defined.get(name, ())) == 1} for path in paths}


def reached(edges, start):
    seen, todo = set(), [start]
    while todo:
        for path in edges[todo.pop()] - seen:
            seen.add(path)
            todo.append(path)
    return seen


def circles(edges):
    """Objects that use each other, directly or through others; one text for each circle."""
    far = {path: reached(edges, path) for path in edges}
    groups = {tuple(sorted({path} | {other for other in far[path] if path in far[other]}))
              for path in edges}
    return sorted(" ".join(group) for group in groups if len(group) > 1)


def circle_faults():
    paths = list(objects())
    tap.ok(len(paths) > 150, "objects are found", "only %d" % len(paths))
    edges = uses(paths)
    tap.ok("lib/core/srs.o" in edges["lib/core/classify.o"], "who uses whom is found")
    tap.same(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}), ["b c"],
             "a circle is found")
    return circles(edges)


def main():
    tap.need("objdump", "nm")
    archive = os.path.join(tree.BUILD, "libcore.a")
    table = list(symbols(archive))
    found = list(includes())
    tap.ok(len(found) > 50, "includes of lib and programs are read", "only %d" % len(found))
    tap.none(wrong_includes(), "includes point down only")
    tap.ok(len(table) > 50, "symbols of libcore.a are read", "only %d" % len(table))
    tap.none(impure_calls(table), "lib/core calls only pure functions")
    tap.none(mutable_globals(table), "lib/core has no mutable globals")
    tap.none(circle_faults(), "no objects use each other in a circle")


tap.run(main)
