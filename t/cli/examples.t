#!/usr/bin/env python3
"""The examples of tollgate(1) and tollgate-keys(7) work as they stand, in order."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
import tree
from redis_server import Redis
from tollgated import Tollgated, wait_counted

SOCKET = "/var/lib/tollgate/redis/redis.sock"  # where the manual has it


def commands(page):
    """The lines of the displays in EXAMPLES, those that end in a backslash joined."""
    body = tree.read(page).decode().split("\n.Sh EXAMPLES\n")[1].split("\n.Sh ")[0]
    shown = "".join(re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed$", body))
    return shown.replace(" \\e\n", " ").strip().split("\n")


def shell(daemon, folder, lines):
    """A day to come stays one: the manual's is over some day."""
    text = "\n".join(lines).replace(SOCKET, daemon.state + "/redis/redis.sock")
    text = re.sub(r"--until \S+", "--until +3days", text)
    path = os.path.join(folder, "bin") + ":" + os.environ["PATH"]
    return proc.run(["sh", "-e", "-c", "cd %s\n%s" % (folder, text)], env={"PATH": path})


def command_with_configuration(daemon, folder):
    """The examples have the installed configuration; this one has the test's."""
    script = os.path.join(folder, "bin", "tollgate")
    os.mkdir(os.path.dirname(script))
    proc.write_text(script, '#!/bin/sh\nexec %s -c %s "$@"\n'
                    % (os.path.join(tree.BUILD, "tollgate"), daemon.conf))
    os.chmod(script, 0o755)


def main():
    tap.need("redis-server", "redis-cli")
    folder = proc.scratch("examples")
    daemon = Tollgated(folder, "private:", "unix:%s/milter.sock" % folder)
    daemon.host(["example.com"])
    daemon.start()
    with milterclient.Session(daemon.socket, client="203.0.113.9", auth="bob@example.com") as s:
        tap.ok(s.deliver("bob@example.com", ["x@gmail.test"],
                         milterclient.message_of([], 500)).accepted, "accepted")
    wait_counted(Redis(daemon.state + "/redis/redis.sock"), 1)
    command_with_configuration(daemon, folder)

    lines = commands("doc/tollgate.1")
    tap.ok(len(lines) >= 10, "tollgate(1) has examples", lines)
    for line in lines:
        code, out, err = shell(daemon, folder, [line])
        tap.ok(code == 0, line, out, err)

    lines = commands("doc/tollgate-keys.7")
    code, out, err = shell(daemon, folder, lines)
    tap.ok(len(lines) >= 5 and code == 0 and "PONG" in out, "those of tollgate-keys(7)", out, err)
    tap.ok("ERR" not in out and "mx1" in out, "Redis answers them", out)
    daemon.stop()


tap.run(main)
