#!/usr/bin/env python3
"""A real Postfix in a network of its own: what the collector's machines count of its log is what
the test's clients and servers did."""

import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import auth_server
import odd_server
import postfix_server
import proc
import tap

HERE, THERE = "192.0.2.9", "198.51.100.7"      # clients; other servers
DENIED, EARLY = "192.0.2.66", "192.0.2.67"     # clients of postscreen
OUT = "smtp_out_"
PATIENCE_S = 3      # of smtpd with a client, of smtp with a server that does not greet
MAIL = b"From: u@host.test\r\nTo: x\r\nSubject: x\r\n\r\nbody\r\n.\r\n"

MORE = """\
transport_maps = texthash:{dir}/transport
virtual_alias_domains =
smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/recipients
smtpd_sender_restrictions = check_sender_access texthash:{dir}/senders
smtpd_forbid_bare_newline = reject
smtpd_timeout = {patience}s
smtpd_hard_error_limit = 5
smtpd_soft_error_limit = 100
smtp_helo_timeout = {patience}s
smtp_connection_cache_on_demand = no
minimal_backoff_time = 4000s
maximal_backoff_time = 4000s
queue_run_delay = 4000s
postscreen_access_list = cidr:{dir}/screen
postscreen_denylist_action = drop
postscreen_greet_action = enforce
postscreen_greet_wait = 2s
postscreen_dnsbl_sites =
"""
SERVICES = """\
127.0.0.1:{port} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
"""


class Server(odd_server.OddServer):
    """Counts its connections."""

    def __init__(self, replies):
        self.connections = 0
        super().__init__(replies, host=THERE)

    def serve(self, client):
        self.connections += 1
        super().serve(client)


def servers():
    """Domain -> the server that it is delivered to."""
    return {
        "good.test": Server({}),
        "banner554.test": Server({"BANNER": b"554 5.7.1 192.0.2.1 is listed at bl.example\r\n"}),
        "banner421.test": Server({"BANNER": b"421 4.7.0 too many connections\r\n"}),
        "close.test": Server({"BANNER": None}),
        "ehlo554.test": Server({"EHLO": b"554 5.7.1 go\r\n", "HELO": b"554 5.7.1 go\r\n"}),
        "mail503.test": Server({"MAIL": b"503 5.5.1 bad sequence\r\n"}),
        "spam554.test": Server({"DOT": b"554 5.7.1 refused as spam\r\n"}),
        "full452.test": Server({"RCPT": b"452 4.5.3 too many recipients\r\n"}),
        "unknown550.test": Server({"RCPT": b"550 5.1.1 no such user\r\n"}),
        "dotclose.test": Server({"DOT": None}),
    }


class Session:
    """A client's session, line by line."""

    def __init__(self, port, source=HERE, greeted=True):
        self.socket = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
        self.file = self.socket.makefile("rb")
        if greeted:
            self.reply()

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line.decode()

    def say(self, *lines):
        for line in lines:
            self.socket.sendall(line.encode() + b"\r\n")
            answer = self.reply()
        return answer

    def send(self, sender, *recipients):
        self.say("MAIL FROM:<%s>" % sender, *["RCPT TO:<%s>" % r for r in recipients])
        self.say("DATA")
        self.socket.sendall(MAIL)
        return re.search(r"queued as (\w+)", self.reply()).group(1)

    def close(self):
        self.file.close()
        self.socket.close()

    def rest(self):
        """All that comes until the server ends it."""
        text = self.file.read()
        self.close()
        return text


# --- what clients do -----------------------------------------------------------------------------

def clients(postfix):
    """Sessions of all kinds; returns what they must count on the node."""
    want = {"connections": 0, "blocked": 0, "bad_commands": 0, "terminations": 0, "auth_failed": 0}

    def begin(port=postfix.smtp, **counts):
        want["connections"] += 1
        for name, amount in counts.items():
            want[name] += amount
        return Session(port)

    s = begin()
    s.say("EHLO c.test")
    s.send("a@b.test", "u@host.test")
    s.say("QUIT")
    s.close()
    s = begin(bad_commands=4)
    s.say("EHLO c.test", "FOO", "BAR", "ETRN", "NOOP", "STARTTLS", "RSET", "QUIT")
    s.close()
    begin(terminations=1).close()
    s = begin(blocked=1)
    s.say("EHLO c.test", "MAIL FROM:<a@b.test>", "RCPT TO:<x@b.test>", "RCPT TO:<y@b.test>",
          "QUIT")
    s.close()
    s = begin()
    s.say("EHLO c.test", "MAIL FROM:<a@b.test>", "RCPT TO:<nosuch@host.test>", "QUIT")
    s.close()
    s = begin(terminations=1)
    s.say("EHLO c.test", "MAIL FROM:<a@b.test>", "RCPT TO:<u@host.test>", "DATA")
    s.socket.sendall(b"Subject: half\r\n")
    s.close()
    s = begin(terminations=1, bad_commands=5)
    s.say("EHLO c.test", "A", "B", "C", "D")
    s.socket.sendall(b"E\r\n")
    s.rest()
    s = begin(terminations=1)
    s.say("EHLO c.test")
    s.rest()    # the server's patience ends
    s = begin(bad_commands=2)
    s.say("EHLO c.test", "MAIL FROM:<a@b.test>", "RCPT TO:<>", "RCPT TO:<a b@c.test>", "RSET",
          "QUIT")
    s.close()
    s = begin(postfix.submission, auth_failed=2)
    s.say("EHLO c.test", "AUTH PLAIN " + auth_server.plain("u@host.test", "wrong"),
          "AUTH PLAIN " + auth_server.plain("u@host.test", "wrong"), "QUIT")
    s.close()
    s = begin(bad_commands=1)
    s.say("EHLO c.test", "MAIL FROM:<a@b.test>", "RCPT TO:<u@host.test>", "DATA")
    s.socket.sendall(b"Subject: x\n\nbare\r\n.\r\n")
    s.reply()
    s.say("QUIT")
    s.close()
    s = begin(postfix.submission, blocked=1)
    s.say("EHLO c.test", "AUTH PLAIN " + auth_server.plain("u@host.test"),
          "MAIL FROM:<other@host.test>", "RCPT TO:<u@host.test>", "QUIT")
    s.close()
    return want


def screened(port, want):
    """postscreen: one that is denied, one that talks first, one that hangs up, one that is let
    through to smtpd."""
    s = Session(port, DENIED)
    s.rest()
    s = Session(port, EARLY, greeted=False)
    s.socket.sendall(b"EHLO early\r\n")
    s.reply()
    s.say("EHLO early", "QUIT")
    s.close()
    s = Session(port, "192.0.2.68", greeted=False)
    s.close()
    s = Session(port, "192.0.2.70")
    s.say("EHLO c.test", "QUIT")
    s.close()
    want["connections"] += 4
    want["blocked"] += 2
    want["terminations"] += 1


# --- what goes out -------------------------------------------------------------------------------

def outgoing(postfix, want_in):
    """A message to each domain from a login, one from a script, one by an alias."""
    want_in["connections"] += 2
    s = Session(postfix.submission)
    s.say("EHLO c.test", "AUTH PLAIN " + auth_server.plain("u@host.test"))
    for domain in ("good", "banner554", "banner421", "close", "ehlo554", "mail503", "spam554",
                   "full452", "unknown550", "dotclose", "refused", "hang", "nodns"):
        s.send("u@host.test", "a@%s.test" % domain, "b@%s.test" % domain)
    s.say("QUIT")
    s.close()
    s = Session(postfix.smtp)
    s.say("EHLO c.test")
    s.send("a@b.test", "fwd@host.test")
    s.say("QUIT")
    s.close()
    postfix.command("sendmail", "-f", "v@host.test", "x@good.test", stdin=b"Subject: x\n\nx\n")


def sent_bytes(log):
    """qmgr's sizes of the deliveries whose body went over the wire."""
    sizes = dict(re.findall(r"qmgr\[\d+\]: (\w+): from=<.*?>, size=(\d+)", log))
    groups = set(re.findall(r"smtp\[(\d+)\]: (\w+): to=.*?relay=([^,]+\]:\d+),.*?"
                            r"(?:status=sent|end of DATA command|sending end of data)", log))
    return sum(int(sizes[qid]) for _, qid, _ in groups)


def count_log(postfix, domains):
    end = str(int(time.time()) + 2 * 86400)
    argv = [os.path.join(proc.BUILD, "t/collect/log_counts"), "-e", end,
            "-i", "127.0.0.1"]      # the fixture's own look at the ports
    for domain in domains:
        argv += ["-d", domain]
    with open(postfix.maillog, "rb") as log:
        out = subprocess.run(argv, stdin=log, stdout=subprocess.PIPE, check=True).stdout.decode()
    sums = {}
    for line in out.splitlines():
        _, account, name, amount = line.split(" ")
        sums[account, name] = sums.get((account, name), 0) + int(amount)
    return sums


def sessions(log):
    """(seconds of the sessions of all clients, how many are not over), as the log has them."""
    began, seconds = {}, 0
    for line in log.splitlines():
        at, said = re.search(r"\d\d:\d\d:\d\d", line), line.partition("]: ")[2]
        smtpd = re.match(r"(dis)?connect from \S+\[192\.", said)
        screen = re.match(r"(CONNECT from|(?:ALLOW|WHITE)LISTED|DISCONNECT) (\[192\.\S+)", said)
        if not at or not (smtpd or screen):
            continue
        hours, minutes, rest = map(int, at.group().split(":"))
        now = 3600 * hours + 60 * minutes + rest
        who = screen.group(2) if screen else line.partition("]: ")[0].rpartition("[")[2]
        if said.startswith(("connect", "CONNECT")):
            began[who] = now
        elif screen and said.startswith(("ALLOW", "WHITE")):
            del began[who]  # smtpd has it
        else:
            seconds += (now - began.pop(who)) % 86400
    return seconds, len(began)


def out_seconds(log):
    """Of connecting and sending, for each recipient."""
    return sum(float(x) + float(y) for x, y in re.findall(
        r"postfix/smtp\[.* delays=[^/]*/[^/]*/([\d.]+)/([\d.]+),", log))


def check_in(got, want, seconds):
    for name, amount in want.items():
        tap.same(got.get(("node", "smtp_in_" + name), 0), amount, "smtp_in_" + name)
    measured = got.get(("node", "smtp_in_connection_seconds"), 0)
    tap.same(measured, seconds, "smtp_in_connection_seconds")
    tap.ok(measured >= PATIENCE_S, "of which there are some", measured)


def check_out(got, log, all_servers, hung):
    connections = sum(s.connections for s in all_servers.values()) + 1
    user = {OUT + "connections": connections - 2, OUT + "failed": 2, OUT + "blocked": 3,
            OUT + "bad_commands": 1, OUT + "terminations": 3, OUT + "rejected": 2}
    for name, amount in user.items():
        tap.same(got.get(("u@host.test", name), 0), amount, "the login's " + name)
    for who in ("fwd@host.test", "v@host.test"):
        tap.same(got.get((who, OUT + "connections"), 0), 1, "%s: a connection" % who)
    tap.same(got.get(("node", OUT + "connections"), 0), connections,
             "as many connections as the servers saw")
    tap.same(got.get(("_unattributed", OUT + "connections"), 0), 0, "nobody's: none")
    tap.same(got.get(("node", OUT + "sent_bytes"), 0), sent_bytes(log), OUT + "sent_bytes")
    most = out_seconds(log)
    tap.ok(hung <= got.get(("node", OUT + "connection_seconds"), 0) <= most,
           OUT + "connection_seconds", got, most)


def main():
    folder = proc.scratch("collect")
    all_servers = servers()
    hang = socket.create_server((THERE, 0))     # accepts by its backlog, and never speaks
    screen = proc.free_port()
    postfix = postfix_server.Postfix(folder, "host.test", [("fwd@host.test", "x@good.test")],
                                     more=MORE.format(
                                         dir=os.path.join(folder, "postfix"), patience=PATIENCE_S))
    files = {"transport": "".join("%s smtp:[%s]:%d\n" % (domain, THERE, server.port)
                                  for domain, server in all_servers.items()) +
             "refused.test smtp:[%s]:1\nhang.test smtp:[%s]:%d\nnodns.test smtp:nodns.test\n" % (
                 THERE, THERE, hang.getsockname()[1]),
             "recipients": "nosuch@host.test 550 5.1.1 User unknown\n",
             "senders": "other@host.test 553 5.7.1 not your address\n",
             "screen": "%s reject\n192.0.2.70 permit\n" % DENIED}
    for name, text in files.items():
        proc.write_text(os.path.join(postfix.dir, name), text)
    with open(os.path.join(postfix.conf, "master.cf"), "a", encoding="utf-8") as f:
        f.write(SERVICES.format(port=screen))
    postfix.start()
    want = clients(postfix)
    outgoing(postfix, want)
    screened(screen, want)
    proc.wait_for("deliveries", lambda: len(set(re.findall(
        r"postfix/smtp\[\d+\]: \w+: to=<\w+@(\w+)", postfix.log()))) == 13, 60)
    proc.wait_for("the last lines", lambda: postfix.log().count("to=<x@good.test>") == 2)
    proc.wait_for("the ends of sessions", lambda: sessions(postfix.log())[1] == 0)
    got = count_log(postfix, ["host.test"])
    check_in(got, want, sessions(postfix.log())[0])
    check_out(got, postfix.log(), all_servers, PATIENCE_S)
    postfix.stop()


if "TG_NETWORK" not in os.environ:
    tap.need("unshare", "ip", "postfix", root=True)
    os.execvpe("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__)],
               dict(os.environ, TG_NETWORK="own"))
for command in ("link set lo up", "addr add 192.0.2.0/24 dev lo", "addr add %s/32 dev lo" % THERE):
    subprocess.run(["ip"] + command.split(), check=True)
# Of a new network it is 10. Postfix's master can wait for ever then: it writes to postlogd, which
# it has yet to start, and whose queue is full.
proc.write_text("/proc/sys/net/unix/max_dgram_qlen", "512")
tap.run(main)
