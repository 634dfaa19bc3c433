#!/usr/bin/env python3
"""tollgate-keys(7) says what the code does: counters, times kept, fields of the node, log lines."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

GROUPS = {"TRAFFIC": "Traffic", "SPAM": "Spam", "PRIORITY": "Priority", "THROTTLE": "Throttling",
          "NODE": "Nodes", "SMTP_IN": "SMTP sessions", "SESSIONS": "Sessions", "FILTERS": "Filters",
          "STATUS": "Server status"}
# Their names tell no unit, or their text does.
UNITS_OF_NO_NAME = ("sessions", "commands", "amounts")


def text(path):
    return tree.read(path).decode()


def counters():
    """(group, name, unit, help) of the table in lib/core/counters.h."""
    body = text("lib/core/counters.h").split("#define COUNTERS(X)")[1].split("enum counter {")[0]
    body = body.replace("\\\n", " ")
    row = r'X\(\w+,\s*"(\w+)",\s*(\w+),\s*(\w+),\s*((?:"[^"]*"\s*)+)\)'
    return [(group, name, unit.lower(), "".join(re.findall(r'"([^"]*)"', words)))
            for name, unit, group, words in re.findall(row, body)]


def sections(manual):
    """Subsection -> its text."""
    parts = re.split(r"^\.S[sh] (.*)$", manual, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def counter_faults(manual, table):
    faults, parts = [], sections(manual)
    for group, name, unit, words in table:
        entry = ".It Li %s\n%s\n" % (name, words.replace(". ", ".\n"))
        if entry not in parts[GROUPS[group]]:
            faults.append("section %s has no entry: %s" % (GROUPS[group], entry))
        is_named = unit in name and re.search(r"(?m)^\.It %s$" % unit, parts["FIELDS"])
        if unit not in UNITS_OF_NO_NAME and not is_named:
            faults.append("%s: the unit %s is not told" % (name, unit))
    names = {name for _, name, _, _ in table}
    named = [n for g in GROUPS.values() for n in re.findall(r"(?m)^\.It Li (\w+)$", parts[g])]
    return faults + ["no such counter: " + n for n in named if n not in names] + \
        ["named twice: " + n for n in names if named.count(n) > 1]


def hash_fields(program):
    """What push_node writes for both programs, and what it writes for one."""
    kind = text("lib/ledger/push_node_kind.c").split("[%s] = " % program)[1].split("}},")[0]
    both = re.findall(r'(?:field|text)_add\(&w, "([a-z]\w+)"', text("lib/ledger/push_node.c"))
    return set(both + re.findall(r'(?<!program) = "(\w+)"', kind))


def node_fields():
    former = text("lib/ledger/push_former.c")
    return hash_fields("PUSH_MILTER") | set(re.findall(r'SLICE\("([a-z]\w+)"\)', former)) | \
        set(re.findall(r'SLICE\("(retired)"\)', text("lib/throttle/account_change.c")))


def kept_days(name):
    """The default of store.NAME."""
    table = text("lib/sys/settings_table.c")
    return re.search(r'"store\.%s", SETTING_TIME, "(\d+)days"' % name, table).group(1)


def main():
    manual = text("doc/tollgate-keys.7")
    table = counters()
    tap.ok(len(table) > 30, "the table of counters is read", "%d rows" % len(table))
    tap.none(counter_faults(manual, table), "every counter is there, with unit and help")

    told = set(re.findall(r"^\.It Li (\w+)$", sections(manual)["Fields of a node"], flags=re.M))
    tap.ok(told == node_fields() and len(told) > 5, "the fields of the node's hash",
           "told %s, written %s" % (sorted(told), sorted(node_fields())))
    fields = sections(manual)["Fields of a collector"]
    told = set(re.findall(r"^\.It Li (\w+)$", fields, flags=re.M))
    tap.ok(told == hash_fields("PUSH_COLLECTOR"), "the fields of the collector's hash",
           "told %s, written %s" % (sorted(told), sorted(hash_fields("PUSH_COLLECTOR"))))

    days = [kept_days(name) for name in ("keep_hours", "keep_days", "keep_users_days")]
    kept = "Hours expire %s days after their end, days %s days and the users of days %s days" % (
        tuple(days))
    tap.ok(kept in manual, "how long hours and days stay", kept)

    kept = re.search(r"HELD_SET_KEPT_S \(\(int64_t\)(\d+) \*", text("lib/ledger/push_held.h"))
    tap.ok("held messages expires %s days after" % kept.group(1) in manual,
           "how long held messages stay")

    code = "".join(text("lib/ledger/%s.c" % n) for n in ("accountant", "folding", "push_report"))
    code = code.replace('"\n', "").replace("  ", "")
    events = re.findall(r"^\.It ([a-z].*)$", sections(manual)["DIAGNOSTICS"], flags=re.M)
    tap.none(["no such line: " + e for e in events if '"%s"' % e not in code],
             "the log lines are those of the code")
    tap.ok(len(events) >= 5, "log lines are found")


tap.run(main)
