#!/usr/bin/env python3
"""tollgate-relay and clients that are not on a loopback address: in a network of its own, where
this machine has 192.0.2.1 and 2001:db8::1. The network ends with the test."""

import os
import smtplib
import ssl
import subprocess
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
OUTSIDE = ["192.0.2.1", "2001:db8::1"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1"]
AUTH = "AUTH PLAIN AGpvZQBzZWNyZXQ="  # joe, secret


def connect(r, address):
    c = smtplib.SMTP(address, r.port, local_hostname="c.test", source_address=(address, 0))
    c._host = "relay.test"
    c.ehlo()
    return c


def recipient(c):
    c.docmd("MAIL FROM:<a@host.test>")
    code = c.docmd("RCPT TO:<b@else.test>")[0]
    c.docmd("RSET")
    return code


def relay_for(folder, listen, **settings):
    r = relay.Relay(folder, settings={"networks": {"host": ["127.0.0.0/8", "::1"], "customers": []},
                                      "relay": settings})
    r.write_settings(relay={"listen": [("[%s]:%d" if ":" in a else "%s:%d") % (a, r.port)
                                       for a in listen]})
    r.start()
    return r


def logins(folder):
    ca = tls_files.authority(folder)
    cert = tls_files.certificate(folder, "relay.test", ca)
    users = os.path.join(folder, "users")
    proc.write_text(users, proc.run([os.path.join(proc.BUILD, "tollgate-relay"), "user", "joe"],
                                    b"secret\n")[1])
    s = sink.Sink()
    r = relay_for(folder, ["0.0.0.0", "::"], users_file=users, tls_cert_file=cert[0],
                  tls_key_file=cert[1], next_hop="127.0.0.1:%d" % s.port)
    for address in OUTSIDE:
        c = connect(r, address)
        tap.ok(not c.has_extn("auth"), address + ": AUTH is not offered in the clear")
        tap.same(c.docmd(AUTH)[0], 538, address + ": and refused")
        tap.same(recipient(c), 554, address + ": no relaying")
        c.starttls(context=ssl.create_default_context(cafile=ca[0]))
        c.ehlo()
        tap.ok(c.has_extn("auth"), address + ": AUTH is offered under TLS")
        tap.same(c.docmd(AUTH)[0], 235, address + ": and accepted")
        tap.same(recipient(c), 250, address + ": then it may send")
        c.close()
    for address in LOOPBACK:
        c = connect(r, address)
        tap.ok(c.has_extn("auth"), address + ": AUTH in the clear from this machine")
        tap.same(c.docmd(AUTH)[0], 235, address + ": is accepted")
        c.close()
    tap.same(r.stop(), 0, "stopped")


def no_certificate(folder, users):
    r = relay_for(folder, ["0.0.0.0"], users_file=users)
    c = connect(r, OUTSIDE[0])
    tap.ok(not c.has_extn("auth") and not c.has_extn("starttls"), "no certificate: no AUTH")
    tap.same(c.docmd(AUTH)[0], 502, "and none is accepted")
    c.close()
    tap.same(r.stop(), 0, "stopped")


def customers(folder):
    r = relay_for(folder, ["0.0.0.0", "::"])
    tap.same([recipient(connect(r, a)) for a in OUTSIDE], [554, 554], "strangers")
    r.write_settings(networks={"customers": ["192.0.2.0/24", "2001:db8::/32"]})
    r.restart()
    tap.same([recipient(connect(r, a)) for a in OUTSIDE], [250, 250], "customers")
    c = smtplib.SMTP(OUTSIDE[0], r.port, source_address=(OUTSIDE[0], 0))
    c.sendmail("a@x.test", ["bob@host.test"], TEXT)
    got = r.wait_mail("bob@host.test")
    tap.ok(b"(unknown [192.0.2.1])" in got, "the client in Received", got)
    c.close()
    tap.same(r.stop(), 0, "stopped")


def own_address(folder):
    """A listener on 0.0.0.0 has each address of each interface, at its port."""
    dns = dns_server.Dns({
        "loop.test": {"MX": [(10, "here.test")]}, "here.test": {"A": ["192.0.2.1"]},
        "loop6.test": {"MX": [(10, "here6.test")]}, "here6.test": {"AAAA": ["2001:db8::1"]},
        "real.test": {"A": ["192.0.2.2"]},
    })
    subprocess.run(["ip", "address", "add", "192.0.2.2/32", "dev", "lo"], check=True)
    r = relay_for(folder, ["192.0.2.1", "127.0.0.1", "::"], resolver=dns.address)
    r.write_settings(relay={"smtp_port": r.port})
    r.restart()
    other = sink.Sink()
    for count, domain in enumerate(["loop.test", "loop6.test"], 1):
        c = smtp.Smtp(r.port)
        c.send("told@host.test", ["a@" + domain], TEXT)
        got = r.wait_mail("told@host.test", count)
        tap.ok(b"Status: 5.4.6" in got, domain + ": its MX is this relay", got[-1000:])
        c.close()
    other.server_close()
    c = smtp.Smtp(r.port)
    qid = c.send("told@host.test", ["a@real.test"], TEXT)
    r.wait_log("deferred qid=%s .*Connection refused" % qid)
    tap.ok(True, "another address of this machine, where nobody listens, is none of the relay's")
    tap.same(r.stop(), 0, "stopped")


def inside():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ("192.0.2.1/32", "2001:db8::1/128"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"] +
                       (["nodad"] if ":" in address else []), check=True)
    folder = proc.scratch("namespace")
    links = proc.run(["ip", "-oneline", "link"])[1].strip().split("\n")
    tap.ok(len([x for x in links if "LOWER_UP" in x]) == 1, "a network of its own", *links)
    logins(folder)
    no_certificate(proc.scratch("clear"), os.path.join(folder, "users"))
    customers(proc.scratch("customers"))
    own_address(proc.scratch("own"))


def main():
    tap.need("unshare", "ip", root=True)
    if os.environ.get("TG_NAMESPACE"):
        inside()
    else:
        os.execvpe("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__)],
                   dict(os.environ, TG_NAMESPACE="yes"))


tap.run(main)
