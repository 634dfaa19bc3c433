#!/usr/bin/env python3
"""tollgate release between a control socket and a Postfix that are both played by the test."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from release_site import LIST, MAILQ, MAIN, NEVER, NO_MAILQ, OTHER, Site, gone, own_var_log


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
    tap.same(calls, LIST + gone("Q1", "Q2", *["Q%d" % n for n in range(11, 16)]),
             "each is taken off hold as soon as it is charged, and sent")
    lines = out.splitlines()
    tap.ok(len(lines) == 2 and lines[0].startswith("example.com: 2 released, 3 waiting; room for "
                                                   "the next at ") and
           lines[0].endswith("(in 13min, domain/recipients/hour)") and
           lines[1] == "example.org: 5 released", "and said", out)
    code, out, _, asked, _ = site.run("Example.ORG.")
    tap.same([a[1] for a in asked if a[0] == "release"], ["Q%d" % n for n in range(11, 16)],
             "one domain alone")
    code, out, err, _, _ = site.run("--quiet")
    tap.same((code, out, err), (0, "", ""), "--quiet")
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
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "messages that are no longer on hold")
    tap.same(asked[1:], [("forget", "Q1", 1, MAIN), ("forget", "Q2", 2, MAIN), ("release", "Q3", 3),
                         ("release", "Q4", 4)],
             "gone, or an id that came back: forgotten; a long upload is the same message; one "
             "that is young is left alone")
    tap.same(calls, 2 * LIST + gone("Q3", "Q4", "Q7"),
             "one that is charged already is only taken off hold, unless its id came back")
    tap.same(out, "example.com: 3 released, 2 forgotten (deleted), 1 waiting\n",
             "and said")
    site.reset()
    site.hold(1, id="SAME", on_hold=False)
    site.hold(700, id="SAME")
    _, _, _, asked, calls = site.run()
    tap.same(asked[1:], [("release", "SAME", 700)],
             "an id held twice: the earlier message is gone, but the log may speak of either")
    tap.same(calls, 2 * LIST + gone("SAME"), "the later is released")
    site.reset()


def by_hand(site):
    """Taken off hold by postsuper: charged while it can be seen."""
    for number, name in enumerate(("active", "deferred", "incoming", "maildrop"), 1):
        site.hold(number, name=name)
    site.hold(5, name="active", released=True)
    site.hold(6, name="active", late_s=200)
    site.hold(7)
    site.control.answers["Q7"] = {"wait_s": 5, "limit": "domain/recipients/hour"}
    site.hold(8, name="deferred")
    code, out, err, asked, calls = site.run()
    tap.same((code, err, calls), (0, "", 2 * LIST), "off hold, and still queued")
    tap.same(asked[1:], [("release", "Q%d" % n, n, "mta") for n in range(1, 5)] +
             [("forget", "Q6", 6, MAIN), ("release", "Q7", 7), ("release", "Q8", 8, "mta")],
             "charged, even behind one that waits; not one that is charged, or has its id only")
    tap.ok(out.startswith("example.com: 5 charged (taken off hold by hand), 1 forgotten "
                          "(deleted), 1 waiting; room"), "and said", out)
    site.reset()


def one(site):
    for number in range(1, 4):
        site.hold(number)
    code, out, err, asked, calls = site.run("Q2")
    tap.same((code, out, err), (0, "example.com: 1 released\n", ""), "one message")
    tap.same((asked[1:], calls), ([("release", "Q2", 2, "admin")], LIST + gone("Q2")),
             "goes at once, room or not")
    code, out, err, asked, calls = site.run("Q99")
    tap.ok(code == 65 and "no message with the queue id Q99 is held" in err and calls == [],
           "a queue id that is not held", code, err)
    site.reset()


def instances(site):
    """Each queue speaks for its own messages only."""
    site.instances = [MAIN, OTHER]
    site.hold(1, seen="")
    site.hold(2, seen="", queue=OTHER)
    site.hold(3, seen=OTHER, on_hold=False)
    site.hold(4, seen="", on_hold=False, log=())
    site.hold(5, seen="/etc/postfix-gone", on_hold=False)
    site.hold(6, seen="", on_hold=False, age_s=8 * 86400, log=())
    site.hold(7, seen="", on_hold=False, age_s=5)
    both = [LIST[0], "postqueue -c /etc/postfix-out -j"]
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "two instances")
    tap.same(asked[1:], [("place", MAIN, [1]), ("place", OTHER, [2]), ("release", "Q1", 1),
                         ("release", "Q2", 2), ("forget", "Q3", 3, OTHER),
                         ("forget", "Q6", 6, "", "unknown")],
             "where a message is seen is kept; one seen nowhere stays for a week")
    tap.same(calls, 2 * both + gone("Q1") + gone("Q2", folder=OTHER), "each from its own")
    tap.same(out, "example.com: 2 released, 2 forgotten (deleted), 2 not found in the queues, 1 "
             "waiting\n", "and said")
    _, out, _, asked, calls = site.run("--config-dir", "/etc/postfix/")
    tap.same((asked[1:], calls), ([("release", "Q1", 1)], LIST + gone("Q1")),
             "--config-dir: only that one is looked at")
    tap.ok("1 released, 5 not found in the queues" in out, "the others stay", out)
    site.hold(8, id="Q1", queue=OTHER, seen=OTHER)
    _, _, _, asked, calls = site.run()
    tap.ok(("release", "Q1", 1) in asked and ("release", "Q1", 8) in asked and
           calls[4:] == gone("Q1") + gone("Q2", folder=OTHER) + gone("Q1", folder=OTHER),
           "one id in two queues", asked, calls)
    site.reset()
    site.instances = []
    site.hold(1)
    _, out, _, asked, calls = site.run()
    tap.same(calls, ["postqueue -j", "postsuper -H Q1", "postqueue -i Q1"],
             "without postmulti: the one there is")
    site.instances = [MAIN]
    site.reset()


def relay(site):
    """Beside tollgate-relay's queue."""
    lock = os.path.join(site.folder, "state", "relay", "queue", "lock")
    os.makedirs(os.path.dirname(lock))
    proc.write_text(lock, "")
    site.hold(1, on_hold=False)
    site.hold(2, queue="-relay", seen="")
    site.hold(3, seen="tollgate-relay", on_hold=False)
    site.hold(4)
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "two queues, both can be read")
    tap.same(asked[1:], [("place", "tollgate-relay", [2]), ("forget", "Q1", 1, MAIN),
                         ("release", "Q2", 2), ("forget", "Q3", 3, "tollgate-relay"),
                         ("release", "Q4", 4)], "what is gone from either is forgotten")
    tap.same(calls, 2 * (["relay list -j"] + LIST) + ["relay release Q2"] + gone("Q4"),
             "and released")
    site.flag("postqueue-fails", True)
    code, out, err, asked, calls = site.run()
    tap.ok(code == 69 and err.count("fatal: no queue") == 1 and
           [a for a in asked if a[0] == "forget"] == [("forget", "Q3", 3, "tollgate-relay")],
           "Postfix cannot be read: only what the relay had is forgotten", code, err, asked)
    site.flag("postqueue-fails", False)
    os.unlink(lock)
    site.reset()


def sendmail(site):
    """Sendmail's quarantine, on a machine without Postfix."""
    ids = ["6ASIJeK20192%02d" % n for n in range(1, 6)]
    for number, id in enumerate(ids, 1):
        site.hold(number, id=id, on_hold=False, seen="sendmail" if number > 1 else "")
    for name in ("mailq", "mailq-rest"):
        proc.write_text(os.path.join(site.folder, name), MAILQ % tuple(ids[:2]) if name == "mailq"
                        else MAILQ % (ids[2], "6ASIJeK2019299"))
    proc.write_text("/var/log/mail.log", "\n".join(site.log) + "\n")
    names = ("postqueue", "postsuper", "postmulti")
    for name in names:
        os.rename(os.path.join(site.bin, name), os.path.join(site.folder, name))
    path = site.tollgate.env["PATH"]
    site.tollgate.env["PATH"] = site.bin + ":/bin"
    code, out, err, asked, calls = site.run()
    tap.same((code, err), (0, ""), "Sendmail alone")
    tap.same(asked[1:], [("place", "sendmail", [1]), ("release", ids[0], 1), ("release", ids[1], 2),
                         ("release", ids[2], 3, "mta"), ("forget", ids[3], 4, "sendmail"),
                         ("forget", ids[4], 5, "sendmail")],
             "quarantined: released; queued: charged; gone: forgotten")
    tap.same(calls, ["sendmail -bp -qQ"] + 2 * ["sendmail -bp -qQ", "sendmail -bp"] +
             ["sendmail -Q -qQ -qI" + ids[0], "sendmail -Q -qQ -qI" + ids[1]],
             "out of quarantine, with Sendmail's own means")
    proc.write_text(os.path.join(site.folder, "mailq"), NO_MAILQ)
    proc.write_text(os.path.join(site.folder, "mailq-rest"), NO_MAILQ)
    code, out, err, asked, calls = site.run()
    tap.same((code, [a[0] for a in asked[1:]]), (0, ["forget"] * 5), "an empty queue")
    for name in ("mailq", "mailq-rest"):
        os.unlink(os.path.join(site.folder, name))
    for name in names:
        os.rename(os.path.join(site.folder, name), os.path.join(site.bin, name))
    site.tollgate.env["PATH"] = path
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
    tap.same(calls, LIST + gone("Q2", "Q3"), "and stands in nobody's way")
    tap.same(out, "example.com: 2 released, 1 larger than the limit\n", "and said")
    site.control.answers["Q1"] = {"error": "cannot limit now"}
    code, out, err, asked, calls = site.run()
    tap.ok(code == 75 and "cannot limit now" in err and calls == LIST and
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
    site.queues[MAIN].insert(0, ["nonsense"])
    code, out, err, asked, _ = site.run()
    tap.ok(code == 69 and "unexpected output of postqueue" in err and len(asked) == 1,
           "nonsense of postqueue", err)
    site.queues[MAIN].pop(0)
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
    site = Site()
    in_order(site)
    not_there(site)
    by_hand(site)
    one(site)
    instances(site)
    relay(site)
    sendmail(site)
    nothing(site)
    trouble(site)
    nobody(site)
    site.control.close()
    code, _, err, = site.tollgate("release")
    tap.ok(code == 69 and "tollgated is not running on this node" in err, "no tollgated", code, err)


tap.run(own_var_log(__file__, main))
