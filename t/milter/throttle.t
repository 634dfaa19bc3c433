#!/usr/bin/env python3
"""Limits through the running daemon: two nodes at once, who is stopped and who is not, bounces,
observe mode, changes at run time, and a store that stalls, refuses or dies."""

import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
import tollgated
from limit_site import MESSAGE, SIZE, Site, limit, settings

NODES, CONNECTIONS, MESSAGES, LIMIT = 2, 64, 5000, 1000
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.org"
OUTSIDE, FAR = "x@elsewhere.test", "a@far.test"
SLACK_S = 10  # what a loaded machine may add; fifty messages that wait take more


# --- many at once --------------------------------------------------------------------------------


class Racer(threading.Thread):
    def __init__(self, site, number):
        super().__init__()
        self.site, self.number = site, number
        self.passed, self.stopped, self.lost, self.smallest, self.faults = 0, 0, 0, 99, []

    def run(self):
        socket = self.site.nodes[self.number % NODES].socket
        try:
            with milterclient.Session(socket, auth=ALICE) as s:
                for i in range(MESSAGES // CONNECTIONS + 1):
                    self.message(s, 1 + (7 * self.number + 3 * i) % 10)
        except Exception as e:  # pylint: disable=broad-except
            self.faults.append(repr(e))

    def message(self, session, count):
        result = session.deliver(ALICE, ["r%d@far.test" % i for i in range(count)], MESSAGE)
        if result.accepted:
            self.passed += len(result.recipients)
            if len(result.recipients) != count:
                self.faults.append("cut to %d of %d" % (len(result.recipients), count))
        elif "Sending limits cannot be checked now" in result.text:
            self.lost += count
        elif "limit of %d recipients per hour" % LIMIT in result.text:
            self.stopped += count
            self.smallest = min(self.smallest, count)
        else:
            self.faults.append(repr(result))


def test_race():
    """Each message by a trip of its own; t/milter/leases.t has the other way. A store that does not
    answer in time, on a machine with much else to do, defers the message, and may have counted it
    all the same."""
    site = Site("race", limit("domain/recipients/hour", LIMIT), nodes=NODES, timeout="10s",
                on_failure="defer", throttle={"leases": False})
    racers = [Racer(site, n) for n in range(CONNECTIONS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    passed = sum(r.passed for r in racers)
    smallest = min(r.smallest for r in racers)
    tap.none([f for r in racers for f in r.faults][:10], "each message passes whole, or is refused")
    tap.ok(passed <= LIMIT, "never over the limit, on two nodes together", passed)
    lost = sum(r.lost for r in racers)
    tap.ok(LIMIT - passed - lost < smallest, "what is left is less than the smallest refused",
           passed, lost, smallest)
    tap.note("%d of %d let through, smallest refused %d" % (passed, LIMIT, smallest))
    tap.same(site.wait_counter("out_recipients", passed), passed, "counted as clients were told")
    for node in site.nodes:
        node.stop()
    stopped = sum(r.stopped for r in racers)
    tap.same(site.counter("throttled_recipients"), stopped, "and so is what was stopped")
    tap.ok(site.counter("violations_recipients") >= 1, "a violation is counted")
    tap.ok(int(site.redis("XLEN", "tg:{example.com}:violations")) >= 1, "and in the stream")
    site.stop()


# --- who is stopped ------------------------------------------------------------------------------


def test_who():
    site = Site("who", limit("domain/recipients/hour", 3))
    tap.ok(site.send(ALICE, [FAR, "b@far.test", "c@far.test"], auth=ALICE).accepted,
           "up to the limit")
    over = site.send(ALICE, [FAR], auth=ALICE)
    tap.ok(not over.accepted and
           over.text.startswith("450 4.7.1 example.com: limit of 3 recipients"),
           "one more is deferred, with account and limit", over)
    # For a second: who comes later is stopped at the end, and from then on at RCPT.
    tap.ok(proc.wait_result("a refusal at RCPT", lambda: site.send(ALICE, [FAR], auth=ALICE),
                            lambda r: r.stage == "rcpt"), "from then on at RCPT")
    tap.ok(site.send(OUTSIDE, [ALICE]).accepted, "inbound mail goes on")
    tap.ok(site.send(ALICE, [CAROL], auth=ALICE).accepted, "local mail goes on")
    mixed = proc.wait_result("a mixed one", lambda: site.send(ALICE, [CAROL, FAR], auth=ALICE),
                             lambda r: r.accepted)
    tap.same(mixed.recipients, [CAROL], "of a mixed one the local part")
    tap.ok(site.send(CAROL, [FAR], auth=CAROL).accepted, "another domain goes on")
    forged = site.send(CAROL, [FAR], auth=ALICE)
    tap.ok(not forged.accepted and "example.com" in forged.text,
           "a login cannot spend another domain's limit by a forged sender", forged)
    for _ in range(3):
        site.send(CAROL, [FAR])
    tap.ok(site.send(CAROL, [FAR, "b@far.test"], auth=CAROL).accepted,
           "a forger from outside spends nobody's")
    tap.same(site.wait_counter("out_recipients", 3, "example.org"), 3, "as is counted")
    script = site.send(ALICE, [FAR], client=None)
    tap.same((script.accepted, script.stage), (False, "eom"),
             "the sendmail command is refused at its end only")
    line = [x for x in site.nodes[0].log().split("\n") if " violation " in x][0]
    tap.ok("domain=example.com" in line and "limit=3/hour used=3 wanted=1 action=defer" in line and
           "client=203.0.113.9" in line and "from=alice@example.com" in line, "it is logged", line)
    site.stop()


def test_bounces():
    site = Site("bounces", limit("domain/bounces/hour", 20))
    replies = [site.send("<>", [ALICE]) for _ in range(30)]
    tap.same([r.accepted for r in replies], [True] * 20 + [False] * 10, "20 of 30 bounces pass")
    tap.same(replies[-1].stage, "rcpt", "the rest is refused at RCPT")
    tap.ok(site.send(OUTSIDE, [ALICE]).accepted, "normal mail for the domain passes")
    both = site.send("<>", [ALICE, CAROL])
    tap.same(both.recipients, [CAROL], "a bounce to two domains: only the one that is over")
    tap.same(site.wait_counter("throttled_bounces", 11), 11, "counted")
    tap.same(site.counter("bounces_received"), 20, "those that passed too")
    site.stop()


def test_observe():
    site = Site("observe", limit("domain/recipients/hour", 2, "reject", soft=50), mode="observe")
    tap.ok(all(site.send(ALICE, [FAR], auth=ALICE).accepted for _ in range(5)), "all let through")
    tap.same(site.wait_counter("observed_messages", 3), 3, "what would have stopped is counted")
    tap.same(site.counter("throttled_messages"), 0, "nothing was")
    tap.same(site.counter("violations_recipients"), 1, "crossed once")
    lines = site.nodes[0].log().count(" violation domain=")
    tap.same(lines, 1, "one line in the log, not one a message")
    tap.ok("soft limit domain=example.com" in site.nodes[0].log(), "the soft percentage is told")
    site.stop()


def test_peak():
    """What is observed is logged now and then only; the highest value is known all the same."""
    site = Site("peak", limit("domain/recipients/hour", 10, "reject"), mode="observe")
    for _ in range(30):
        site.send(ALICE, [FAR, "b@far.test"], auth=ALICE)
    entries = lambda: [dict(zip(f[::2], f[1::2])) for _, f in
                       site.redis("XRANGE", "tg:{example.com}:violations", "-", "+")]
    peak = lambda: max((int(f["used"]) + int(f["wanted"]) for f in entries()), default=0)
    proc.wait_for("the peak", lambda: peak() == 60)
    tap.ok(len(entries()) <= 4, "a few entries for 25 violations", len(entries()))
    tap.same([f["event"] for f in entries()][-1], "peak", "the last is the peak")
    _, out, _ = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", site.nodes[0].conf,
                          "violations", "--summary", "--format", "json"])
    row = json.loads(out)["limits"][0]
    tap.same((row["peak"], row["suggested"] >= 72, row["user"]), (60, True, None),
             "the summary knows it", row)
    _, out, _ = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", site.nodes[0].conf,
                          "violations", "--format", "json"])
    tap.ok('"peak"' not in out and out, "the list of violations has none", out)
    site.stop()


NOTIFY = """#!/bin/sh
env | grep ^TOLLGATE_ > %s.part && mv %s.part %s
"""


def test_fields():
    """The log line, the streams, `tollgate violations` and the notify program say the same, and who
    it was, whichever the scope."""
    wanted = {"domain": "example.com", "user": ALICE, "scope": "domain", "metric": "recipients",
              "limit": "3/hour", "used": "0", "wanted": "4", "action": "defer",
              "retry_after": "-1", "client": "203.0.113.9", "from": "ceo@elsewhere.test",
              "login": ALICE}
    for scope, account in (("domain", "example.com"), ("user", "example.com"),
                           ("customer", "@customer:4711"), ("server", "@server"),
                           ("client", "@client:203.0.113.9")):
        folder = proc.scratch("notify-" + scope)
        told = folder + "/told"
        proc.write_text(folder + "/notify", NOTIFY % (told, told, told))
        os.chmod(folder + "/notify", 0o755)
        proc.write_text(folder + "/customers", "example.com 4711\n")
        site = Site("fields-" + scope, limit(scope + "/recipients/hour", 3),
                    throttle={"notify": folder + "/notify"},
                    billing={"customers": ["file:%s/customers" % folder]})
        site.send("ceo@elsewhere.test", ["%d@far.test" % i for i in range(4)], auth=ALICE)
        proc.wait_for("notify", lambda: os.path.exists(told))
        want = dict(wanted, domain=account, scope=scope)
        line = [x for x in site.nodes[0].log().split("\n") if " violation " in x][0]
        logged = dict(w.split("=", 1) for w in line.split(" violation ")[1].split(" "))
        want["qid"] = logged.get("qid")
        tap.same(logged, want, scope + ": the log line")
        _, fields = site.redis("XRANGE", "tg:violations", "-", "+")[0]
        entry = dict(zip(fields[::2], fields[1::2]))
        tap.same(entry.pop("event"), "violation", scope + ": the event")
        tap.ok(abs(int(entry.pop("time_ms")) / 1000 - time.time()) < 600, scope + ": the time")
        tap.same(entry, want, scope + ": the entry of the stream")
        _, fields = site.redis("XRANGE", "tg:{%s}:violations" % account, "-", "+")[0]
        tap.same(fields[fields.index("login") + 1], ALICE, scope + ": and of the account's")
        env = dict(x.split("=", 1) for x in proc.read_text(told).split("\n") if x)
        tap.same({k[9:].lower(): v for k, v in env.items()}, want, scope + ": the environment")
        _, out, _ = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", site.nodes[0].conf,
                              "violations", "--format", "json"])
        row = json.loads(out)
        tap.same((row["account"], row["user"], row["login"], row["from"], row["client"],
                  row["queue_id"], row["used"], row["wanted"], row["max"]),
                 (account, ALICE, ALICE, want["from"], want["client"], want["qid"], 0, 4, 3),
                 scope + ": the command")
        site.stop()


def test_clients():
    """An IPv6 client is its /64; ::ffff:a.b.c.d is IPv4, for limits and POP before SMTP alike."""
    site = Site("clients", limit("client/messages/hour", 3))
    sent = lambda client: site.send(ALICE, [FAR], auth=ALICE, client=client).accepted
    tap.same([sent("2001:db8:7::%x" % i) for i in range(1, 6)], [True] * 3 + [False] * 2,
             "five addresses of one network")
    tap.ok(sent("2001:db8:7:1::1"), "another network is another client")
    tap.same([sent(c) for c in ("198.51.100.7", "::ffff:198.51.100.7") * 2],
             [True, True, True, False], "two spellings, one client")
    keys = site.redis("KEYS", "tg:{@client*window*")
    tap.same(sorted(keys), ["tg:{@client:%s}:window:messages:hour" % c for c in
                            ("198.51.100.7", "2001:db8:7:1::/64", "2001:db8:7::/64")],
             "one window each")
    site.redis("SET", "tg:popauth:{192.0.2.77}", "pop@example.org", "EX", "1800")
    tap.ok(site.send("pop@example.org", [FAR], client="::ffff:192.0.2.77").accepted, "POP")
    tap.same(site.wait_counter("out_messages", 1, "example.org"), 1,
             "POP before SMTP of ::ffff:192.0.2.77")
    tollgate = os.path.join(proc.BUILD, "tollgate"), "-c", site.nodes[0].conf
    for who in ("@client:2001:db8:7:0:1::9", "@client:198.51.100.7"):
        code, out, err = proc.run([*tollgate, "limit", "set", who, "client/messages/hour", "5"])
        tap.same(code, 0, "more for one client: " + who, out, err)
    proc.wait_for("override", lambda: sent("198.51.100.7"))
    tap.same([sent("198.51.100.7"), sent("::ffff:198.51.100.7")], [True, False], "to its limit")
    tap.same([sent("2001:db8:7::%x" % i) for i in range(10, 13)], [True, True, False],
             "a network, too")
    for who in ("2001:db8:7::1", "2001:db8:7::/64", "::ffff:198.51.100.7", "198.51.100.7"):
        _, out, _ = proc.run([*tollgate, "violations", "@client:" + who, "--format", "json"])
        tap.ok('"account"' in out, "violations of one client: " + who, out)
    tap.same([sent("198.51.100.8") for _ in range(4)], [True] * 3 + [False],
             "another has the limit of all")
    site.stop()


def test_one_user():
    site = Site("one-user", limit("user/messages/day", 1))
    tollgate = os.path.join(proc.BUILD, "tollgate"), "-c", site.nodes[0].conf
    code, out, err = proc.run([*tollgate, "limit", "set", ALICE, "user/messages/day", "2"])
    tap.same((code, out.startswith(ALICE + ": user/messages/day is 2 (before: 1)")),
             (0, True), "a limit of one user", out, err)
    proc.wait_for("override", lambda: site.send(ALICE, [FAR], auth=ALICE).accepted and
                  site.send(ALICE, [FAR], auth=ALICE).accepted)
    tap.same([site.send(u, [FAR], auth=u).accepted for u in (ALICE, BOB, BOB)],
             [False, True, False], "others keep theirs")
    code, out, err = proc.run([*tollgate, "limit", "unset", ALICE, "user/messages/day"])
    tap.ok(code == 0 and "removed" in out, "taken back", out, err)
    tap.same(site.redis("HGETALL", "tg:{example.com}:limits"), [], "nothing is left of it")
    site.stop()


def test_strangers():
    """Names that strangers make up, under a wildcard entry and as recipients of bounces."""
    proc.month_lasts(120)
    site = Site("strangers", limit("user/bounces/day", 100), limit("domain/bounces/day", 1000),
                accounting={"names_max": 3, "users_max": 5})
    site.nodes[0].host(["example.com", ".wild.example"])
    site.nodes[0].reload()
    proc.wait_for("the wildcard", lambda: site.send(OUTSIDE, ["a@n0.wild.example"]).accepted and
                  site.counter("in_messages", "n0.wild.example"))
    site.send("<>", ["SRS0=h=XY=gmail.test=u@example.com", "prvs=1234567890=alice@example.com"])
    site.wait_counter("bounces_received", 1)
    for i in range(20):
        site.send("<>", ["a@n%d.wild.example" % i, "u%d@example.com" % i,
                         "SRS0=h%d=XY=gmail.test=u%d@example.com" % (i, i),
                         "prvs=%010d=alice@example.com" % i])
    tap.same(site.wait_counter("bounces_received", 17, "wild.example"), 17,
             "names beyond accounting.names_max are the entry's")
    # Rows go to Redis one after the other.
    tollgated.wait_pushed(site.redis)
    keys = site.redis("KEYS", "tg:{*wild.example}:total")
    tap.same(len(keys), 4, "accounts of three names and the entry", keys)
    windows = site.redis("KEYS", "tg:{*}:window:bounces:day*")
    names = sorted(k.partition(":window:bounces:day:")[2] for k in windows if "{example.com}" in k)
    tap.same(names[:2], ["", "_other"], "windows of users are bounded, too")
    tap.ok("_srs" in names and ALICE in names, "an SRS form is one user, BATV the user inside",
           names)
    tap.same(len(names), 7, "users_max, the others' and the domain's own", names)
    tap.same(len({k for k in windows if "wild.example}" in k and k.endswith(":day")}), 4,
             "and those of names", windows)
    for restart in range(3):
        site.nodes[0].restart()
        for i in range(20, 30):
            site.send("<>", ["a@n%d-%d.wild.example" % (restart, i), "u%d-%d@example.com" % (
                restart, i)])
        site.send("<>", ["a@n0.wild.example", "u0@example.com"])
    tap.same(site.wait_counter("bounces_received", 47, "wild.example"), 47,
             "after restarts, too")
    tollgated.wait_pushed(site.redis)
    tap.same(sorted(site.redis("KEYS", "tg:{*wild.example}:total")), sorted(keys),
             "the accounts of this month keep their places, and no name gets another")
    tap.same(sorted(site.redis("KEYS", "tg:{*}:window:bounces:day*")), sorted(windows),
             "nor a window")
    users = site.redis("HKEYS", site.redis("KEYS", "tg:{example.com}:users:month:*")[0])
    tap.ok("_srs bounces_received" in users, "it is counted as such", users)
    site.stop()


def test_run_time():
    site = Site("run-time", limit("user/messages/day", 1))
    tap.ok(site.send(ALICE, [FAR], auth=ALICE).accepted, "alice's one")
    tap.ok(not site.send(ALICE, [FAR], auth=ALICE).accepted, "no second")
    tap.ok(site.send(BOB, [FAR], auth=BOB).accepted, "bob has his own")
    site.redis("HSET", "tg:{example.com}:limits", "user/messages/day", "max=3 action=defer")
    begun = time.monotonic()
    proc.wait_for("override", lambda: site.send(ALICE, [FAR], auth=ALICE).accepted)
    tap.ok(time.monotonic() - begun < 5 + SLACK_S,
           "an override acts within seconds, without a reload")
    tap.ok(site.send(ALICE, [FAR], auth=ALICE).accepted, "a third")
    tap.ok(not site.send(ALICE, [FAR], auth=ALICE).accepted, "what was consumed stays consumed")
    site.stop()


# --- the store away ------------------------------------------------------------------------------


def timed(site, count):
    begun = time.monotonic()
    results = [site.send(CAROL, [FAR], auth=CAROL) for _ in range(count)]
    return results, time.monotonic() - begun


def stalled(on_failure):
    site = Site("stalled-" + on_failure, limit("domain/recipients/hour", 40), nodes=1,
                timeout="250ms", on_failure=on_failure)
    # A slow machine may take longer for an answer.
    tap.ok(proc.wait_for("the store", lambda: site.send(CAROL, [FAR], auth=CAROL).accepted),
           on_failure + ": the store answers")
    site.server.freeze()
    first, one = timed(site, 1)
    more, rest = timed(site, 50)
    tap.ok(one < SLACK_S, "the first message waits for the timeout, not more", one)
    tap.ok(rest < SLACK_S, "fifty more do not wait for it at all", rest)
    passed = sum(r.accepted for r in first + more)
    want = {"local": 39, "accept": 51, "defer": 0}[on_failure]
    tap.same(passed, want, "%s: of 51 messages so many pass" % on_failure)
    site.server.thaw()
    proc.wait_for("the store limits again", lambda: site.redis("EXISTS", "tg:{example.org}:total"))
    tap.same(site.wait_counter("out_recipients", 1 + passed, "example.org"), 1 + passed,
             "the totals are exact in the end")
    site.stop()


def test_refusing():
    site = Site("refusing", limit("domain/recipients/hour", 4), timeout="1s")
    redis = site.redis
    redis("CONFIG", "SET", "maxmemory", "1")
    passed = sum(r.accepted for r in timed(site, 6)[0])
    tap.same(passed, 4, "a store out of memory: this process limits")
    redis("CONFIG", "SET", "maxmemory", "0")
    redis("REPLICAOF", "127.0.0.1", "1")
    passed += sum(r.accepted for r in timed(site, 2)[0])
    redis("REPLICAOF", "NO", "ONE")
    for _ in range(3):
        redis("SCRIPT", "FLUSH")
        passed += sum(r.accepted for r in timed(site, 1)[0])
    site.server.kill()
    passed += sum(r.accepted for r in timed(site, 3)[0])
    site.server.start()
    site.redis = site.server.connect()
    tap.same(site.wait_counter("out_recipients", passed, "example.org"), passed,
             "read-only, scripts flushed, killed: the totals are exact in the end", passed)
    tap.ok("limits cannot be checked in the store" in site.nodes[0].log(), "the log says why")
    site.stop()


def main():
    tap.need("redis-server")
    test_race()
    test_who()
    test_bounces()
    test_observe()
    test_peak()
    test_fields()
    test_clients()
    test_one_user()
    test_strangers()
    test_run_time()
    for on_failure in ("local", "accept", "defer"):
        stalled(on_failure)
    test_refusing()


tap.run(main)
