#!/usr/bin/env python3
"""miltertest, which knows neither engine, talks to tollgated on both of them: it gets the same
answers, and the same is counted."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
import tollgated

LIMITS = [{"scope": "domain", "metric": "messages", "max": "2", "per": "hour", "action": "hold"},
          {"scope": "domain", "metric": "recipients", "max": "5", "per": "hour",
           "action": "defer"}]

# `address` is the filter's; each line of what it prints is a step and the answer to it.
SCRIPT = """
mt.set_timeout(20)
local conn = mt.connect(address)

local function say(what, fault)
    mt.echo(what .. ": " .. (fault or string.char(mt.getreply(conn))))
end

local function message(number, sender, recipients, login)
    mt.macro(conn, SMFIC_MAIL, "i", "Q" .. number, "{auth_authen}", login, "{mail_addr}", sender)
    say("MAIL " .. sender, mt.mailfrom(conn, "<" .. sender .. ">", "SIZE=100"))
    for _, recipient in ipairs(recipients) do
        mt.macro(conn, SMFIC_RCPT, "{rcpt_addr}", recipient, "{rcpt_mailer}", "smtp")
        say("RCPT " .. recipient, mt.rcptto(conn, "<" .. recipient .. ">"))
    end
    mt.header(conn, "From", sender)
    mt.header(conn, "Subject", "a folded\\n line")
    if not mt.test_option(conn, SMFIP_NOEOH) then
        mt.eoh(conn)
    end
    mt.bodystring(conn, string.rep("one line of the body\\r\\n", 1000))
    say("end " .. number, mt.eom(conn))
    mt.echo("quarantined: " .. tostring(mt.eom_check(conn, MT_QUARANTINE)))
end

mt.negotiate(conn, nil, nil, nil)
mt.echo("may quarantine: " .. tostring(mt.test_action(conn, SMFIF_QUARANTINE)))
mt.macro(conn, SMFIC_CONNECT, "j", "mx.example.com", "v", "Postfix 3.7.11",
         "{client_addr}", "203.0.113.9")
mt.conninfo(conn, "client.test", "203.0.113.9")
mt.helo(conn, "client.test")
message(1, "x@elsewhere.test", { "alice@example.com", "y@elsewhere.test" }, "")
message(2, "alice@example.com", { "y@elsewhere.test" }, "alice@example.com")
say("MAIL", mt.mailfrom(conn, "<alice@example.com>"))
mt.abort(conn)
message(3, "alice@example.com", { "z@elsewhere.test" }, "alice@example.com")
message(4, "alice@example.com", { "a@far.test", "b@far.test" }, "alice@example.com")
message(5, "alice@example.com", { "a@far.test", "b@far.test", "c@far.test", "d@far.test" },
        "alice@example.com")
mt.disconnect(conn)

conn = mt.connect(address)
mt.negotiate(conn, 2, SMFIF_QUARANTINE, 0)
mt.conninfo(conn, "local", "unspec")
message(6, "x@elsewhere.test", { "alice@example.com" }, "")
mt.disconnect(conn, false)
"""

# Two of the domain fit, its third waits in the hold queue, four recipients more are too many.
ENDS = ["end 1: c", "end 2: c", "end 3: c", "end 4: c", "quarantined: true", "end 5: y",
        "end 6: c"]


class Site:
    def __init__(self, engine):
        self.engine, self.folder = engine, proc.scratch("miltertest-" + engine)
        self.server = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(
            self.folder, self.server.url, "unix:%s/milter.sock" % self.folder,
            {"milter": {"engine": engine}, "throttle": {"mode": "enforce"},
             "plans": [{"name": "default", "limits": LIMITS}]})
        self.daemon.host(["example.com"])
        self.daemon.start()

    def talk(self):
        script = os.path.join(self.folder, "script.lua")
        proc.write_text(script, SCRIPT)
        code, out, errors = proc.run(["miltertest", "-D", "address=" + self.daemon.socket,
                                      "-s", script])
        tap.same((code, errors), (0, ""), self.engine + ": the script comes to its end")
        return out

    def counted(self):
        redis = self.server.connect()
        tollgated.wait_counted(redis, 4)
        tap.same(self.daemon.stop(), 0, self.engine + ": a clean end")
        tap.none(self.daemon.complaints(), self.engine + ": no complaints")
        return tollgated.counted(redis)


def main():
    tap.need("miltertest")
    sites = [Site("native"), Site("libmilter")]
    answers = [site.talk() for site in sites]
    tap.same(answers[0], answers[1], "the same answers")
    lines = [x for x in answers[0].split("\n") if x.startswith("end ") or x.endswith(" true")]
    tap.same(lines, ["may quarantine: true"] + ENDS, "which are those wanted")
    counts = [site.counted() for site in sites]
    tap.same(counts[0], counts[1], "the same counts")


tap.run(main)
