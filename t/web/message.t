#!/usr/bin/env python3
"""/q/QUEUE-ID with a real tollgated on the same machine: as what a message was counted, to each his
part; and the socket by which it is asked, which changes nothing and is bounded."""

import json
import os
import re
import socket
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import milterclient
import proc
import redis_server
import tap
import tollgated
from web import Web

PASSWORD = "correct horse"
MESSAGE = milterclient.message_of(["Subject: hi"], 300)
SEEN = "Counted</h2>"


class Site:
    def __init__(self):
        self.folder = proc.scratch("message")
        self.redis = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(
            self.folder, self.redis.url, "unix:%s/milter.sock" % self.folder,
            {"throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [
                {"scope": "domain", "metric": "messages", "max": "2", "per": "day",
                 "action": "hold"}]}]})
        self.daemon.host(["own.example", "foreign.example"])
        self.daemon.start()
        self.socket = self.daemon.state + "/questions.sock"
        os.mkdir(self.folder + "/pages")
        os.symlink(self.daemon.state, self.folder + "/pages/state")
        self.web = Web(self.folder + "/pages", self.redis.url)
        self.web.start()
        self.roles = {}
        for role, name, domains in (("admin", "root", ""), ("domain", "anna", "own.example"),
                                    ("user", "alice@own.example", "")):
            self.web.add_user(name, PASSWORD, role, domains)
            self.roles[role] = self.web.sign_in(name, PASSWORD)

    def log_line(self, program, text):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
        return "%s mx1 postfix/%s[77]: %s\n" % (stamp, program, text)

    def collect(self, queue_id):
        """A collector that reads what Postfix says of the message."""
        c = collector.Collector(self.folder, self.redis.url, {"state_dir": self.daemon.state})
        proc.write_text(c.log_path, "")
        c.start()
        proc.write_text(c.log_path, "".join(self.log_line(*line) for line in (
            ("smtpd", queue_id + ": client=mx.far.test[203.0.113.9]"),
            ("cleanup", queue_id + ": message-id=<1@far.test>"),
            ("qmgr", queue_id + ": from=<x@far.test>, size=300, nrcpt=2 (queue active)"),
            ("smtp", queue_id + ": to=<carol@foreign.example>, "
             "relay=mx.foreign.test[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
             "status=sent (250 <b>ok</b>)"),
            ("qmgr", queue_id + ": removed"))))
        return c

    def send(self, sender, recipients, auth="", queue_id=None):
        client = "203.0.113.9"
        with milterclient.Session(self.daemon.socket, client=client, auth=auth) as s:
            return s.deliver(sender, recipients, MESSAGE, queue_id).queue_id

    def ask(self, text, path=None):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path or self.socket)
            s.sendall(text if isinstance(text, bytes) else json.dumps(text).encode() + b"\n")
            try:
                line = s.makefile().readline()
            except ConnectionResetError:
                line = ""
            return json.loads(line) if line else None

    def why(self, queue_id):
        return self.ask({"cmd": "why", "id": queue_id})

    def get(self, queue_id, role="admin"):
        return self.web.get("/q/" + queue_id, self.roles[role])


def counted(page):
    """(class, account, user, recipients) of each row."""
    part = page[page.index(SEEN):] if SEEN in page else ""
    rows = re.findall(r"<tr>(.*?)</tr>", part[:part.find("</table>")])
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return sorted(tuple(c[:4]) for c in cells if len(c) == 5)


def pages(site):
    both = site.send("x@far.test", ["alice@own.example", "bob@foreign.example",
                                    "carol@foreign.example"], queue_id="4jWnX03VvBz1cTBS")
    out = site.send("alice@own.example", ["a@far.test", "b@away.test"], auth="alice@own.example")
    others = site.send("carol@own.example", ["a@far.test"], auth="carol@own.example")
    held = site.send("alice@own.example", ["a@far.test"], auth="alice@own.example")
    proc.wait_for("the fold", lambda: site.why(held)["held"])
    proc.wait_for("the push", lambda: "On hold" in site.get(held).text)
    tap.same(counted(site.get(both).text),
             [("in", "foreign.example", "", "2"), ("in", "own.example", "alice@own.example", "1")],
             "an administrator sees every account")
    tap.same(counted(site.get(both, "domain").text),
             [("in", "own.example", "alice@own.example", "1")], "a domain its own")
    tap.same(counted(site.get(both, "user").text),
             [("in", "own.example", "alice@own.example", "1")], "a user his own")
    tap.ok("foreign" not in site.get(both, "domain").text, "and nobody else's name")
    tap.same(counted(site.get(out, "user").text),
             [("out", "own.example", "alice@own.example", "2")], "of what he sent, too")
    tap.same([site.get(others, role).status for role in ("admin", "domain", "user")],
             [200, 200, 404], "another user's is not there")
    page = site.get(held)
    tap.ok("On hold" in page.text and counted(page.text) == [], "one on hold is not counted yet",
           page.text)
    said = json.loads(site.daemon.command("why", both, "--format", "json")[1])["counted"][0]
    tap.same(sorted((c["class"], c["account"], c["user"], str(c["recipients"]))
                    for c in said["charged"]), counted(site.get(both).text),
             "as the command says")
    tap.ok("<bdi>mx1</bdi> was asked" in page.text, "which node was asked is said", page.text)
    return both, held


def questions(site, both, held):
    mode = os.stat(site.socket).st_mode
    tap.same(stat.S_IMODE(mode), 0o660, "the socket is its group's, too")
    answer = site.why(held)
    tap.same((answer["held"]["account"], answer["held"]["released"], answer["held"]["place"],
              answer["held"]["of"], answer["counted"], answer["in_doubt"], answer["more"]),
             ("own.example", False, 1, 1, [], False, False), "where a message is on hold")
    tap.same(len(site.why(both)["counted"]), 2, "as what it was counted")
    answer = site.why("4NOTHING")
    tap.same((answer["held"], answer["held_known"], answer["counted"], answer["node"]),
             (None, True, [], "mx1"), "nothing is known")
    for request in ({"cmd": "release", "id": held, "number": 1, "by": "admin"}, {"cmd": "held"},
                    {"cmd": "forget", "id": held, "number": 1, "queue": ""}, {}, []):
        tap.ok("unknown command" in site.ask(request)["error"], "it takes nothing else", request)
    for wrong in ("", "a b", "../x", "A" * 65, 7, None, "\u00e4"):
        tap.ok("give a queue id" in site.why(wrong)["error"], "and no other id", wrong)
    tap.ok("error" in site.ask(b"{\n"), "no JSON")
    tap.same(site.ask(b"x" * 70000), None, "nor a line without end")
    tap.same(site.why(held)["held"]["released"], False, "nothing was changed")


def silent(site, held):
    """One who is silent does not keep others from asking for long."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(site.socket)
        page = site.get(held)
        tap.same(page.status, 200, "the page comes while another one is silent")


def stories(site, both):
    """What the mail log says, as the collector of this machine has read it."""
    page = site.get(both).text
    tap.ok("no tollgate-collect of this machine could be" in page, "no collector runs", page)
    c = site.collect(both)
    page = proc.wait_for("the story", lambda: (lambda text: text if "removed" in text else None)(
        site.get(both).text), 60)
    tap.ok("The mail log of <bdi>postfix</bdi>" in page and
           "to carol@foreign.example: sent by mx.foreign.test" in page and
           "no tollgate-collect" not in page, "an administrator sees the deliveries", page)
    tap.ok("&lt;b&gt;ok" in page or "&lt;b>ok" in page, "as text")
    tap.ok("carol" not in site.get(both, "domain").text and
           "mail log" not in site.get(both, "domain").text, "others do not")
    path = site.daemon.state + "/collect/story.sock"
    tap.same(stat.S_IMODE(os.stat(path).st_mode), 0o660, "its socket is the group's, too")
    counts = [len(site.ask({"cmd": "story", "id": i}, path)["stories"]) for i in (both, "4NONE")]
    tap.same(counts, [1, 0], "a story, or none")
    for request in ({"cmd": "why", "id": both}, {"cmd": "story", "id": "../x"}, [], {}):
        tap.ok("error" in site.ask(request, path), "all else is refused", request)
    c.reload()
    proc.wait_for("the reload", lambda: "reloaded" in c.log())
    tap.ok("removed" in site.get(both).text, "also after a reload")
    tap.same((c.stop(), os.path.exists(path)), (0, False), "it goes with the collector")


def away(site, both, held):
    tap.same(site.daemon.stop(), 0, "tollgated stops while it can be asked")
    tap.ok(not os.path.exists(site.socket), "the socket goes with it")
    page = site.get(both)
    tap.ok(page.status == 200 and "What was counted is not known" in page.text,
           "then the page says that it does not know", page.text)
    tap.same([site.get(both, "domain").status, site.get(held, "domain").status], [404, 200],
             "others see what Redis has")


def main():
    site = Site()
    both, held = pages(site)
    questions(site, both, held)
    silent(site, held)
    stories(site, both)
    away(site, both, held)
    tap.same(site.web.stop(), 0, "it stops")


tap.run(main)
