#!/usr/bin/env python3
"""Held mail through real Postfix: into its hold queue, and out of it as the limit has room again.

TG_HOLD=full (`make hold`): 30 messages over a limit of 10 a minute, let go every second.
"""

import datetime
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postfix_server
import proc
import tap
from site_postfix import Site, mail

FULL = os.environ.get("TG_HOLD") == "full"
ALICE, CAROL, MALLORY = "alice@example.com", "carol@example.org", "mallory@cust.example"
FAR = "far@gmail.test"
UNIT = os.path.join(proc.SOURCE, "contrib/systemd/tollgate-release.service.in")


def settings(most, per):
    limit = dict(scope="domain", metric="messages", max=str(most), per=per, action="hold")
    return {"throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [limit]}]}


def powers():
    """A command in front of another, which has then no more powers than the unit gives."""
    names = re.search(r"(?m)^CapabilityBoundingSet=(.*)", proc.read_text(UNIT)).group(1).split()
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + ",".join(
        ["-all"] + [name.replace("CAP_", "+").lower() for name in names])]


def release_command(w):
    return powers() + [os.path.join(proc.BUILD, "tollgate"), "-c", w.tollgated.conf, "release",
                       "--config-dir", w.postfix.conf]


def release(w):
    """Text of one run that must go well."""
    code, out, err = proc.run(release_command(w))
    if code != 0 or err:
        tap.ok(False, "tollgate release", code, out, err, w.tollgated.log()[-1000:])
    return out


def on_hold(w):
    """Queue ids in the hold queue."""
    lines = w.postfix.command("postqueue", "-j").splitlines()
    return [m["queue_id"] for m in map(json.loads, lines) if m["queue_name"] == "hold"]


def counters(w, domain):
    """Messages let through and stopped."""
    fields = w.redis.hash("tg:{%s}:total" % domain)
    return int(fields.get("out_messages", 0)), int(fields.get("throttled_messages", 0))


def wait_counters(w, domain, want):
    try:
        proc.wait_for("the counters", lambda: counters(w, domain) >= want)
    except TimeoutError:
        pass
    return counters(w, domain)


def held_set(w, domain):
    return w.redis("ZRANGE", "tg:{%s}:held" % domain, "0", "-1")


def wait_held_set(w, domain, count):
    try:
        proc.wait_for("the set", lambda: len(held_set(w, domain)) == count)
    except TimeoutError:
        pass
    return len(held_set(w, domain))


def recipient(number, name="r"):
    return "%s%d@gmail.test" % (name, number)


def arrivals(w, name="r"):
    """Numbers and times (monotonic) of what the sink got, as it came."""
    with w.sink.lock:
        return [(int(re.sub(r"\D", "", r)), d.time) for d in w.sink.deliveries
                for r in d.recipients if re.match(name + r"\d+@", r)]


def releases(w):
    """Queue id -> Unix time of its release, as the log of tollgated has it."""
    found = {}
    for line in w.tollgated.log().split("\n"):
        if "held message released" in line:
            when = datetime.datetime.strptime(line.split(" ")[0], "%Y-%m-%dT%H:%M:%S.%f%z")
            found.setdefault(re.search(r"qid=(\S+)", line).group(1), []).append(when.timestamp())
    return found


# --- in order, and never too many ----------------------------------------------------------------


def send_all(w, count, sender, name="r"):
    """Queue ids, and when each was begun (Unix time)."""
    session = w.client("203.0.113.9", sender)
    sent = []
    for number in range(count):
        began = time.time()
        sent.append((session.send(sender, [recipient(number, name)], mail()), began))
    session.quit()
    return sent


def let_go(w, count, pause_s, timeout_s, at):
    """Releases until all have arrived. at: number of arrivals -> what is done once then."""
    end = time.monotonic() + timeout_s
    while len(arrivals(w)) < count and time.monotonic() < end:
        release(w)
        for number in [n for n in at if n <= len(arrivals(w))]:
            at.pop(number)()
        time.sleep(pause_s)


def kill_and_start(w):
    w.tollgated.kill()
    w.tollgated.start()
    proc.wait_for("control socket", lambda: proc.can_connect(w.tollgated.state + "/control.sock"))


def restart(w):
    w.tollgated.restart()
    proc.wait_for("control socket", lambda: proc.can_connect(w.tollgated.state + "/control.sock"))


def smallest_step(times, most):
    """The shortest time between a message and the one that is `most` later."""
    return min(b - a for a, b in zip(times, times[most:]))


def flow(w, count, most, window_s, pause_s):
    sent = send_all(w, count, ALICE)
    tap.same(on_hold(w) and sorted(on_hold(w)), sorted(q for q, _ in sent[most:]),
             "over the limit, messages go to the hold queue")
    tap.same(wait_counters(w, "example.com", (most, count - most)), (most, count - most),
             "held ones count as stopped, and not as sent")
    tap.same(wait_held_set(w, "example.com", count - most), count - most, "Redis shows them")
    tap.ok(w.attempt(CAROL, [FAR], login=CAROL).accepted and w.delivered(FAR),
           "another domain goes on")
    let_go(w, count, pause_s, 3 * window_s * count / most + 30,
           {most + 1: lambda: restart(w), 2 * most + 1: lambda: kill_and_start(w)})
    came = arrivals(w)
    tap.same([n for n, _ in came], list(range(count)), "all are delivered once, in order")
    released = releases(w)
    times = [when for _, when in sent[:most]] + [released[q][0] for q, _ in sent[most:]]
    step, sink_step = smallest_step(times, most), smallest_step([t for _, t in came], most)
    tap.note("%d messages, %d every %g s: all out after %.1f s; message n+%d came at the earliest "
             "%.2f s after n (let go: %.2f s)" % (count, most, window_s, came[-1][1] - came[0][1],
                                                 most, sink_step, step))
    # A line of the log is a moment later than what it is about, and a delivery may take a while.
    tap.ok(step >= window_s * 0.95, "never more than %d in any %g s" % (most, window_s), times)
    tap.ok(sink_step >= window_s * 0.7, "nor does the next server see more", came)
    tap.same(wait_counters(w, "example.com", (count, count - most)), (count, count - most),
             "each is charged once, when it is let go, over a restart and a kill")
    tap.same(wait_held_set(w, "example.com", 0), 0, "none is left in Redis")
    tap.same(on_hold(w), [], "nor in the hold queue")


# --- what is not to be let go --------------------------------------------------------------------


def age(w, queue_ids, seconds):
    """Makes the ledger's records of held messages older (tollgated is stopped meanwhile)."""
    w.tollgated.stop()
    with sqlite3.connect(w.tollgated.state + "/ledger.db") as ledger:
        changed = sum(ledger.execute("UPDATE held SET time_ms = time_ms - ? WHERE queue_id = ?",
                                     (seconds * 1000, q)).rowcount for q in queue_ids)
    ledger.close()
    tap.same(changed, len(queue_ids), "the ledger has them")
    w.tollgated.start()
    proc.wait_for("control socket", lambda: proc.can_connect(w.tollgated.state + "/control.sock"))


def deleted(w):
    """By the admin, by postsuper."""
    sent = send_all(w, 4, MALLORY, "d")
    held = sent[-1][0]
    release(w)
    w.postfix.command("postsuper", "-d", held)
    tap.ok("cust.example: 1 waiting" in release(w), "a young one may be on its way to hold")
    age(w, [held], 600)
    tap.ok("cust.example: 1 forgotten (deleted)" in release(w), "deleted: it is forgotten")
    tap.same(wait_counters(w, "cust.example", (3, 1)), (3, 1), "and never charged")
    tap.same(wait_held_set(w, "cust.example", 0), 0, "Redis forgets it too")
    tap.ok("No mail is held" in release(w), "nothing is left")


def came_back(w):
    """A queue id that names another message now."""
    held = send_all(w, 4, CAROL, "c")[-1][0]
    release(w)
    # One went out before, and three of these.
    before = wait_counters(w, "example.org", (4, 1))
    age(w, [held], 600)
    tap.ok("example.org: 1 forgotten" in release(w), "an id that came back: forgotten")
    tap.same(on_hold(w), [held], "the new one stays on hold")
    tap.same((before, counters(w, "example.org")), ((4, 1), (4, 1)), "and is not charged")
    w.postfix.command("postsuper", "-d", held)


# --- by hand -------------------------------------------------------------------------------------


def by_hand(w):
    """postsuper -H and -r: charged while the message is in the queue. Then one by its queue id."""
    sender, domain = "www@a.wild.example", "a.wild.example"
    w.tollgated.command("limit", "set", domain, "domain/messages/day", "1", "--action", "hold")
    w.postfix.command("postconf", "-e", "defer_transports=smtp")
    w.postfix.reload()
    sent = [q for q, _ in send_all(w, 5, sender, "h")]
    tap.ok(domain + ": 4 waiting" in release(w), "four are held")
    w.postfix.command("postsuper", "-H", sent[1])
    w.postfix.command("postsuper", "-r", sent[2])
    tap.ok(domain + ": 2 charged (taken off hold by hand), 2 waiting" in release(w),
           "postsuper -H and -r: charged, though there is no room", w.tollgated.log()[-1000:])
    code, out, err = proc.run(release_command(w) + [sent[3]])
    tap.same((code, out, err), (0, domain + ": 1 released\n", ""), "one by its queue id")
    tap.same(on_hold(w), [sent[4]], "the other stays on hold")
    w.postfix.command("postconf", "-e", "defer_transports=")
    w.postfix.reload()
    w.postfix.command("postqueue", "-f")
    w.delivered(recipient(2, "h"))
    tap.same([len(w.deliveries(recipient(n, "h"))) for n in range(1, 4)], [1, 1, 1],
             "all three are delivered once")
    tap.same(wait_counters(w, domain, (4, 4)), (4, 4), "and charged once: a requeued message does "
             "not pass the milter again")
    w.postfix.command("postsuper", "-d", sent[4])


def delivered_by_hand(w):
    """postsuper let messages go, and they are gone from the queue when the next run looks."""
    sender, domain = "www@b.wild.example", "b.wild.example"
    w.tollgated.command("limit", "set", domain, "domain/messages/day", "1", "--action", "hold")
    sent = [q for q, _ in send_all(w, 6, sender, "g")]
    tap.ok(domain + ": 5 waiting" in release(w), "five are held")
    w.postfix.command("postsuper", "-d", sent[3])
    w.postfix.command("postsuper", "-H", sent[1])
    w.postfix.command("postsuper", "-r", sent[2])
    w.postfix.command("postsuper", "-H", sent[4], "-d", sent[5])
    w.postfix.command("postqueue", "-f")
    for number in (1, 2, 4):
        w.delivered(recipient(number, "g"))
    w.postfix.wait_empty()
    tap.ok(domain + ": 3 charged (taken off hold by hand), 2 waiting" in release(w),
           "delivered before the next run: charged; deleted: not yet sure", w.postfix.log()[-3000:])
    age(w, [sent[3], sent[5]], 600)
    tap.ok(domain + ": 2 forgotten (deleted)" in release(w), "deleted: forgotten")
    tap.same(wait_counters(w, domain, (4, 5)), (4, 5), "each that was delivered is charged once")
    tap.ok(domain not in release(w), "none is left")


def all_by_hand(w):
    """ALL: the log of postsuper names no message."""
    sender, domain = "www@c.wild.example", "c.wild.example"
    w.tollgated.command("limit", "set", domain, "domain/messages/day", "1", "--action", "hold")
    for verb, word in (("-H", "charged"), ("-r", "charged"), ("-d", "forgotten")):
        send_all(w, 3, sender, "a")
        held = on_hold(w)
        release(w)
        w.postfix.command("postsuper", verb, "ALL")
        w.postfix.command("postqueue", "-f")
        w.postfix.wait_empty()
        if verb == "-d":
            age(w, held, 600)
        out = release(w)
        tap.ok(len(held) >= 2 and "%s: %d %s" % (domain, len(held), word) in out,
               "postsuper %s ALL" % verb, out, w.postfix.log()[-3000:])


def other_instance(w):
    """A release that looks at another instance of Postfix forgets nothing of this one."""
    os.mkdir(w.folder + "/other")
    other = postfix_server.Postfix(w.folder + "/other", "example.net", sink_port=w.sink.port)
    other.start()
    held = send_all(w, 4, MALLORY, "o")[-1][0]
    age(w, [held], 600)
    code, out, err = proc.run(release_command(w)[:-1] + [other.conf])
    tap.same((code, "not found in the queues" in out, err), (0, True, ""), "it is not found there",
             out)
    tap.same(wait_held_set(w, "cust.example", 1), 1, "and is not forgotten")
    age(w, [held], -600)
    proc.wait_for("its release", lambda: "1 released" in release(w))
    w.delivered(recipient(3, "o"))
    other.stop()


# --- kills at any time ---------------------------------------------------------------------------


def killed(w):
    """Both tollgated and `tollgate release` are killed while messages are let go."""
    hand = random.Random(7)
    sender, count = "www@shop.example", 12
    sent = send_all(w, count, sender, "k")
    end = time.monotonic() + 400
    ended = threading.Event()

    def releaser():
        while not ended.is_set():
            p = subprocess.Popen(release_command(w), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            try:
                p.wait(hand.uniform(0.01, 0.6))
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
            p.wait()

    thread = threading.Thread(target=releaser, daemon=True)
    thread.start()
    kills = 0
    while len(arrivals(w, "k")) < count and time.monotonic() < end:
        time.sleep(hand.uniform(0.1, 1.5))
        kill_and_start(w)
        kills += 1
    ended.set()
    thread.join()
    came = sorted(n for n, _ in arrivals(w, "k"))
    tap.same(came, list(range(count)), "killed again and again: each is delivered once")
    tap.note("%d kills of tollgated" % kills)
    release(w)
    tap.same(wait_counters(w, "shop.example", (count, count - 3)), (count, count - 3),
             "and charged once")
    several = {q: n for q, n in releases(w).items() if len(n) > 1}
    tap.same((several, on_hold(w)), ({}, []), "none was released twice, none is left", sent)


def main():
    tap.need("postfix", "redis-server", "setpriv", root=True)
    # Deliveries one after the other, so that their order can be seen.
    more = "default_destination_concurrency_limit = 1\nsmtp_connection_cache_on_demand = no\n"
    w = Site(more, settings(10, "60s") if FULL else settings(3, "5s"))
    if FULL:
        flow(w, 40, 10, 60, 1)
    else:
        # Nine messages are to come within the window, however slow the machine is.
        w.tollgated.command("limit", "set", "example.com", "domain/messages/12s", "3", "--action",
                            "hold")
        flow(w, 9, 3, 12, 0.2)
        deleted(w)
        came_back(w)
        by_hand(w)
        delivered_by_hand(w)
        all_by_hand(w)
        other_instance(w)
        killed(w)
    w.stop()


tap.run(main)
