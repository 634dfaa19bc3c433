#!/usr/bin/env python3
"""follow: the journal, by a real journalctl and files that systemd-journal-remote makes."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from follow import PROGRAM, Step

REMOTE = "/lib/systemd/systemd-journal-remote"
START_US = int(time.time() - 86400) * 10**6 + 48012
GONE = "G journal: the entry of the last position is gone"
REFUSED = "G journal: the cursor of the last position is refused"


class Journal:
    def __init__(self):
        self.dir = proc.scratch("journal")
        self.path = os.path.join(self.dir, "x.journal")
        self.count = 0

    def add(self, count, message=None, tag=None):
        """Entries "line N", one a second; even ones tagged "other", odd ones postfix/smtpd."""
        data = b""
        for n in range(self.count, self.count + count):
            text = message or b"line %d" % n
            data += b"".join(b"%s=%s\n" % x for x in (
                (b"__REALTIME_TIMESTAMP", b"%d" % (START_US + n * 10**6)),
                (b"__MONOTONIC_TIMESTAMP", b"%d" % (10**6 + n * 10**6)),
                (b"_BOOT_ID", b"a" * 32), (b"_HOSTNAME", b"mx"), (b"SYSLOG_PID", b"11"),
                (b"SYSLOG_IDENTIFIER", tag or (b"other", b"postfix/smtpd")[n % 2])))
            data += b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n\n"
        subprocess.run([REMOTE, "-o", self.path, "-"], input=data, check=True,
                       stderr=subprocess.DEVNULL)
        self.count += count
        return self

    def source(self, matches=""):
        return ("journal:directory=%s %s" % (self.dir, matches)).strip()


def said(lines):
    """The numbers of "line N"; gaps and errors as they are."""
    return [x if x[:2] in ("G ", "E ") else int(json.loads(x)["MESSAGE"].split()[1])
            for x in lines]


def read(step, count, later_ms=0):
    """So many lines, gaps and errors."""
    got = step.look(later_ms)
    proc.wait_for("%d entries" % count, lambda: len(got) >= count or got.extend(step.look()))
    return got


def once(journal, matches="", position="-", **more):
    step = Step(journal.source(matches), mode="once", position=position, **more)
    got = []
    proc.wait_for("the end", lambda: got.extend(step.look()) or step.result == "end")
    return said(got), step.position


ODD = "SYSLOG_IDENTIFIER=postfix/smtpd"


def test_entries():
    journal = Journal().add(4)
    journal.add(1, b"line 4 " + b"m" * 50000).add(1, b"line 5 \xe9\xff")
    journal.add(1, b"line 6 \"__CURSOR\":\"s=x\" \"__CURSOR\"").add(1, b"__CURSOR")
    step = Step(journal.source())
    got = [json.loads(x) for x in read(step, 8)]
    tap.same([x["MESSAGE"] for x in got[:4]], ["line %d" % n for n in range(4)], "entries as JSON")
    tap.same(sorted(x for x in got[0] if x[:2] != "__"),
             ["MESSAGE", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "_BOOT_ID", "_HOSTNAME"],
             "with the fields that are needed")
    tap.same(len(got[4]["MESSAGE"]), 50007, "a long one is whole")
    tap.same(bytes(got[5]["MESSAGE"]), b"line 5 \xe9\xff", "one that is not UTF-8 is there")
    tap.same(once(journal, position=step.position)[0], [], "the position is behind the last")


def test_follow():
    journal = Journal().add(60)
    step = Step(journal.source())
    tap.same(said(read(step, 60)), list(range(60)), "all entries come, not ten only")
    journal.add(2)
    tap.same(said(read(step, 2)), [60, 61], "and what is added")
    step.restart()
    journal.add(2)
    tap.same(said(read(step, 2)), [62, 63], "after a restart, no entry twice, none lost")


def test_matches():
    """--after-cursor would lose an entry in each of these."""
    journal = Journal().add(10)
    tap.same(once(journal, ODD)[0], [1, 3, 5, 7, 9], "matches select")
    tap.same(once(journal, "SYSLOG_IDENTIFIER=other + " + ODD)[0], list(range(10)), "and add up")
    for n in range(0, 10):
        position = once_until(journal, n)
        want = [x for x in range(1, 10, 2) if x > n]
        gap = [GONE] if n % 2 == 0 else []
        tap.same(once(journal, ODD, position)[0], gap + want,
                 "from entry %d: nothing is lost" % n)


def once_until(journal, n):
    """The position behind entry n."""
    step = Step(journal.source("_HOSTNAME=mx"), mode="once")
    lines = []
    proc.wait_for("the end", lambda: lines.extend(step.look()) or step.result == "end")
    cursor = json.loads(lines[n])["__CURSOR"]
    last = json.loads(lines[-1])["__CURSOR"]
    return step.position.replace(last.encode().hex(), cursor.encode().hex())


def test_vacuumed():
    journal = Journal().add(5)
    position = once(journal)[1]
    os.unlink(journal.path)
    journal.add(5)
    tap.same(once(journal, position=position)[0], [GONE, 5, 6, 7, 8, 9],
             "the position's entry is gone: a gap, and what there is")
    tap.same(once(journal, position=once(journal)[1])[0], [], "told once")


def test_refused():
    journal = Journal().add(5)
    position = once_until(journal, 2)
    cursor = bytes.fromhex(position)[-100:]
    bad = position.replace(cursor.hex(), (b"x" * 100).hex())
    tap.same(bad != position, True, "a cursor was replaced")
    got = once(journal, position=bad)[0]
    tap.same(got[0], REFUSED, "a cursor that journalctl refuses is a gap")
    step = Step(journal.source(), position=bad)
    lines = said(read(step, 1))
    tap.same(lines, [REFUSED], "also when it follows")
    journal.add(2)
    tap.same(said(read(step, 2)), [5, 6], "then it goes on by the time of the last entry")
    step.restart()
    journal.add(1)
    tap.same(said(read(step, 1)), [7], "and has a cursor again")


def fits(journal, position, matches=""):
    code, out, errors = proc.run([PROGRAM, "fits", journal.source(matches), position])
    return int(out) if code == 0 else errors


def test_fits():
    journal = Journal().add(5)
    position = once_until(journal, 2)
    tap.same(fits(journal, position), 1, "a position fits its journal")
    tap.same(fits(Journal().add(5), position), 0, "it does not fit another")
    tap.same(fits(journal, position, "SYSLOG_IDENTIFIER=none"), 0, "nor one without its entry")
    tap.same(fits(journal, once(journal)[1]), 1, "one at the end fits")


def test_from():
    journal = Journal().add(5)
    since_ms = (START_US + 3 * 10**6) // 1000
    tap.same(once(journal, since_ms=since_ms)[0], [3, 4], "back-filling from a time")
    tap.same(once(journal, start="end")[0], [], "from now on: nothing yet")


def children(step):
    path = "/proc/%d/task/%d/children" % (step.process.pid, step.process.pid)
    return [int(x) for x in proc.read_text(path).split()]


def test_child_ends():
    journal = Journal().add(3)
    step = Step(journal.source())
    tap.same(said(read(step, 3)), [0, 1, 2], "entries")
    first = children(step)
    tap.same(len(first), 1, "one journalctl")
    os.kill(first[0], 9)
    journal.add(2)
    got = read(step, 1)
    tap.ok(got[0].startswith("E journalctl ended"), "one that dies is an error", got)
    tap.same((step.look(999), children(step)), ([], []), "it is not started again at once")
    tap.same(said(read(step, 2, 1)), [3, 4],
             "but after a second, and nothing is lost, nothing twice")
    os.kill(children(step)[0], 9)
    read(step, 1)
    step.look(1000)
    again = children(step)
    tap.same(len(again), 1, "after entries, the pause is short again")
    step.stop()
    proc.wait_for("its end", lambda: not is_running(again[0]))
    tap.ok(True, "it does not outlive us")


def is_running(pid):
    stat = proc.read_text("/proc/%d/stat" % pid)
    return stat != "" and stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_errors():
    step = Step("journal:file=/no/such.journal")
    got = read(step, 1)
    tap.ok("status 1" in got[0] and "No such file" in got[0], "journalctl's own words are told",
           got)
    pauses = []
    for pause_ms in (1000, 2000, 4000):
        step.look(pause_ms - 1)
        pauses.append(len(children(step)))
        read(step, 1, 1)
    tap.same(pauses, [0, 0, 0], "the pause grows")
    for text in ("journal:-o", "journal:--file=x", "journal:file", "journal:unit=a PRIORITY"):
        step = Step(text)
        try:
            got = [str(step.look())]
        except (EOFError, BrokenPipeError) as e:
            got = [str(e) + step.process.stdout.read()]
        tap.ok("neither a match" in got[0], "refused: " + text, got)


def main():
    tap.need("journalctl", REMOTE)
    for test in [x for name, x in sorted(globals().items()) if name.startswith("test_")]:
        print("# " + test.__name__, flush=True)
        test()


tap.run(main)
