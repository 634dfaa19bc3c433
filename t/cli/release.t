#!/usr/bin/env python3
"""tollgate release between a control socket and a Postfix that are both played by the test."""

import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from control import Control
from tollgate import Tollgate

POSTQUEUE = """#!/bin/sh
echo "postqueue $*" >>"$FAKE/calls"
test ! -e "$FAKE/postqueue-fails" || { echo "postqueue: fatal: no queue" >&2; exit 69; }
case "$*" in *-j) cat "$FAKE/queue";; esac
"""
POSTSUPER = """#!/bin/sh
echo "postsuper $*" >>"$FAKE/calls"
test ! -e "$FAKE/postsuper-fails" || { echo "postsuper: fatal: no such queue" >&2; exit 1; }
"""
NEVER = {"error": "the message is larger than its limit", "never": True}


class Site:
    def __init__(self):
        self.folder = proc.scratch("release")
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        for name, text in (("postqueue", POSTQUEUE), ("postsuper", POSTSUPER)):
            proc.write_text(os.path.join(self.bin, name), text)
            os.chmod(os.path.join(self.bin, name), 0o755)
        self.tollgate = Tollgate(self.folder, "unix:///nonexistent/redis.sock")
        self.tollgate.env.update(FAKE=self.folder, PATH=self.bin + ":" + os.environ["PATH"])
        self.control = Control(os.path.join(self.folder, "state"))
        self.start = int(time.time()) - 1000
        self.queue = []

    def hold(self, number, account="example.com", late_s=0, on_hold=True, released=False, id=None,
             age_s=None):
        """A held message; late_s: how much later than that Postfix says it arrived."""
        held = self.start + number if age_s is None else int(time.time()) - age_s
        name = id or "Q%d" % number
        self.control.messages.append({"id": name, "number": number, "account": account,
                                      "time": held, "released": released})
        if on_hold:
            self.queue.append({"queue_name": "hold", "queue_id": name,
                               "arrival_time": held + late_s, "sender": "a@b", "recipients": []})

    def run(self, *args):
        """Exit code, stdout, stderr, what the socket was asked, which programs were run."""
        proc.write_text(os.path.join(self.folder, "queue"),
                        "".join(json.dumps(m) + "\n" for m in self.queue))
        proc.write_text(os.path.join(self.folder, "calls"), "")
        del self.control.asked[:]
        code, out, err = self.tollgate("release", *args)
        calls = proc.read_text(os.path.join(self.folder, "calls")).splitlines()
        return code, out, err, self.control.asked[:], calls

    def reset(self):
        del self.control.messages[:]
        self.control.answers.clear()
        del self.queue[:]

    def flag(self, name, on):
        path = os.path.join(self.folder, name)
        if on:
            proc.write_text(path, "")
        else:
            os.unlink(path)


def gone(*ids):
    return [c for i in ids for c in ("postsuper -H " + i, "postqueue -i " + i)]


def in_order(site):
    for number in range(1, 6):
        site.hold(number)
        site.hold(number + 10, "example.org")
    site.control.messages.sort(key=lambda m: m["number"])
    site.control.answers["Q3"] = {"wait_s": 725, "limit": "domain/recipients/hour"}
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "some wait: that is good")
    tap.same([a[1:] for a in asked if a[0] == "release"],
             [("Q1", 1), ("Q2", 2), ("Q3", 3)] + [("Q%d" % n, n) for n in range(11, 16)],
             "each account in order, up to the first that does not fit")
    tap.same(calls, ["postqueue -j"] + gone("Q1", "Q2", *["Q%d" % n for n in range(11, 16)]),
             "each is taken off hold as soon as it is charged, and sent")
    lines = out.splitlines()
    tap.ok(len(lines) == 2 and lines[0].startswith("example.com: 2 released, 3 waiting; room for "
                                                   "the next at ") and
           lines[0].endswith("(in 13min, domain/recipients/hour)") and
           lines[1] == "example.org: 5 released", "and said", out)
    code, out, _, asked, _ = site.run("Example.ORG.")
    tap.same(asked[0], ("held", "example.org"), "one domain alone")
    code, out, err, _, _ = site.run("--quiet")
    tap.same((code, out, err), (0, "", ""), "--quiet")
    _, _, _, _, calls = site.run("--config-dir", "/etc/other", "example.org")
    tap.same(calls[:2], ["postqueue -c /etc/other -j", "postsuper -c /etc/other -H Q11"],
             "another Postfix")
    site.reset()


def not_there(site):
    site.hold(1, on_hold=False)
    site.hold(2, late_s=200)
    site.hold(3, late_s=-3000)
    site.hold(4, late_s=60)
    site.hold(5, on_hold=False, age_s=5)
    site.hold(6, on_hold=False, released=True)
    site.hold(7, released=True)
    site.hold(8, late_s=200, released=True)
    site.queue.append({"queue_name": "deferred", "queue_id": "Q1", "arrival_time": site.start})
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "messages that are no longer on hold")
    tap.same(asked[1:], [("forget", "Q1", 1), ("forget", "Q2", 2), ("release", "Q3", 3),
                         ("release", "Q4", 4)],
             "gone, or an id that came back: forgotten; a long upload is the same message; one "
             "that is young is left alone")
    tap.same(calls, ["postqueue -j"] + gone("Q3", "Q4", "Q7"),
             "one that is charged already is only taken off hold, unless its id came back")
    tap.same(out, "example.com: 3 released, 2 forgotten (no longer on hold), 1 waiting\n",
             "and said")
    site.reset()
    site.hold(1, id="SAME", on_hold=False)
    site.hold(700, id="SAME")
    _, _, _, asked, calls = site.run()
    tap.same(asked[1:], [("forget", "SAME", 1), ("release", "SAME", 700)],
             "an id held twice: the earlier message is gone")
    tap.same(calls, ["postqueue -j"] + gone("SAME"), "the later is released")
    site.reset()


def nothing(site):
    code, out, err, _, calls = site.run()
    tap.same((code, out, err, calls), (0, "No mail is held.\n", "", []),
             "nothing held: Postfix is not asked")
    code, out, _, _, _ = site.run("example.net")
    tap.same((code, out), (0, "No mail is held for example.net.\n"), "nothing held of a domain")


def trouble(site):
    for number in range(1, 4):
        site.hold(number)
    site.control.answers["Q1"] = NEVER
    code, out, err, asked, calls = site.run()
    tap.ok(code == 75 and "example.com, message Q1: tollgated: the message is larger" in err,
           "a message that never fits is named", code, err)
    tap.same(calls, ["postqueue -j"] + gone("Q2", "Q3"), "and stands in nobody's way")
    tap.same(out, "example.com: 2 released, 1 larger than the limit\n", "and said")
    site.control.answers["Q1"] = {"error": "cannot limit now"}
    code, out, err, asked, calls = site.run()
    tap.ok(code == 75 and "cannot limit now" in err and calls == ["postqueue -j"] and
           asked[1:] == [("release", "Q1", 1)], "after any other error nothing more is tried", code,
           err, asked)
    del site.control.answers["Q1"]
    site.flag("postsuper-fails", True)
    code, out, err, asked, calls = site.run()
    tap.ok(code == 69 and "postsuper -H: postsuper: fatal: no such queue" in err and
           asked[1:] == [("release", "Q1", 1)], "postsuper fails", code, err, asked)
    site.flag("postsuper-fails", False)
    site.flag("postqueue-fails", True)
    code, out, err, asked, _ = site.run()
    tap.ok(code == 69 and "postqueue -j: postqueue: fatal: no queue" in err and len(asked) == 1,
           "postqueue fails: nothing is forgotten", code, err, asked)
    site.flag("postqueue-fails", False)
    site.queue.append(["nonsense"])
    code, out, err, asked, _ = site.run()
    tap.ok(code == 69 and "unexpected output of postqueue" in err and len(asked) == 1,
           "nonsense of postqueue", err)
    site.queue.pop()
    site.control.answers["held"] = {"error": "the journal is not folded"}
    code, out, err, _, calls = site.run()
    tap.ok(code == 75 and "the journal is not folded" in err and calls == [], "an error", err)
    site.reset()
    for args, text in ((["a", "b"], 'unexpected argument "b"'), (["a..b"], "a..b"),
                       (["--config-dir", "etc"], "not an absolute path")):
        code, out, err, _, _ = site.run(*args)
        tap.ok(code == 64 and text in err and out == "", "release " + " ".join(args), code, err)


def nobody(site):
    """Not root: said before anything is done."""
    program = shutil.copy(os.path.join(proc.BUILD, "tollgate"), site.folder)
    code, out, err = proc.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               program, "-c", site.tollgate.conf, "release"])
    tap.ok(code == 77 and "run this as root" in err and out == "", "only root may release", code,
           err)


def main():
    tap.need("setpriv", root=True)
    site = Site()
    in_order(site)
    not_there(site)
    nothing(site)
    trouble(site)
    nobody(site)
    site.control.close()
    code, _, err, = site.tollgate("release")
    tap.ok(code == 69 and "tollgated is not running on this node" in err, "no tollgated", code, err)


tap.run(main)
