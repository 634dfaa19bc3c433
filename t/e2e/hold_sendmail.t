#!/usr/bin/env python3
"""Held mail under real Sendmail: into its quarantine, and out of it by tollgate release."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import sendmail_server
import sink
import smtp
import tap
import tollgated
from site_postfix import mail

CUSTOMER = "127.0.0.3"
PLANS = [{"name": "default", "limits": [{"scope": "domain", "metric": "messages", "max": "1",
                                         "per": "day", "action": "hold"}]}]


class Site:
    def __init__(self):
        # Sendmail does not trust a socket below a folder for everybody.
        self.folder = proc.scratch("site", "/run")
        self.sink = sink.Sink()
        self.redis_server = redis_server.RedisServer(self.folder)
        self.redis = self.redis_server.connect()
        socket = "unix:%s/milter.sock" % self.folder
        self.tollgated = tollgated.Tollgated(
            self.folder, self.redis_server.url, socket,
            {"throttle": {"mode": "enforce"}, "plans": PLANS,
             "networks": {"customers": [CUSTOMER]}})
        self.tollgated.host(["example.com"])
        self.sendmail = sendmail_server.Sendmail(self.sink.port, socket)
        self.tollgated.start()
        self.sendmail.start()
        self.make_command()

    def make_command(self):
        """`sendmail` in PATH is this instance's."""
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        path = os.path.join(self.bin, "sendmail")
        env = " ".join("%s=%s" % pair for pair in self.sendmail.environment().items())
        proc.write_text(path, '#!/bin/sh\nexec env %s %s -C %s "$@"\n' % (
            env, sendmail_server.PROGRAM, self.sendmail.cf))
        os.chmod(path, 0o755)

    def send(self, number):
        session = smtp.Smtp(self.sendmail.port, source=CUSTOMER)
        queue_id = session.send("alice@example.com", ["x%d@gmail.test" % number], mail())
        session.quit()
        return queue_id

    def command(self, *words):
        return proc.run([os.path.join(proc.BUILD, "tollgate"), "-c", self.tollgated.conf] +
                        list(words), env={"PATH": self.bin + ":/usr/bin:/bin"})

    def quarantined(self):
        return sorted(name[2:] for name in os.listdir(self.sendmail.dir + "/queue")
                      if name.startswith("hf"))

    def sent(self):
        return int(self.redis("HGET", "tg:{example.com}:total", "out_messages") or 0)


def delivered(w, number):
    proc.wait_for("mail", lambda: "x%d@gmail.test" % number in w.sink.recipients())


def main():
    tap.need(sendmail_server.PROGRAM, "m4", "redis-server", root=True)
    w = Site()
    ids = [w.send(n) for n in range(5)]
    tap.same(w.quarantined(), sorted(ids[1:]), "over the limit, messages are quarantined")
    code, out, err = w.command("release")
    tap.ok(code == 0 and "4 waiting" in out and err == "", "no room: all wait", code, out, err)
    code, out, err = w.command("release", ids[1])
    tap.same((code, out, err), (0, "example.com: 1 released\n", ""), "one by its queue id")
    delivered(w, 1)
    code, _, err = w.command("limit", "set", "example.com", "domain/messages/day", "4", "--action",
                             "hold")
    tap.ok(code == 0 and "limit changed" in err, "the limit is raised, and its log says so", err)
    proc.wait_for("room", lambda: "2 released, 1 waiting" in w.command("release")[1])
    delivered(w, 2)
    delivered(w, 3)
    tap.same(w.quarantined(), [ids[4]], "two fit, in order, one waits")
    tap.ok(proc.wait_for("counters", lambda: w.sent() == 4), "what was released is charged")
    os.unlink(w.sendmail.dir + "/queue/hf" + ids[4])
    out = w.command("release")[1]
    tap.ok("1 waiting" in out, "deleted just now: it is too young to be sure", out)
    w.sendmail.stop()
    tap.same(w.tollgated.stop(), 0, "tollgated ends well", w.tollgated.log()[-2000:])
    tap.none(w.tollgated.complaints(), "nothing broke inside")


tap.run(main)
