#!/usr/bin/env python3
"""tollgate why: what an admin reads of messages and senders, word by word.

With TG_GOLDEN=write the files in t/data/cli are written anew: look at the diff.
"""

import datetime
import json
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import violations
from control import Control
from redis_server import RedisServer
from tollgate import Tollgate, golden, stopped_clock
from windows import Windows

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOUR, LOG = ("domain/recipients/hour", 600), ("domain/recipients/hour", 500)
CONF = """
hosted: { domains = ["file:%(folder)s/domains"]; forwards = ["file:%(folder)s/forwards"]; };
networks: { customers = ["198.51.100.0/24"]; };
throttle: {
  mode = "%(mode)s";
  exempt: { users = ["boss@example.com"]; domains = ["free.example"];
            recipients = ["postmaster@example.com"]; };
};
plans = ( { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "500"; per = "hour"; action = "log"; },
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "defer"; },
    { scope = "domain"; metric = "bounces"; max = "100"; per = "10min"; action = "reject"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "hold"; },
    { scope = "server"; metric = "messages"; max = "0"; per = "day"; action = "reject"; },
    { scope = "client"; metric = "messages"; max = "100"; per = "10min"; action = "defer"; } ); }
);
"""


def ago(**time):
    return NOW - datetime.timedelta(**time)


class Site:
    def __init__(self):
        self.folder = proc.scratch("why")
        self.server = RedisServer(self.folder, env=stopped_clock(self.folder, NOW))
        self.redis = self.server.connect()
        self.windows = Windows(self.redis)
        self.control = Control(os.path.join(self.folder, "state"))
        proc.write_text(os.path.join(self.folder, "forwards"),
                        "carol@example.com bob@elsewhere.test,eve@example.org\n")
        self.tollgate = self.command("enforce")

    def command(self, mode):
        t = Tollgate(self.folder, self.server.url, "Europe/Berlin", now=NOW,
                     domains="example.com\nexample.org\nfree.example\nlocalname\n"
                             "alias.example example.com\n")
        conf = proc.read_text(t.conf).replace("hosted:", "#")
        proc.write_text(t.conf, conf + CONF % {"folder": self.folder, "mode": mode})
        t.env["COLUMNS"] = "80"
        return t

    def ledger(self):
        db = sqlite3.connect(os.path.join(self.folder, "state", "ledger.db"))
        db.execute("CREATE TABLE doubtful (number INTEGER PRIMARY KEY, queue_id TEXT, "
                   "time_ms INTEGER)")
        db.execute("INSERT INTO doubtful VALUES (17, 'DOUBT1', ?), (18, 'DOUBT2', 0)",
                   (int(ago(hours=3).timestamp() * 1000),))
        db.commit()
        db.close()


def fill(site):
    def add(*args, **more):
        violations.add(site.redis, *args, **more)
    add(ago(days=3), "example.com", HOUR, 590, 20, qid="TWICE", observed=True)
    add(ago(hours=5), "example.com", LOG, 598, 3, qid="DEFER1", action="log")
    add(ago(hours=5), "example.com", HOUR, 598, 3, qid="DEFER1")
    add(ago(hours=4), "example.com", ("user/messages/day", 200), 200, 1, qid="HELD1",
        action="hold", user="alice@example.com", retry_after=7260)
    add(ago(hours=3), "example.org", ("domain/bytes/month", 10 << 30), 0, 11 << 30, qid="BIG",
        action="reject", retry_after=-1, sender="")
    add(ago(hours=2), "example.com", HOUR, 480, 3, qid="SOFT", soft=True)
    add(ago(hours=1), "example.com", LOG, 510, 3, qid="LOG", action="log", observed=True)
    add(ago(minutes=30), "example.com", HOUR, 600, 3, qid="TWICE", client="2001:db8::7")
    add(ago(minutes=20), "@client:203.0.113.9", ("client/messages/10min", 100), 100, 1, qid="C1")
    for minutes in (55, 40, 20, 5):
        site.windows.consume("example.com", "recipients", "hour", 150, ago(minutes=minutes))
    site.windows.consume("example.com", "messages", "day", 50, ago(hours=2), "alice@example.com")
    site.windows.consume("example.org", "bounces", "10min", 100, ago(minutes=2))
    site.windows.consume("@client:203.0.113.9", "messages", "10min", 30, ago(minutes=20))
    held = int(ago(hours=4).timestamp())
    site.redis("ZADD", "tg:{example.com}:held", held, "mx1/HELD1", held + 60, "mx2/OTHER")
    site.redis("SADD", "tg:nodes", "mx1", "mx2")
    for number, name in enumerate(("FIRST", "HELD1", "LET", "LAST")):
        site.control.messages.append({"id": name, "number": number + 5, "time": held,
                                      "account": "example.com", "released": name == "LET"})
    site.ledger()


def messages(site):
    why = site.tollgate
    for name in ("DEFER1", "HELD1", "BIG", "SOFT", "LOG", "TWICE", "LET", "DOUBT1", "DOUBT2",
                 "4jWnX03VvBz1cTBS"):
        golden("why-%s.txt" % name.lower(), why.good("why", name))
    violations.add(site.redis, NOW, "example.com", HOUR, 600, 3, qid="OTHER", action="hold")
    out = why.good("why", "OTHER")
    tap.ok("on hold on a node, for example.com" in out, "held by another node", out)
    site.control.messages[:] = [m for m in site.control.messages if m["id"] != "HELD1"]
    site.redis("ZREM", "tg:{example.com}:held", "mx1/HELD1")
    out = why.good("why", "HELD1")
    tap.ok("It is no longer on hold" in out, "held no more", out)
    site.control.close()
    out = why.good("why", "HELD1")
    tap.ok("put on hold" in out and "could not be read: tollgated is not running" in
           " ".join(out.split()), "without tollgated", out)
    notes = json.loads(why.good("why", "HELD1", "--format", "json"))["notes"]
    tap.ok("could not be read: tollgated is not running" in notes[0], "as a note", notes)
    os.unlink(os.path.join(site.folder, "state", "ledger.db"))
    out = why.good("why", "DOUBT1")
    tap.ok("Nothing is known" in out, "without a ledger", out)


def senders(site):
    why = site.tollgate
    for name, typed in (("domain", "Example.COM"), ("user", "Alice+x@example.com"),
                        ("forwarder", "carol@example.com"),
                        ("alias", "dave@alias.example"), ("bounces", "example.org"),
                        ("exempt", "boss@example.com"), ("exempt-domain", "free.example"),
                        ("recipient", "postmaster@example.com"), ("client", "203.0.113.9"),
                        ("customer", "198.51.100.7"), ("server", "@server"),
                        ("foreign", "someone@elsewhere.test"), ("name", "localname")):
        golden("why-%s.txt" % name, why.good("why", typed))
    out = why.good("why", "<20261121.1@vm.test>")
    tap.ok("give the queue id" in out and "message-id=<20261121.1@vm.test>" in out,
           "a Message-ID is not a queue id", out)
    out = site.command("observe").good("why", "localname")
    tap.ok("stopped as a whole" not in out, "nothing is stopped in observe mode", out)
    golden("why-observed.txt", site.command("observe").good("why", "example.com"))
    site.command("enforce")
    site.redis("HSET", "tg:{localname}:limits", "domain/recipients/hour", "max=unlimited",
               "domain/bounces/10min", "max=unlimited", "user/messages/day", "max=unlimited")
    out = why.good("why", "localname")
    tap.ok("accepted: no enforced limit applies" in out, "no limit", out)
    site.redis("HSET", "tg:{localname}:limits", "domain/recipients/hour", "max=5 action=defer",
               "domain/messages/day", "max=5 action=reject", "domain/recipients/day",
               "max=5 action=reject", "domain/bytes/7days", "max=5 action=log")
    for metric, window, when in (("recipients", "hour", ago(minutes=5)),
                                 ("messages", "day", ago(hours=2)),
                                 ("recipients", "day", ago(hours=3)),
                                 ("bytes", "7days", ago(hours=1))):
        site.windows.consume("localname", metric, window, 5, when)
    out = " ".join(why.good("why", "localname").split())
    tap.ok("Mail to other servers is refused now: domain/messages/day is full" in out,
           "of several full limits the strongest decides, and of two the one that is full longer",
           out)


def objects(site):
    """The same facts for programs."""
    def get(typed):
        return json.loads(site.tollgate.good("why", typed, "--format", "json"))
    m = get("DEFER1")
    decision = m["decisions"][0]
    tap.same((m["queue_id"], m["known"], len(m["decisions"]), decision["outcome"],
              decision["sender"], decision["client"]),
             ("DEFER1", True, 1, "deferred", "alice@example.com", "192.0.2.1"), "what was decided")
    tap.same([(v["limit"], v["max"], v["used"], v["wanted"], v["action"], v["account"])
              for v in decision["violations"]],
             [("domain/recipients/hour", 600, 598, 3, "defer", "example.com"),
              ("domain/recipients/hour", 500, 598, 3, "log", "example.com")],
             "and by which limits, the newest first")
    tap.same([d["outcome"] for d in get("TWICE")["decisions"]], ["deferred", "would defer"],
             "two messages of one queue id")
    tap.same(get("HELD1")["held"],
             {"state": "here", "account": "example.com", "since": "2026-11-21T09:00:00+01:00",
              "place": 2, "of": 3}, "where it stands on hold")
    tap.same(get("LET")["held"]["state"], "released", "released")
    m = get("DOUBT1")
    tap.same((m["in_doubt"], m["in_doubt_since"], m["known"]),
             (True, "2026-11-21T10:00:00+01:00", True), "in doubt")
    m = get("4jWnX03VvBz1cTBS")
    tap.same((m["known"], m["decisions"], m["in_doubt"], m["held"]["state"], m["log"]),
             (False, [], False, "no", []), "nothing is known")
    tap.ok("what the mail log says" in "".join(m["notes"]), "and what could not be told", m)
    s = get("alice@example.com")
    tap.same((s["account"], s["user"], s["plan"], s["mode"], s["hosted"], s["exempt"], s["held"]),
             ("example.com", "alice@example.com", "default", "enforce", True, False, 2), "a sender")
    tap.same(s["mail"], {"outcome": "deferred", "full_limit": "domain/recipients/hour",
                         "room_again": "2026-11-21T13:06:00+01:00"}, "whose mail is stopped now")
    tap.same(s["bounces"], {"outcome": "accepted", "full_limit": None, "room_again": None},
             "and bounces are not")
    tap.same([(r["limit"], r["used"], r["percent"]) for r in s["limits"]][-1],
             ("user/messages/day", 50, 25), "how full its limits are")
    tap.ok(len(s["violations"]) == 5 and s["notes"] == [], "its latest violations", s)
    tap.same(get("carol@example.com")["forwards_to"], ["bob@elsewhere.test", "eve@example.org"],
             "a forwarder")
    tap.same(get("boss@example.com")["exempt"], True, "who is exempt")
    tap.same(get("198.51.100.7")["network"], "customer", "a client")
    tap.same(get("dave@alias.example")["alias"], "alias.example", "an alias")
    s = get("someone@elsewhere.test")
    tap.same((s["hosted"], "limits" in s), (False, False), "nobody of ours")
    site.command("observe")
    s = get("example.com")
    tap.same((s["mode"], s["mail"]["outcome"], s["mail"]["full_limit"]),
             ("observe", "accepted", "domain/recipients/hour"), "only observed")
    site.command("enforce")


def wrong(site):
    for code, text, args in ((64, "give a queue id or an address", []),
                             (64, 'unexpected argument "b"', ["a", "b"]),
                             (64, "value of --format", ["a", "--format", "xml"]),
                             (64, "neither a queue id nor", ["4j W"]),
                             (64, "neither a queue id nor", [""]),
                             (64, "each client has limits", ["@client"]),
                             (64, "has no limits", ["@mx1"]),
                             (64, "no domain", ["alice@"])):
        got, out, err = site.tollgate("why", *args)
        tap.ok(got == code and text in err and out == "", "why " + " ".join(args), got, err)
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return
    state = os.path.join(site.folder, "state")
    os.chmod(state, 0o700)
    program = shutil.copy(os.path.join(proc.BUILD, "tollgate"), site.folder)
    code, out, err = proc.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               program, "-c", site.tollgate.conf, "why", "DEFER1"])
    tap.ok(code == 0 and "was deferred" in out and "Run it as root" in out,
           "who may not ask tollgated still gets what the store has", code, out, err)
    os.chmod(state, 0o755)


def main():
    site = Site()
    fill(site)
    senders(site)
    objects(site)
    wrong(site)
    messages(site)


tap.run(main)
