"""An SMTP server whose replies are given byte for byte."""

import socket
import threading
import time


class OddServer:
    """replies: verb (BANNER, EHLO, ..., DOT) -> the bytes of its reply, or a list of them that is
    used up; None closes the connection. drip: byte by byte. .log: the commands; .data: the
    messages, as they stand on the wire."""

    def __init__(self, replies, drip=False, host="127.0.0.1"):
        self.replies, self.drip = replies, drip
        self.log, self.data = [], []
        self.socket = socket.create_server((host, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def close(self):
        self.socket.close()

    def say(self, client, verb, default):
        reply = self.replies.get(verb, default)
        if isinstance(reply, list):
            reply = reply.pop(0) if reply else default
        if reply is None:
            client.shutdown(socket.SHUT_RDWR)
            client.close()
            return False
        for part in ([bytes([b]) for b in reply] if self.drip else [reply]):
            client.sendall(part)
            if self.drip:
                time.sleep(0.001)
        return True

    def take_data(self, lines):
        body = b""
        for line in lines:
            if line == b".\r\n":
                break
            body += line
        self.data.append(body)

    def serve(self, client):
        try:
            lines = client.makefile("rb")
            good = self.say(client, "BANNER", b"220 odd ESMTP\r\n")
            while good:
                line = lines.readline()
                verb = line[:4].upper().decode("latin-1").strip()
                self.log.append(line.strip())
                if not line:
                    return
                if verb == "DATA":
                    good = self.say(client, "DATA", b"354 go\r\n")
                    if good:
                        self.take_data(lines)
                        good = self.say(client, "DOT", b"250 ok\r\n")
                    continue
                default = {"EHLO": b"250-odd\r\n250 8BITMIME\r\n", "QUIT": b"221 bye\r\n"}
                good = self.say(client, verb, default.get(verb, b"250 ok\r\n")) and verb != "QUIT"
        except OSError:
            return
