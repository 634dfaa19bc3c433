#!/usr/bin/env python3
"""A Redis that refuses: out of memory, loading, busy, unable to save, closed to us, a replica; or
that deletes keys. Mail goes on, the log says so once and with the fix, and when it takes commands
again all is there, once."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

FAULT = "counters are not pushed to redis"
OVER = "counters are pushed again"


class SlowServer(redis_server.RedisServer):
    """Its data is loaded at a start, as slowly as `load_delay_us` a key says."""

    load_delay_us = 0

    def start(self):
        self.daemon = proc.Daemon(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--dir",
             self.folder, "--daemonize", "no", "--key-load-delay", str(self.load_delay_us),
             "--loading-process-events-interval-bytes", "1024"],
            os.path.join(self.folder, "redis.log"))
        self.daemon.until("redis-server", lambda: proc.can_connect(self.path))


class Site:
    def __init__(self, folder):
        self.server = SlowServer(folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(folder, self.server.url,
                                          "unix:%s/milter.sock" % folder)
        self.daemon.host(["example.com"])
        self.daemon.start()
        self.sent = 0

    def send(self, count=5):
        with milterclient.Session(self.daemon.socket) as session:
            for _ in range(count):
                answer = session.deliver("x@gmail.test", ["u@example.com"],
                                         milterclient.message_of([], 900))
                self.sent += answer.accepted
                if not answer.accepted:
                    tap.ok(False, "mail goes on", repr(answer))

    def shown(self):
        try:
            return int(self.redis("HGET", "tg:{example.com}:total", "in_messages") or 0)
        except redis_server.RedisError:
            return -1

    def lines(self, text, since):
        return [line for line in self.daemon.log()[since:].split("\n") if text in line]

    def while_frozen(self, begin):
        """tollgated sees the store when it refuses, and nothing of how it comes to that."""
        self.daemon.daemon.signal(signal.SIGSTOP)
        try:
            begin()
        finally:
            self.daemon.daemon.signal(signal.SIGCONT)

    def fault(self, word, fix, begin, end):
        """begin() makes the store refuse, end() mends it."""
        since = len(self.daemon.log())
        self.while_frozen(begin)
        self.send()
        try:
            line = proc.wait_for("line", lambda: self.lines(FAULT, since))[0]
        except TimeoutError:
            line = ""
        tap.ok(word in line and fix in line, word + " is told, and the fix", line,
               self.daemon.log()[since:][-1500:])
        self.send()
        end()
        self.send()
        try:
            proc.wait_for("counters", lambda: self.shown() == self.sent, 60)
            proc.wait_for("line", lambda: self.lines(OVER, since))
        except TimeoutError:
            pass
        tap.same(self.shown(), self.sent, word + " is over: all is there, once")
        tap.ok(len(self.lines(FAULT, since)) == 1 and len(self.lines(OVER, since)) == 1,
               word + ": one line for its beginning, one for its end", *self.lines("redis", since))


def say(site, *commands):
    return lambda: [site.redis(*c) for c in commands]


def save_fails(site):
    """Redis renames its snapshot over dump.rdb, which is a directory here."""
    os.mkdir(os.path.join(site.server.folder, "dump.rdb"))
    site.redis("CONFIG", "SET", "save", "3600 1")
    site.redis("BGSAVE")
    proc.wait_for("a failed snapshot",
                  lambda: "rdb_last_bgsave_status:err" in site.redis("INFO", "persistence"))


def save_works(site):
    os.rmdir(os.path.join(site.server.folder, "dump.rdb"))
    site.redis("BGSAVE")
    proc.wait_for("a snapshot",
                  lambda: "rdb_last_bgsave_status:ok" in site.redis("INFO", "persistence"))
    site.redis("CONFIG", "SET", "save", "")


def hang(site):
    """Somebody's script, for as long as nobody ends it."""
    site.redis("CONFIG", "SET", "busy-reply-threshold", "20")
    stuck = site.server.connect()
    words = [b"EVAL", b"while true do end", b"0"]
    stuck.socket.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def is_busy():
        try:
            site.redis("PING")
        except redis_server.RedisError as e:
            return str(e).startswith("BUSY")
        return False

    proc.wait_for("a busy server", is_busy)


def lock_out(site):
    site.redis("CONFIG", "SET", "requirepass", "secret")
    site.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def restart_loading(site):
    site.redis("EVAL", "for i = 1, 4000 do redis.call('SET', 'filler:' .. i, i) end", "0")
    site.redis("SAVE")
    site.server.load_delay_us = 20000  # all of it would take longer than anybody stands still
    site.server.kill()
    site.server.start()
    site.redis = site.server.connect()


def has_loaded(site):
    site.redis("CONFIG", "SET", "key-load-delay", "0")

    def is_done():
        try:
            return site.redis("PING") == "PONG"
        except redis_server.RedisError:
            return False

    proc.wait_for("its data", is_done, 60)


def refusals(site):
    site.fault("OOM", "raise its maxmemory", say(site, ("CONFIG", "SET", "maxmemory", "1")),
               say(site, ("CONFIG", "SET", "maxmemory", "0")))
    site.fault("MISCONF", "cannot save to its disk", lambda: save_fails(site),
               lambda: save_works(site))
    site.fault("BUSY", "SCRIPT KILL", lambda: hang(site), say(site, ("SCRIPT", "KILL")))
    site.fault("NOAUTH", "store.password_file", lambda: lock_out(site),
               say(site, ("CONFIG", "SET", "requirepass", "")))
    site.fault("NOPERM", "(ACL)", say(site, ("ACL", "SETUSER", "default", "-evalsha", "-eval")),
               say(site, ("ACL", "SETUSER", "default", "+@all")))
    site.fault("READONLY", "not at a replica", say(site, ("REPLICAOF", "127.0.0.1", "1")),
               say(site, ("REPLICAOF", "NO", "ONE")))
    site.fault("LOADING", "loading", lambda: restart_loading(site), lambda: has_loaded(site))


def evicting(site):
    """Found when it is changed, at the latest with the next connection; refused at a start."""
    since = len(site.daemon.log())
    site.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    site.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    told = proc.wait_for("alarm", lambda: site.lines("redis may delete counters", since))
    tap.ok("maxmemory-policy allkeys-lru" in told[0] and "noeviction" in told[0],
           "a store that evicts is told, and the fix", *told)
    site.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    site.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    tap.ok(proc.wait_for("end", lambda: site.lines("redis keeps all counters again", since)),
           "and that it is over")

    site.daemon.stop()
    site.redis("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    site.daemon.launch()
    tap.same(site.daemon.daemon.wait(60), 78, "no start with it", site.daemon.log()[-800:])
    tap.ok(re.search("maxmemory-policy volatile-ttl.*store.allow_eviction", site.daemon.log()),
           "which is said, and the way around")
    site.daemon.write_settings(store={"allow_eviction": True})
    site.daemon.start()
    site.send()
    proc.wait_for("counters", lambda: site.shown() == site.sent)
    tap.ok(True, "store.allow_eviction = true: it starts, and counts")
    site.daemon.write_settings(store={"allow_eviction": False})
    since = len(site.daemon.log())
    site.daemon.reload()
    site.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    proc.wait_for("reload", lambda: site.lines("configuration reloaded", since))
    site.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    tap.ok(proc.wait_for("alarm", lambda: site.lines("redis may delete counters", since)),
           "which a reload takes back")


def main():
    tap.need("redis-server")
    site = Site(proc.scratch("refuses"))
    refusals(site)
    evicting(site)
    tap.same(site.daemon.stop(), 0, "it ends well")
    tap.none(site.daemon.complaints(), "nothing broke inside")


tap.run(main)
