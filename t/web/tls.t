#!/usr/bin/env python3
"""TLS of tollgate-web itself: versions, the cookie, addresses that others reach, a renewed
certificate while connections are open, and pairs that are none."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tls_files
from redis_server import RedisServer
from web import Web

PASSWORD = "correct horse"


def context(ca, version=None):
    c = ssl.create_default_context(cafile=ca[0])
    if version is not None:
        warnings.simplefilter("ignore", DeprecationWarning)    # old versions are
        c.set_ciphers("ALL:@SECLEVEL=0")
        c.minimum_version = c.maximum_version = version
    return c


def connect(web, ca, version=None):
    """A connection to the name of the certificate."""
    return context(ca, version).wrap_socket(socket.create_connection(("127.0.0.1", web.port), 30),
                                            server_hostname="web.example")


def ask(connection, head, body=""):
    """One answer of a connection that stays open: status line, headers, body."""
    connection.sendall((head + "\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            break
        got += piece
    text, _, rest = got.decode("latin-1").partition("\r\n\r\n")
    return text, rest


def versions(web, ca):
    for version, good in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                          (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1, False)):
        try:
            with connect(web, ca, version) as c:
                text, _ = ask(c, "GET /healthz HTTP/1.1\r\nHost: web.example")
            spoken = " 200 " in text
        except (ssl.SSLError, OSError):
            spoken = False
        tap.same(spoken, good, version.name)
    with socket.create_connection(("127.0.0.1", web.port), 30) as c:
        c.sendall(b"GET /healthz HTTP/1.1\r\nHost: web.example\r\n\r\n")
        try:
            got = c.recv(1000)
        except OSError:
            got = b""
        tap.ok(b" 200 " not in got, "not in plain", got)
    tap.same(web.get("/healthz", unix=True).status, 200, "but on the Unix socket")


def cookie(web, ca):
    form = "user=anna&password=" + PASSWORD.replace(" ", "+")
    with connect(web, ca) as c:
        text, _ = ask(c, "POST /signin HTTP/1.1\r\nHost: web.example\r\n"
                      "Origin: https://web.example\r\nSec-Fetch-Site: same-origin\r\n"
                      "Content-Type: application/x-www-form-urlencoded", form)
    line = [one for one in text.split("\r\n") if one.lower().startswith("set-cookie:")]
    tap.ok(len(line) == 1 and line[0].split(" ")[1].startswith("__Host-tg=") and
           "; Secure" in line[0] and "; HttpOnly" in line[0], "a sign-in gives a safe cookie", text)
    name = line[0].split(" ")[1].rstrip(";")
    with connect(web, ca) as c:
        text, _ = ask(c, "GET /account HTTP/1.1\r\nHost: web.example\r\nCookie: " + name)
    tap.ok(" 200 " in text, "which holds", text)


def certificate(connection):
    """Who it is of, and its number."""
    found = connection.getpeercert()
    return found["serialNumber"]


def renewed(web, ca, folder):
    """A reload takes a new certificate; a connection of before goes on."""
    with connect(web, ca) as old:
        before = certificate(old)
        ask(old, "GET /healthz HTTP/1.1\r\nHost: web.example")
        tls_files.certificate(folder, "web.example", ca)
        web.daemon.signal(signal.SIGUSR1)

        def is_new():
            with connect(web, ca) as c:
                return certificate(c) != before
        tap.ok(proc.wait_for("the new certificate", is_new), "a reload takes a new certificate")
        text, _ = ask(old, "GET /healthz HTTP/1.1\r\nHost: web.example")
        tap.ok(" 200 " in text, "a connection of before goes on", text)
    good = proc.read_text(os.path.join(folder, "web.example.pem"))
    proc.write_text(os.path.join(folder, "web.example.pem"), "nothing\n")
    web.daemon.signal(signal.SIGUSR1)
    proc.wait_for("refusal", lambda: "not reloaded" in web.wrote())
    with connect(web, ca) as c:
        text, _ = ask(c, "GET /healthz HTTP/1.1\r\nHost: web.example")
    tap.ok(" 200 " in text, "one that is none leaves the old one in force", text)
    proc.write_text(os.path.join(folder, "web.example.pem"), good)
    for _ in range(3):
        tls_files.certificate(folder, "web.example", ca)
        count = web.wrote().count(" notice: reloaded")
        web.daemon.signal(signal.SIGUSR1)
        proc.wait_for("reload", lambda: web.wrote().count(" notice: reloaded") > count)


def threads_of(web):
    for line in proc.read_text("/proc/%d/status" % web.daemon.pid).split("\n"):
        if line.startswith("Threads:"):
            return int(line.split()[1])
    return 0


def refusals(folder, ca, pair):
    other = tls_files.certificate(folder, "other.example", ca)
    locked = os.path.join(folder, "locked.key")
    subprocess.run(["openssl", "ec", "-in", pair[1], "-aes256", "-passout", "pass:x", "-out",
                    locked], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    both = os.path.join(folder, "both.pem")
    proc.write_text(both, proc.read_text(pair[0]) + proc.read_text(pair[1]))
    path = os.path.join(folder, "tls.conf")
    program = os.path.join(proc.BUILD, "tollgate-web")
    for cert, key, says in (
            (pair[0], pair[1], ""), (both, "", ""),
            (pair[0], other[1], "the key is not that of the certificate"),
            (pair[0], locked, "no key in it that needs no passphrase"),
            (pair[0], "", "no key in it"), (pair[1], pair[1], "no certificate in it"),
            (folder + "/none.pem", pair[1], "none.pem"), ("", pair[1], "does nothing without"),
            (*tls_files.expired(folder, "old.example", ca), "has expired: renew it")):
        proc.write_text(path, 'web: { listen = ["inet:8443@0.0.0.0"]; user = ""; users_file = "";\n'
                        'tls_cert_file = "%s"; tls_key_file = "%s"; };\n' % (cert, key))
        code, _, err = proc.run([program, "-t", "-c", path])
        tap.ok((code, err) == (0, "") if not says else code == 78 and says in err,
               "-t: %s" % (says or "good"), code, err)
        if says:
            tap.same(proc.run([program, "-f", "-c", path])[0], 78, "a start refuses it, too")


def main():
    tap.need("openssl", "redis-server")
    folder = proc.scratch("tls")
    redis = RedisServer(folder)
    ca = tls_files.authority(folder)
    pair = tls_files.certificate(folder, "web.example", ca)
    web = Web(folder, redis.url, tls_cert_file=pair[0], tls_key_file=pair[1])
    web.add_user("anna", PASSWORD, "admin")
    web.start()
    versions(web, ca)
    cookie(web, ca)
    few = threads_of(web)
    renewed(web, ca, folder)
    proc.wait_for("the old threads' end", lambda: threads_of(web) <= few, 60)
    tap.ok(True, "what served the old certificates ends")
    refusals(folder, ca, tls_files.certificate(folder, "web.example", ca))
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
