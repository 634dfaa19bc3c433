"""A hosting site in small: real Postfix, tollgated and Redis, wired up as in production, with
everything delivered to a sink."""

import os
import re
import shutil
import threading
import time

import auth_server
import postfix_server
import proc
import redis_server
import sink
import smtp
import tap
import tollgated
import traffic

OUTSIDE, CUSTOMER, POP_CLIENT = "203.0.113.9", "198.51.100.7", "192.0.2.77"

# What tollgated hosts; Postfix hosts the same names.
HOSTED = ["example.com", "example.org", "example.net example.com", "shop.example",
          ".wild.example", "cust.example", ".cust.example cust.example", "bücher.example"]
POSTFIX_DOMAINS = ("example.com example.org example.net shop.example cust.example "
                   "bücher.example xn--bcher-kva.example a.wild.example m.cust.example")
FORWARDS = [("sales@example.com", "alice@partner.test"),
            ("team@example.com", "bob@example.com x@gmail.test y@gmail.test z@yahoo.test"),
            ("chain@example.org", "hop@example.com"), ("hop@example.com", "final@remote.test"),
            ("@shop.example", "owner@gmail.test"), ("inhouse@example.com", "carol@example.org")]


def mail(*headers, body=b"hello\r\n", sender="x@gmail.test"):
    """A message with every header that Postfix would add where one is missing."""
    head = ["Message-Id: <%d@client.test>" % time.monotonic_ns(), "From: " + sender,
            "Date: Sat, 21 Nov 2026 12:00:00 +0000", "Subject: test"]
    return "".join(h + "\r\n" for h in head + list(headers)).encode() + b"\r\n" + body


class Site:
    def __init__(self, more="", settings=None):
        """more: further lines of main.cf. settings: of tollgated, besides those that wire it up."""
        self.folder = proc.scratch("postfix")
        self.sink = sink.Sink()
        self.redis_server = redis_server.RedisServer(self.folder)
        self.redis = self.redis_server.connect()
        self.redis("SET", "tg:popauth:{%s}" % POP_CLIENT, "pop@example.org", "EX", "1800")
        self.postfix = postfix_server.Postfix(
            self.folder, POSTFIX_DOMAINS, FORWARDS, self.sink.port,
            more="transport_maps = inline:{bounce.test=error:no_such_user}\n" + more)
        socket = self.postfix.milter_socket()
        wiring = {"user": "nobody", "milter": {"mode": "0660", "group": "postfix"},
                  "hosted": {"forwards": ["postfix:" + self.postfix.conf],
                             "logins": ["file:%s/logins" % self.folder]}}
        self.tollgated = tollgated.Tollgated(self.folder, self.redis_server.url, "unix:" + socket,
                                             tollgated.merged(wiring, settings or {}))
        self.tollgated.host(HOSTED)
        proc.write_text(self.folder + "/logins", "jdoe john@example.com\n")
        os.mkdir(self.tollgated.state)
        shutil.chown(self.tollgated.state, "nobody")
        shutil.chown(os.path.dirname(socket), "nobody", "postfix")
        os.chmod(os.path.dirname(socket), 0o750)
        self.wire()
        self.tollgated.start()
        self.postfix.start()
        self.traffic = traffic.Traffic(self.redis)

    def wire(self):
        """The configuration of Postfix before it starts; a test may add to it."""
        self.postfix.use_milter("unix:tollgate/milter.sock")

    def stop(self):
        """Ends all; tollgated must end well, and without a complaint of a sanitizer."""
        self.postfix.stop()
        tap.same(self.tollgated.stop(), 0, "tollgated ends well", self.tollgated.log()[-2000:])
        tap.none(self.tollgated.complaints(), "nothing broke inside")

    def client(self, address=None, login=None, port=None):
        """An SMTP session as from that address; a login by the AUTH command, on submission."""
        session = smtp.Smtp(port or (self.postfix.submission if login else self.postfix.smtp))
        if address:
            session.xclient(ADDR=address, NAME="client.test")
        if login:
            session.auth_plain(auth_server.plain(login))
        return session

    def send(self, sender, recipients, data, address=None, login=None, parameters=""):
        session = self.client(address, login)
        queue_id = session.send(sender, recipients, data, parameters)
        session.quit()
        return queue_id

    def attempt(self, sender, recipients, address=OUTSIDE, login=None, data=None):
        """As send(), where a refusal is an answer."""
        session = self.client(address, login)
        done = session.attempt(sender, recipients, data or mail())
        session.quit()
        return done

    def deliveries(self, recipient):
        """What the sink got for that recipient, without the Received headers on top."""
        with self.sink.lock:
            return [without_received(d.data) for d in self.sink.deliveries
                    if recipient in d.recipients]

    def delivered(self, recipient):
        """The only or last message of that recipient."""
        return proc.wait_for("mail for " + recipient, lambda: self.deliveries(recipient)[-1:])[0]

    def check_delivered(self, recipient, data, name):
        try:
            proc.wait_for("delivery", lambda: data in self.deliveries(recipient))
        except TimeoutError:
            got = self.deliveries(recipient)[-1:]
            tap.ok(False, name + ": delivered unchanged", data[:500], got[:500])
            return
        tap.ok(True, name + ": delivered unchanged")


class Load(threading.Thread):
    """Many sessions at a time, as from a program of this host, batch after batch."""

    BATCH, SESSIONS = 200, 8

    def __init__(self, w, *options):
        """options: of smtp-source(1), in addition."""
        super().__init__(daemon=True)
        self.w, self.options, self.ended = w, options, threading.Event()
        self.sent, self.faults = 0, []

    def run(self):
        while not self.ended.is_set() and not self.faults:
            code, _, err = proc.run(
                ["/usr/sbin/smtp-source", *self.options, "-m", str(self.BATCH),
                 "-s", str(self.SESSIONS), "-l", "500", "-f", "news@example.com",
                 "-t", "load@gmail.test", "127.0.0.1:%d" % self.w.postfix.smtp])
            self.sent += self.BATCH
            if code != 0:
                self.faults.append(err)


def without_received(data):
    """Without the topmost header, which must be Received."""
    if not data.startswith(b"Received:"):
        raise ValueError("no Received header on top: %r" % data[:80])
    return re.split(rb"\r\n(?![ \t])", data, 1)[1]
