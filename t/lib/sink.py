"""An SMTP server that takes and remembers everything but what is for `refuse@`: where the mail
servers deliver."""

import re
import socketserver
import sys
import threading
import time


class Delivery:
    """.time: when its last byte came (monotonic)."""

    def __init__(self, sender, recipients, data):
        self.sender, self.recipients, self.data = sender, recipients, data
        self.time = time.monotonic()


class _Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.test ESMTP")
        sender, recipients = "", []
        for line in self.rfile:
            text = line.decode("utf-8", "replace").strip()
            verb = text[:4].upper()
            if verb == "EHLO":
                self.wfile.write(b"250-sink.test\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 DSN\r\n")
            elif verb == "DATA":
                self.say("354 go on")
                data = self.take_data()
                with self.server.lock:
                    self.server.deliveries.append(Delivery(sender, recipients, data))
                recipients = []
                self.say("250 2.0.0 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                path = re.search(r"<(.*)>", text)
                if verb == "RCPT" and path.group(1).startswith("refuse@"):
                    self.say("550 5.1.1 no such user")
                    continue
                if verb == "MAIL":
                    sender, recipients = path.group(1), []
                elif verb == "RCPT":
                    recipients.append(path.group(1))
                self.say("250 ok")

    def take_data(self):
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)
        raise ConnectionError("half a message")


class Sink(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256

    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Session)
        self.port = self.server_address[1]
        self.lock = threading.Lock()
        self.deliveries = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is no error here: others are killed on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def count(self):
        with self.lock:
            return len(self.deliveries)

    def recipients(self):
        """All recipients of all deliveries, sorted."""
        with self.lock:
            return sorted(r for d in self.deliveries for r in d.recipients)
