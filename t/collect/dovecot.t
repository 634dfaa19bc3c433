#!/usr/bin/env python3
"""A real Dovecot with POP and IMAP clients: every figure that its log gives is what they did."""

import imaplib
import os
import poplib
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import dovecot_server
import proc
import redis_server
import tap

USERS = {"u1@host.test": "{PLAIN}secret", "u2@host.test": "{PLAIN}secret",
         "u3@else.test": "{PLAIN}secret"}
# Dovecot disconnects at so many bad commands in a row: before the login, after it.
IMAP_BEFORE, IMAP_AFTER, POP_BEFORE, POP_AFTER = 3, 20, 3, 21


class Done:
    """What the clients did: (account, counter) -> amount."""

    def __init__(self):
        self.sums = {}

    def add(self, user, counter, amount=1, is_login=True):
        """To the node; a hosted user's also to him and his domain, not to him where he failed."""
        accounts = ["node"]
        if user.endswith("@host.test"):
            accounts += ["host.test"] + [user] * is_login
        for account in accounts:
            key = (account, counter)
            self.sums[key] = self.sums.get(key, 0) + amount

    def session(self, proto, user, client=None, seconds=0):
        self.add(user, proto + "_connections")
        if client is not None:
            self.add(user, proto + "_bytes", client.bytes)
        self.add(user, proto + "_connection_seconds", seconds)

    def refused(self, proto, user, attempts):
        self.add(user, proto + "_connections", is_login=False)
        self.add(user, proto + "_blocked", is_login=False)
        self.add(user, proto + "_auth_failed", attempts, is_login=False)


def after_a_second_begins():
    """The log has whole seconds: a session from x.1 to y.5 has y - x of them."""
    time.sleep(1 - time.time() % 1 + 0.1)


# --- POP ------------------------------------------------------------------------------------------

def pop(server, user):
    c = dovecot_server.Pop(server.pop_port)
    c.login(user, "secret")
    return c


def pop_good(server, done, user):
    c = pop(server, user)
    c.stat()
    c.list()
    c.uidl()
    c.retr(1)
    c.top(1, 0)
    c.quit()
    done.session("pop", user, c)


def pop_long(server, done):
    after_a_second_begins()
    c = pop(server, "u1@host.test")
    time.sleep(2.4)
    c.quit()
    done.session("pop", "u1@host.test", c, seconds=2)


def pop_ends(server, done):
    c = pop(server, "u2@host.test")
    c.close()
    done.session("pop", "u2@host.test", c)
    c = pop(server, "u2@host.test")
    dovecot_server.reset(c.sock)
    c.file.close()
    done.session("pop", "u2@host.test", c)
    done.add("u2@host.test", "pop_terminations")


def pop_bad(server, done):
    for count in (POP_AFTER - 1, POP_AFTER):
        c = pop(server, "u1@host.test")
        for _ in range(count):
            c._putcmd("FOO")
            c._getline()
        if count < POP_AFTER:
            c.quit()
            done.session("pop", "u1@host.test", c)
    c.received += len(c.file.read())
    c.close()
    done.session("pop", "u1@host.test", c)
    done.add("u1@host.test", "pop_bad_commands", POP_AFTER)
    done.add("u1@host.test", "pop_terminations")


def talk(port, bad, count, last):
    """Says `bad` so often, then `last`; returns the last line that the server said."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        f = s.makefile("rb")
        f.readline()
        for _ in range(count):
            s.sendall(bad)
            f.readline()
        if last:
            s.sendall(last)
        return f.read().splitlines()[-1:]


def before_login(server, done, proto, bad, limit, last):
    port = server.pop_port if proto == "pop" else server.imap_port
    tap.ok(b"OK" in talk(port, bad, limit - 1, last)[0], proto + ": one bad command less")
    talk(port, bad, limit, b"")
    done.add("", proto + "_connections", 2)
    done.add("", proto + "_bad_commands", limit)
    done.add("", proto + "_terminations")


def pop_no_login(server, done):
    c = dovecot_server.Pop(server.pop_port)
    c.quit()
    done.add("", "pop_connections")
    before_login(server, done, "pop", b"FOO\r\n", POP_BEFORE, b"QUIT\r\n")
    for user in ("u1@host.test", "nobody@host.test", "x@else.test"):
        c = dovecot_server.Pop(server.pop_port)
        for _ in range(2):
            try:
                c.login(user, "wrong")
            except poplib.error_proto:
                continue
        c.quit()
        done.refused("pop", user, 2)


# --- IMAP -----------------------------------------------------------------------------------------

def imap(server, user):
    c = dovecot_server.Imap(server.imap_port)
    c.begin(user, "secret")
    return c


def imap_good(server, done, user):
    c = imap(server, user)
    c.append("INBOX", None, None, b"Subject: x\r\n\r\nhello\r\n")
    c.select()
    c.fetch("1", "(RFC822)")
    c.logout()
    done.session("imap", user, c)


def imap_long(server, done):
    after_a_second_begins()
    c = imap(server, "u1@host.test")
    time.sleep(3.4)
    c.logout()
    done.session("imap", "u1@host.test", c, seconds=3)


def imap_raw(server, user, commands):
    """Says what imaplib would not; returns the session and how many answers were BAD."""
    c = imap(server, user)
    bad = 0
    for number, command in enumerate(commands):
        tag = b"r%d" % number
        c.send(tag + b" " + command + b"\r\n")
        line = c.readline()
        while line and not line.startswith((tag, b"* BYE")):
            line = c.readline()
        bad += line.startswith(tag + b" BAD")
    return c, bad


def imap_bad(server, done):
    c, bad = imap_raw(server, "u2@host.test", [b"FOO", b"NOOP", b"UID FETCH x", b"SELECT"])
    tap.same(bad, 3, "three commands are bad")
    c.logout()
    done.session("imap", "u2@host.test", c)
    done.add("u2@host.test", "imap_bad_commands", 3)
    c, bad = imap_raw(server, "u1@host.test", [b"FOO"] * (IMAP_AFTER - 1) + [b"NOOP"])
    tap.same(bad, IMAP_AFTER - 1, "one bad command less than ends a session")
    c.logout()
    done.session("imap", "u1@host.test", c)
    done.add("u1@host.test", "imap_bad_commands", IMAP_AFTER - 1)
    c, bad = imap_raw(server, "u1@host.test", [b"FOO"] * IMAP_AFTER)
    c.drain()
    c.not_read()
    c.shutdown()
    done.session("imap", "u1@host.test", c)
    done.add("u1@host.test", "imap_bad_commands", IMAP_AFTER)
    done.add("u1@host.test", "imap_terminations")


def imap_ends(server, done):
    c = imap(server, "u2@host.test")
    c.noop()
    c.shutdown()
    done.session("imap", "u2@host.test", c)
    c = imap(server, "u2@host.test")
    dovecot_server.reset(c.sock)
    done.session("imap", "u2@host.test", c)
    done.add("u2@host.test", "imap_terminations")


def imap_hibernated(server, done):
    c = imap(server, "u1@host.test")
    c.select()
    c.send(b"i IDLE\r\n")
    c.readline()
    begun = time.time()
    proc.wait_for("hibernation", lambda: time.time() > begun + 2)
    c.sock.shutdown(socket.SHUT_WR)
    c.drain()
    c.shutdown()
    done.session("imap", "u1@host.test", c, seconds=1)     # two or more; it is not told when


def imap_no_login(server, done):
    c = dovecot_server.Imap(server.imap_port)
    c.logout()
    done.add("", "imap_connections")
    for user in ("u1@host.test", "x@else.test"):
        c = dovecot_server.Imap(server.imap_port)
        try:
            c.login(user, "wrong")
        except imaplib.IMAP4.error:
            c.logout()
        done.refused("imap", user, 1)
    before_login(server, done, "imap", b"a FOO\r\n", IMAP_BEFORE, b"z LOGOUT\r\n")


def imap_limit(server, done):
    held = [imap(server, "u1@host.test") for _ in range(2)]
    c = dovecot_server.Imap(server.imap_port)
    try:
        c.login("u1@host.test", "secret")
        tap.ok(False, "a third connection is refused")
    except imaplib.IMAP4.error as e:
        tap.ok("Maximum number of connections" in str(e), "a third connection is refused", e)
    c.shutdown()
    done.refused("imap", "u1@host.test", 0)
    for c in held:
        c.logout()
        done.session("imap", "u1@host.test", c)


# --- the comparison -------------------------------------------------------------------------------

def counted(log):
    out = subprocess.run([os.path.join(proc.BUILD, "t/collect/machine_dump")], input=log,
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    found = {}
    for line in out.splitlines():
        account, counter, amount = line.split(" ")
        found[account, counter] = int(amount)
    return found


def pushed(folder, log_path):
    """The same from Redis, where tollgate-collect brought it."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    proc.write_text(os.path.join(folder, "domains"), "host.test\n")
    c = collector.Collector(folder, "unix://" + server.path,
                            {"collect": {"sources": ["file:" + log_path]}})
    code, _, err = c.once()
    tap.same(code, 0, "tollgate-collect --once", err)
    found = {}
    for account in ("node", "host.test"):
        fields = redis.hash("tg:{%s}:total" % account.replace("node", "@" + collector.NODE))
        found.update({(account, name): int(amount) for name, amount in fields.items()
                      if name.startswith(("pop_", "imap_"))})
    for key in redis("KEYS", "tg:{host.test}:users:month:*"):
        for name, amount in redis.hash(key).items():
            user, _, counter = name.partition(" ")
            if counter.startswith(("pop_", "imap_")):
                found[user, counter] = found.get((user, counter), 0) + int(amount)
    return found


def logged(log):
    """Seconds from each login to the end of its session, as the log has them, by account. Two
    processes write the two, so of a short session the end may stand first."""
    began, ended, seconds = {}, set(), Done()
    for line in log.decode("utf-8", "replace").splitlines():
        at = re.search(r"\d\d:\d\d:\d\d", line)
        login = re.search(r" (imap|pop)3?-login: Info: Log(?:in|ged in): user=<(.*?)>.*"
                          r"session=<(.*?)>", line)
        end = re.search(r"\)<\d+><(.*?)>: Info: Disconnected", line)
        if at and (login or end):
            now = sum(int(x) * y for x, y in zip(at.group().split(":"), (3600, 60, 1)))
            if login and login.group(3) in ended:
                continue
            if login:
                began[login.group(3)] = now, *login.groups()[:2]
            elif end.group(1) not in began:
                ended.add(end.group(1))
            else:
                start, proto, user = began.pop(end.group(1))
                seconds.add(user, proto + "_connection_seconds", (now - start) % 86400)
    return seconds.sums


def compare(done, seconds, found, by):
    good = True
    for key in sorted(set(done.sums) | set(found)):
        want, got = done.sums.get(key, 0), found.get(key, 0)
        counter = key[1]
        if counter.endswith("_seconds"):
            said = seconds.get(key, 0)
            good &= tap.ok(want <= got == said, "%s: %s %s" % (by, *key),
                           "got %d, want %d or more, the log says %d" % (got, want, said))
        else:
            good &= tap.same(got, want, "%s: %s %s" % (by, *key))
    return good


def main():
    tap.need(dovecot_server.COMMAND[0], root=True)
    folder = proc.scratch("dovecot")
    server = dovecot_server.DovecotServer(folder, USERS)
    tap.note("Dovecot " + server.version)
    done = Done()
    for proto in ("pop", "imap"):
        done.add("", proto + "_connections")    # who looked whether it listens
    imap_good(server, done, "u1@host.test")
    imap_good(server, done, "u3@else.test")
    imap_long(server, done)
    imap_bad(server, done)
    imap_ends(server, done)
    imap_hibernated(server, done)
    imap_no_login(server, done)
    imap_limit(server, done)
    pop_good(server, done, "u1@host.test")
    pop_long(server, done)
    pop_ends(server, done)
    pop_bad(server, done)
    pop_no_login(server, done)
    ended = sum(amount for (account, counter), amount in done.sums.items()
                if account == "node" and counter.endswith("_connections"))
    proc.wait_for("the ends of all sessions", lambda: server.ends() >= ended)
    server.stop()
    log = server.lines()
    seconds = logged(log)
    good = compare(done, seconds, counted(log), "machines")
    if not compare(done, seconds, pushed(folder, server.log), "Redis") or not good:
        tap.note(log.decode("utf-8", "replace"))


tap.run(main)
