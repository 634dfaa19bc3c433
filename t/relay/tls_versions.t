#!/usr/bin/env python3
"""Versions of TLS: 1.2 and 1.3 both ways, nothing older. A side that does not speak an old version
says so (alert protocol_version) before it looks at anything else."""

import os
import socket
import ssl
import sys
import threading
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import smtp
import tap
import tls_files

TEXT = b"Subject: x\r\nFrom: a@host.test\r\n\r\nhello\r\n"
VERSIONS = [(ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)]


def only(context, version):
    """A context that speaks that version and no other, as weak as OpenSSL can be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def client_context(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return only(context, version)


def handshake(context, sock, **more):
    """The version, or the reason why there is none."""
    try:
        with context.wrap_socket(sock, **more) as tls:
            return tls.version()
    except ssl.SSLError as e:
        return e.reason
    except OSError as e:
        return str(e)


def name(version):
    return version.name.replace("_", ".") if version.name != "TLSv1" else "TLSv1"


def as_server(r, implicit):
    for version, good in VERSIONS:
        with socket.create_connection(("127.0.0.1", implicit)) as s:
            got = handshake(client_context(version), s, server_hostname="relay.test")
        tap.same(got, name(version) if good else "TLSV1_ALERT_PROTOCOL_VERSION",
                 "relay.listen_tls: " + name(version))
        c = smtp.Smtp(r.port)
        c.command("STARTTLS", 220)
        got = handshake(client_context(version), c.socket, server_hostname="relay.test")
        tap.same(got, name(version) if good else "TLSV1_ALERT_PROTOCOL_VERSION",
                 "STARTTLS: " + name(version))


class Server:
    """Offers STARTTLS, of one version; .got is what came of the handshake."""

    def __init__(self, context):
        self.context, self.got = context, None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client, _ = self.socket.accept()
        lines = client.makefile("rb")
        client.sendall(b"220 old ESMTP\r\n")
        lines.readline()
        client.sendall(b"250-old\r\n250 STARTTLS\r\n")
        lines.readline()
        client.sendall(b"220 go\r\n")
        self.got = handshake(self.context, client, server_side=True)


def as_client(cert):
    for version, good in VERSIONS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cert)
        server = Server(only(context, version))
        r = relay.Relay(proc.scratch("out"), settings={"relay": {
            "next_hop": "127.0.0.1:%d" % server.port, "tls_out": "encrypt", "retry_first": "1h",
            "retry_max": "1h"}})
        r.start()
        c = smtp.Smtp(r.port)
        qid = c.send("a@host.test", ["b@else.test"], TEXT)
        c.quit()
        reply = r.wait_log("deferred qid=%s .*" % qid).group(0)
        proc.wait_for("the handshake", lambda: server.got)  # pylint: disable=W0640
        tap.ok(server.got == name(version) if good else
               server.got == "UNSUPPORTED_PROTOCOL" and "4.7.5" in reply,
               "to a server of " + name(version), server.got, reply)
        r.stop()
        server.socket.close()


def main():
    folder = proc.scratch("versions")
    cert = tls_files.certificate(folder, "relay.test", tls_files.authority(folder))
    implicit = proc.free_port()
    r = relay.Relay(folder, settings={"relay": {
        "tls_cert_file": cert[0], "tls_key_file": cert[1],
        "listen_tls": ["127.0.0.1:%d" % implicit]}})
    r.start()
    as_server(r, implicit)
    tap.same(r.stop(), 0, "stopped")
    as_client(cert)


tap.run(main)
