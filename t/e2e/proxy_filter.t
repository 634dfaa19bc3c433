#!/usr/bin/env python3
"""A filter before the queue (smtpd_proxy_filter) of a real Postfix: tollgated is the milter of the
second smtpd, whose client is the filter. Mail counts as from outside where networks.host is empty,
and where the filter speaks XCLIENT."""

import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postfix_server
import proc
import smtp
import tap
from site_postfix import OUTSIDE, Site, mail
from traffic import leg

MASTER = postfix_server.MASTER


class Filter(socketserver.ThreadingTCPServer):
    """Passes SMTP on, and says to the second smtpd by XCLIENT what the first says by XFORWARD."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, second):
        super().__init__(("127.0.0.1", 0), FilterSession)
        self.second, self.port = second, self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class FilterSession(socketserver.StreamRequestHandler):
    def handle(self):
        behind = smtp.Smtp(self.server.second)
        self.wfile.write(b"220 filter\r\n")
        for line in self.rfile:
            verb = line[:8].upper().split()[0]
            self.answer(behind, line, verb)
            if verb == b"QUIT":
                return

    def answer(self, behind, line, verb):
        if verb == b"EHLO":
            self.wfile.write(b"250-filter\r\n250 XFORWARD NAME ADDR\r\n")
        elif verb == b"XFORWARD":
            words = [w for w in line.decode().split()[1:] if w.startswith(("NAME=", "ADDR="))]
            behind.command("XCLIENT " + " ".join(words), 220)
            behind.ehlo()
            self.wfile.write(b"250 2.0.0 Ok\r\n")
        elif verb == b"DATA":
            self.data(behind, line)
        else:
            self.pass_on(behind, line)

    def pass_on(self, behind, data):
        behind.socket.sendall(data)
        code, text = behind.reply()
        self.wfile.write(("%d %s\r\n" % (code, text.replace("\n", " "))).encode())

    def data(self, behind, line):
        self.pass_on(behind, line)
        message = []
        for line in self.rfile:
            message.append(line)
            if line == b".\r\n":
                break
        self.pass_on(behind, b"".join(message))


def start(second, filter_port, options, settings):
    """The first smtpd has the filter and no milter, the second the milter."""
    postfix_server.MASTER = MASTER.replace(
        "127.0.0.1:{smtp} inet n - n - - smtpd\n",
        "127.0.0.1:{smtp} inet n - n - - smtpd -o smtpd_milters=\n"
        "  -o smtpd_proxy_filter=127.0.0.1:%d\n"
        "127.0.0.1:%d inet n - n - - smtpd\n  %s\n" % (filter_port, second, options))
    return Site(settings=settings)


def check(w, name):
    """What the second smtpd gets begins with the Received of the first: its size is known after."""
    def size():
        return len(w.delivered("alice@example.com"))

    for what, sender in (("", "x@gmail.test"), (", with a forged sender", "carol@example.org")):
        with w.sink.lock:
            w.sink.deliveries.clear()
        with w.traffic.message("%s: incoming mail is in%s" % (name, what), size,
                               lambda n: {"example.com": [leg("in", 1, n)]}):
            w.send(sender, ["alice@example.com"], mail(), OUTSIDE)


def without_host():
    second = proc.free_port()
    w = start(second, second, "-o smtpd_authorized_xforward_hosts=127.0.0.0/8",
              {"networks": {"host": []}})
    check(w, "networks.host = []")
    n = len(mail())
    with w.traffic.message("submission, which has no filter, is out", n,
                           {"example.com": [leg("out", 1, n)]}):
        w.send("alice@example.com", ["x@gmail.test"], mail(), OUTSIDE, "alice@example.com")
    data = mail()
    with w.traffic.message("the sendmail command is this host", len(data),
                           {"shop.example": [leg("out", 1, len(data))]}):
        w.postfix.command("sendmail", "-f", "www@shop.example", "--", "x@gmail.test",
                          stdin=data.replace(b"\r\n", b"\n"))
    w.stop()


def with_xclient():
    second = proc.free_port()
    w = start(second, Filter(second).port, "-o smtpd_authorized_xclient_hosts=127.0.0.0/8", {})
    check(w, "a filter that speaks XCLIENT")
    w.stop()


def main():
    tap.need("postfix", "redis-server", root=True)
    without_host()
    with_xclient()


tap.run(main)
