"""A private redis-server on a Unix socket, and as much of its protocol as tests need; fleets of
servers are in redis_fleet."""

import os
import signal
import socket

import proc


class RedisError(Exception):
    pass


class Redis:
    """A connection to a path, or to a pair of host and port. Calls give str, int, list or None; an
    error reply raises RedisError."""

    def __init__(self, address, timeout_s=20, tls=None):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(timeout_s)
        self.socket.connect(address)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=address[0])
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def __call__(self, *command):
        return self.pipe([command])[0]

    def pipe(self, commands):
        text = b""
        for command in commands:
            words = [w if isinstance(w, bytes) else str(w).encode() for w in command]
            text += b"*%d\r\n" % len(words)
            text += b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        self.socket.sendall(text)
        return [self._reply() for _ in commands]

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis went away")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2].decode("utf-8", "replace")
        return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]

    def hash(self, key):
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))


class RedisServer:
    """Nothing is saved: a server that was killed comes back empty."""

    def __init__(self, folder, env=None):
        self.folder, self.env = folder, env
        self.path = os.path.join(folder, "redis.sock")
        self.url = "unix://" + self.path
        self.daemon = None
        self.start()

    def start(self):
        self.daemon = proc.Daemon(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--unixsocketperm", "777",
             "--save", "", "--appendonly", "no", "--dir", self.folder, "--daemonize", "no"],
            os.path.join(self.folder, "redis.log"), env=self.env)
        self.daemon.until("redis-server", lambda: proc.can_connect(self.path))

    def stop(self):
        self.daemon.stop()

    def kill(self):
        self.daemon.kill()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def freeze(self):
        self.daemon.signal(signal.SIGSTOP)

    def thaw(self):
        self.daemon.signal(signal.SIGCONT)

    def connect(self):
        return Redis(self.path)
