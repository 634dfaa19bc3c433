#!/usr/bin/env python3
"""follow: one file through renaming, restarts and accidents. Time is the test's."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from follow import Log, PART_MS, QUIET_MS, Step, age, begun


# --- one file ------------------------------------------------------------------------------------

def test_growing():
    log = Log()
    log.lines(3)
    step = Step(log.path, start="end")
    tap.same(step.look(), [], "from the end: what is there is not given")
    tap.same(step.result, "nothing", "and that is said")
    new = log.lines(2)
    tap.same(step.look(), new, "what comes is")
    tap.same(step.look(), [], "once")
    log.write("half a l")
    tap.same(step.look(PART_MS * 2), [], "a line without its end is waited for")
    tap.same(step.lag, "8", "and is lag")
    log.write("ine\nnext\n")
    tap.same(step.look(), ["half a line", "next"], "and is given whole")
    tap.same(step.lag, "0", "no lag at the end")
    log.write("half a l")
    step.look()
    step.restart()
    log.write("ine\n")
    tap.same(step.look(), ["half a line"], "after a restart in the middle of a line, too")
    tap.same(Step(log.path).look()[0], "line 0 " + "x" * 40, "from the start: all of it")


def test_end_in_line():
    log = Log()
    log.write("old\nhalf a l")
    step = Step(log.path, start="end")
    step.look()
    log.write("ine\n")
    tap.same(step.look(), ["half a line"], "from the end: a line under way is given whole")


def test_wakes():
    log, step = begun(1)
    tap.same(step.is_ready, "0", "nothing there: the descriptor is quiet")
    log.lines(1)
    tap.same((step.is_ready_now(), len(step.look()), step.is_ready), (True, 1, "0"),
             "a new line wakes; when it is read, it is quiet again")


def test_missing():
    log = Log()
    step = Step(log.path, start="end")
    tap.same((step.look(), step.result), ([], "nothing"), "a file that is not there is waited for")
    step.restart()
    new = log.lines(3)
    tap.same(step.look(), new, "when it comes, all of it is new")
    os.unlink(log.path)
    tap.same(step.look(QUIET_MS), [], "a file that is gone is waited for")
    new = log.lines(2)
    tap.same(step.look() + step.look(QUIET_MS), new, "and its successor is read")


def test_long_and_nul():
    log = Log()
    log.write("a" * 300000 + "\n" + "short\n")
    log.write(b"torn\0\0\0\0after\n")
    step = Step(log.path)
    got = step.look()
    tap.same(len(got[0]), 65536, "a line over 64 KiB is cut")
    tap.same(got[1:], ["short", "G 8 bytes were lost in a crash", "after"], "NULs are a gap")
    log.write(b"\0" * 1000)
    tap.same(step.look(), ["G 1000 bytes were lost in a crash"], "at the end, too")
    log.write("more\n")
    tap.same(step.look(), ["more"], "and what comes then is read")


def test_whole():
    log = Log()
    new = log.lines(3)
    log.write("the last")
    step = Step(log.path, mode="whole")
    tap.same((step.look(), step.result), (new + ["the last"], "end"),
             "a whole file: the last line may be without its end")
    log.rename(".1")
    log.pack(".1", "gz")
    tap.same(Step(log.sibling(".1.gz"), mode="whole").look(), new + ["the last"], "compressed")
    for mode, path, want in (("whole", log.sibling(".none"), "cannot open"),
                             ("whole", log.dir, "is a directory"),
                             ("live", "-", "standard input can"),
                             ("live", log.dir, "is a directory"),
                             ("live", "/dev/null", "no regular file")):
        got = fails(mode, path)
        tap.ok(got.startswith("E ") and want in got, "an error: " + want, got)


def fails(mode, path):
    step = Step(path, mode=mode, start="end")
    try:
        return step.look()[0]
    except EOFError as e:
        return e.args[0]
    except BrokenPipeError:
        return step.process.stdout.read()


# --- rotations -----------------------------------------------------------------------------------

def test_rename():
    log = Log()
    first = log.lines(2)
    step = Step(log.path)
    tap.same(step.look(), first, "the file")
    log.rename(".1")
    late = log.lines(2, log.sibling(".1"))
    tap.same(step.look(), late, "what is written to it after it was renamed")
    new = log.lines(2)
    tap.same(step.look(QUIET_MS - 1), [], "the new one is not begun before the old is quiet")
    late = log.lines(1, log.sibling(".1"))
    tap.same(step.look(), late, "late lines come first")
    tap.same(step.look(QUIET_MS - 1), [], "and the time begins again")
    tap.same(step.look(1), new, "then it is")
    log.lines(1, log.sibling(".1"))
    tap.ok(step.look()[0].startswith("G 4"), "what is written to the old one still is a gap")
    tap.same(step.look(), [], "told once")


def test_new_is_empty():
    log = Log()
    first = log.lines(1)
    step = Step(log.path)
    step.look()
    log.rename(".1")
    step.look(QUIET_MS * 10)
    late = log.lines(1, log.sibling(".1"))
    tap.same(step.look(), late, "while the new file is empty, the old is read, however long")
    step.restart()
    new = log.lines(1)
    tap.same(step.look() + step.look(QUIET_MS), new, "a restart in between changes nothing")
    tap.same(first[0][:6], "line 0", "lines differ")


def test_part_at_end():
    log = Log()
    log.lines(1)
    log.write("half")
    step = Step(log.path)
    step.look()
    log.rename(".1")
    new = log.lines(1)
    tap.same(step.look(PART_MS - 1), [], "a part-line at a rotated file's end is waited for")
    tap.same(step.look(1), ["half"] + new, "for 60 s")


def test_edited():
    log, step = begun(100)
    step.stop()
    with open(log.path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    log.truncate()
    log.write(b"".join(lines[:50] + [b"a line by hand\n"] + lines[50:]))
    new = log.lines(3)
    got = step.restart().look()
    tap.ok(got[0].startswith("G ") and "was changed before" in got[0], "a changed file is a gap",
           got)
    tap.ok(got[-3:] == new and len(got) <= 5, "and is not read again from its beginning", got)
    tap.ok(all(x.encode() + b"\n" in lines for x in got[1:-3]), "nor from within a line", got)


# --- once ----------------------------------------------------------------------------------------

def test_once():
    log = Log()
    first = log.lines(3)
    step = Step(log.path, mode="once")
    tap.same((step.look(), step.result), (first, "end"), "--once: what is there, then the end")
    log.rename(".1")
    new = log.lines(2)
    step.restart()
    tap.same((step.look(), step.result), ([], "nothing"), "a rotated file has to be quiet first")
    tap.same((step.look(QUIET_MS), step.result), (new, "end"), "then the end")
    log.rename(".2")
    age(log.sibling(".2"))
    new = log.lines(2)
    os.rename(log.sibling(".1"), log.sibling(".3"))
    step.restart()
    tap.same((step.look(), step.result), (new, "end"), "it is, if it was long ago")


def test_since():
    log = Log()
    log.lines(3)
    log.rename(".2")
    age(log.sibling(".2"))
    log.pack(".2", "gz")
    second = log.lines(3)
    log.rename(".1")
    third = log.lines(3)
    since_ms = os.stat(log.sibling(".1")).st_mtime_ns // 10**6 - 1000
    step = Step(log.path, mode="once", since_ms=since_ms)
    tap.same(step.look() + step.look(QUIET_MS), second + third,
             "back-filling leaves out what is older as a whole")


# --- trouble -------------------------------------------------------------------------------------

def test_damaged():
    for how in ("gz", "xz"):
        log, step = begun(1000)
        step.stop()
        lost = log.lines(3000)
        log.rename(".1")
        age(log.sibling(".1"))
        log.pack(".1", how)
        packed = log.sibling(".1." + how)
        os.truncate(packed, os.path.getsize(packed) - 100)
        new = log.lines(3)
        got = step.restart().look()
        gaps = [x for x in got if x.startswith("G ")]
        tap.ok(len(gaps) == 1 and "is damaged" in gaps[0], "a damaged .%s is a gap" % how, gaps)
        tap.ok(got[-3:] == new, "and what follows is read", got[-3:])
        tap.ok(how != "gz" or got[0] == lost[0], "of a .gz, what can be read is", got[0])


def test_no_program():
    log, step = begun(30)
    step.stop()
    late = log.lines(2)
    log.rename(".1")
    age(log.sibling(".1"))
    log.pack(".1", "zst")
    new = log.lines(1)
    got = step.restart(path=log.dir).look()
    tap.ok(step.result == "error" and "zstd" in got[0], "no program to unpack: an error, no gap",
           got)
    tap.same(step.restart().look(), late + new, "nothing is lost by it")
    os.rename(log.sibling(".1.zst"), log.sibling(".3.zst"))
    log.rename(".2")
    late = log.lines(2)
    log.rename(".1")
    log.pack(".1", "zst")
    new = log.lines(1)
    step.restart(path=log.dir).look()
    got = step.look(QUIET_MS)
    tap.ok(step.result == "error" and "zstd" in got[0], "also where it is the next one", got)
    tap.same(step.restart().look(QUIET_MS) + step.look(QUIET_MS), late + new,
             "nothing is lost by that either")


def test_unreadable():
    log = Log()
    log.lines(1)
    os.chmod(log.path, 0)
    subprocess.run(["chown", "root", log.path], check=True)
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    step = Step(log.path, drops=drop)
    got = step.look()
    tap.ok(step.result == "error" and "cannot read" in got[0] and "adm" in got[0],
           "a file that may not be read: an error with the fix", got)
    os.chmod(log.path, 0o644)
    tap.same(len(step.look()), 1, "it goes on when that is mended")


def main():
    tap.need("setpriv", "xz", "zstd", root=True)
    for test in [x for name, x in sorted(globals().items()) if name.startswith("test_")]:
        print("# " + test.__name__, flush=True)
        test()


tap.run(main)
