"""Answers a mail server's questions about passwords: Postfix's in the way of Dovecot's auth socket,
Sendmail's in the way of saslauthd. Every login with the password "secret" is right. So AUTH is the
real command, without a mail store behind it."""

import base64
import os
import socketserver
import struct
import threading

HANDSHAKE = ("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t%d\nCUID\t1\n"
             "COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")


def plain(login, password="secret"):
    return base64.b64encode(("\0%s\0%s" % (login, password)).encode()).decode()


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write((HANDSHAKE % os.getpid()).encode())
        for line in self.rfile:
            words = line.decode().rstrip("\n").split("\t")
            if words[0] != "AUTH":
                continue
            response = [w[5:] for w in words if w.startswith("resp=")]
            _, login, password = base64.b64decode(response[0]).decode().split("\0")
            if password == "secret":
                self.wfile.write(("OK\t%s\tuser=%s\n" % (words[1], login)).encode())
            else:
                self.wfile.write(("FAIL\t%s\tuser=%s\n" % (words[1], login)).encode())


class _SaslauthdSession(socketserver.StreamRequestHandler):
    def take(self):
        size = struct.unpack(">H", self.rfile.read(2))[0]
        return self.rfile.read(size).decode()

    def handle(self):
        _login, password, _service, _realm = [self.take() for _ in range(4)]
        answer = b"OK" if password == "secret" else b"NO"
        self.wfile.write(struct.pack(">H", len(answer)) + answer)


class AuthServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path, session=_Session):
        super().__init__(path, session)
        os.chmod(path, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class SaslauthdServer(AuthServer):
    def __init__(self, path):
        super().__init__(path, _SaslauthdSession)
