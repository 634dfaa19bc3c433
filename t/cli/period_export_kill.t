#!/usr/bin/env python3
"""tollgate period export is killed at each of its steps, and repeated: each target has each amount
once. The targets are fakes that count."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from export_site import HOSTBILL, MONTH, WANT, Site
from tollgate import preload

DAY = MONTH + "-20"
PLESK = {("12", DAY): (1000001, 5, 0), ("2", DAY): (0, 2000000000, 0)}
EVENTS = {("mx1", "%s/%s/%s/1" % (MONTH, a, f)): v for a, f, v in WANT}


def events(site):
    return {name: event["data"]["value"] for name, event in site.targets.events.items()}


# What each target has in the end, and how many steps an export has at least.
SENT = (("command", Site.told, WANT, 60), ("cloudevents", events, EVENTS, 30),
        ("hostbill", lambda site: site.targets.usage, HOSTBILL, 60),
        ("plesk", Site.traffic, PLESK, 60))
PRINTED = ("csv", "json", "whmcs")


def fault_at(site, target, result, want, step):
    """Exit code of the export that dies at that step; and what is wrong after the next one."""
    site.forget()
    env = dict(preload(site.folder, "step_shim"), TG_STEP=str(step))
    code, _, err = site.export(target, env=env)
    again = site.export(target)
    return code, None if again[0] == 0 and result(site) == want else (result(site), again, err)


def sent(target, result, want, least, found):
    site = Site(name="period-export-" + target)
    for step in range(1, 2000):
        code, wrong = fault_at(site, target, result, want, step)
        if wrong is not None or code == 0:
            found.append((wrong is None and step > least, target, step, wrong))
            break
    site.server.stop()


def printed(site, target):
    """Nothing is kept of what is printed, so nothing is to be made good."""
    whole = site.export(target)[1]
    kept = sorted(os.listdir(os.path.dirname(site.outbox)))
    for step in range(1, 100):
        env = dict(preload(site.folder, "step_shim"), TG_STEP=str(step))
        code, out, _ = site.export(target, env=env)
        if code == 0:
            break
        if not whole.startswith(out) or site.export(target)[1] != whole:
            tap.ok(False, "%s, killed at step %d" % (target, step), out)
            return
    tap.ok(code == 0 and step > 3, "%s, killed at each of %d steps: the same" % (target, step - 1))
    tap.same(sorted(os.listdir(os.path.dirname(site.outbox))), kept, "and nothing beside it")
    tap.same(site.targets.requests + len(site.told()), 0, "nor sent")


def main():
    tap.need("redis-server", "curl")
    found = []
    threads = [threading.Thread(target=sent, args=(*one, found)) for one in SENT]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for good, target, step, wrong in sorted(found, key=lambda one: one[1]):
        tap.ok(good, "%s, killed at each of %d steps: once" % (target, step - 1), wrong)
    tap.same(len(found), len(SENT), "all of them")
    site = Site()
    for target in PRINTED:
        printed(site, target)
    site.server.stop()


tap.run(main)
