"""Stands between a program and Redis: changes what Redis says, or makes it wait."""

import contextlib
import os
import socket
import threading
import time


class RedisProxy:
    """`edit`: a function of each piece of an answer; before the first answer on a connection passes
    `first_s`, before each of them `pause_s`."""

    def __init__(self, folder, target, edit=None, pause_s=0.0, first_s=0.0):
        self.path = os.path.join(folder, "proxy.sock")
        self.url = "unix://" + self.path
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.target, self.edit, self.pause_s, self.first_s = target, edit, pause_s, first_s
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, server = self.socket.accept()[0], socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    @staticmethod
    def _pass(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def _back(self, source, sink):
        wait_s = self.first_s
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                time.sleep(wait_s + self.pause_s)
                wait_s = 0.0
                sink.sendall(self.edit(data) if self.edit else data)
