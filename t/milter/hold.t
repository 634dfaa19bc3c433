#!/usr/bin/env python3
"""Held messages: into the MTA's hold queue, out of it through the control socket in order, charged
then and once, over restarts and kills."""

import json
import os
import re
import socket
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

ALICE, CAROL, FAR = "alice@example.com", "carol@example.org", "a@far.test"
MESSAGE = milterclient.message_of(["Subject: hi"], 300)


class Site:
    def __init__(self, per, maximum):
        self.per = per
        self.folder = proc.scratch("hold")
        os.mkdir(self.folder + "/redis")
        self.server = redis_server.RedisServer(self.folder + "/redis")
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [
                {"scope": "domain", "metric": "messages", "max": str(maximum), "per": per,
                 "action": "hold"}]}]})
        self.daemon.host(["example.com", "example.org"])
        self.daemon.start()
        self.control = self.daemon.state + "/control.sock"

    def send(self, sender=ALICE):
        with milterclient.Session(self.daemon.socket, auth=sender) as s:
            return s.deliver(sender, [FAR], MESSAGE)

    def held(self, **more):
        return self.daemon.ask(cmd="held", **more)["held"]

    def waiting(self):
        return [m["id"] for m in self.held() if not m["released"]]

    def make_room(self):
        """The window of the domain loses what it has consumed."""
        self.redis("DEL", "tg:{example.com}:window:messages:%s" % self.per)

    def release(self, message, cmd="release", **more):
        return self.daemon.ask(cmd=cmd, id=message["id"], number=message["number"], **more)

    def counters(self, messages, account="example.com"):
        """out_messages and throttled_messages, when all is counted."""
        proc.wait_for("count", lambda: self.total("out_messages", account) >= messages)
        return self.total("out_messages", account), self.total("throttled_messages", account)

    def total(self, name, account):
        return int(self.redis("HGET", "tg:{%s}:total" % account, name) or 0)

    def members(self):
        return self.redis("ZRANGE", "tg:{example.com}:held", "0", "-1")


def wait_members(site, count):
    try:
        proc.wait_for("held set", lambda: len(site.members()) == count)
    except TimeoutError:
        pass
    return len(site.members())


def test_hold():
    site = Site("hour", 2)
    sent = [site.send() for _ in range(6)]
    tap.ok(all(r.accepted for r in sent), "six messages are taken", sent)
    over = [r for r in sent if r.held]
    tap.same(len(over), 4, "four of them into the hold queue")
    tap.ok("limit of 2 messages per hour" in over[0].held, "with the reason", over[0].held)
    other = site.send(CAROL)
    tap.ok(other.accepted and not other.held, "another domain goes on")
    held = site.held()
    tap.same([m["id"] for m in held], [r.queue_id for r in over], "they stand in order")
    tap.same(site.held(account="example.org"), [], "none of another domain")
    proc.wait_for("all stopped", lambda: site.total("throttled_messages", "example.com") >= 4)
    tap.same(site.counters(2), (2, 4), "two are charged, four stopped")
    tap.same(wait_members(site, 4), 4, "Redis shows them")
    tap.ok(site.members()[0] == "mx1/" + over[0].queue_id, "by node and queue id", site.members())
    tap.same(stat.S_IMODE(os.stat(site.control).st_mode), 0o600, "the socket is its owner's")

    tap.ok("wait_s" in site.release(held[0]), "there is no room")
    site.make_room()
    proc.wait_for("room", lambda: site.release(held[0]).get("ok"))
    tap.same(site.release(held[0]), {"ok": True}, "released twice")
    proc.wait_for("room", lambda: site.release(held[1]).get("ok"))
    answer = site.release(held[2])
    tap.ok(answer.get("limit") == "domain/messages/hour" and
           3000 < answer.get("wait_s", 0) <= 3661,
           "for the next there is no room yet", answer)
    tap.same(site.counters(4), (4, 4), "each is charged once, when it is released")
    tap.same([m["released"] for m in site.held()], [True, True, False, False], "the list says so")

    site.daemon.kill()
    site.daemon.start()
    tap.same(site.waiting(), [r.queue_id for r in over[2:]], "over a kill nothing is forgotten")
    for queue in ({}, {"queue": "/etc/postfix"}):
        tap.ok("only the queue" in site.release(held[2], "forget", **queue).get("error", ""),
               "a queue that it was not seen in cannot have it forgotten", queue)
    tap.same([m["queue"] for m in site.held()], [""] * 4, "their queues are not known")
    numbers = [m["number"] for m in held[1:3]] + [999]
    tap.same(site.daemon.ask(cmd="place", queue="/etc/postfix", numbers=numbers), {"ok": True},
             "a queue reports what it has on hold")
    tap.same([m["queue"] for m in site.held()], ["", "", "/etc/postfix", ""],
             "that is kept for those still held")
    tap.ok("only the queue" in site.release(held[2], "forget", queue="").get("error", ""),
           "then only that queue counts")
    tap.same(site.release(held[2], "forget", queue="/etc/postfix"), {"ok": True},
             "a deleted one is forgotten")
    site.make_room()
    proc.wait_for("room", lambda: site.release(held[3]).get("ok"))
    tap.same(site.counters(5), (5, 4), "and never charged")
    site.daemon.restart()
    tap.same((site.waiting(), site.counters(5)), ([], (5, 4)), "so it is after a restart")
    tap.same(wait_members(site, 0), 0, "Redis shows none")
    tap.same(len(re.findall("held message released", site.daemon.log())), 3, "the log has them")
    tap.same(site.daemon.complaints(), [], "no complaint")
    site.daemon.stop()
    tap.ok(not os.path.exists(site.control), "the socket goes with the daemon")
    site.server.stop()


def test_by_hand():
    """By an admin, or by the MTA's own means: charged, over the limit if need be."""
    site = Site("hour", 1)
    held = [r for r in (site.send() for _ in range(5)) if r.held]
    first, second, third, fourth = site.held()
    tap.ok("wait_s" in site.release(first), "there is no room")
    tap.same(site.release(first, by="admin"), {"ok": True, "over": True},
             "an admin releases it all the same")
    tap.same(site.release(second, by="mta"), {"ok": True, "over": True},
             "one that left the hold queue")
    tap.same(site.counters(3), (3, 4), "both are charged")
    for event, r in (("held message released by an admin, over its limit", held[0]),
                     ("held message left the hold queue by hand, over its limit", held[1])):
        tap.ok(re.search("notice: %s qid=%s " % (event, r.queue_id), site.daemon.log()),
               "the log says: " + event, site.daemon.log()[-2000:])
    site.redis("FLUSHALL")
    tap.ok("wait_s" not in site.release(third, by="admin"), "the third")
    tap.ok(re.search("notice: held message released by an admin qid=" + held[2].queue_id,
                     site.daemon.log()), "fits, after Redis lost its windows")
    used = site.daemon.command("usage", "example.com", "--format", "csv")[1]
    tap.ok(",1," in used, "and is consumed", used)
    site.server.stop()
    tap.ok(site.release(fourth, by="mta").get("ok"), "without Redis, what has left counts as well")
    tap.same([m["released"] for m in site.held()], [True] * 4, "and is known as released")
    tap.same(site.daemon.complaints(), [], "no complaint")
    site.daemon.stop()


def test_bad_requests():
    site = Site("hour", 1)
    for request in ({"cmd": "dance"}, {}, {"cmd": "release"},
                    {"cmd": "release", "id": 5, "number": 1},
                    {"cmd": "release", "id": "X", "number": 99},
                    {"cmd": "place"}, {"cmd": "place", "queue": "", "numbers": []},
                    {"cmd": "place", "queue": "/etc/postfix", "numbers": 1},
                    {"cmd": "forget", "id": "X", "number": -1}):
        tap.ok("error" in site.daemon.ask(**request), "an error for %s" % request)
    for raw in (b"nonsense\n", b"[1,2]\n", b'{"cmd":"held","cmd":"held"}\n', b"\0\n",
                b"{" * 5000 + b"\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(site.control)
            s.sendall(raw)
            tap.ok("error" in json.loads(s.makefile().readline()), "an error for %r" % raw[:30])
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(site.control)
        try:
            s.sendall(b"x" * 200000)
        except OSError:
            pass
        tap.ok(site.held() == [], "an endless line is cut off, the next one is served")
    tap.same(site.daemon.complaints(), [], "no complaint")
    site.daemon.stop()
    site.server.stop()


def test_asked():
    """Requests to release, which the pages leave in the store."""
    site = Site("1h", 1)
    key = "tg:{@mx1}:release"
    tap.same(site.daemon.ask(cmd="asked"), {"asked": []}, "nothing was asked for")
    for queue_id, value in (("4ABC", {"account": "example.com", "held": 1795878503, "by": "anna",
                                      "client": "192.0.2.1", "reason": 'a "b"', "at": 1795878600}),
                            ("4DEF", {"account": "example.org", "held": 7, "by": "eve"}),
                            ("ODD", {"by": "eve"}), ("", {"account": "a", "by": "b"})):
        site.redis("HSET", key, queue_id, json.dumps(value))
    site.redis("HSET", key, "WORSE", "no JSON")
    asked = sorted(site.daemon.ask(cmd="asked")["asked"], key=lambda a: a["id"])
    tap.same(asked, [{"id": "4ABC", "account": "example.com", "held": 1795878503},
                     {"id": "4DEF", "account": "example.org", "held": 7}],
             "tollgated has them for the command")
    for queue_id, released in (("4ABC", True), ("4DEF", False), ("4XYZ", True)):
        tap.same(site.daemon.ask(cmd="asked_done", id=queue_id, released=released), {"ok": True},
                 "done")
    tap.same(site.daemon.ask(cmd="asked"), {"asked": []}, "they are gone")
    tap.same(sorted(site.redis.hash(key)), ["", "ODD", "WORSE"], "what is none stays")
    log = site.daemon.log()
    tap.ok('notice: released as asked by=anna client=192.0.2.1 qid=4ABC account=example.com '
           'reason="a \\"b\\""' in log and
           "not released: held no longer by=eve" in log and "4XYZ" not in log,
           "the log says who asked, from where and why")
    tap.ok("error" in site.daemon.ask(cmd="asked_done"), "one without a queue id is refused")
    site.redis("DEL", key)
    site.redis("SET", key, "x")
    tap.same(site.daemon.ask(cmd="asked"), {"asked": []}, "a key of another type has none")
    site.server.stop()
    tap.same(site.daemon.ask(cmd="asked"), {"asked": []}, "nor has a store that is away")
    tap.ok("error" in site.daemon.ask(cmd="asked_done", id="4ABC", released=True), "which is said")
    site.daemon.stop()


def main():
    tap.need("redis-server")
    test_hold()
    test_by_hand()
    test_bad_requests()
    test_asked()


tap.run(main)
