#!/usr/bin/env python3
"""tollgate-collect: options, a life with rotations and an absent Redis, and a restored ledger."""

import os
import re
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import proc
import redis_server
import tap
from collector import Collector, Logins, counted, differences

LOGIN = ("Nov 28 15:09:17 vm dovecot: imap-login: Login: user=<u1@example.com>, method=PLAIN, "
         "rip=192.0.2.1, lip=192.0.2.2, mpid=7, session=<a>")


def until_counted(redis, c, logins):
    c.daemon.until("%d logins" % logins.count,
                   lambda: counted(redis, "@mx1") == logins.count and
                   redis("HGET", "tg:{@mx1}:collect", "dirty_rows") == "0")


def test_options(folder):
    c = Collector(folder, "unix://" + os.path.join(folder, "no-redis.sock"))
    proc.write_text(c.log_path, LOGIN + "\n")
    tap.same(c.run("-t")[0], 0, "-t of a good configuration")
    code, out, _ = c.run("-T")
    tap.ok(code == 0 and 'sources = ["file:%s"]' % c.log_path in out, "-T prints it", out[-800:])
    code, out, _ = c.run("--help")
    tap.ok(code == 0 and "--coverage FILE" in out and "--explain LINE" in out, "--help")
    tap.same(c.run("--coverage")[0], 64, "an option without its argument")
    tap.same(c.run("--frm", "today")[0], 64, "an unknown option")
    tap.same(c.run("--once", "--from", "yesteryear")[0], 64, "no date")

    double = Collector(folder, "unix:///x", {"collect": {"sources": [
        "file:" + c.log_path, "file:%s/../%s/mail.log" % (folder, os.path.basename(folder))]}},
        name="double")
    code, _, err = double.run("-t")
    tap.ok(code == 78 and re.search(r"double\.conf:\d+: collect\.sources: .*count twice", err),
           "-t refuses a file that is named twice", err)
    code, _, err = double.run("--once")
    tap.ok(code == 78 and "count twice" in err, "and so does a start", err)
    double = Collector(folder, "unix:///x", {"collect": {"sources": [
        "journal:", "journal:unit=dovecot.service"]}}, name="journals")
    tap.same(double.run("-t")[0], 78, "-t refuses the whole journal and a part of it")


def test_lost_ends(folder):
    """They add up over runs, and a run that reads nothing new adds none."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = Collector(folder, server.url)
    start = "Nov 28 15:10:17 vm dovecot: master: Dovecot v2.4.1-4 (7d8c0e5759) starting up for imap"
    for said, lost in ((LOGIN + "\n" + start + "\n", "1"), ("", "1"),
                       (LOGIN.replace("<a>", "<b>").replace("15:09", "15:11") + "\n" +
                        start.replace("15:10", "15:12") + "\n", "2")):
        with open(c.log_path, "a") as log:
            log.write(said)
        tap.same(c.once()[0], 0, "--once")
        tap.same(redis("HGET", "tg:{@mx1}:collect", "lost_ends"), lost, "lost ends since ever")
    server.stop()


def test_explain(folder):
    c = Collector(folder, "unix://" + os.path.join(folder, "no-redis.sock"))
    code, out, _ = c.run("--explain", LOGIN)
    tap.ok(code == 0 and "shape   dovecot: login" in out and
           "imap_connections 1 for the node, example.com, u1@example.com" in out,
           "--explain says what a line counts, and for whom", out)
    other = LOGIN.replace("example.com", "elsewhere.test")
    code, out, _ = c.run("--explain", "-", stdin=(other + "\nnonsense\n").encode())
    tap.ok("imap_connections 1 for the node\n" in out, "a login of nobody hosted", out)
    tap.ok("not a line of a log" in out, "what is no line of a log", out)
    proc.write_text(c.log_path, LOGIN + "\n" + LOGIN.replace(
        "dovecot: imap-login: Login: user=<u1@example.com>",
        "postfix/qmgr[7]: strange word alice@example.com 192.0.2.1") + "\n")
    code, out, _ = c.run("--coverage", c.log_path)
    tap.ok(code == 0 and re.search(r"1 +50\.0 % +understood", out), "--coverage", out)
    tap.ok("alice" not in out and "192.0.2" not in out and "strange word" in out,
           "names and addresses are blanked", out)


def test_life(folder):
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = Collector(folder, server.url)
    logins = Logins(c.log_path)
    logins.write(5)
    c.start()
    logins.count, logins.users = 0, {}  # what was there before is not counted
    logins.write(20)
    until_counted(redis, c, logins)
    logins.rotate()
    logins.write(15)
    until_counted(redis, c, logins)
    tap.none(differences(redis, logins), "a rotation")
    node = redis.hash("tg:{@mx1}:collect")
    tap.same(node["sources"], "file:" + c.log_path, "the hash names the logs")
    tap.ok(int(node["lines"]) == 35 and node["gaps"] == "0" and node["lost_ends"] == "0",
           "lines, gaps and lost ends", str(node))
    through, name = node["sources_through"].rstrip("\n").split(" ", 1)
    tap.ok(name == "file:" + c.log_path and int(through) == int(node["log_through"]),
           "and how far each is read", node["sources_through"])
    tap.ok("queue_messages" in node, "and the queue, where it is known", str(node))

    server.kill()
    logins.write(10)
    logins.rotate()
    logins.write(10)
    c.daemon.until("a problem", lambda: "redis cannot be written" in c.log())
    server.start()
    redis = server.connect()
    until_counted(redis, c, logins)
    tap.none(differences(redis, logins), "Redis was away, and comes back empty")
    redis("FLUSHALL")
    until_counted(redis, c, logins)
    tap.none(differences(redis, logins), "Redis was flushed")

    c.reload()
    c.daemon.until("the reload", lambda: "notice: reloaded" in c.log())
    proc.write_text(c.domains, "example.net\nexample.com\n")
    logins.write(3)
    tap.same(c.stop(), 0, "TERM ends it in order")
    logins.write(4)
    logins.rotate()
    logins.write(2)
    c.start()
    until_counted(redis, c, logins)
    tap.none(differences(redis, logins), "what was written while it was off")
    tap.same(redis("HGET", "tg:{@mx1}:collect", "gaps"), "0", "no gap")
    code, _, err = c.run("--once")
    tap.ok(code != 0 and "lock" in err, "a second one is refused", err)
    c.kill()
    c.start()
    logins.write(1)
    until_counted(redis, c, logins)
    c.stop()
    server.stop()


def test_restored(folder):
    """The ledger is put back as it was; lines are neither lost nor counted twice, and a gap says
    that something happened."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = Collector(folder, server.url)
    logins = Logins(c.log_path)
    logins.write(50)
    tap.same(c.once()[0], 0, "all of the log is read")
    tap.none(differences(redis, logins), "and counted")
    shutil.copytree(os.path.join(c.state, "collect"), os.path.join(folder, "backup"))
    logins.write(30)
    logins.rotate()
    logins.write(30)
    tap.same(c.once()[0], 0, "more")
    shutil.rmtree(os.path.join(c.state, "collect"))
    shutil.copytree(os.path.join(folder, "backup"), os.path.join(c.state, "collect"))
    logins.write(20)
    code, _, err = c.once()
    tap.ok(code == 0 and "under a new share" in err, "the backup is noticed", err)
    code, _, err = c.once()
    tap.same(code, 0, "and reading goes on", err)
    tap.none(differences(redis, logins), "each line counts once")
    gaps = redis.hash("tg:{@mx1}:gaps")
    tap.ok(len(gaps) == 1 and "restored or copied" in gaps["1"], "with a gap that says so",
           str(gaps))

    server.kill()
    shutil.rmtree(os.path.join(c.state, "collect"))
    shutil.copytree(os.path.join(folder, "backup"), os.path.join(c.state, "collect"))
    os.unlink(os.path.join(c.state, "collect", "collect.db"))
    code, _, err = c.once()
    tap.ok(code == 65 and "collect.db is gone" in err, "a ledger that is gone is refused", err)


def test_other_machine(folder):
    """A clone with other logs: what it reads is counted beside what the first one reads."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    a = Collector(folder, server.url)
    logins = Logins(a.log_path)
    logins.write(40)
    tap.same(a.once()[0], 0, "the first one")
    clone = os.path.join(folder, "clone")
    os.mkdir(clone)
    b = Collector(clone, server.url)
    shutil.copytree(a.state, b.state)
    shutil.copy(a.log_path, b.log_path)
    db = sqlite3.connect(b.database())
    db.execute("UPDATE sources SET name = ?", ("file:" + b.log_path,))
    db.execute("UPDATE meta SET value = replace(value, ?, ?) WHERE name IN ('source', "
               "'source_base')", (("file:" + a.log_path).encode().hex(),
                                  ("file:" + b.log_path).encode().hex()))
    db.commit()
    db.close()
    logins.write(25)
    tap.same(a.once()[0], 0, "goes on")
    more = Logins(b.log_path)
    more.write(12)
    for _ in range(2):
        code, _, err = b.once()
    tap.same(code, 0, "the clone", err)
    tap.same(counted(redis, "@mx1"), 40 + 25 + 12, "lines of both count, each once")
    server.stop()


def test_twins(folder):
    """Two logs with the same lines: the later one is stopped."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    other = os.path.join(folder, "copy.log")
    c = Collector(folder, server.url, {"collect": {"sources": [
        "file:" + os.path.join(folder, "mail.log"), "file:" + other]}})
    logins = Logins(c.log_path)
    logins.write(1)
    shutil.copy(c.log_path, other)
    c.start()
    logins.count, logins.users = 0, {}
    twin = open(other, "ab", buffering=0)

    def found():
        for _ in range(20):
            line = logins.line(None, "mx").encode()
            logins.file.write(line)
            twin.write(line)
        return "two logs have the same lines" in c.log()
    c.daemon.until("an error", found)
    until_counted(redis, c, logins)
    tap.none(differences(redis, logins), "each line counts once")
    tap.ok(c.log().count("two logs have the same lines") == 1, "said once", c.log()[-1000:])
    c.stop()
    server.stop()


def main():
    tap.need("redis-server")
    for test in (test_options, test_explain, test_lost_ends, test_life, test_restored,
                 test_other_machine, test_twins):
        tap.note(test.__name__)
        test(proc.scratch("collector"))


tap.run(main)
