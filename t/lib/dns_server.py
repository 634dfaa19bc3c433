"""A small DNS server for tests: records by name and type, over UDP and TCP."""

import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "MX": 15, "AAAA": 28}


def encode_name(name):
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def encode_data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    preference, host = value
    return struct.pack(">H", preference) + encode_name(host)


def take_question(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += packet[at] + 1
    kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
    return ".".join(labels).lower(), kind, packet[12:at + 5]


class Dns:
    """records: name -> {type: [values]}; a name with {} has no data, None stands for a failing
    server; what is not there does not exist."""

    def __init__(self, records):
        self.records = records
        self.asked = []
        dns = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(dns.answer(data), self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, packet):
        name, kind, question = take_question(packet)
        kinds = {number: text for text, number in TYPES.items()}
        self.asked.append((name, kinds.get(kind, kind)))
        head, code, answers = packet[:2], 0, []
        found = self.records.get(name, False)
        if found is None:
            code = 2
        elif found is False:
            code = 3
        else:
            kind_name = kinds.get(kind, "")
            answers = [encode_data(kind_name, v) for v in found.get(kind_name, [])]
        text = head + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0) + question
        for data in answers:
            text += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        return text
