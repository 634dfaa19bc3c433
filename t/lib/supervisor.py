"""What systemd does for a service with FileDescriptorStoreMax=: it keeps the descriptors that it is
told of by NOTIFY_SOCKET, and passes them to the next process (LISTEN_FDS)."""

import array
import os
import socket
import sys
import threading

import proc

# The stored descriptors become 3, 4, ...; LISTEN_PID is the number of the process itself.
EXEC = """
import os, sys
fds = [int(x) for x in sys.argv[1].split(",") if x]
high = [os.dup2(fd, 1000 + i, True) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, True)
os.closerange(3 + len(high), 3000)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """Runs one daemon after the other (tollgated.Tollgated) with the store between them."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify.sock")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.stored = []  # (name, descriptor)
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        room = socket.CMSG_SPACE(253 * array.array("i").itemsize)
        while True:
            text, control, _, _ = self.sock.recvmsg(4096, room)
            fds = array.array("i")
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
            self.told(dict(x.split("=", 1) for x in text.decode().split("\n")), list(fds))

    def told(self, words, fds):
        name = words.get("FDNAME", "stored")
        with self.lock:
            if words.get("FDSTORE") == "1":
                for fd in fds:
                    if any(os.path.sameopenfile(fd, old) for _, old in self.stored):
                        os.close(fd)
                    else:
                        self.stored.append((name, fd))
                return
            for fd in fds:  # a barrier's
                os.close(fd)
            if words.get("FDSTOREREMOVE") == "1":
                for old in [x for x in self.stored if x[0] == name]:
                    os.close(old[1])
                    self.stored.remove(old)

    def names(self):
        with self.lock:
            return sorted(name for name, _ in self.stored)

    def start(self, daemon):
        """Starts a tollgated with what is stored; waits for the line of its start."""
        with self.lock:
            stored = list(reversed(self.stored))
        fds = [fd for _, fd in stored]
        env = dict(daemon.env, NOTIFY_SOCKET=self.path, LISTEN_FDS=str(len(fds)),
                   LISTEN_FDNAMES=":".join(name for name, _ in stored))
        argv = [sys.executable, "-S", "-c", EXEC, ",".join(str(fd) for fd in fds),
                os.path.join(proc.BUILD, "tollgated"), "-f", "-c", daemon.conf]
        daemon.daemon = proc.Daemon(argv, daemon.log_file, env=env, fds=fds)
        started = "tollgated[%d] notice: started" % daemon.daemon.pid
        daemon.daemon.until("line of the start", lambda: started in daemon.log())
