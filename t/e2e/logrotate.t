#!/usr/bin/env python3
"""The log of a real Postfix is followed through `postfix logrotate`, kills and a rotation while
nobody looks: each line once, in order."""

import gzip
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from follow import Run
from postfix_server import Postfix


def talk(port, stop):
    """Sessions, one after the other, for lines in the log."""
    while not stop.is_set():
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            s.recv(100)
            s.sendall(b"QUIT\r\n")
            s.recv(100)


def written(postfix):
    """What Postfix wrote, read from its files by their names."""
    folder = os.path.dirname(postfix.maillog)
    old = sorted(x for x in os.listdir(folder) if x.startswith("maillog."))
    lines = []
    for name in old + ["maillog"]:
        path = os.path.join(folder, name)
        with gzip.open(path) if name.endswith(".gz") else open(path, "rb") as f:
            lines += f.read().decode("latin-1").splitlines()
    return old, lines


def main():
    tap.need("postfix", root=True)
    folder = proc.scratch("logrotate")
    postfix = Postfix(folder, "example.com")
    postfix.start()
    run = Run(postfix.maillog, os.path.join(folder, "store"), speed=10)
    run.start()
    stop = threading.Event()
    talker = threading.Thread(target=talk, args=(postfix.smtp, stop))
    talker.start()
    for is_away in (False, False, True, False):
        run.kill()
        if not is_away:
            run.start()
        postfix.command("postfix", "logrotate")
        if is_away:
            run.start()
    stop.set()
    talker.join()
    postfix.stop()
    old, lines = written(postfix)
    tap.ok(len(old) == 4 and all(x.endswith(".gz") for x in old), "four files, compressed", old)
    run.process.until("the last line", lambda: run.stored()[0][-1:] == lines[-1:], 30)
    run.kill()
    got, others = run.stored()
    tap.note("%d lines" % len(lines))
    tap.ok(got == lines, "each line once, in order", "%d of %d" % (len(got), len(lines)))
    tap.same(others, [], "no gaps, no errors")


tap.run(main)
