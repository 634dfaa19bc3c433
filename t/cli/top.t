#!/usr/bin/env python3
"""tollgate top: one picture, and a live one on a terminal."""

import datetime
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import violations
from counted import Counted
from pace import Pace
from redis_server import RedisServer
from tollgate import Tollgate
from windows import Windows

UTC = datetime.timezone.utc
NOW = datetime.datetime.now(UTC)
HOUR = ("domain/recipients/hour", 600)
# It is the last hour of a day there: times of tomorrow must not make a list wider.
ZONE = "Etc/GMT%+d" % -((23 - NOW.hour + 12) % 24 - 12)
CONF = """
throttle: { mode = "enforce"; };
plans = ( { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "defer"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "hold"; },
    { scope = "server"; metric = "messages"; max = "1000"; per = "day"; action = "log"; } ); } );
"""


class Site:
    def __init__(self):
        self.folder = proc.scratch("top")
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.tollgate = Tollgate(self.folder, self.server.url, ZONE, more=CONF,
                                 domains="example.com\nexample.org\nfull.example\nidle.example\n")
        counted = Counted()
        for domain in ("example.com", "example.org", "full.example", "idle.example", "old.example"):
            counted.add(NOW, domain, {"out_messages": 1, "out_recipients": 1, "out_bytes": 1})
        counted.add(NOW, "_unattributed", {"relay_messages": 1})
        counted.write(self.redis, {"mx1": int(NOW.timestamp())})
        windows = Windows(self.redis)
        windows.consume("full.example", "recipients", "hour", 600, NOW)
        windows.consume("example.com", "recipients", "hour", 60, NOW)
        windows.consume("example.com", "messages", "day", 150, NOW, "alice@example.com")
        windows.consume("@server", "messages", "day", 900, NOW)
        violations.add(self.redis, NOW, "full.example", HOUR, 600, 3)
        violations.add(self.redis, NOW, "example.com", ("user/messages/day", 200), 199, 3,
                       user="alice@example.com", action="hold")

    def send(self, redis, domain, messages, stopped=0):
        """In one transaction: a row is read between two messages, never in the middle of one."""
        counted = {"out_messages": messages, "out_recipients": 5 * messages,
                   "forward_bytes": 1000 * messages, "throttled_messages": stopped}
        redis.pipe([["MULTI"]] + [["HINCRBY", key, field, by]
                                  for key in ("tg:{%s}:total" % domain, "tg:{@mx1}:total")
                                  for field, by in counted.items()] + [["EXEC"]])

    def send_some(self):
        for _ in range(7):
            self.send(self.redis, "example.org", 1)
            self.send(self.redis, "example.com", 2, 1)

    def sending(self):
        """Mail of two domains, until the function that is given back is called."""
        stop, redis = threading.Event(), self.server.connect()

        def run():
            while not stop.wait(0.02):
                self.send(redis, "example.org", 1)
                self.send(redis, "example.com", 2, 1)
        thread = threading.Thread(target=run)
        thread.start()

        def end():
            stop.set()
            thread.join()
        return end


def parts(picture):
    """Lines of the three tables, without heads and rules."""
    tables, table = [], None
    for line in picture.splitlines():
        if re.match(r"[-\u2500]{10}", line):
            table = []
            tables.append(table)
        elif table is not None and line:
            table.append(line)
        else:
            table = None
    return tables


class Measured:
    """tollgate top --interval 1 at a second that is one, however fast the machine is: what is sent
    between two readings is its rate."""

    def __init__(self, tollgate, *args, **env):
        self.pace = Pace(os.path.dirname(tollgate.conf))
        argv = [os.path.join(proc.BUILD, "tollgate"), "-c", tollgate.conf, "top", "--interval",
                "1", *args]
        env = {**os.environ, **tollgate.env, **self.pace.env, **env}
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)

    def second(self, send):
        """Calls send() between two readings."""
        self.pace.wait_asleep()
        send()
        self.pace.wake()

    def line(self):
        return self.process.stdout.readline()

    def rest(self):
        return self.process.communicate(timeout=20 * proc.PATIENCE)[0]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def once(site):
    top = Measured(site.tollgate, "--once", COLUMNS="80")
    top.second(site.send_some)
    picture = top.rest()
    tap.note(picture)
    senders, limits, crossed = parts(picture)
    names = [line.split()[0] for line in senders]
    tap.same(names, ["example.com", "example.org"], "who sends, the busiest first")
    tap.same([[float(x) for x in line.split()[1:3]] for line in senders],
             [[14.0, 70.0], [7.0, 35.0]], "how much, a second")
    tap.ok("out 21.0, stopped 7.0; out " in picture, "and all together", picture)
    tap.same([(line.split()[0], line.split()[1]) for line in limits],
             [("full.example", "domain/recipients/hour"), ("@server", "server/messages/day"),
              ("alice@example.com", "user/messages/day"),
              ("example.com", "domain/recipients/hour")], "limits, the fullest first")
    tap.ok("100%" in limits[0] and re.search(r"\d\d:\d\d \(1h\)|60min|1h 1min", limits[0]),
           "when there is room", limits)
    tap.same([line.split()[2] for line in crossed], ["full.example", "alice@example.com"],
             "violations")
    tap.none([line for line in picture.splitlines() if len(line) > 80], "80 columns")
    picture = site.tollgate.good("top", "--interval", "1")
    tap.ok("(nobody)" in picture, "no terminal: one picture; nobody sends", picture)


def lines(site):
    """The same for programs: an object a line, again and again."""
    top = Measured(site.tollgate, "--format", "json")
    pictures = []
    for _ in range(2):
        top.second(site.send_some)
        pictures.append(json.loads(top.line()))
    top.end()
    for p in pictures:
        tap.note(p)
        names = ("messages_per_s", "recipients_per_s", "bytes_per_s", "stopped_per_s")
        tap.same([s["account"] for s in p["senders"]], ["example.com", "example.org"], "who sends")
        tap.same([[r[n] for n in names] for r in (*p["senders"], p["server"])],
                 [[14, 70, 14000, 7], [7, 35, 7000, 0], [21, 105, 21000, 7]], "how much")
        tap.same([(x["account"], x["user"], x["limit"], x["used"]) for x in p["limits"]],
                 [("full.example", None, "domain/recipients/hour", 600),
                  ("@server", None, "server/messages/day", 900),
                  ("example.com", "alice@example.com", "user/messages/day", 150),
                  ("example.com", None, "domain/recipients/hour", 60)], "the limits")
        tap.same([v["account"] for v in p["violations"]], ["full.example", "example.com"],
                 "the violations")
        tap.same((p["error"], p["mode"], p["nodes"]), (None, "enforce", 1), "the head")
    out = site.tollgate.good("top", "--format", "json", "--once", "--interval", "1")
    tap.same((out.count("\n"), json.loads(out)["senders"]), (1, []), "or once; nobody sends")


def many():
    """The first picture of many accounts has who sends, wherever its name stands."""
    folder = proc.scratch("top-many")
    server = RedisServer(folder)
    redis = server.connect()
    counted = Counted()
    counted.accounts.update("d%05d.example" % i for i in range(50000))
    counted.add(NOW, "zz.example", {"out_messages": 1})
    counted.write(redis, {"mx1": int(NOW.timestamp())})
    tollgate = Tollgate(folder, server.url, more=CONF, domains="zz.example\n")
    top = Measured(tollgate, "--once")
    top.second(lambda: redis("HINCRBY", "tg:{zz.example}:total", "out_messages", 20))
    picture = top.rest()
    senders = parts(picture)[0]
    tap.ok(len(senders) == 1 and senders[0].startswith("zz.example "),
           "one of 50,001 sends, and is seen", picture)
    tap.ok(re.search(r"by the [\d,]+ accounts checked", picture), "no limit: of how many", picture)
    server.stop()


class Screen:
    """tollgate top on a terminal of its own."""

    def __init__(self, site, rows, columns):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = dict(os.environ, **site.tollgate.env, TERM="xterm")
        env.pop("COLUMNS")
        self.process = subprocess.Popen(
            [os.path.join(proc.BUILD, "tollgate"), "-c", site.tollgate.conf, "top", "--interval",
             "1"], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
        os.close(slave)
        self.seen, self.at = "", 0

    def until(self, pattern, timeout_s=20 * proc.PATIENCE):
        """What was drawn since the last call, up to where the pattern ends; all of it where it does
        not come."""
        end = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.seen[self.at:], re.S)
            if found or time.monotonic() > end:
                break
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        start, self.at = self.at, self.at + found.end() if found else len(self.seen)
        return self.seen[start:self.at]

    def picture(self):
        """The next one, whole."""
        self.until(r"\033\[H")
        return plain(self.until(r"\033\[J"))

    def press(self, key):
        os.write(self.master, key)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(28)  # to a session without this terminal the kernel sends none


def plain(text):
    return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", text)


def live(site):
    end = site.sending()
    screen = Screen(site, 24, 80)
    first = screen.until(r"\033\[J.*?\033\[J")
    tap.ok("(measuring)" in first and "(nobody)" not in first and "messages/s: measuring" in first,
           "the first one knows no rates yet", first)
    tap.ok("(q quits)" in first, "how to end it", first)
    tap.ok("\033[?1049h" in first and "\033[?25l" in first, "a screen of its own", repr(first[:80]))
    picture = screen.until(r"example\.com +\d+\.\d")
    tap.ok("example.com" in picture, "who sends is drawn as it goes on", picture)
    frame = screen.picture()
    tap.ok(len(frame.splitlines()) <= 24 and max(map(len, frame.splitlines())) <= 80,
           "it fits the terminal", frame)
    screen.resize(12, 60)
    frame = next(f for f in (screen.picture() for _ in range(20))  # one may have been under way
                 if not f or len(f.splitlines()) <= 12)
    tap.ok(0 < len(frame.splitlines()) <= 12 and "\033[?7l" in screen.seen,
           "and a smaller one, which cuts the lines", frame)
    site.server.freeze()
    time_out = screen.until(re.escape(site.server.path))
    tap.ok(site.server.path in time_out, "a store that does not answer is told of", time_out)
    site.server.thaw()
    picture = screen.until(r"example\.com +\d+\.\d")
    tap.ok("example.com" in picture, "and waited for", picture)
    screen.press(b"q")
    last = screen.until(r"\033\[\?1049l")
    tap.same(screen.process.wait(20 * proc.PATIENCE), 0, "q ends it")
    tap.ok("\033[?7h\033[?25h" in last, "and the terminal is as it was", repr(last[-80:]))
    end()


def wrong(site):
    for code, text, args in ((64, "--interval 0: expected a number from 1 to 3600",
                              ["--interval", "0"]),
                             (64, "--interval soon: expected a number", ["--interval", "soon"]),
                             (64, 'unexpected argument "x"', ["x"])):
        got, out, err = site.tollgate("top", *args)
        tap.ok(got == code and text in err and out == "", "top " + " ".join(args), got, err)
    site.server.kill()
    got, out, err = site.tollgate("top", "--once")
    tap.ok(got == 69 and site.server.path in err and out == "", "no store", got, err)


def main():
    site = Site()
    once(site)
    lines(site)
    live(site)
    many()
    wrong(site)


tap.run(main)
