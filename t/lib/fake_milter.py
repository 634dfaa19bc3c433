"""A milter that does what a test tells it, and writes down all that the MTA sends."""

import itertools
import socketserver
import struct
import threading

NAMES = {"C": "connect", "H": "helo", "M": "mail", "R": "rcpt", "T": "data", "L": "header",
         "N": "eoh", "B": "body", "E": "eom", "A": "abort", "Q": "quit", "U": "unknown"}
NO_REPLY = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000,
            "U": 0x20000, "N": 0x40000, "B": 0x80000}
LEAD_SPACE = 0x100000
session_numbers = itertools.count(1)


def packet(command, data=b""):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data) + 1) + command.encode() + data


class Event:
    def __init__(self, name, data, macros, session):
        self.name, self.data, self.macros, self.session = name, data, macros, session

    def strings(self):
        return [s.decode("utf-8", "replace") for s in self.data.split(b"\0")[:-1]]

    def __repr__(self):
        return "%s%r" % (self.name, self.data)


class _Session(socketserver.BaseRequestHandler):
    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.request.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def handle(self):
        macros = {}
        self.number = next(session_numbers)
        try:
            while True:
                size = struct.unpack(">I", self.take(4))[0]
                body = self.take(size)
                command, data = chr(body[0]), body[1:]
                if command == "D":
                    parts = [p.decode("utf-8", "replace") for p in data[1:].split(b"\0")]
                    macros = dict(zip(parts[::2], parts[1::2]))
                elif not self.event(command, data, macros):
                    return
        except (ConnectionError, OSError):
            pass

    def event(self, command, data, macros):
        server = self.server
        if command == "O":
            answer = struct.pack(">III", 6, server.actions, server.steps) + server.symbols
            self.request.sendall(packet("O", answer))
            return True
        event = Event(NAMES.get(command, command), data, macros, self.number)
        with server.lock:
            server.events.append(event)
        if command == "Q":
            return False
        if command == "A" or server.steps & NO_REPLY.get(command, 0):
            return True
        answer = server.answers.get(event.name, packet("c"))
        answer = answer(event) if callable(answer) else answer
        if answer is None:
            return False
        self.request.sendall(answer)
        return True


class FakeMilter(socketserver.ThreadingTCPServer):
    """answers: name of an event -> bytes (packet(...)), or a function of the event; None closes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers=None, actions=0x1ff, steps=LEAD_SPACE, symbols=b""):
        super().__init__(("127.0.0.1", 0), _Session)
        self.port = self.server_address[1]
        self.where = "inet:%d@127.0.0.1" % self.port
        self.answers, self.actions = answers or {}, actions
        self.steps, self.symbols = steps, symbols
        self.lock = threading.Lock()
        self.events = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def names(self):
        with self.lock:
            return [e.name for e in self.events]

    def session(self):
        """The names of the events of the last session that had a MAIL, once it has ended."""
        with self.lock:
            mine = [e.session for e in self.events if e.name == "mail"][-1:]
            names = [e.name for e in self.events if e.session in mine]
        return names if "quit" in names else None

    def named(self, name):
        with self.lock:
            return [e for e in self.events if e.name == name]

    def message(self):
        """Header and body of the last message as it was shown (LEAD_SPACE kept)."""
        text = b""
        with self.lock:
            for e in self.events:
                if e.name == "data":
                    text = b""
                elif e.name == "header":
                    name, value = e.data.split(b"\0")[:2]
                    text += name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n"
                elif e.name == "eoh":
                    text += b"\r\n"
                elif e.name == "body":
                    text += e.data
        return text
