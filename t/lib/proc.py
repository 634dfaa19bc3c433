"""Processes, folders and ports of a test. All end with the test, however it ends."""

import atexit
import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.environ.get("TG_BUILD", os.getcwd())
SOURCE = os.environ.get("TG_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
PR_SET_PDEATHSIG = 1

_daemons = []
_ports = {}  # taken by this process: an abstract socket for each, which goes with it


def is_sanitized(program):
    """Was it built with a sanitizer? They keep what was freed for a while."""
    with open(os.path.join(BUILD, program), "rb") as f:
        return re.search(b"__[at]san_init", f.read()) is not None


def scratch(name, base="/tmp"):
    """A new folder that others may enter, removed at the end (kept where TG_KEEP is set)."""
    path = tempfile.mkdtemp(prefix="tg-%s-" % name, dir=base)
    os.chmod(path, 0o755)
    owner = os.getpid()

    def remove():
        if os.getpid() != owner:
            return
        if os.environ.get("TG_KEEP"):
            print("# kept: " + path, flush=True)
        else:
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path


def take_port(port):
    """Is it free, and no other test's? Then it is this one's until it ends."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind("\0tollgate-test-port-%d" % port)
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return False
    _ports[port] = name
    return True


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on; below those that the kernel gives to clients,
    so that it is still free when a server takes it."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        if take_port(port):
            return port


def month_lasts(seconds):
    """For a test of figures or windows of this month, which is the next one's at its end: waits
    for that where the month (of UTC) turns in so many seconds."""
    def turns():
        return time.gmtime().tm_mon != time.gmtime(time.time() + seconds).tm_mon

    while turns():
        time.sleep(0.2)


# Times after which a test gives up are for a machine with nothing else to do; others are many times
# slower, and what is well does not wait.
PATIENCE = 4


def wait_for(what, test, timeout_s=20.0):
    """Calls test() until it gives something true, which is returned; an error after the timeout."""
    timeout_s *= PATIENCE
    end = time.monotonic() + timeout_s
    pause = 0.002
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("after %g s still no %s" % (timeout_s, what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def wait_result(what, attempt, wanted):
    """The result of the first attempt() of which wanted() is true."""
    def found():
        result = attempt()
        return [result] if wanted(result) else None
    return wait_for(what, found)[0]


def can_connect(address):
    """Does somebody listen there? A path, or a pair of host and port."""
    kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(kind) as s:
        try:
            s.connect(address)
            return True
        except OSError:
            return False


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def _end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A process in the foreground, its output in a file; `fds` stay open in it."""

    def __init__(self, argv, log, env=None, preexec=None, fds=()):
        self.argv, self.log = argv, log

        def prepare():
            _end_with_parent()
            if preexec:
                preexec()

        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=prepare,
                pass_fds=fds, env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid
        _daemons.append(self)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def wait(self, timeout_s=30):
        """The exit code (negative: the signal)."""
        code = self.process.wait(timeout_s * PATIENCE)
        if self in _daemons:
            _daemons.remove(self)
        return code

    def stop(self, timeout_s=30):
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def until(self, what, test, timeout_s=20.0):
        """wait_for, but gives up at once when the process has ended."""
        def running_or_true():
            value = test()
            if not value and not self.is_running():
                raise RuntimeError("%s ended with %s before %s:\n%s" % (
                    self.argv[0], self.process.returncode, what, read_text(self.log)[-2000:]))
            return value
        return wait_for(what, running_or_true, timeout_s)


# A command that ends at once has nothing to leak, and the search takes longer than the rest of it.
NO_LEAKS = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def run(argv, stdin=b"", env=None, timeout_s=120, preexec=None):
    """Exit code, stdout and stderr (text) of a command."""
    p = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, **dict(NO_LEAKS, **(env or {}))),
                       timeout=timeout_s * PATIENCE, check=False, preexec_fn=preexec)
    return (p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace"))


def _stop_all():
    for daemon in reversed(_daemons[:]):
        daemon.signal(signal.SIGTERM)
    for daemon in reversed(_daemons[:]):
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()


atexit.register(_stop_all)
signal.signal(signal.SIGTERM, lambda *_: exit(143))
