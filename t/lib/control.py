"""tollgated's control socket, played by the test."""

import contextlib
import json
import os
import socket
import threading


class Control:
    """The control socket. `messages` as the held command lists them; `answers`: what release says
    for an id (the default: ok). `requests` to release a message, and which are `finished`."""

    def __init__(self, state):
        os.makedirs(state, exist_ok=True)
        self.path = os.path.join(state, "control.sock")
        self.messages, self.answers, self.asked = [], {}, []
        self.requests, self.finished = [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            # A client that has waited long enough goes; the next one is answered.
            with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
                for line in lines:
                    connection.sendall(json.dumps(self.answer(json.loads(line))).encode() + b"\n")

    def answer(self, request):
        if request["cmd"] == "held":
            self.asked.append(("held", request.get("account")))
            return self.answers.get("held") or {"held": [
                m for m in self.messages if request.get("account") in (None, m["account"])]}
        if request["cmd"] == "asked":
            return {"asked": self.requests}
        if request["cmd"] == "asked_done":
            self.finished.append((request["id"], request["released"]))
            self.requests = [r for r in self.requests if r.get("id") != request["id"]]
            return {"ok": True}
        if request["cmd"] == "place":
            self.asked.append(("place", request["queue"], request["numbers"]))
            for m in self.messages:
                if m["number"] in request["numbers"]:
                    m["queue"] = request["queue"]
            return {"ok": True}
        self.asked.append((request["cmd"], request["id"], request["number"]) +
                          tuple(request[k] for k in ("by", "queue") if k in request) + (
                              ("unknown",) if request.get("unknown") else ()))
        return self.answers.get(request["id"], {"ok": True})

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        os.unlink(self.path)
