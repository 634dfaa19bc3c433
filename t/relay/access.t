#!/usr/bin/env python3
"""Who may send through tollgate-relay, and how: TLS, logins, line ends, slow clients, tricks."""

import base64
import contextlib
import os
import smtplib
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap
import tls_files

TEXT = b"Subject: x\r\nFrom: a@x.test\r\n\r\nhello\r\n"
STRANGERS = {"networks": {"host": ["192.0.2.1"]}}  # so that this host is none of ours


def trusting(ca):
    return ssl.create_default_context(cafile=ca[0])


def client(r, ca, port=None, start=True):
    c = smtplib.SMTP("127.0.0.1", port or r.port)
    c._host = "relay.test"
    c.ehlo()
    if start:
        c.starttls(context=trusting(ca))
        c.ehlo()
    return c


def code_of(action, *arguments, **more):
    """The code of the reply that the action was refused with, or 250."""
    try:
        action(*arguments, **more)
    except smtplib.SMTPRecipientsRefused as e:
        return list(e.recipients.values())[0][0]
    except smtplib.SMTPResponseException as e:
        return e.smtp_code
    return 250


def tls(r, ca, implicit):
    c = client(r, ca, start=False)
    tap.ok(c.has_extn("starttls"), "STARTTLS is offered")
    c.starttls(context=trusting(ca))
    c.ehlo()
    tap.ok(not c.has_extn("starttls"), "and not again")
    tap.ok(c.has_extn("auth"), "AUTH under TLS")
    c.sendmail("a@x.test", ["tls@host.test"], TEXT)
    tap.ok(b"with ESMTPS id" in r.wait_mail("tls@host.test"), "ESMTPS")
    c.quit()
    with smtplib.SMTP_SSL("127.0.0.1", implicit, context=untrusting()) as c:
        c.sendmail("a@x.test", ["tls@host.test"], TEXT)
    r.wait_mail("tls@host.test", 2)
    tap.ok(True, "TLS from the first byte")
    code, out, _ = proc.run(["openssl", "s_client", "-starttls", "smtp", "-tls1_1", "-cipher",
                             "ALL:@SECLEVEL=0", "-connect", "127.0.0.1:%d" % r.port])
    tap.ok(code != 0 and "Cipher is (NONE)" in out, "no TLS 1.1", out)


def untrusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def injection(r):
    """Commands sent behind STARTTLS in plain text are never carried out."""
    s = socket.create_connection(("127.0.0.1", r.port))
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"EHLO c\r\nSTARTTLS\r\nRSET\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<b@host.test>\r\n")
    line = b""
    while not line.startswith(b"220"):
        line = f.readline()
    tls_socket = untrusting().wrap_socket(s, server_hostname="relay.test")
    tls_socket.settimeout(60)
    tls_socket.sendall(b"DATA\r\n")
    tap.ok(tls_socket.recv(1000).startswith(b"503"), "what came before TLS is forgotten")
    tls_socket.sendall(b"EHLO c\r\n")
    tap.ok(tls_socket.recv(1000).startswith(b"250-relay.test"), "and the session goes on")
    tls_socket.close()
    s = socket.create_connection(("127.0.0.1", r.port))
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"STARTTLS\r\n")
    f.readline()
    s.sendall(b"MAIL FROM:<evil@x.test>\r\n")
    try:
        rest = f.read()
    except ConnectionResetError:
        rest = b""
    tap.ok(b"250" not in rest, "plain text where the handshake should be ends the session", rest)


def logins(r, ca):
    def login(name, password, kind="PLAIN"):
        c = client(r, ca)
        c.user, c.password = name, password
        code = code_of(c.auth, kind, getattr(c, "auth_" + kind.lower()))
        return c, code

    for kind in ("PLAIN", "LOGIN"):
        c, code = login("joe", "secret", kind)
        tap.same(code, 250, "AUTH " + kind)
        tap.same(code_of(c.sendmail, "joe@host.test", ["out@else.test"], TEXT), 250,
                 "a login may send anywhere")
    proc.wait_for("ESMTPSA", lambda: r.log().count("login=joe") >= 2)
    tap.same(login("joe", "wrong")[1], 535, "a wrong password")
    tap.same(login("nobody", "secret")[1], 535, "an unknown login")

    def takes(name):
        c = client(r, ca)
        c.user, c.password, start = name, "wrong", time.monotonic()
        code_of(c.auth, "PLAIN", c.auth_plain)
        return time.monotonic() - start

    # The least of three: where the machine stands still in one of them, that says nothing.
    known, unknown = (min(takes(name) for _ in range(3)) for name in ("joe", "nobody"))
    tap.ok(abs(known - unknown) < 0.5 and unknown >= 1, "takes as long", known, unknown)
    tap.same(login("plain", "text")[1], 535, "a hash that is none opens nothing")
    c, code = login("joe", "secret ")
    tap.same(code, 535, "a password nearly right")
    tap.same(code_of(c.sendmail, "joe@host.test", ["out@else.test"], TEXT), 554,
             "no login, no relaying")


def login_before_tls(folder, ca, cert):
    """A login in the clear, which only this host may have, is gone after STARTTLS."""
    s = sink.Sink()
    r = relay.Relay(proc.scratch("before"), settings=dict(STRANGERS, relay={
        "next_hop": "127.0.0.1:%d" % s.port, "tls_cert_file": cert[0], "tls_key_file": cert[1],
        "users_file": os.path.join(folder, "users")}))
    r.start()
    c = client(r, ca, start=False)
    c.login("joe", "secret")
    c.starttls(context=trusting(ca))
    c.ehlo()
    tap.same(code_of(c.sendmail, "joe@host.test", ["out@else.test"], TEXT), 554,
             "a login in the clear does not survive STARTTLS")
    c.login("joe", "secret")
    tap.same(code_of(c.sendmail, "joe@host.test", ["out@else.test"], TEXT), 250,
             "one under TLS is good")
    tap.same(r.stop(), 0, "stopped")


def guessing(r, ca):
    """Three tries a session, ten an address and ten minutes."""
    codes = []
    for _ in range(4):
        c = client(r, ca)
        for _ in range(3):
            code = c.docmd("AUTH PLAIN " + base64.b64encode(b"\0joe\0guess").decode())[0]
            codes.append(code)
            if code == 421:
                break
    tap.ok(codes.count(535) < 10 and codes[-1] == 421, "guessing is bounded", codes)
    c = client(r, ca)
    tap.same(c.docmd("AUTH PLAIN " + base64.b64encode(b"\0joe\0secret").decode())[0], 421,
             "then even the right password is not tried")


def plain_auth(folder, ca):
    """AUTH without TLS is for this host alone, which is all that a test can be."""
    r = relay.Relay(folder, settings=dict(STRANGERS, relay={
        "users_file": os.path.join(folder, "users"), "next_hop": "127.0.0.1:9"}))
    r.start()
    c = client(r, ca, start=False)
    tap.ok(c.has_extn("auth"), "AUTH in the clear from this host")
    tap.same(c.docmd("STARTTLS")[0], 502, "no certificate, no STARTTLS")
    r.stop()


def open_relay(r):
    tries = ["out@else.test", "@host.test:out@else.test", "out%else.test@relay.test",
             "else.test!out@relay.test", "out@[127.0.0.1]", "out@else.test.", "\"out@else.test\"",
             "out@host.test@else.test", "out@sub.host.test", "out@HOST.TEST.else.test",
             "out@[host.test]", "out@host.test\\@else.test", "out@xn--.else.test",
             "<out@else.test>",
             "out@127.0.0.1", "out@relay.test", "postmaster@else.test"]
    c = smtp.Smtp(r.port)
    c.command("MAIL FROM:<a@host.test>")
    for recipient in tries:
        try:
            c.command("RCPT TO:<%s>" % recipient)
            tap.ok(False, "refused: " + recipient, "was accepted")
        except smtp.Refused as e:
            tap.ok(e.code in (501, 550, 554), "refused: " + recipient, e)
            if e.text.startswith("4.7.0"):
                break
        c.close()
        c = smtp.Smtp(r.port)
        c.command("MAIL FROM:<a@host.test>")
    for mailbox in ("bob@host.test", "BOB@Host.Test", "@else.test:bob@host.test",
                    "out%else.test@host.test"):
        c.command("RCPT TO:<%s>" % mailbox)
        tap.ok(True, "taken: " + mailbox)
    c.close()


def raw(r, data, pause=None):
    """All that the server says to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", r.port), 20) as s:
        for part in data:
            s.sendall(part)
            if pause:
                time.sleep(pause)
        s.shutdown(socket.SHUT_WR)
        out = b""
        while True:
            more = s.recv(65536)
            if not more:
                return out
            out += more


START = b"EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<smuggled@host.test>\r\nDATA\r\n"


def smuggling(r):
    inner = b"MAIL FROM:<evil@host.test>\r\nRCPT TO:<smuggled@host.test>\r\nDATA\r\nevil\r\n.\r\n"
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n",
                b"\r\n.\r\r\n", b"\n\r.\r\n", b"\0\r\n.\0\r\n"):
        out = raw(r, [START + b"Subject: x\r\n\r\nhello" + end + inner])
        tap.ok(b"queued as" not in out and b"521" in out, "%r ends nothing" % end, out)
    tap.same(r.mail("smuggled@host.test"), [], "nothing was smuggled")


def endless(r):
    out = raw(r, [b"A" * 100000])
    tap.ok(b"500 5.5.2" in out, "an endless line", out)
    out = raw(r, [START + b"X: " + b"y" * 200000 + b"\r\n\r\n.\r\n"])
    tap.ok(b"552 5.3.4" in out, "a header line too long", out[-100:])
    out = raw(r, [START + b"X: y\r\n" * 100000 + b"\r\n.\r\n"])
    tap.ok(b"queued as" in out, "100,000 header lines", out[-100:])
    out = raw(r, [b"EHLO a\0b\r\n", b"EHLO \x01\r\n"])
    tap.same(out.split(b"\r\n")[1][:3] + out.split(b"\r\n")[2][:3], b"500501", "NUL, control bytes")
    out = raw(r, [b"NOPE\r\n" * 30])
    tap.ok(b"421 4.7.0 Too many errors" in out, "errors without end")
    out = raw(r, [b"NOOP\r\n" * 3000])
    tap.ok(b"421 4.7.0 Too many commands" in out, "commands without end")


def slow(folder):
    r = relay.Relay(folder, settings={"relay": {"timeout": "500ms", "min_rate": "100KB",
                                                "client_sessions_max": 3}})
    r.start()
    start = time.monotonic()
    tap.ok(b"421 4.4.2" in slowly(r, b"", 0.05), "silence")
    tap.ok(b"421 4.4.2" in slowly(r, b"NOOP " * 100, 0.05), "a command, byte by byte")
    tap.ok(b"421 4.4.2" in slowly(r, START + b"Subject: x\r\n" * 100, 0.01),
           "a message, byte by byte")
    tap.ok(time.monotonic() - start < 15, "are given up in time")
    r.write_settings(relay={"timeout": "5min"})
    r.restart()
    several = [smtp.Smtp(r.port) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", r.port)) as s:
        tap.ok(s.recv(100).startswith(b"421"), "too many sessions from one address")
    several[0].close()
    proc.wait_for("room", lambda: can_greet(r))
    tap.ok(True, "and there is room when one has gone")
    r.stop()


def full(folder):
    """With relay.sessions_max sessions, the one that is silent for the longest makes room."""
    r = relay.Relay(folder, settings={"relay": {"timeout": "60s", "sessions_max": 3}})
    r.start()
    silent, second, third = [smtp.Smtp(r.port, source="127.0.0.%d" % n) for n in (2, 3, 4)]
    for c in (second, third):
        c.command("MAIL FROM:<a@x.test>")
    start = time.monotonic()
    proc.wait_for("room", lambda: can_greet(r))
    tap.ok(time.monotonic() - start < 45, "room comes before relay.timeout")
    tap.same(silent.reply()[0], 421, "the one that was silent first is told")
    for c in (second, third):
        c.command("RCPT TO:<b@host.test>")
    tap.ok(True, "the others go on")
    tap.same(r.stop(), 0, "stopped")


def can_greet(r):
    with socket.create_connection(("127.0.0.1", r.port)) as s:
        return s.recv(100).startswith(b"220")


def slowly(r, data, pause):
    """One byte at a time, until the server has had enough."""
    out = b""
    with socket.create_connection(("127.0.0.1", r.port)) as s:
        s.settimeout(pause)
        at, end = 0, time.monotonic() + 10
        while time.monotonic() < end:
            try:
                if at < len(data):
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        s.sendall(data[at:at + (1 if at >= len(START) else len(START))]
                                  if data.startswith(START) else data[at:at + 1])
                    at += len(START) if at < len(START) and data.startswith(START) else 1
                more = s.recv(1000)  # also what was said before it was closed
                if not more:
                    break
                out += more
            except socket.timeout:
                pass
            except OSError:
                break
    return out


def check_sources(folder):
    """-t reads sources as `user` does, and names each line that is ignored."""
    domains = os.path.join(folder, "own-domains")
    os.chmod(folder, 0o755)
    r = relay.Relay(folder, settings={"user": "nobody", "hosted": {"domains": ["file:" + domains]}})
    proc.write_text(domains, "example.com\nno..domain\n")
    code, out, err = r.command("-t")
    tap.ok(code == 0 and out == "" and err.startswith(domains + ":2: "), "-t: a bad line", err)
    os.chmod(domains, 0o600)
    code, out, err = r.command("-t")
    tap.ok(code == 78 and domains in err and "Permission denied" in err,
           "-t: a file that only root may read", code, err)


def bad_configurations(folder, ca):
    cert = tls_files.certificate(folder, "other.test", ca)
    cases = [
        ({"networks": {"customers": ["0.0.0.0/0"]}}, 78, "open to strangers"),
        ({"relay": {"tls_cert_file": "/nonexistent.pem"}}, 78, "tls_cert_file"),
        ({"relay": {"tls_cert_file": cert[0], "tls_key_file": ca[1]}}, 78, "tls_key_file"),
        ({"relay": {"listen_tls": ["127.0.0.1:1"]}}, 78, "needs a certificate"),
        ({"relay": {"users_file": "/nonexistent"}}, 78, "/nonexistent"),
        ({"relay": {"listen": []}}, 78, "relay.listen is empty"),
        ({"relay": {"listen": ["192.0.2.1:25"]}}, 71, "cannot listen at 192.0.2.1:25"),
        ({"relay": {"listen": ["nonsense"]}}, 78, "not a host and port"),
        ({"relay": {"milters": ["nonsense"]}}, 78, "is not a socket"),
        ({"relay": {"message_max": "huge"}}, 78, "message_max"),
        ({"relay": {"nonsense": 1}}, 78, "nonsense"),
        ({"hosted": {"domains": ["file:/nonexistent"]}}, 78, "/nonexistent"),
        ({"relay": {"queue_dir": "/dev/null/queue"}}, 73, "/dev/null"),
    ]
    for settings, want, text in cases:
        r = relay.Relay(proc.scratch("bad"), settings=settings)
        code, _, err = r.command("-f")
        tap.ok(code == want and text in err, "exit %d, and says why: %s" % (want, text), code, err)
        code, _, err = r.command("-t")
        tap.ok((code == 78) == (want == 78) and (code == 0 or text in err),
               "-t refuses it, too, if it is the configuration: " + text, code, err)
    with open(os.path.join(folder, "bad-users"), "w", encoding="ascii") as f:
        f.write("# fine\njoe:x\n")
    r = relay.Relay(folder, settings={"relay": {"users_file": os.path.join(folder, "bad-users")}})
    code, _, err = r.command("-f")
    tap.ok(code == 78 and "bad-users:2:" in err, "a bad line of the users' file", code, err)
    code, _, err = r.command("-t")
    tap.ok(code == 78 and "bad-users:2:" in err, "-t refuses it, too", code, err)
    r = relay.Relay(folder)
    tap.same(r.command("-t"), (0, "", ""), "-t of a good one")
    check_sources(proc.scratch("sources"))
    code, out, _ = r.command("-T")
    tap.ok(code == 0 and "users_file" in out, "-T prints it", out)


def main():
    folder = proc.scratch("access")
    ca = tls_files.authority(folder)
    cert = tls_files.certificate(folder, "relay.test", ca)
    users = os.path.join(folder, "users")
    proc.write_text(users, "# who may send\n" + proc.run(
        [os.path.join(proc.BUILD, "tollgate-relay"), "user", "joe"], b"secret\n")[1] +
        "plain:texttexttexttext\n")
    s, implicit = sink.Sink(), proc.free_port()
    r = relay.Relay(folder, settings=dict(STRANGERS, relay={
        "next_hop": "127.0.0.1:%d" % s.port, "tls_cert_file": cert[0], "tls_key_file": cert[1],
        "users_file": users, "listen_tls": ["127.0.0.1:%d" % implicit]}))
    r.start()
    tls(r, ca, implicit)
    injection(r)
    logins(r, ca)
    guessing(r, ca)
    open_relay(r)
    smuggling(r)
    endless(r)
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")
    slow(proc.scratch("slow"))
    full(proc.scratch("full"))
    plain_auth(folder, ca)
    login_before_tls(folder, ca, cert)
    bad_configurations(folder, ca)


tap.run(main)
