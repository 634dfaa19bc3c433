#!/usr/bin/env python3
"""A limit of tollgated that holds: the message waits in the relay until `tollgate release`."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import relay
import sink
import smtp
import tap
import tollgated

TEXT = b"Subject: x\r\nFrom: a@example.com\r\n\r\nhello\r\n"


def ask(daemon, **request):
    """The control socket of tollgated."""
    path = daemon.state + "/control.sock"
    proc.wait_for("control socket", lambda: proc.can_connect(path))
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


def waiting(daemon):
    return [m["id"] for m in ask(daemon, cmd="held")["held"] if not m["released"]]


def gone_by_hand(r, daemon):
    """A held message that somebody deleted is left alone while Postfix may still have it."""
    c = smtp.Smtp(r.port)
    while not r.queued("hold"):
        c.send("a@example.com", ["more@gmail.test"], TEXT)
    c.quit()
    held = proc.wait_for("the held message", lambda: waiting(daemon))
    r.command("queue", "delete", held[0])
    folder = os.path.join(r.folder, "bin")
    os.mkdir(folder)
    proc.write_text(folder + "/postqueue", "#!/bin/sh\necho 'fatal: down' >&2\nexit 69\n")
    os.chmod(folder + "/postqueue", 0o755)
    code, _, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "release", "-c", r.conf],
                            env={"PATH": folder + ":" + proc.BUILD + ":/usr/bin:/bin"})
    tap.ok(code == 69 and "down" in err, "Postfix is down: it may have the message", code, err)
    tap.same(waiting(daemon), held, "so it is left")


def main():
    tap.need("redis-server", root=True)
    folder = proc.scratch("hold")
    server, s = redis_server.RedisServer(folder), sink.Sink()
    redis = server.connect()
    daemon = tollgated.Tollgated(
        folder, server.url, "unix:%s/milter.sock" % folder,
        {"throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [
            {"scope": "domain", "metric": "messages", "max": "2", "per": "10min",
             "action": "hold"}]}]})
    daemon.host(["example.com"])
    daemon.start()
    r = relay.Relay(folder, base=daemon.settings, settings={"relay": {
        "milters": ["tollgated"], "next_hop": "127.0.0.1:%d" % s.port}})
    r.start()
    c = smtp.Smtp(r.port)
    ids = [c.send("a@example.com", ["out%d@gmail.test" % n], TEXT) for n in range(3)]
    c.quit()
    r.wait_empty()
    tap.same(s.recipients(), ["out0@gmail.test", "out1@gmail.test"], "what the limit lets through")
    tap.same(r.queued("hold"), [ids[2]], "the third is held by the relay")
    held = proc.wait_for("the held message", lambda: ask(daemon, cmd="held")["held"])
    tap.same([m["id"] for m in held], [ids[2]], "and tollgated knows it by the relay's queue id")
    out = r.command("queue", "list")[1]
    tap.ok(ids[2] + "  held" in out, "queue list shows it", out)
    redis("FLUSHALL")  # the window is empty again: there is room
    path = {"PATH": proc.BUILD + ":/usr/bin:/bin"}  # no Postfix on this way
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "release", "-c", r.conf],
                              env=path)
    tap.same(code, 0, "tollgate release", out, err)
    proc.wait_for("delivery", lambda: s.count() == 3)
    r.wait_empty()
    tap.same(s.recipients()[2], "out2@gmail.test", "delivered, without a milter in between")
    proc.wait_for("three messages", lambda: tollgated.counted(redis).get(
        "example.com", {}).get("out_messages") == 3)
    tap.ok(True, "and counted once")
    gone_by_hand(r, daemon)
    for each in (r, daemon):
        tap.same(each.stop(), 0, "stopped")
        tap.none(each.complaints(), "no complaints in the log")


tap.run(main)
