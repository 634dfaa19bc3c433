#!/usr/bin/env python3
"""Where tollgate-relay delivers: MX hosts in their order, TLS, loops, servers that fail."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dns_server
import proc
import relay
import sink
import smtp
import tap
import tls_files

TEXT = b"Subject: x\r\nFrom: a@x.test\r\n\r\nhello\r\n"


def send(r, recipients, sender="told@host.test", data=TEXT):
    c = smtp.Smtp(r.port)
    qid = c.send(sender, recipients, data)
    c.quit()
    return qid


class Listener(sink.Sink):
    """A sink at an address of its own of this host, all at one port."""

    def __init__(self, address, port):
        self.where = address
        sink.socketserver.ThreadingTCPServer.__init__(self, (address, port), sink._Session)
        self.port = port
        self.lock = sink.threading.Lock()
        self.deliveries = []
        sink.threading.Thread(target=self.serve_forever, daemon=True).start()


def by_mx(folder):
    port = proc.free_port()
    first, second, third = (Listener("127.0.0.%d" % n, port) for n in (11, 12, 13))
    dns = dns_server.Dns({
        "two.test": {"MX": [(20, "mx2.test"), (10, "mx1.test")]},
        "dead.test": {"MX": [(10, "gone.test"), (15, "away.test"), (20, "mx2.test")]},
        "plain.test": {"A": ["127.0.0.13"]},
        "null.test": {"MX": [(0, "")]},
        "empty.test": {},
        "nomx.test": {"MX": [(10, "no-address.test")]},
        "loop.test": {"MX": [(10, "relay.test"), (20, "mx2.test")]},
        "backup.test": {"MX": [(10, "mx1.test"), (20, "RELAY.test"), (30, "mx2.test")]},
        "equal.test": {"MX": [(10, "gone.test"), (20, "relay.test"), (20, "mx2.test"),
                              (20, "mx3.test")]},
        "only-equal.test": {"MX": [(20, "mx2.test"), (20, "relay.test"), (20, "mx3.test")]},
        "mx3.test": {"A": ["127.0.0.13"]},
        "failing.test": None,
        "half.test": {"MX": [(10, "failing-host.test")]},
        "failing-host.test": None,
        "mx1.test": {"A": ["127.0.0.11"]}, "mx2.test": {"A": ["127.0.0.12"], "AAAA": ["::1"]},
        "gone.test": {"A": ["127.0.0.14"]}, "no-address.test": {},
        "relay.test": {"A": ["127.0.0.1"]},
    })
    r = relay.Relay(folder, settings={"relay": {"resolver": dns.address, "smtp_port": port,
                                                "retry_first": "1h", "retry_max": "1h"}})
    r.start()
    send(r, ["a@two.test"])
    proc.wait_for("the better MX", first.count)
    tap.same((first.recipients(), second.count()), (["a@two.test"], 0), "the better MX first")
    send(r, ["a@dead.test"])
    proc.wait_for("the next MX", second.count)
    tap.same(second.recipients(), ["a@dead.test"], "the next where the better ones are away")
    send(r, ["a@plain.test", "b@plain.test", "c@two.test"])
    proc.wait_for("the domain itself", third.count)
    proc.wait_for("and the other", lambda: first.count() == 2)
    tap.same(third.recipients(), ["a@plain.test", "b@plain.test"], "no MX: the domain itself")
    tap.same(third.count(), 1, "recipients of one domain together")
    send(r, ["a@[127.0.0.13]"])
    proc.wait_for("the literal", lambda: third.count() == 2)
    tap.ok(True, "an address literal")
    send(r, ["a@backup.test"])
    proc.wait_for("the better one", lambda: "a@backup.test" in first.recipients())
    tap.ok(True, "to those better than ourselves only")
    others = second.count(), third.count()
    for number in range(10):  # equal ones come in any order
        qid = send(r, ["a%d@equal.test" % number])
        r.wait_log("deferred qid=%s .*gone.test" % qid)
        r.command("queue", "delete", qid)
        count = len(r.mail("told@host.test"))
        send(r, ["a%d@only-equal.test" % number])
        r.wait_mail("told@host.test", count + 1)
    tap.same((second.count(), third.count()), others, "never to those as good as ourselves")
    for domain, status in (("null.test", "5.1.10"), ("empty.test", "5.1.2"), ("none.test", "5.1.2"),
                           ("nomx.test", "5.4.4"), ("loop.test", "5.4.6"),
                           ("only-equal.test", "5.4.6")):
        count = len(r.mail("told@host.test"))
        send(r, ["a@" + domain])
        got = r.wait_mail("told@host.test", count + 1).decode()
        tap.ok("Status: " + status in got, "%s is returned: %s" % (domain, status), got)
    for domain in ("failing.test", "half.test"):
        qid = send(r, ["a@" + domain])
        r.wait_log("deferred qid=%s .*No answer from DNS" % qid)
        tap.ok(qid in r.queued(), domain + " is tried again later")
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")


def own_address(folder):
    """A domain whose MX is this relay by address, or a loopback address of whoever wrote it."""
    port = proc.free_port()
    other = Listener("127.0.0.11", port)
    dns = dns_server.Dns({
        "parked.test": {"MX": [(10, "mail.parked.test")]}, "mail.parked.test": {"A": ["127.0.0.1"]},
        "zero.test": {"A": ["0.0.0.0"]}, "mapped.test": {"AAAA": ["::ffff:127.0.0.1"]},
        "second.test": {"MX": [(10, "mx1.test"), (20, "mail.parked.test"), (20, "mx1.test")]},
        "mx1.test": {"A": ["127.0.0.11"]}, "local.test": {"A": ["127.0.0.77"]},
        "local6.test": {"AAAA": ["::1"]},
    })
    r = relay.Relay(folder, settings={"relay": {"resolver": dns.address, "smtp_port": port}})
    r.port = port
    r.write_settings(relay={"listen": ["127.0.0.1:%d" % port]})
    r.start()
    domains = ["parked.test", "zero.test", "mapped.test", "[127.0.0.1]"]
    for count, domain in enumerate(domains, 1):
        send(r, ["a@" + domain])
        got = r.wait_mail("told@host.test", count).decode()
        tap.ok("Status: 5.4.6" in got and domain in got, domain + " is a loop", got[-1500:])
    tap.same(r.log().count("accepted qid="), len(domains), "each is accepted once")
    send(r, ["a@second.test"])
    proc.wait_for("the better MX", other.count)
    r.wait_empty()
    tap.same(other.recipients(), ["a@second.test"], "to better ones than this address")
    r.stop()
    r.write_settings(relay={"smtp_port": 25})
    r.start()
    for count, domain in enumerate(["local.test", "local6.test"], len(domains) + 1):
        send(r, ["a@" + domain])
        got = r.wait_mail("told@host.test", count).decode()
        tap.ok("Status: 5.4.6" in got and domain in got, domain + " at port 25, too", got[-1500:])
    tap.same(r.stop(), 0, "stopped")


def tls_out(folder):
    """A second relay is the server; it says in Received whether it was TLS."""
    ca = tls_files.authority(folder)
    cert = tls_files.certificate(folder, "localhost", ca)
    wrong = tls_files.certificate(folder, "wrong.test", ca)
    cases = [
        ("none", cert, "ESMTP"), ("may", cert, "ESMTPS"), ("may", wrong, "ESMTPS"),
        ("may", None, "ESMTP"), ("encrypt", wrong, "ESMTPS"), ("encrypt", None, None),
        ("verify", cert, "ESMTPS"), ("verify", wrong, None), ("verify", None, None),
    ]
    for mode, pair, want in cases:
        what = "tls_out = %s, %s certificate" % (mode, "no" if not pair else
                                                 "a good" if pair is cert else "another's")
        there = relay.Relay(proc.scratch("there"), domains=["else.test"], settings={"relay": {
            "tls_cert_file": pair[0] if pair else "", "tls_key_file": pair[1] if pair else ""}})
        there.start()
        here = relay.Relay(proc.scratch("here"), settings={"relay": {
            "next_hop": "localhost:%d" % there.port, "tls_out": mode, "tls_ca_file": ca[0],
            "retry_first": "1h", "retry_max": "1h"}})
        here.start()
        qid = send(here, ["bob@else.test"])
        if want:
            got = there.wait_mail("bob@else.test")
            tap.ok(("with %s id" % want).encode() in got.split(b"\nReceived")[1], what, got)
        else:
            here.wait_log("deferred qid=%s .*4\\.7\\.5" % qid)
            tap.same(there.mail("bob@else.test"), [], what + ": not sent")
        here.stop()
        there.stop()


def broken_tls(folder):
    """A server whose handshake fails gets the mail in the clear where TLS is only wished for."""
    s = sink.Sink()

    class Broken(sink._Session):
        def handle(self):
            self.say("220 broken")
            while True:
                try:
                    line = self.rfile.readline()
                except ConnectionResetError:
                    return
                if not line:
                    return
                verb = line[:4].upper()
                if verb == b"EHLO":
                    self.wfile.write(b"250-broken\r\n250 STARTTLS\r\n")
                elif verb == b"STAR":
                    self.say("220 go")
                    self.wfile.write(b"nonsense\r\n")
                    return
                elif verb == b"DATA":
                    self.say("354 go")
                    self.server.deliveries.append(self.take_data())
                    self.say("250 ok")
                else:
                    self.say("250 ok")

    s.RequestHandlerClass = Broken
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % s.port}})
    r.start()
    send(r, ["a@else.test"])
    proc.wait_for("delivery", s.count)
    r.wait_log("TLS failed, sending without")
    tap.ok(True, "TLS that fails: sent without it")
    r.stop()


def loop(folder):
    """A next hop that is ourselves: ended by the number of Received fields."""
    r = relay.Relay(folder)
    r.write_settings(relay={"next_hop": "127.0.0.1:%d" % r.port})
    r.start()
    send(r, ["a@else.test"])
    got = r.wait_mail("told@host.test", timeout_s=60).decode()
    tap.ok("554 5.4.6 Too many hops" in got, "a loop ends, and the sender is told", got[-3000:])
    r.wait_empty()
    tap.same(len(r.mail("told@host.test")), 1, "once")
    r.stop()


FAULTS = [  # options of smtp-sink, outcome: delivered, deferred or returned
    ([], "delivered"), (["-e"], "delivered"), (["-p"], "delivered"), (["-8"], "delivered"),
    (["-w", "1"], "delivered"),
    (["-q", "ehlo"], "deferred"), (["-q", "helo"], "delivered"), (["-q", "mail"], "deferred"),
    (["-q", "rcpt"], "deferred"), (["-q", "data"], "deferred"), (["-q", "."], "deferred"),
    (["-Q", "connect"], "deferred"), (["-Q", "mail"], "deferred"), (["-Q", "."], "deferred"),
    (["-r", "connect"], "deferred"), (["-r", "ehlo"], "deferred"), (["-r", "mail"], "deferred"),
    (["-r", "rcpt"], "deferred"), (["-r", "data"], "deferred"), (["-r", "."], "deferred"),
    (["-f", "connect"], "deferred"), (["-f", "ehlo"], "delivered"), (["-f", "mail"], "returned"),
    (["-f", "rcpt"], "returned"), (["-f", "data"], "returned"), (["-f", "."], "returned"),
]


def faults(folder):
    port = proc.free_port()
    r = relay.Relay(folder, settings={"relay": {
        "next_hop": "127.0.0.1:%d" % port, "retry_first": "1h", "retry_max": "1h"}})
    r.start()
    returned = 0
    for options, want in FAULTS:
        what = "smtp-sink %s: %s" % (" ".join(options), want)
        server = proc.Daemon(["/usr/sbin/smtp-sink", "-u", "nobody"] + options +
                             ["127.0.0.1:%d" % port, "20"], os.path.join(folder, "sink.log"))
        server.until("sink", lambda: proc.can_connect(("127.0.0.1", port)))
        qid = send(r, ["a@else.test"])
        outcome = r.wait_log(r"(delivered|deferred|failed) qid=%s .*" % qid)
        tap.ok(outcome.group(1) == want.replace("returned", "failed"), what, outcome.group(0))
        if want == "returned":
            returned += 1
            r.wait_mail("told@host.test", returned)
        if want == "deferred":
            tap.ok(qid in r.queued(), "and it is still there")
            proc.wait_for("deletion", lambda q=qid: r.command("queue", "delete", q)[0] == 0)
        r.wait_empty()
        server.stop()
    tap.same(len(r.mail("told@host.test")), returned, "a bounce for each that was returned")
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")


def silent_server(folder):
    """A server that says nothing is given up; the message stays."""
    listener = socket.create_server(("127.0.0.1", 0))
    r = relay.Relay(folder, settings={"relay": {
        "next_hop": "127.0.0.1:%d" % listener.getsockname()[1], "timeout": "5s",
        "retry_first": "1h", "retry_max": "1h"}})
    r.start()
    c = smtp.Smtp(r.port)
    qid = c.send("told@host.test", ["a@else.test"], TEXT)
    r.wait_log("deferred qid=%s .*timed out" % qid)
    tap.ok(qid in r.queued(), "a silent server is given up")
    r.stop()
    listener.close()


def here_and_there(folder):
    """All that goes elsewhere hangs on a silent server: mail for here is delivered all the same."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    r = relay.Relay(folder, settings={"relay": {
        "next_hop": "127.0.0.1:%d" % listener.getsockname()[1], "deliveries_max": 3}})
    r.start()
    for number in range(10):
        send(r, ["a%d@else.test" % number])
    send(r, ["bob@host.test"])
    r.wait_mail("bob@host.test", timeout_s=10)
    proc.wait_for("only the others", lambda: len(r.queued()) == 10)
    tap.ok(True, "a silent server does not stop mail for here")
    r.kill()
    listener.close()


def main():
    tap.need("/usr/sbin/smtp-sink", "openssl")
    by_mx(proc.scratch("mx"))
    own_address(proc.scratch("own"))
    tls_out(proc.scratch("tls"))
    broken_tls(proc.scratch("broken"))
    loop(proc.scratch("loop"))
    faults(proc.scratch("faults"))
    silent_server(proc.scratch("silent"))
    here_and_there(proc.scratch("here"))


tap.run(main)
