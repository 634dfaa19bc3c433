#!/usr/bin/env python3
"""Mail programs that others wrote, with tollgate-relay: curl, msmtp, Postfix, opendkim."""

import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import postfix_server
import proc
import relay
import smtp
import tap
import tls_files

TEXT = (b"Subject: x\r\nFrom: a@x.test\r\nTo: b@host.test\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n"
        b"\r\n.dot\r\n..dots\r\n")
BODY = b"\n\n.dot\n..dots\n"
STRANGERS = {"networks": {"host": ["192.0.2.1"]}}


def curl(r, folder, ca):
    mail = os.path.join(folder, "mail.eml")
    with open(mail, "wb") as f:
        f.write(TEXT)
    url = "smtp://localhost:%d/client.test" % r.port
    base = ["curl", "-sS", "--mail-from", "joe@host.test", "--upload-file", mail, "--url"]
    code, _, err = proc.run(base + [url, "--mail-rcpt", "curl@host.test"])
    tap.same(code, 0, "curl", err)
    tap.ok(r.wait_mail("curl@host.test").endswith(BODY), "as it was")
    secure = ["--ssl-reqd", "--cacert", ca[0], "--user", "joe:secret"]
    for login in ("PLAIN", "LOGIN"):
        code, _, err = proc.run(base + [url, "--mail-rcpt", "a@else.test", "--login-options",
                                        "AUTH=" + login] + secure)
        tap.same(code, 0, "curl with STARTTLS and AUTH " + login, err)
    code, _, err = proc.run(base + [url, "--mail-rcpt", "a@else.test", "--ssl-reqd", "--cacert",
                                    ca[0]])
    tap.ok(code != 0, "without a login curl is refused", err)


def msmtp(r, folder, ca):
    conf = os.path.join(folder, "msmtprc")
    proc.write_text(conf, """\
account default
host localhost
port %d
from joe@host.test
auth plain
user joe
password secret
tls on
tls_starttls on
tls_trust_file %s
""" % (r.port, ca[0]))
    os.chmod(conf, 0o600)
    for address in ("msmtp@host.test", "a@else.test"):
        code, _, err = proc.run(["msmtp", "-C", conf, address], TEXT.replace(b"\r\n", b"\n"))
        tap.same(code, 0, "msmtp to " + address, err)
    tap.ok(r.wait_mail("msmtp@host.test").endswith(BODY), "as it was")
    tap.ok(re.search(rb"with (ESMTP|UTF8SMTP)SA id", r.mail("msmtp@host.test")[0]), "ESMTPSA",
           r.mail("msmtp@host.test"))


def swaks(r, implicit, ca):
    base = ["swaks", "--helo", "client.test", "-f", "joe@host.test", "-s", "localhost"]
    secure = ["--tls-verify", "--tls-ca-path", ca[0], "-au", "joe", "-ap", "secret"]
    for name, arguments, address in (
            ("in the clear", ["-p", str(r.port)], "swaks@host.test"),
            ("STARTTLS, AUTH PLAIN", ["-p", str(r.port), "--tls", "-a", "PLAIN"] + secure,
             "a@else.test"),
            ("STARTTLS, AUTH LOGIN", ["-p", str(r.port), "--tls", "-a", "LOGIN"] + secure,
             "a@else.test"),
            ("TLS from the first byte", ["-p", str(implicit), "--tls-on-connect", "-a"] + secure,
             "a@else.test")):
        code, out, err = proc.run(base + arguments + ["-t", address])
        tap.same(code, 0, "swaks, " + name, out, err)
    r.wait_mail("swaks@host.test")


def postfix(r, folder, ca):
    """Postfix as a client: in the clear, and with TLS that it verifies."""
    verify = ("smtp_tls_security_level = verify\nsmtp_tls_CAfile = %s\n"
              "smtp_tls_verify_cert_match = localhost\n" % ca[0])
    for name, more in (("in the clear", ""), ("with verified TLS", verify)):
        base = os.path.join(folder, "postfix-" + name[-3:])
        os.mkdir(base)
        p = postfix_server.Postfix(base, "host.test", sink_port=r.port, more=more)
        p.start()
        address = "postfix-%s@host.test" % name[-3:].lower()
        c = smtp.Smtp(p.smtp)
        for number in range(20):
            c.send("a@x.test", [address], TEXT + b"%d\r\n" % number)
        big = b"Subject: \xc3\xbc\r\n\r\n" + (b"\xff" * 76 + b"\r\n") * 20000
        c.send("j\u00f6rg@x.test", [address, "two@host.test"], big, "SMTPUTF8 BODY=8BITMIME")
        c.quit()
        p.wait_empty()
        tap.same(re.findall(r"status=(?!sent)\w+", p.log()), [], "Postfix, %s: all sent" % name)
        r.wait_mail(address, 21)
        texts = r.mail(address)
        tap.same(sorted(len(t.split(BODY)) for t in texts), [1] + [2] * 20, "as they were")
        tap.ok(any(t.endswith(big.split(b"\r\n\r\n")[1].replace(b"\r\n", b"\n")) for t in texts),
               "8-bit as it was")
        p.stop()


def opendkim(folder):
    """A milter written by others signs what goes through, and can verify its signature again."""
    folder = os.path.join(folder, "dkim")
    os.mkdir(folder)
    code, _, err = proc.run(["opendkim-genkey", "-D", folder, "-d", "host.test", "-s", "sel"])
    tap.same(code, 0, "a key", err)
    signer, verifier = proc.free_port(), proc.free_port()
    record = "".join(re.findall(r'"([^"]*)"', proc.read_text(os.path.join(folder, "sel.txt"))))
    proc.write_text(os.path.join(folder, "keys"), "sel._domainkey.host.test %s\n" % record)
    servers = []
    for port, mode in ((signer, "s"), (verifier, "v")):
        conf = os.path.join(folder, "conf-" + mode)
        proc.write_text(conf, """\
Mode %s
Domain host.test
Selector sel
KeyFile %s/sel.private
InternalHosts %s
Canonicalization simple/simple
AlwaysAddARHeader yes
%s
Socket inet:%d@127.0.0.1
Syslog no
RequireSafeKeys no
""" % (mode, folder, "0.0.0.0/0" if mode == "s" else "192.0.2.1",
       "TestPublicKeys %s/keys" % folder, port))
        daemon = proc.Daemon(["opendkim", "-f", "-x", conf], os.path.join(folder, "log-" + mode))
        daemon.until("opendkim", lambda p=port: proc.can_connect(("127.0.0.1", p)))
        servers.append(daemon)
    there = relay.Relay(proc.scratch("verify"), settings=dict(STRANGERS, relay={
        "milters": ["inet:%d@127.0.0.1" % verifier]}))
    there.start()
    here = relay.Relay(proc.scratch("sign"), domains=["elsewhere.test"], settings={"relay": {
        "milters": ["inet:%d@127.0.0.1" % signer], "next_hop": "127.0.0.1:%d" % there.port}})
    here.start()
    c = smtp.Smtp(here.port)
    c.send("joe@host.test", ["bob@host.test"], TEXT.replace(b"a@x.test", b"joe@host.test"))
    got = there.wait_mail("bob@host.test")
    tap.ok(b"\nDKIM-Signature: v=1;" in got, "signed by opendkim", got)
    tap.ok(re.search(rb"Authentication-Results: [^\n]*;\n\s+dkim=pass", got),
           "and verified behind another hop, byte for byte (simple/simple)", got)
    for daemon in servers + [here.daemon, there.daemon]:
        daemon.stop()


def main():
    tap.need("swaks", "curl", "msmtp", "opendkim", "opendkim-genkey", "postfix", "openssl",
             root=True)
    folder = proc.scratch("clients")
    ca = tls_files.authority(folder)
    cert = tls_files.certificate(folder, "localhost", ca)
    users = os.path.join(folder, "users")
    proc.write_text(users, proc.run([os.path.join(proc.BUILD, "tollgate-relay"), "user", "joe"],
                                    b"secret\n")[1])
    implicit = proc.free_port()
    r = relay.Relay(folder, settings=dict(STRANGERS, relay={
        "tls_cert_file": cert[0], "tls_key_file": cert[1], "users_file": users,
        "listen_tls": ["127.0.0.1:%d" % implicit], "next_hop": "127.0.0.1:9"}))
    r.start()
    curl(r, folder, ca)
    msmtp(r, folder, ca)
    swaks(r, implicit, ca)
    postfix(r, folder, ca)
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")
    opendkim(folder)


tap.run(main)
