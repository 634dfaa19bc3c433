"""A server of the socketmap protocol, with maps in memory."""

import contextlib
import os
import socket
import threading


class SocketmapServer:
    def __init__(self, address, maps):
        """address: a path, or a pair of host and port. maps: name -> {key: value}. faults: key ->
        temp, close (the connection), junk or hang. asked: the keys so far."""
        self.maps, self.faults, self.asked = maps, {}, []
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o666)
        self.socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer = self.socket.accept()[0]
                threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        with contextlib.suppress(OSError, ValueError), peer, peer.makefile("rwb") as stream:
            while (request := netstring_read(stream)) is not None:
                name, _, key = request.partition(" ")
                self.asked.append(key)
                if not self._reply(stream, name, key):
                    return

    def _reply(self, stream, name, key):
        """False: the connection is over."""
        fault = self.faults.get(key)
        value = self.maps.get(name, {}).get(key)
        reply = "NOTFOUND " if value is None else "OK " + value
        if fault == "hang":
            stream.read(1)  # until the other end gives up
        if fault in ("hang", "close"):
            return False
        if fault is not None:
            reply = "TEMP later" if fault == "temp" else "what?"
        stream.write(b"%d:%s," % (len(reply.encode()), reply.encode()))
        stream.flush()
        return True

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def netstring_read(stream):
    digits = b""
    while (byte := stream.read(1)) != b":":
        if not byte:
            return None
        digits += byte
    text = stream.read(int(digits)).decode()
    return text if stream.read(1) == b"," else None
