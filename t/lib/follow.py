"""The log follower, driven through t/collect/follow_check, and logs for it."""

import bz2
import functools
import gzip
import lzma
import os
import shutil
import subprocess
import time

import proc
from tollgate import preload

PROGRAM = os.path.join(proc.BUILD, "t", "collect", "follow_check")

QUIET_MS = 5000
PART_MS = 60000
BEGUN_S = int(time.time()) - 1


class Log:
    """A log file in a folder of its own."""

    def __init__(self, name="mail.log"):
        self.dir = proc.scratch("follow")
        self.path = os.path.join(self.dir, name)
        self.count = 0

    def write(self, text, path=None):
        with open(path or self.path, "ab") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def lines(self, count, path=None):
        """Appends so many new lines, which it returns."""
        new = ["line %d %s" % (n, "x" * 40) for n in range(self.count, self.count + count)]
        self.count += count
        self.write("".join(x + "\n" for x in new), path)
        return new

    def sibling(self, ending):
        return self.path + ending

    def rename(self, ending, creates=True):
        os.rename(self.path, self.sibling(ending))
        if creates:
            self.write("")

    def copy(self, ending):
        shutil.copyfile(self.path, self.sibling(ending))

    def truncate(self):
        os.truncate(self.path, 0)

    def pack(self, ending, how, keeps_time=True):
        """As gzip does it."""
        path = self.sibling(ending)
        times = os.stat(path)
        if how == "zst":
            subprocess.run(["zstd", "-q", "--rm", path], check=True)
        else:
            opener = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open}[how]
            with open(path, "rb") as f, opener(path + "." + how, "wb") as to:
                shutil.copyfileobj(f, to)
            os.unlink(path)
        if keeps_time:
            os.utime(path + "." + how, ns=(times.st_atime_ns, times.st_mtime_ns))


def age(path, seconds=3600):
    """As if it had been written to long ago."""
    before = os.stat(path).st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(before, before))


@functools.cache
def stopped():
    return dict(preload(proc.scratch("shim"), "clock_shim"), TG_NOW=str(BEGUN_S))


class Step:
    """A follower that looks when it is told to, at a time that it is told. How long ago a file was
    written it knows by the wall clock: that `stands` before the first of them, so that this is no
    time at all, however long the test takes to look."""

    def __init__(self, source, mode="live", start="start", since_ms=0, position="-", drops=(),
                 stands=True):
        self.drops = drops
        self.env = stopped() if stands and not source.startswith("journal:") else {}
        self.args = (source, mode, start, str(since_ms))
        self.position = position
        self.now_ms = 1000000
        self.process = None
        self.lag = self.result = self.is_ready = None
        self.restart()

    def restart(self, path=None):
        """As after a kill: a new process, from the last position. `path`: its PATH."""
        self.stop()
        self.process = subprocess.Popen(
            [*self.drops, PROGRAM, "step", *self.args, self.position], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, encoding="latin-1", bufsize=1,
            env=dict(os.environ, **self.env, PATH=path or os.environ["PATH"]))
        return self

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def look(self, later_ms=0):
        """What there is: lines as they are, gaps as "G reason", errors as "E text"."""
        self.now_ms += later_ms
        self.process.stdin.write("%d\n" % self.now_ms)
        got = []
        for text in self.process.stdout:
            kind, rest = text[0], text[2:].rstrip("\n")
            if kind == ".":
                self.result, self.position, self.lag, self.is_ready = rest.split()
                return got
            got.append(rest if kind == "L" else kind + " " + rest)
        raise EOFError("\n".join(got))

    def is_ready_now(self):
        """Is its descriptor readable? Nothing is read."""
        self.process.stdin.write("poll\n")
        return self.process.stdout.readline() == "ready\n"

    def peak_kib(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmHWM"))


def begun(lines, **options):
    """A log of so many lines, and a follower that has read them."""
    log = Log()
    log.lines(lines)
    step = Step(log.path, **options)
    step.look()
    return log, step


class Run:
    """A follower at work in real time, its clock sped up, that stores what it gave."""

    def __init__(self, source, store, speed=50, lines=50):
        self.source, self.store, self.speed, self.lines = source, store, speed, lines
        self.process = None

    def start(self, dies_at=0):
        self.process = proc.Daemon(
            [PROGRAM, "run", self.source, self.store, str(self.speed), str(self.lines),
             str(dies_at)], self.store + ".log")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process = None

    def events(self):
        """Pairs of kind ("L", "G", "E") and text, up to the last position."""
        events, part = [], []
        with open(self.store, encoding="latin-1") as f:
            for text in f:
                if text.startswith("@ ") and text.endswith("\n"):
                    events += part
                    part = []
                else:
                    part.append((text[0], text[2:-1]))
        return events

    def stored(self):
        """(lines, gaps and errors) up to the last position."""
        events = self.events()
        return ([text for kind, text in events if kind == "L"],
                ["%s %s" % x for x in events if x[0] != "L"])
