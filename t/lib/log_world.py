"""A made-up day of a mail server's users and filters, as its programs log it, and what they did.

Written apart from the collector: amounts come from what the sessions did, not from the lines."""

import json
import random

REASONS = (     # words of Dovecot, abnormal?
    ("Logged out", 0), ("Connection closed (noop finished 0.1 secs ago)", 0),
    ("Connection closed: read(size=9) failed: Connection reset by peer (No commands sent)", 1),
    ("Inactivity - no input for 1800 secs", 1), ("Server shutting down.", 0))
REFUSALS = (    # words, refused?, attempts, abnormal?
    ("Aborted login by logging out (auth failed, %d attempts in 9 secs)", 1, 1, 0),
    ("Connection closed (tried to use disallowed plaintext auth)", 1, 0, 0),
    ("Connection closed (no auth attempts in 1 secs)", 0, 0, 0),
    ("Inactivity (no auth attempts in 180 secs)", 0, 0, 1))
USERS = ("ann@host.test", "bob@host.test", "joe", "eve@vmbox.test", "x@else.test", "")
HOSTED = {"ann@host.test": "host.test", "bob@host.test": "host.test", "joe": "host.test",
          "eve@vmbox.test": "vmbox.test"}
DAY = 1795824000    # 2026-11-28T00:00:00Z


class World:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.is_24 = self.random.random() < 0.5
        self.lines, self.sums, self.number = [], {}, 0    # (time, order, program, pid, text)

    def add(self, user, counter, amount, is_login=True):
        if not amount:
            return
        accounts = ["node"]
        if user in HOSTED:
            accounts += [HOSTED[user]]
            accounts += [{"joe": "joe@host.test"}.get(user, user)] * is_login
        for account in accounts:
            key = (account, counter)
            self.sums[key] = self.sums.get(key, 0) + amount

    def say(self, when, program, text, pid=77):
        self.number += 1
        self.lines.append((when, self.number, program, pid, text))

    # --- Dovecot

    def login_tail(self, user, session):
        return "user=<%s>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, session=<%s>" % (
            user, session)

    def session_id(self):
        return "".join(self.random.choice("abcXYZ019/+") for _ in range(16))

    def refusal(self, when):
        r, proto = self.random, self.random.choice(("imap", "pop3"))
        words, refused, attempts, abnormal = r.choice(REFUSALS)
        user, tries = r.choice(USERS), r.randrange(1, 4)
        if "%d" in words:
            words %= tries
        verb = "Login aborted: %s (code)" if self.is_24 else "Disconnected: %s"
        self.say(when, "dovecot", "%s-login: %s: %s" % (
            proto, verb % words, self.login_tail(user, self.session_id())))
        name = proto.rstrip("3")
        for counter, amount in (("connections", 1), ("blocked", refused),
                                ("auth_failed", tries * attempts), ("terminations", abnormal)):
            self.add(user, "%s_%s" % (name, counter), amount, is_login=False)

    def session(self, when):
        r, proto = self.random, self.random.choice(("imap", "pop3"))
        user, session, pid = r.choice(USERS[:5]), self.session_id(), r.randrange(100, 30000)
        length = r.choice((0, 1, 59, r.randrange(4000), r.randrange(20000)))
        reason, abnormal = r.choice(REASONS)
        sent, got = r.randrange(1 << 20), r.randrange(1 << 30)
        self.say(when, "dovecot", "%s-login: %s: %s" % (
            proto, "Logged in" if self.is_24 else "Login", self.login_tail(user, session)))
        process, name = proto, proto.rstrip("3")
        if proto == "imap" and r.random() < 0.3:
            process, pid = "imap-hibernate", pid + 1
        rest = "in=%d out=%d deleted=0" % (sent, got) if proto == "imap" else \
            "top=1/5, retr=2/9, del=0/3, size=9, in=%d, out=%d" % (sent, got)
        self.say(when + length, "dovecot", "%s(%s)<%d><%s>: Disconnected: %s %s" % (
            process, user, pid, session, reason, rest))
        for counter, amount in (("connections", 1), ("connection_seconds", length),
                                ("bytes", sent + got), ("terminations", abnormal)):
            self.add(user, "%s_%s" % (name, counter), amount)

    # --- filters

    def spam(self, when):
        if self.random.random() < 0.1:
            self.say(when, "spamc", "connect to spamd on 127.0.0.1 failed, retrying (#1 of 3): "
                                    "Connection refused")
            self.add("", "spamd_failed", 1)
            return
        self.say(when, "spamd", "spamd: connection from a [::1]:9 to port 783, fd 5")
        self.say(when, "spamd", "spamd: result: . 2 - A scantime=%d.0,size=9" % (when % 5))
        self.add("", "spamd_connections", 1)
        self.add("", "spamd_connection_seconds", when % 5)

    def virus(self, when):
        self.say(when, "clamd", "instream(127.0.0.1@43062): " + self.random.choice(
            ("OK", "Eicar(44d88612:68) FOUND")))
        self.add("", "clamd_connections", 1)

    def noise(self, when):
        self.say(when, *self.random.choice((
            ("postfix/smtpd", "connect from a[192.0.2.7]"), ("cron", "(root) CMD (x)"),
            ("dovecot", "auth: Debug: user=<ann@host.test>"),
            ("dovecot", "imap-login: Error: Login: user=<ann@host.test>, session=<x>"),
            ("spamd", "prefork: child states: II"), ("clamd", "SelfCheck: Database status OK."))))

    def live(self, count):
        kinds = (self.refusal, self.session, self.session, self.spam, self.virus, self.noise)
        for _ in range(count):
            self.random.choice(kinds)(DAY + self.random.randrange(60000))
        self.lines.sort()

    # --- as a log

    def log(self):
        """All lines, each in a form of its own."""
        return "".join(self.form(*line) + "\n" for line in self.lines).encode()

    def form(self, when, _, program, pid, text):
        clock = "%02d:%02d:%02d" % (when % 86400 // 3600, when % 3600 // 60, when % 60)
        said = "%s[%d]: %s" % (program, pid, text)
        return self.random.choice((
            "Nov 28 %s mx %s" % (clock, said),
            "2026-11-28T%s.123456+00:00 mx %s" % (clock, said),
            "<22>1 2026-11-28T%sZ mx %s %d - - %s" % (clock, program, pid, text),
            json.dumps({"MESSAGE": text, "SYSLOG_IDENTIFIER": program, "_HOSTNAME": "mx",
                        "__REALTIME_TIMESTAMP": str(when * 1000000), "_PID": str(pid)}),
            json.dumps({"MESSAGE": list(text.encode()), "SYSLOG_IDENTIFIER": program,
                        "__REALTIME_TIMESTAMP": str(when * 1000000), "_PID": str(pid)}),
            json.dumps({"log": "Nov 28 %s mx %s\n" % (clock, said), "stream": "stdout",
                        "time": "2026-11-28T%s.5Z" % clock})))
