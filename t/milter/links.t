#!/usr/bin/env python3
"""tollgated started as root with an account of its own: nothing that this account has laid out
leads root anywhere, and what root makes there is the account's."""

import os
import pwd
import signal
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

TOLLGATED = os.path.join(proc.BUILD, "tollgated")
NOBODY = pwd.getpwnam("nobody")
MESSAGE = milterclient.message_of(["Subject: hi"], 600)


class Site:
    """A daemon whose folders for socket and state are nobody's, in one of root's."""

    def __init__(self, name):
        self.folder = proc.scratch(name)
        self.run = self.make("run")
        self.server = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(self.folder, self.server.url,
                                          "unix:%s/milter.sock" % self.run, {"user": "nobody"})
        self.daemon.host(["example.com"])
        self.secret = self.folder + "/secret"
        proc.write_text(self.secret, "keep")
        os.chmod(self.secret, 0o600)

    def make(self, name, mode=0o755):
        path = self.folder + "/" + name
        os.mkdir(path, mode)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        return path

    def starts_not(self, text, what):
        code, _, err = proc.run([TOLLGATED, "-f", "-c", self.daemon.conf])
        tap.ok(code == 73 and text in err, what + ": 73, and why", code, err)

    def is_safe(self, what):
        s = os.stat(self.secret)
        tap.same((s.st_uid, stat.S_IMODE(s.st_mode), proc.read_text(self.secret)),
                 (0, 0o600, "keep"), what + ": the file of root's is as it was")

    def serves(self, what):
        with milterclient.Session(self.daemon.socket) as s:
            tap.ok(s.deliver("x@far.test", ["alice@example.com"], MESSAGE).accepted, what)


def test_lock():
    site = Site("lock")
    state = site.make("state", 0o750)
    os.symlink(site.secret, state + "/lock")
    site.starts_not("symbolic link", "the lock is a link")
    os.unlink(state + "/lock")
    os.symlink(site.folder + "/made", state + "/lock")
    site.starts_not("symbolic link", "the lock is a link to nowhere")
    tap.ok(not os.path.exists(site.folder + "/made"), "and makes nothing")
    os.unlink(state + "/lock")
    os.link(site.secret, state + "/lock")
    site.starts_not("one name", "the lock is another file's name")
    site.is_safe("lock")


def test_socket():
    """Root has no more rights in the account's folder than the account: it may not even write."""
    site = Site("socket")
    os.chmod(site.run, 0o555)
    site.starts_not("permission denied", "a folder that the account may not write to")
    os.chmod(site.run, 0o755)
    site.daemon.start()
    made = os.stat(site.run + "/milter.sock")
    tap.same((made.st_uid, stat.S_IMODE(made.st_mode)), (NOBODY.pw_uid, 0o666),
             "else the socket is the account's, with its mode")
    site.serves("and serves")
    tap.same(site.daemon.stop(), 0, "a clean end")


def attack(site):
    """A process of the account that puts a link in the place of each socket that it sees."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for name in os.listdir(site.run):
                path = site.run + "/" + name
                if name.startswith("milter.sock.") and not os.path.islink(path):
                    os.unlink(path)
                    os.symlink(site.secret, path)
    finally:
        os._exit(0)


def test_race():
    site = Site("race")
    attacker = attack(site)
    for _ in range(8):
        site.daemon.launch()
        daemon = site.daemon.daemon
        proc.wait_for("start or end", lambda: not daemon.is_running() or
                      "notice: started" in site.daemon.log())
        if daemon.is_running():
            daemon.kill()
        site.daemon.log_file += "x"
    os.kill(attacker, signal.SIGKILL)
    os.waitpid(attacker, 0)
    site.is_safe("links instead of sockets, 8 starts")


def test_root_then_account():
    """One start by root's hand; then the unit starts it as the account."""
    site = Site("hand")
    site.daemon.start()
    site.serves("started by root")
    tap.same(site.daemon.stop(), 0, "a clean end")

    def as_nobody():
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)

    os.chmod(site.daemon.log_file, 0o666)
    site.daemon.start(preexec=as_nobody)
    site.serves("then by the account")
    tap.same(site.daemon.stop(), 0, "a clean end")
    os.chown(site.daemon.state + "/lock", 0, 0)
    os.chmod(site.daemon.state + "/lock", 0o600)
    code, _, err = proc.run(["setpriv", "--reuid", "nobody", "--clear-groups", TOLLGATED, "-f",
                             "-c", site.daemon.conf])
    tap.ok(code == 73 and "chown" in err, "a lock that root left: the fix is told", code, err)
    site.daemon.start()
    tap.same(site.daemon.stop(), 0, "a start by root makes it right")
    tap.same(os.stat(site.daemon.state + "/lock").st_uid, NOBODY.pw_uid, "it is the account's")


def main():
    tap.need("setpriv", root=True)
    for test in (test_lock, test_socket, test_race, test_root_then_account):
        tap.note(test.__name__)
        test()


tap.run(main)
