#!/usr/bin/env python3
"""tollgate doctor: nothing to say against an installation that is well; each thing gone wrong is
found, named and given a fix."""

import contextlib
import datetime
import fcntl
import json
import os
import pwd
import re
import socket
import sqlite3
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_proxy import RedisProxy
from redis_server import RedisServer
from tollgate import Tollgate, preload

# Somebody else than who runs the test.
OTHER = "nobody" if pwd.getpwuid(os.geteuid()).pw_name != "nobody" else "daemon"

MAIN = {
    "compatibility_level": "3.6",
    "smtpd_milters": "inet:127.0.0.1:8891, unix:tollgate/milter.sock",
    "non_smtpd_milters": "unix:tollgate/milter.sock",
    "milter_default_action": "tempfail",
    "enable_long_queue_ids": "yes",
    "internal_mail_filter_classes": "bounce",
    "mail_owner": OTHER,
    "mydestination": "example.com, $mydomain",
    "mydomain": "example.org",
    "virtual_mailbox_domains": "",
    "virtual_alias_domains": "",
    "virtual_alias_maps": "",
    "alias_maps": "",
}
# More -o lines belong to the last of them.
MASTER = ("smtp inet n - y - - smtpd", "cleanup unix n - y - 0 cleanup",
          "submission inet n - y - - smtpd", "  -o smtpd_sasl_auth_enable=yes")


class Milter:
    """Answers the negotiation, and nothing else."""

    def __init__(self, path, answers=True):
        self.path, self.answers = path, answers
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer = self.socket.accept()[0]
                with peer, contextlib.suppress(OSError):  # one that has waited long enough goes
                    self._answer(peer)

    def _answer(self, peer):
        if self.answers and peer.recv(4096)[4:5] == b"O":
            peer.sendall(struct.pack(">IcIII", 13, b"O", 6, 0, 0))
            peer.recv(4096)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Site:
    """An installation where all is well; with_...() break something for a while."""

    def __init__(self):
        self.folder = proc.scratch("doctor")
        self.conf = os.path.join(self.folder, "postfix")
        self.queue = os.path.join(self.folder, "queue")
        self.state = os.path.join(self.folder, "state")
        self.socket_folder = os.path.join(self.queue, "tollgate")
        self.socket = os.path.join(self.socket_folder, "milter.sock")
        for path in (self.conf, self.queue, self.state, self.socket_folder):
            os.mkdir(path)
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.redis("CONFIG", "SET", "appendonly", "yes")
        self.ledger = os.path.join(self.state, "ledger.db")
        self._make_ledger()
        self.lock = open(os.path.join(self.state, "lock"), "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.milter = Milter(self.socket)
        self.postfix()
        self.site()

    def sql(self, script):
        """On the ledger, which is closed again afterwards."""
        with contextlib.closing(sqlite3.connect(self.ledger)) as db:
            db.executescript(script)

    def _make_ledger(self):
        self.sql("PRAGMA journal_mode = WAL;"
                 "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
                 "INSERT INTO meta VALUES ('schema', 1);"
                 "CREATE TABLE rows (id INTEGER PRIMARY KEY, dirty INTEGER NOT NULL);"
                 "INSERT INTO rows (dirty) VALUES (0), (1);"
                 "CREATE TABLE doubtful (number INTEGER PRIMARY KEY, queue_id TEXT,"
                 " time_ms INTEGER);"
                 "CREATE TABLE nodes (id INTEGER PRIMARY KEY, name TEXT, share TEXT)")

    def heartbeat(self):
        counted = Counted()
        counted.add(datetime.datetime.now(UTC), "example.com", {"in_messages": 1})
        now = int(time.time())
        counted.write(self.redis, {"mx1": now, "mx2": now})

    def postfix(self, main=None, master=(), services=MASTER):
        settings = dict(MAIN, queue_directory=self.queue, config_directory=self.conf,
                        **(main or {}))
        lines = {"main.cf": ["%s = %s" % pair for pair in settings.items()],
                 "master.cf": list(services) + list(master)}
        for name, text in lines.items():
            path = os.path.join(self.conf, name)
            proc.write_text(path, "".join(line + "\n" for line in text))
            os.utime(path, (0, time.time() - 60))  # postconf waits for files that are new

    def site(self, more="", url=None, domains="example.com\nexample.org\n", user="", now=None,
             nodes=2, timeout="10s"):
        self.tollgate = Tollgate(
            self.folder, url or self.server.url, domains=domains, now=now,
            more='user = "%s"; milter: { socket = "unix:%s"; };\n%s' % (user, self.socket, more))
        conf = proc.read_text(self.tollgate.conf)
        proc.write_text(self.tollgate.conf, conf.replace(
            "store: {", 'store: { nodes = %d; timeout = "%s";' % (nodes, timeout)))

    def ask(self, env=None, fresh=True):
        """Exit code, [(verdict, what, text, fix)]; `fresh`: the nodes have just been heard of."""
        if fresh:
            self.heartbeat()
        code, out, err = self.tollgate("doctor", "--postfix", self.conf, env=env)
        found = []
        for line in out.splitlines():
            match = re.match(r"(ok|warn|fail|unknown) +([a-z_]+): (.*)", line)
            if match:
                found.append(list(match.groups()) + [""])
            elif line.startswith("         fix: "):
                found[-1][3] = line[14:]
        tap.same(err, "", "nothing on stderr")
        return code, found

    def expect(self, verdict, what, text, note, env=None, fresh=True):
        code, found = self.ask(env, fresh)
        hits = [f for f in found if f[0] == verdict and f[1] == what and text in f[2]]
        tap.ok(hits and hits[0][3], "%s %s: %s, with a fix" % (verdict, what, note), *found)
        tap.same(code, int(any(f[0] == "fail" for f in found)), "the exit code")
        tap.ok(all(f[3] for f in found if f[0] != "ok"), "every warn and fail has a fix", *found)


def as_json(site, found):
    """The same as the text."""
    site.heartbeat()
    code, out, err = site.tollgate("doctor", "--postfix", site.conf, "--format", "json")
    data = json.loads(out)
    keep = lambda rows: [row for row in rows if row[1] not in ("disk", "node", "clock", "store")]
    tap.same((code, err), (0, ""), "doctor --format json")
    tap.same(keep([[f["verdict"], f["subject"], f["text"], f["fix"] or ""]
                   for f in data["findings"]]), keep(found), "finds the same")
    tap.same((data["ok"], data["fail"], data["unknown"]), (len(data["findings"]), 0, 0), "counted")


# --- one thing wrong at a time -------------------------------------------------------------------

def wrong_settings(site):
    site.site(more="nonsense = 1;")
    site.expect("fail", "settings", "tollgate.conf:", "an unknown setting, with its line")
    tap.same(len(site.ask()[1]), 1, "nothing else is looked at")
    site.site(user="no-such-user")
    site.expect("fail", "state_dir", "no-such-user", "no such user")
    site.site(user=OTHER)
    os.chmod(site.state, 0o700)
    site.expect("fail", "state_dir", OTHER + " cannot write in", "a folder that is not its own")
    site.site(more='ledger: { min_free = "1024GB"; };')
    fs = os.statvfs(site.state)
    verdict = "fail" if fs.f_bavail * fs.f_frsize <= 1 << 40 else "warn"
    site.expect(verdict, "disk", "ledger.min_free", "too little room")
    site.site()


def wrong_state(site):
    fcntl.flock(site.lock, fcntl.LOCK_UN)
    site.expect("fail", "tollgated", "not running", "tollgated does not run")
    fcntl.flock(site.lock, fcntl.LOCK_EX)
    site.sql("INSERT INTO doubtful VALUES (7, '4jWnX03VvBz1cTBS', 1795262400000)")
    site.expect("warn", "ledger", "1 message was counted just before a crash", "a message in doubt")
    out = site.tollgate("doctor", "--postfix", site.conf)[1]
    tap.ok("record 7, queue id 4jWnX03VvBz1cTBS, 2026-11-21 12:00:00" in out, "named", out)
    data = json.loads(site.tollgate("doctor", "--postfix", site.conf, "--format", "json")[1])
    tap.same([f["details"] for f in data["findings"] if f["details"]],
             [["record 7, queue id 4jWnX03VvBz1cTBS, 2026-11-21 12:00:00"]], "in JSON, too")
    site.sql("DELETE FROM doubtful; UPDATE rows SET dirty = 2 WHERE id = 2")
    with contextlib.closing(sqlite3.connect(site.ledger)) as db:
        db.execute("SELECT * FROM rows").fetchall()  # somebody else has it open
        site.expect("fail", "ledger", "1 of 2 rows", "a row that the store refused")
    os.rename(site.ledger, site.ledger + ".kept")
    site.expect("fail", "ledger", "No such file", "no ledger")
    proc.write_text(site.ledger, "this is no database, as far as one can see\n" * 100)
    site.expect("fail", "ledger", "not a database", "no database")
    os.replace(site.ledger + ".kept", site.ledger)
    site.sql("UPDATE rows SET dirty = 0")


def wrong_store(site):
    name = "Valkey " if "valkey_version" in site.redis("INFO", "server") else "Redis "
    tap.ok(any(f[2].startswith(name) for f in site.ask()[1] if f[:2] == ["ok", "store"]), name)
    site.redis("CONFIG", "SET", "appendonly", "no")
    site.expect("warn", "store", "append-only file is off", "nothing is kept")
    site.redis("CONFIG", "SET", "appendonly", "yes")
    site.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    site.expect("warn", "store", "allkeys-lru", "keys could be thrown away")
    site.redis("CONFIG", "SET", "maxmemory", "100mb")
    site.expect("fail", "store", "allkeys-lru", "keys are thrown away")
    site.redis("CONFIG", "SET", "maxmemory", "0")
    site.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    site.redis("SET", "tg:schema", "9")
    site.expect("fail", "store", "schema 9", "another schema", fresh=False)
    site.redis("SET", "tg:schema", "1")
    site.redis("RENAME", "tg:nodes", "kept")
    site.redis("SET", "tg:nodes", "nonsense")
    site.expect("fail", "store", "tg:nodes", "a key of the wrong type", fresh=False)
    site.redis("RENAME", "kept", "tg:nodes")
    for change, pause_s, verdict, text in (
            ((rb"redis_version:\d", b"redis_version:3"), 0, "fail", "is too old"),
            ((rb"bgsave_status:ok\r\n", b"bgsave_status:err\n"), 0, "fail", "could not write"),
            ((rb"\nloading:0", b"\nloading:1"), 0, "warn", "is loading"),
            (None, 0.2, "warn", "answers within")):
        edit = (lambda data, change=change: re.sub(*change, data)) if change else None
        site.site(url=RedisProxy(site.folder, site.server.path, edit, pause_s).url, timeout="250ms")
        site.expect(verdict, "store", text, text)
    site.site(url="unix:///nonexistent/redis.sock")
    site.expect("fail", "store", "/nonexistent/redis.sock", "no store")
    tap.same(sorted(f[1] for f in site.ask()[1] if f[0] == "unknown"), ["clock", "node"], "rest")
    site.site()


def unseen(site):
    """What the store's user may not look at is unknown, never ok."""
    site.redis("ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-info", "-time")
    site.site(url="unix://limited:secret@" + site.server.path)
    for what, subject in (("the version", "store"), ("persistence", "store"),
                          ("maxmemory-policy", "store"), ("clock of the store", "clock")):
        site.expect("unknown", subject, what, "%s is not seen" % what)
    tap.same([f for f in site.ask()[1] if f[0] == "ok" and f[1] == "store" and
              "answers" not in f[2] and "keys of schema" not in f[2]], [], "and none of it is ok")
    os.chmod(site.tollgate.conf, 0o644)
    site.expect("warn", "settings", "readable by every user", "a password for everybody")
    os.chmod(site.tollgate.conf, 0o640)
    tap.same([f for f in site.ask()[1] if f[0] == "warn"], [], "and for its group alone")
    site.redis("ACL", "DELUSER", "limited")
    site.site()


def slow_clock(site):
    """The store tells the time at once, and its answer takes half a minute."""
    clock = os.path.join(site.folder, "clock")

    def set_clock(at_s):
        with open(clock, "r+b" if os.path.exists(clock) else "wb") as file:
            file.write(struct.pack("=q", at_s * 1000))

    def late(data):
        if data.startswith(b"*2\r\n$10\r\n"):
            set_clock(int(time.time()) + 30)
        return data

    set_clock(int(time.time()))
    site.site(url=RedisProxy(site.folder, site.server.path, late).url)
    env = dict(preload(site.folder, "clock_shim"), TG_CLOCK=clock)
    tap.same([f[2] for f in site.ask(env)[1] if f[1] == "clock" and "agree" in f[2]],
             ["the clocks of the store and this machine agree"], "a slow answer sets no clock back")


def wrong_nodes(site):
    now = int(time.time())
    for seconds, verdict in ((20, "warn"), (3600, "fail")):
        site.site(now=datetime.datetime.fromtimestamp(now + seconds, UTC))
        site.expect(verdict, "clock", "behind this machine's", "clocks are %d s apart" % seconds)
    slow_clock(site)
    site.site()
    for field, past_s, verdict, text in (("seen", 100, "fail", "mx1 last reported"),
                                         ("counted_through", 100, "warn", "mx1 has counted only"),
                                         ("pushed_through", 100, "warn", "mx1 has reported only")):
        site.heartbeat()
        site.redis("HSET", "tg:{@mx1}:node", field, now - past_s)
        site.expect(verdict, "node", text, text, fresh=False)
    site.heartbeat()
    site.site(nodes=1)
    site.expect("warn", "store", "store.nodes is 1", "more nodes than limits are divided by")
    site.site()
    site.redis("HSET", "tg:{@mx2}:node", "seen", now - 1000)
    site.expect("warn", "node", "mx2 last reported", "another node is away", fresh=False)
    fix = [f[3] for f in site.ask(fresh=False)[1] if f[0] == "warn"][0]
    site.tollgate(*fix.split("tollgate ")[1].split(" "))
    tap.same([f for f in site.ask(fresh=False)[1] if f[0] != "ok"], [],
             "and no longer missed after its fix")
    site.site(nodes=1)
    tap.same([f for f in site.ask(fresh=False)[1] if f[0] != "ok"], [], "nor counted for limits")
    site.site()
    site.redis("HDEL", "tg:{@mx2}:node", "retired")
    site.redis("HSET", "tg:{@mx1}:node", "_rival", "mx1-copy.example.com %d" % now)
    site.expect("fail", "node", "another tollgated, too (on mx1-copy.example.com)",
                "two of one name")
    site.redis("HDEL", "tg:{@mx1}:node", "_rival")
    site.redis("SET", "tg:timezone", "Asia/Kolkata")
    site.expect("fail", "clock", "in Asia/Kolkata, not in UTC", "another time zone")
    site.redis("DEL", "tg:timezone")
    site.sql("INSERT INTO nodes (name, share) VALUES ('mx1', 'deadbeef'), ('mx1', '0badcafe')")
    site.redis("HSET", "tg:{@mx1}:node", "_ledger", "0badcafe")
    tap.same([f for f in site.ask()[1] if f[0] != "ok"], [], "its own ledger reports")
    site.redis("HSET", "tg:{@mx1}:node", "_ledger", "deadbeef")
    site.expect("fail", "node", "two nodes have the same name", "a node of the same name")
    site.redis("HDEL", "tg:{@mx1}:node", "_ledger")
    site.redis("SREM", "tg:nodes", "mx1")
    site.expect("fail", "node", "has never reported", "this node is not known", fresh=False)
    site.heartbeat()


def without_root(site):
    """Who cannot become Postfix's user goes by the permission bits."""
    code, out, _ = proc.run(["setpriv", "--reuid", "daemon", "--regid", "daemon", "--clear-groups",
                             os.path.join(proc.BUILD, "tollgate"), "-c", site.tollgate.conf,
                             "doctor", "--postfix", site.conf], env=site.tollgate.env)
    tap.ok(code == 1 and "%s cannot connect to %s (root:root, mode 600)" % (OTHER, site.socket)
           in out, "found without root too", out)


def wrong_socket(site):
    site.milter.close()
    site.expect("fail", "socket", "refused", "nobody listens")
    tap.same([f[0] for f in site.ask()[1] if f[1] == "socket"], ["fail"], "which is said once")
    os.unlink(site.socket)
    site.expect("fail", "socket", "No such file", "no socket")
    proc.write_text(site.socket, "")
    site.expect("fail", "socket", "is not a socket", "a file in its place")
    silent = Milter(site.socket, answers=False)
    site.expect("fail", "socket", site.socket, "no answer")
    silent.close()
    site.milter = Milter(site.socket)
    os.chmod(site.socket, 0o600)
    if os.geteuid() == 0:
        without_root(site)
    site.expect("fail", "socket", OTHER + " cannot connect to " + site.socket, "mode 0600")
    os.chmod(site.socket, 0o666)
    os.chmod(site.socket_folder, 0o700)
    site.expect("fail", "socket", OTHER + " cannot enter " + site.socket_folder, "folder 0700")
    os.chmod(site.socket_folder, 0o755)
    site.postfix({"mail_owner": "no-such-user"})
    site.expect("fail", "socket", "no-such-user", "no mail_owner")
    site.postfix()


OUR = "unix:tollgate/milter.sock"


def wrong_postfix(site):
    absolute = "unix:" + site.socket
    for verdict, text, main, master in (
            ("fail", "smtpd_milters of smtp/inet does not name", {"smtpd_milters": ""}, ()),
            ("fail", "smtpd_milters of submission/inet does not name", {},
             ("  -o smtpd_milters=inet:127.0.0.1:1",)),
            ("fail", "non_smtpd_milters of cleanup/unix does not", {"non_smtpd_milters": ""}, ()),
            ("fail", "it runs in a chroot, where", {"smtpd_milters": absolute}, ()),
            ("warn", "inet:localhost:8891 comes after",
             {"smtpd_milters": OUR + " inet:localhost:8891"}, ()),
            ("warn", "inet:127.0.0.1:1 comes after",
             {"non_smtpd_milters": "{ %s, connect_timeout=5s } inet:127.0.0.1:1" % OUR}, ()),
            ("warn", "mail goes uncounted", {"milter_default_action": "accept"}, ()),
            ("warn", "mail goes uncounted",
             {"smtpd_milters": "{ %s, default_action=accept }" % OUR}, ()),
            ("warn", "refused or held", {"milter_default_action": "quarantine"}, ()),
            ("warn", "short queue ids", {"enable_long_queue_ids": "no"}, ()),
            ("fail", "milter_protocol is 4", {"milter_protocol": "4"}, ()),
            ("warn", "counted twice", {"content_filter": "scan:[127.0.0.1]:10025"}, ()),
            ("warn", "counted twice", {}, ("scan inet n - y - - smtpd",
                                           "  -o content_filter=scan:[127.0.0.1]:10025")),
            ("warn", "bounces that Postfix", {"internal_mail_filter_classes": ""}, ()),
            ("fail", "has no_milters", {"receive_override_options": "no_milters"}, ()),
            ("warn", "the client is the filter", {"smtpd_proxy_filter": "127.0.0.1:10025"}, ()),
            ("warn", "may bypass", {"smtpd_milter_maps": "inline:{192.0.2.1=DISABLE}"}, ()),
            ("warn", "may bypass", {}, ("other inet n - y - - smtpd",
                                        "  -o smtpd_milter_maps=inline:{192.0.2.1=DISABLE}")),
            ("warn", "there is no content filter",
             {}, ("other inet n - y - - smtpd", "  -o receive_override_options=no_milters")),
            ("warn", "there is no content filter",
             {}, ("pickup unix n - y 60 1 pickup", "  -o receive_override_options=no_milters")),
            ("warn", "sender_bcc_maps adds", {"sender_bcc_maps": "inline:{a@example.com=b@x.test}"},
             ()),
            ("warn", "recipient_bcc_maps adds", {"recipient_bcc_maps": "static:b@x.test"}, ()),
            ("warn", "only that of main.cf",
             {}, ("cleanup unix n - y - 0 cleanup", "  -o sender_bcc_maps=static:b@x.test")),
            ("warn", "always_bcc adds", {"always_bcc": "b@x.test"}, ())):
        site.postfix(main, master)
        site.expect(verdict, "postfix", text, text)
    site.postfix({"content_filter": "scan:[127.0.0.1]:10025"},
                 ("127.0.0.1:10026 inet n - n - - smtpd",
                  "  -o receive_override_options=no_milters", "  -o smtpd_milters=",
                  "  -o content_filter="))
    tap.same([f for f in site.ask()[1] if f[0] != "ok"], [], "a content filter done right")
    site.postfix({}, ("127.0.0.1:10026 inet n - y - - smtpd",
                      "  -o smtpd_authorized_xclient_hosts=127.0.0.1",
                      "front inet n - y - - smtpd", "  -o smtpd_proxy_filter=127.0.0.1:10025"))
    tap.same([f for f in site.ask()[1] if f[0] != "ok"], [], "a proxy filter that speaks XCLIENT")
    site.postfix({"smtpd_milters": absolute, "non_smtpd_milters": absolute},
                 services=("smtp inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup"))
    tap.same([f for f in site.ask()[1] if f[0] != "ok"], [], "an absolute path outside a chroot")
    site.postfix(dict.fromkeys(("smtpd_milters", "non_smtpd_milters"), ""))
    kept, site.socket = site.socket, os.path.join(site.folder, "outside.sock")
    outside = Milter(site.socket)
    site.site()
    fixes = [f[3] for f in site.ask()[1] if "does not name" in f[2]]
    tap.ok(len(fixes) == 3 and all('"unix:%s/tollgate/milter.sock"' % site.queue in fix
                                   for fix in fixes), "a socket outside the chroot", fixes)
    outside.close()
    site.socket = kept
    site.site()
    os.unlink(os.path.join(site.conf, "main.cf"))
    site.expect("unknown", "postfix", "main.cf", "no main.cf")
    empty = os.path.join(site.folder, "empty")
    os.mkdir(empty)
    site.postfix()
    site.expect("unknown", "postfix", "postconf", "no postconf", env={"PATH": empty})


def copies(site):
    """With the Postfix among the sources, its copies count."""
    for more in ('/domains"]; forwards = ["postfix:%s"]; }', '/domains", "postfix:%s"]; }'):
        site.site()
        text = proc.read_text(site.tollgate.conf).replace('/domains"]; }', more % site.conf)
        proc.write_text(site.tollgate.conf, text)
        site.postfix({"recipient_bcc_maps": "inline:{alice@example.com=a@x.test}",
                      "default_privs": "daemon" if OTHER == "nobody" else "nobody",
                      "sender_bcc_maps": "inline:{b@example.com=b@x.test, c@example.com=b@x.test}"})
        found = site.ask()[1]
        tap.same([f for f in found if f[0] != "ok"], [], "well: " + more)
        for end in ("recipient_bcc_maps are counted", "sender_bcc_maps are counted", ", 3 copies"):
            tap.ok([f for f in found if f[2].endswith(end)], "..." + end, *found)


def wrong_hosted(site):
    site.site(domains="")
    site.expect("fail", "hosted", "no domain is hosted", "no domains")
    site.site(domains="example.com\nexample.org\nno..domain\n")
    site.expect("warn", "hosted", "domains:3", "a bad line")
    site.site()
    os.unlink(os.path.join(site.folder, "domains"))
    site.expect("fail", "hosted", "domains", "a source that is missing")
    site.site(domains="example.com\n")
    site.expect("warn", "hosted", "1 domain that is not hosted: example.org", "Postfix takes more")
    site.postfix({"virtual_mailbox_domains": "hash:/nonexistent/x"})
    site.expect("unknown", "hosted", "whether Postfix takes mail", "a table that is missing")
    site.postfix()
    site.site()


def main():
    tap.need("postconf", "redis-server")
    site = Site()
    code, found = site.ask()
    tap.same([f for f in found if f[0] != "ok"], [], "an installation that is well", *found)
    tap.same(code, 0, "exit code 0")
    as_json(site, found)
    tap.same(sorted({f[1] for f in found}),
             ["clock", "collect", "disk", "hosted", "ledger", "node", "postfix", "settings",
              "socket", "state_dir", "store", "tollgated"], "all was looked at")
    for wrong in (wrong_settings, wrong_state, wrong_socket, wrong_postfix, copies, wrong_hosted,
                  wrong_store, unseen, wrong_nodes):
        wrong(site)
    code, found = site.ask()
    tap.same([f for f in found if f[0] != "ok"], [], "well again at the end")
    tap.same(sorted(os.listdir(site.state)), ["ledger.db", "lock"], "nothing was left behind")


tap.run(main)
