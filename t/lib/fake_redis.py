"""A Redis server whose replies a test makes up, byte for byte, for what a real one will not do."""

import socket
import threading
import time


def bulk(text):
    data = text.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*items):
    """Of ints, texts and arrays already made."""
    out = b"*%d\r\n" % len(items)
    for item in items:
        if isinstance(item, bytes):
            out += item
        else:
            out += b":%d\r\n" % item if isinstance(item, int) else bulk(item)
    return out


class FakeRedis:
    """answer(words) gives the bytes of a reply, or its parts one by one (a number is a pause in s).
    The greeting of a store is answered well, CLUSTER SLOTS by .slots. .closes: the connection ends
    behind an answer. .log: all commands."""

    def __init__(self, answer, tls=None):
        self.answer, self.tls = answer, tls
        self.log, self.closes = [], False
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.socket.getsockname()[1]
        self.name = "127.0.0.1:%d" % self.port
        self.slots = array(array(0, 16383, array("127.0.0.1", self.port, "id")))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            lines = client.makefile("rb")
            while True:
                words = self._command(lines)
                if words is None:
                    return
                is_answer = self._say(client, words)
                if is_answer and self.closes:
                    return
        except (OSError, ValueError):
            pass
        finally:
            client.close()

    @staticmethod
    def _command(lines):
        head = lines.readline()
        if not head.startswith(b"*"):
            return None
        words = []
        for _ in range(int(head[1:])):
            size = int(lines.readline()[1:])
            words.append(lines.read(size + 2)[:-2].decode("utf-8", "replace"))
        return words

    def _greeting(self, words):
        """The reply to what a store asks of its own accord; None: it is the test's."""
        if words == ["CLUSTER", "SLOTS"]:
            return self.slots
        return {"INFO": bulk("run_id:fake\r\n"), "AUTH": b"+OK\r\n", "SELECT": b"+OK\r\n",
                "ASKING": b"+OK\r\n", "PING": b"+PONG\r\n"}.get(words[0])

    def _say(self, client, words):
        self.log.append(words)
        reply = self._greeting(words)
        is_answer = reply is None
        if is_answer:
            reply = self.answer(words)
        for part in [reply] if isinstance(reply, bytes) else reply:
            if isinstance(part, bytes):
                client.sendall(part)
            else:
                time.sleep(part)
        return is_answer

    def stop(self):
        self.socket.close()
