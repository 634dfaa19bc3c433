#!/usr/bin/env python3
"""tollgate doctor: the collector of this node, and what the syslog daemons and logrotate do to its
logs."""

import contextlib
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tollgated
from collector import Collector, Logins
from redis_server import RedisServer

SUBJECTS = ("collect", "logrotate", "journald", "rsyslog")


class Site:
    """A collector with its log, and a folder like /etc."""

    def __init__(self):
        self.folder = proc.scratch("doctor-collect")
        self.etc = os.path.join(self.folder, "etc")
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.collector = Collector(self.folder, self.server.url)
        self.log = self.collector.log_path
        self.logins = Logins(self.log)
        for name in ("logrotate.d", "rsyslog.d", "systemd/journald.conf.d"):
            os.makedirs(os.path.join(self.etc, name))
        self.write("systemd/journald.conf", "[Journal]\n#RateLimitBurst=1\n")

    def write(self, name, text):
        proc.write_text(os.path.join(self.etc, name), text)

    def configure(self, **collect):
        c = self.collector
        proc.write_text(c.conf, tollgated.libconfig(
            tollgated.merged(c.settings, {"collect": collect})))

    def sql(self, text):
        with contextlib.closing(sqlite3.connect(self.collector.database())) as db:
            db.executescript(text)

    def ask(self, conf=None):
        """[(verdict, subject, text, fix)] of the subjects that are looked at here."""
        env = {"PATH": proc.BUILD + ":" + os.environ["PATH"], "COLUMNS": "", "LC_ALL": "C.UTF-8"}
        _, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "-c",
                                conf or self.collector.conf, "doctor", "--etc", self.etc,
                                "--postfix", self.folder], env=env)
        found = []
        for line in out.splitlines():
            match = re.match(r"(ok|warn|fail|unknown) +([a-z_]+): (.*)", line)
            if match:
                found.append(list(match.groups()) + [""])
            elif line.startswith("         fix: "):
                found[-1][3] = line[14:]
        tap.same(err, "", "nothing on stderr")
        return [f for f in found if f[1] in SUBJECTS]

    def expect(self, verdict, subject, text, note):
        found = self.ask()
        hits = [f for f in found if f[:2] == [verdict, subject] and text in f[2]]
        tap.ok(len(hits) == 1 and (verdict == "ok" or hits[0][3]), note, *found)

    def well(self, note):
        found = self.ask()
        tap.same([f for f in found if f[0] != "ok"], [], note)
        return found


def nobody_runs(site):
    conf = os.path.join(site.folder, "plain.conf")
    settings = dict(site.collector.settings)
    del settings["collect"]
    proc.write_text(conf, tollgated.libconfig(settings))
    found = site.ask(conf)
    tap.ok(len(found) == 1 and found[0][0] == "ok" and
           "no tollgate-collect runs on this node" in found[0][2],
           "one line where no collector was ever wanted", *found)
    site.expect("fail", "collect", "not running", "one is configured, and has never run")


def life(site):
    c = site.collector
    c.start()
    site.logins.write(3)
    c.daemon.until("the ledger and Redis", lambda: os.path.exists(c.database()) and
                   site.redis("HGET", "tg:{@mx1}:collect", "seen"))
    found = site.well("a collector that is well")
    tap.same([f[2] for f in found if f[1] == "collect" and "ago" not in f[2]],
             ["running", "its logs can be read and do not overlap",
              "file:%s is read up to now" % site.log, "no gap in its logs in the last 7 days"],
             "what was looked at")
    c.stop()
    site.expect("fail", "collect", "not running (%s/collect/lock" % c.state, "it was stopped")
    site.redis("HSET", "tg:{@mx1}:collect", "seen", int(time.time()) - 7300)
    site.expect("warn", "collect", "last reported 2 hours ago", "it is silent")
    site.redis("HDEL", "tg:{@mx1}:collect", "seen")
    site.expect("warn", "collect", "never reported to this store", "Redis does not know it")
    now = int(time.time() * 1000)
    site.sql("UPDATE sources SET to_ms = %d" % (now - 1000 * 1000))
    site.expect("warn", "collect", "is read only up to 16 minutes ago", "it lags")
    site.sql("UPDATE sources SET name = 'file:/other'")
    site.expect("warn", "collect", "file:%s is not read" % site.log, "a log that is not read")
    site.sql("UPDATE sources SET name = 'file:%s', to_ms = %d;"
             "INSERT INTO gaps (source, from_ms, to_ms, lost, reason) VALUES"
             " ('file:/a', 1, 2, 0, 'long ago'), ('file:/b', %d, %d, 7, 'copytruncate: no copy')"
             % (site.log, now, now - 9000, now - 8000))
    site.expect("warn", "collect", "1 gap in its logs in the last 7 days; the last one: file:/b: "
                "copytruncate: no copy", "a gap")
    site.sql("DELETE FROM gaps")
    c.start()
    c.daemon.until("Redis", lambda: site.redis("HGET", "tg:{@mx1}:collect", "seen"))
    site.well("well again")


def logs(site):
    """What the collector's own test of the configuration says."""
    site.configure(sources=["file:" + site.log, "file:" + site.log])
    site.expect("fail", "collect", "count twice", "two sources that are the same")
    site.configure(user="nobody")
    os.chmod(site.log, 0o600)
    if os.geteuid() == 0:
        site.expect("warn", "collect", "Permission denied", "a log that its account cannot read")
    os.chmod(site.log, 0o644)
    site.configure()
    site.well("well again")


def logrotate(site):
    block = "%s {\n  weekly\n  %s\n}\n"
    for text, is_bad in (
            (block % (site.log, "copytruncate"), True),
            (block % (site.log, "create 640 root adm"), False),
            (block % (site.log, "#copytruncate"), False),
            (block % ('"%s/*.log"' % site.folder, "copytruncate"), True),
            (block % ("/other.log\n" + site.log, "copytruncate"), True),
            (block % (site.log, "postrotate\n f() { true\n }\n endscript\n copytruncate"), True),
            (block % ("/other.log", "copytruncate"), False),
            ("%s\n{\n copytruncate\n}\n" % site.log, True),
            ("copytruncate\n" + block % (site.log, "weekly"), True),
            ("copytruncate\n" + block % (site.log, "nocopytruncate"), False),
            (block % ("/other.log", "copytruncate") + block % (site.log, "weekly"), False)):
        site.write("logrotate.d/mail", text)
        if is_bad:
            site.expect("warn", "logrotate", "rotates %s by copytruncate" % site.log,
                        "logrotate: " + text.replace("\n", " "))
        else:
            site.well("logrotate, well: " + text.replace("\n", " "))
    site.write("logrotate.d/mail", "")
    site.write("logrotate.conf", "copytruncate\n")
    site.write("logrotate.d/mail", block % (site.log, "weekly"))
    site.expect("warn", "logrotate", "by copytruncate", "logrotate.conf is for all")
    site.write("logrotate.conf", "")


def journald(site):
    for text, is_bad, says in (
            ("RateLimitBurst=1000\n", True, "above 1000 lines in 30 s"),
            ("RateLimitIntervalSec=1min\nRateLimitBurst=10000\n", True, "10000 lines in 60 s"),
            ("RateLimitIntervalSec=0\nRateLimitBurst=10\n", False, "no rate limit"),
            ("RateLimitBurst = 0\n", False, "no rate limit"),
            ("RateLimitBurst=50000\n", False, "50000 lines in 30 s"),
            ("", False, "10000 lines in 30 s")):
        site.write("systemd/journald.conf.d/x.conf", "[Journal]\n" + text)
        site.expect("warn" if is_bad else "ok", "journald", says, "journald: " + repr(text))


def rsyslog(site):
    for text, is_bad, says in (
            ("module(load=\"imuxsock\")\n", False, "no rate limit"),
            ("module(load=\"imuxsock\" SysSock.RateLimit.Interval=\"5\"\n"
             "  SysSock.RateLimit.Burst=\"200\")\n", True, "limits the rate"),
            ("$SystemLogRateLimitInterval 2\n", True, "limits the rate"),
            ("$SystemLogRateLimitInterval 0\n", False, "no rate limit"),
            ("module(load=\"imjournal\" StateFile=\"x\")\n", True, "20,000 lines"),
            ("module(load=\"imjournal\" Ratelimit.Interval=\"0\")\n", False, "no rate limit"),
            ("#module(load=\"imjournal\")\n", False, "no rate limit")):
        site.write("rsyslog.conf", text)
        site.expect("warn" if is_bad else "ok", "rsyslog", says, "rsyslog: " + repr(text))
    site.write("rsyslog.conf", "")
    line = "Nov 28 15:00:00 mx %s[7]: 4jcCwP3h3Lz1d2hb: removed\n"
    with open(site.log, "a", encoding="ascii") as f:
        f.write((line % "postfix/qmgr") * 3)
    site.well("whole tags")
    with open(site.log, "a", encoding="ascii") as f:
        f.write((line % "postfix") * 20)
    site.expect("warn", "rsyslog", "tags that end before the slash", "tags that are cut")
    site.write("rsyslog.conf", "global(parser.permitSlashInProgramName=\"on\")\n")
    tap.ok([f for f in site.ask() if f[3].startswith("restart rsyslog")],
           "and a setting that is not in force yet")


def main():
    tap.need("redis-server")
    site = Site()
    for test in (nobody_runs, life, logs, logrotate, journald, rsyslog):
        tap.note(test.__name__)
        test(site)
    site.collector.stop()
    site.server.stop()


tap.run(main)
