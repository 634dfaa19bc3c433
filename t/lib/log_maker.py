"""Makes mail logs that might be: Postfix's daemons at work for some domains, with clients of all
kinds, forwards, bounces, content filters, servers that refuse, lost lines and new starts.

Each story writes its lines by itself; pids are given to one story at a time and used again. The
same seed gives the same log."""

import datetime
import heapq
import random

BEGIN = 1795824000      # 2026-11-28T00:00:00Z
HOSTED = ["host.test", "vmbox.test", "shop.test"]
LOGINS = {"joe": "joe@host.test", "ann@vmbox.test": "ann@vmbox.test"}
OUTSIDE = ["b.test", "c.example", "big.example", "d.test"]
LONG = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"


class Pids:
    """Processes of one daemon: the first that is free at that time."""

    def __init__(self, first):
        self.next, self.free = first, []

    def take(self, at):
        if self.free and self.free[0][0] < at:
            return heapq.heappop(self.free)[1]
        self.next += 1
        return self.next

    def give(self, pid, at):
        heapq.heappush(self.free, (at, pid))


class Maker:
    def __init__(self, seed, instances=("postfix", "postfix-out")):
        self.random = random.Random(seed)
        self.instances = instances
        self.lines, self.now, self.ids = [], float(BEGIN), 0
        self.pids = {}

    # --- pieces ---

    def say(self, at, instance, daemon, pid, text):
        self.lines.append((at, len(self.lines), "%s/%s[%d]: %s" % (instance, daemon, pid, text)))

    def pid(self, instance, daemon, at):
        # the same numbers in each instance
        return self.pids.setdefault((instance, daemon), Pids(1000)).take(at)

    def give(self, instance, daemon, pid, at):
        self.pids[instance, daemon].give(pid, at)

    def id(self):
        self.ids += 1
        number, text = self.ids, ""
        if self.random.random() < 0.3:
            return "%05X%06X" % (self.random.randrange(1 << 20), self.ids)
        for _ in range(8):
            text = LONG[number % 51] + text
            number //= 51
        return "4j" + text + "z1d2"

    def wait(self, longest):
        return self.random.uniform(0.001, longest)

    def address(self, domains):
        return "%s@%s" % (self.random.choice(["ann", "bob", "u", "x.y"]),
                          self.random.choice(domains))

    # --- what comes in ---

    def session(self):
        """A client of smtpd; returns when it is over."""
        r, at = self.random, self.now
        instance = r.choice(self.instances)
        service = r.choice(["smtpd", "submission/smtpd"])
        pid = self.pid(instance, service, at)
        client = "c%d.example[192.0.2.%d]" % (r.randrange(9), r.randrange(1, 250))
        say = lambda text: self.say(at, instance, service, pid, text)
        say("connect from " + client)
        words, good_data, login = ["ehlo=1"], 0, None
        if service != "smtpd" and r.random() < 0.7:
            login = r.choice(["joe", "ann@vmbox.test", "stranger"])
            words.append("auth=1" if r.random() < 0.8 else "auth=1/%d" % r.randrange(2, 4))
        elif r.random() < 0.1:
            words.append("auth=0/%d" % r.randrange(1, 3))
            say("warning: %s: SASL LOGIN authentication failed: no" % client)
        for _ in range(r.choice([0, 1, 1, 1, 2])):
            at += self.wait(3)
            if self.refusal(at, instance, service, pid, client):
                continue
            if r.random() < 0.1:
                say("warning: Illegal address syntax from %s in RCPT command: <>" % client)
            at = self.message(at, instance, service, pid, client, login)
            good_data += 1
        if good_data:
            words.append("data=%d" % good_data)
        for name in ("unknown", "vrfy", "rset", "mail", "rcpt", "xclient", "new"):
            if r.random() < 0.06:
                words.append("%s=%d/%d" % (name, 0, r.randrange(1, 4)))
        at += self.wait(4000 if r.random() < 0.01 else 5)
        if r.random() < 0.1:
            prefix = r.choice(["", "NOQUEUE: "])
            say("%s%s from %s" % (prefix, r.choice(["lost connection after RCPT",
                                                    "timeout after DATA (12 bytes)",
                                                    "too many errors after AUTH"]), client))
        if r.random() < 0.03:
            at += 1     # its end is lost, and the process begins another
        else:
            say("disconnect from %s %s commands=9" % (client, " ".join(words)))
        self.give(instance, service, pid, at)

    def refusal(self, at, instance, service, pid, client):
        r = self.random
        if r.random() > 0.3:
            return False
        said = r.choice([
            "RCPT from %s: 554 5.7.1 <a@b.test>: Relay access denied; from=<>" % client,
            "RCPT from %s: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
            "zen.spamhaus.org; from=<a@b.test>" % client,
            "RCPT from %s: 550 5.1.1 <a@host.test>: Recipient address rejected: User unknown; "
            "from=<>" % client,
            "MAIL from %s: 552 5.3.4 Message size exceeds fixed limit; proto=ESMTP" % client,
            "MAIL from %s: 450 4.7.1 host.test: limit of 6 recipients per hour reached (6 used, 3 "
            "more wanted), try again in 12 minutes; from=<a@host.test>" % client,
            "EHLO from %s: 550 5.7.1 no; proto=SMTP" % client])
        self.say(at, instance, service, pid,
                 "NOQUEUE: %sreject: %s" % (r.choice(["", "milter-"]), said))
        return True

    def message(self, at, instance, service, pid, client, login):
        """One that smtpd takes; its way through the queue is written, too."""
        r, qid = self.random, self.id()
        sender = self.address(HOSTED if login else OUTSIDE + HOSTED)
        self.say(at, instance, service, pid, "%s: client=%s%s" % (
            qid, client, ", sasl_method=PLAIN, sasl_username=" + login if login else ""))
        at += 0.01
        self.say(at, instance, "cleanup", 90, "%s: message-id=<%s@x>" % (qid, qid))
        if r.random() < 0.05:
            self.say(at, instance, "cleanup", 90, "%s: milter-reject: END-OF-MESSAGE from %s: "
                     "5.7.1 no; from=<%s>" % (qid, client, sender))
            return at
        if r.random() < 0.15:
            self.through_filter(at, instance, qid, sender)
        else:
            self.queue(at, instance, qid, sender, bool(login))
        return at

    def through_filter(self, at, instance, qid, sender):
        again, pid = self.id(), self.pid(instance, "10025/smtpd", at)
        out = self.pid(instance, "smtp", at)
        filter_id = "localhost[127.0.0.1], orig_queue_id=%s, orig_client=c[192.0.2.3]" % qid
        self.active(at, instance, qid, sender)
        self.say(at, instance, "10025/smtpd", pid, "connect from localhost[127.0.0.1]")
        self.say(at + 0.1, instance, "10025/smtpd", pid, "%s: client=%s" % (again, filter_id))
        self.say(at + 0.1, instance, "cleanup", 91, "%s: message-id=<%s@x>" % (again, qid))
        self.say(at + 0.2, instance, "10025/smtpd", pid,
                 "disconnect from localhost[127.0.0.1] ehlo=1 xforward=1 data=1 commands=5")
        self.queue(at + 0.2, instance, again, sender, False)
        self.say(at + 0.3, instance, "smtp", out,
                 "%s: to=<x@y.test>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
                 "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %s)" % (qid, again))
        self.say(at + 0.3, instance, "qmgr", 80, "%s: removed" % qid)
        self.give(instance, "10025/smtpd", pid, at + 0.3)
        self.give(instance, "smtp", out, at + 0.3)

    def submitted(self):
        r, qid = self.random, self.id()
        instance = r.choice(self.instances)
        sender = self.address(HOSTED + OUTSIDE) if r.random() < 0.9 else ""
        self.say(self.now, instance, "pickup", 70, "%s: uid=33 from=<%s>" % (qid, sender))
        self.say(self.now, instance, "cleanup", 90, "%s: message-id=<%s@x>" % (qid, qid))
        self.queue(self.now, instance, qid, sender, True)

    # --- the queue ---

    def active(self, at, instance, qid, sender):
        self.say(at, instance, "qmgr", 80, "%s: from=<%s>, size=%d, nrcpt=1 (queue active)" % (
            qid, sender, self.random.randrange(300, 90000)))

    def queue(self, at, instance, qid, sender, is_ours):
        r = self.random
        self.active(at, instance, qid, sender)
        at += self.wait(1)
        fate = r.random()
        if fate < 0.25:
            self.say(at, instance, r.choice(["local", "virtual"]), 60,
                     "%s: to=<bob@host.test>, relay=local, delay=1, delays=0/0/0/0, dsn=2.0.0, "
                     "status=sent (delivered to maildir)" % qid)
        elif fate < 0.35:
            at = self.forward(at, instance, qid, sender)
        elif fate < 0.45:
            at = self.failed(at, instance, qid)
        else:
            alias = self.address(HOSTED) if not is_ours and r.random() < 0.6 else None
            at = self.out(at, instance, qid, alias)
            if r.random() < 0.1:
                self.active(at + 0.1, instance, qid, sender)
                at = self.out(at + 0.2, instance, qid, alias)
        self.say(at + 0.1, instance, "qmgr", 80, "%s: removed" % qid)

    def forward(self, at, instance, qid, sender):
        copy = self.id()
        told = "%s: to=<%s>, relay=local, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent " \
               "(forwarded as %s)" % (qid, self.address(HOSTED), copy)
        told_at = at + self.random.choice([0, 0.1, 3])  # it may be told late
        self.say(told_at, instance, "local", 60, told)
        self.say(at, instance, "cleanup", 90, "%s: message-id=<%s@x>" % (copy, qid))
        self.active(at, instance, copy, sender)
        end = self.out(at + 0.1, instance, copy, None)
        self.say(end, instance, "qmgr", 80, "%s: removed" % copy)
        return max(at, told_at) + 0.2

    def failed(self, at, instance, qid):
        notice = self.id()
        self.say(at, instance, "local", 60,
                 "%s: to=<%s>, relay=local, delay=1, delays=0/0/0/0, dsn=5.1.1, status=bounced "
                 "(unknown user)" % (qid, self.address(HOSTED)))
        told = "%s: sender non-delivery notification: %s" % (qid, notice)
        first = self.random.random() < 0.5
        if first:
            self.say(at, instance, "bounce", 50, told)
        self.say(at, instance, "cleanup", 90, "%s: message-id=<%s@x>" % (notice, notice))
        self.active(at + 0.01, instance, notice, "")
        end = self.out(at + 0.02, instance, notice, None)
        if not first:
            self.say(at + 0.02, instance, "bounce", 50, told)
        self.say(end + 0.1, instance, "qmgr", 80, "%s: removed" % notice)
        return at + 0.1

    # --- what goes out ---

    def out(self, at, instance, qid, alias):
        r = self.random
        daemon = r.choice(["smtp", "smtp", "relay/smtp", "lmtp"])
        pid = self.pid(instance, daemon, at)
        say = lambda text: self.say(at, instance, daemon, pid, text)
        for _ in range(r.choice([0, 0, 0, 1, 2])):
            say(r.choice([
                "connect to mx.b.test[192.0.2.77]:25: Connection refused",
                qid + ": host mx[192.0.2.78] refused to talk to me: 421 4.7.0 busy",
                qid + ": lost connection with mx[192.0.2.78] while sending RCPT TO",
                qid + ": conversation with mx[192.0.2.78] timed out while receiving the greeting",
                qid + ": host mx[192.0.2.78] said: 451 4.3.0 later (in reply to MAIL FROM command)",
                "Untrusted TLS connection established to mx[192.0.2.78]:25: TLSv1.3"]))
            at += self.wait(1)
        for _ in range(r.choice([1, 1, 2])):
            self.group(at, instance, daemon, pid, qid, alias)
            at += self.wait(1)
        self.give(instance, daemon, pid, at)
        return at

    def group(self, at, instance, daemon, pid, qid, alias):
        r = self.random
        fate = r.random()
        relay = "mx%d.example[198.51.100.%d]:25" % (r.randrange(5), r.randrange(1, 250))
        if fate < 0.05:
            relay = "mx[private/dovecot-lmtp]"
        use = ", conn_use=%d" % r.randrange(2, 9) if r.random() < 0.2 else ""
        times = "0.1/%s/%s" % (r.choice(["0", "0.01"]), r.choice(["0", "0.03", "2", "0.5"]))
        sending = r.choice([0, 0.25, 1.7])
        for _ in range(r.choice([1, 1, 1, 3])):
            sending += r.choice([0, 0, 0.01])   # of recipients that are refused one by one
            delays = "delay=%d, delays=%s/%.3g" % (r.randrange(99), times, sending)
            status = r.choice([
                "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ABCDEF0)",
                "dsn=2.0.0, status=sent (250 ok)",
                "dsn=5.1.1, status=bounced (host h[1.2.3.4] said: 550 5.1.1 no (in reply to RCPT "
                "TO command))",
                "dsn=5.5.2, status=bounced (host h[1.2.3.4] said: 500 5.5.2 what (in reply to DATA "
                "command))",
                "dsn=4.7.1, status=deferred (host h[1.2.3.4] refused to talk to me: 554 listed at "
                "bl.example)",
                "dsn=4.4.2, status=deferred (lost connection with h[1.2.3.4] while sending end of "
                "data -- message may be sent more than once)",
                "dsn=4.2.0, status=deferred (host h[1.2.3.4] said: 450 4.2.0 grey (in reply to "
                "RCPT TO command))"])
            if fate > 0.95:
                relay, use = "none", ""
                status = "dsn=4.4.3, status=deferred (Host or domain name not found. Name " \
                         "service error for name=x)" if fate > 0.97 else \
                         "dsn=4.4.1, status=deferred (connect to mx[192.0.2.77]:25: refused)"
            self.say(at, instance, daemon, pid, "%s: to=<%s>, %srelay=%s%s, %s, %s" % (
                qid, self.address(OUTSIDE), "orig_to=<%s>, " % alias if alias else "", relay, use,
                delays, status))

    # --- others ---

    def screened(self):
        r, at = self.random, self.now
        instance = r.choice(self.instances)
        client = "[203.0.113.%d]:%d" % (r.randrange(1, 250), r.randrange(1024, 65536))
        say = lambda text: self.say(at, instance, "postscreen", 40, text)
        say("CONNECT from %s to [192.0.2.1]:25" % client)
        fate = r.random()
        if fate < 0.3:
            say(r.choice(["PASS OLD ", "ALLOWLISTED ", "WHITELISTED "]) + client)
            return
        at += self.wait(6)
        if fate < 0.5:
            say("PASS NEW " + client)
            if fate < 0.4:
                return
        elif fate < 0.8:
            say(r.choice(["PREGREET 9 after 0 from %s: x", "DNSBL rank 4 for %s",
                          "DENYLISTED %s"]) % client)
        else:
            say("HANGUP after 0.5 from %s in tests" % client)
        if r.random() < 0.2:
            say("NON-SMTP COMMAND from %s after CONNECT: x" % client)
        say("DISCONNECT " + client)

    def restart(self):
        instance = self.random.choice(self.instances)
        self.say(self.now, instance, "master", 30, "daemon started -- version 3.7.11, x")

    def log(self, count):
        """So many lines, sorted by time, as text."""
        stories = ([self.session] * 240 + [self.submitted, self.screened, self.screened] * 40 +
                   [self.restart])
        while len(self.lines) < count:
            self.now += self.random.expovariate(1.5)
            self.random.choice(stories)()
        self.lines.sort(key=lambda line: line[:2])
        return "".join("%s mx %s\n" % (stamp(at), text) for at, _, text in self.lines)


def stamp(at):
    when = datetime.datetime.fromtimestamp(int(at * 1000) / 1000, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + "%03d+00:00" % (when.microsecond // 1000)
