"""TAP for test scripts: ok() and same() report, done() ends the script.

A check that fails prints what it got. need() ends a test where a program or root is missing: as a
failure under CI=true, as a skip elsewhere.
"""

import difflib
import os
import shutil
import sys
import traceback

_count = 0
_failed = 0
_started = False


def note(text):
    for line in str(text).splitlines() or [""]:
        print("# " + line, flush=True)


def ok(good, what, *details):
    """One check; details are shown if it fails. Returns whether it was good."""
    global _count, _failed
    _count += 1
    print("%s %d - %s" % ("ok" if good else "not ok", _count, what), flush=True)
    if not good:
        _failed += 1
        for detail in details:
            note(detail)
    return bool(good)


def same(got, want, what, *details):
    if isinstance(got, str) and isinstance(want, str) and "\n" in got + want:
        diff = difflib.unified_diff(want.splitlines(), got.splitlines(), "want", "got", n=1,
                                    lineterm="")
        return ok(got == want, what, *list(diff)[:40], *details)
    return ok(got == want, what, " got: %r" % (got,), "want: %r" % (want,), *details)


def none(faults, what):
    """Good if the list of faults is empty; shows them otherwise."""
    return ok(not faults, what, *faults)


def done():
    print("1..%d" % _count, flush=True)
    sys.exit(0 if _count and not _failed else 1)


def need(*programs, root=False):
    """Programs (or absolute paths) that the test cannot do without."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [p for p in programs if shutil.which(p, path=path) is None]
    if root and os.geteuid() != 0:
        missing.append("root")
    if not missing:
        return
    reason = "missing: " + ", ".join(missing)
    if os.environ.get("CI"):
        print("1..1\nnot ok 1 - " + reason)
        sys.exit(1)
    skip(reason)


def skip(reason):
    """Ends the test, which has nothing to show here."""
    print("1..0 # SKIP " + reason)
    sys.exit(0)


def skip_check(what, reason):
    """One check that has nothing to show here."""
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, what, reason), flush=True)


def run(main):
    """Runs main(); an exception is a failed check, with its traceback."""
    try:
        main()
    except Exception:  # pylint: disable=broad-except
        ok(False, "no exception", traceback.format_exc())
    done()
