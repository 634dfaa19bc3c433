#!/usr/bin/env python3
"""tollgate release carries out what was asked for on the pages, between a control socket and a
Postfix that are both played by the test."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from release_site import Site, gone


def ask(site, number, account="example.com", held=None):
    site.control.requests.append({"id": "Q%d" % number, "account": account,
                                  "held": site.start + number if held is None else held})


def run(site, *args):
    del site.control.finished[:]
    return site.run(*args)


def carried_out(site):
    for number in (1, 2, 3):
        site.hold(number)
    site.control.answers["Q1"] = {"wait_s": 725, "limit": "domain/recipients/hour"}
    ask(site, 3)
    code, out, err, asked, calls = run(site)
    tap.same([a[1:] for a in asked if a[0] == "release"], [("Q1", 1), ("Q3", 3, "admin")],
             "the one that was asked for does not wait for those before it, nor for room")
    tap.same(calls[1:], gone("Q3"), "it is taken off hold")
    tap.ok((code, err) == (0, "") and "example.com: 1 released, 2 waiting" in out, "and said", out)
    tap.same(site.control.finished, [("Q3", True)], "tollgated hears that it is done")
    site.reset()


def of_others(site):
    """Requests for what is held no longer, or is another message by now."""
    site.hold(1)
    site.hold(2)
    site.control.answers["Q1"] = site.control.answers["Q2"] = {"wait_s": 5, "limit": "x"}
    ask(site, 1, account="example.org")
    ask(site, 2, held=site.start - 5000)
    ask(site, 9)
    site.control.requests += [{"id": None}, {"account": "example.com"}]
    code, _, _, asked, calls = run(site, "example.com")
    tap.same((code, site.control.finished), (0, []), "of one domain alone, nothing else is judged")
    code, _, err, asked, calls = run(site)
    tap.same((code, err, [c for c in calls if "postsuper" in c]), (0, "", []),
             "nothing is released")
    tap.same(site.control.finished, [("Q1", False), ("Q2", False), ("Q9", False)],
             "tollgated hears that they are held no longer")
    site.control.requests = []
    site.reset()


def failures(site):
    site.hold(1)
    ask(site, 1)
    site.flag("postsuper-fails", True)
    code, _, _, _, _ = run(site)
    tap.ok(code != 0 and site.control.finished == [], "where postsuper fails, it is not done")
    site.flag("postsuper-fails", False)
    run(site)
    tap.same(site.control.finished, [("Q1", True)], "but by the next run")


def main():
    tap.need(root=True)
    site = Site()
    carried_out(site)
    of_others(site)
    failures(site)


tap.run(main)
