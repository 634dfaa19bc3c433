"""tollgated under test: its configuration, its life, and what it has counted in Redis."""

import json
import os
import re
import socket
import signal
import time

import proc

NODE = "mx1"
SHARDS = "0123456789abcdef"


def engine():
    """The engine that the tests are to run on: $TG_ENGINE, else that of the default."""
    name = os.environ.get("TG_ENGINE")
    return {"engine": name} if name else {}


def libconfig(value, depth=0):
    """A Python value as libconfig text; a dict is a group."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return "(%s)" % ", ".join(libconfig(v, depth + 1) for v in value)
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(libconfig(v) for v in value)
    if isinstance(value, dict):
        pad = "  " * depth
        text = "".join("%s%s = %s;\n" % (pad, k, libconfig(v, depth + 1)) for k, v in value.items())
        return text if depth == 0 else "{\n%s%s}" % (text, "  " * (depth - 1))
    if isinstance(value, int):
        return str(value)
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def merged(base, changes):
    """base with changes in it, group by group."""
    out = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if deeper else value
    return out


class Tollgated:
    """A tollgated in the foreground, logging to a file. Survives in its folder: start() after a
    kill goes on with the same state."""

    def __init__(self, folder, store_url, socket, settings=None):
        self.folder, self.socket = folder, socket
        self.conf = os.path.join(folder, "tollgate.conf")
        self.log_file = os.path.join(folder, "tollgated.log")
        self.state = os.path.join(folder, "state")
        self.domains = os.path.join(folder, "domains")
        self.daemon = None
        self.env = {}  # in addition, for the next start
        self.settings = merged({
            "node": NODE, "timezone": "UTC", "state_dir": self.state, "user": "",
            "log": {"target": "stderr", "level": "info"},
            # What threads share is to be tested on a machine of two processors, too.
            "milter": {"socket": socket, "mode": "0666", "group": "", "threads": 2, **engine()},
            # A store that answers late is away for limits, and a loaded machine answers late.
            "store": {"url": store_url, "prefix": "tg", "timeout": "10s"},
            "ledger": {"sync": "never", "push": "20ms"},
            "hosted": {"domains": ["file:" + self.domains]},
            "networks": {"host": ["127.0.0.0/8", "::1"], "customers": ["198.51.100.0/24"]},
        }, settings or {})
        self.write_settings()

    def write_settings(self, **changes):
        self.settings = merged(self.settings, changes)
        proc.write_text(self.conf, libconfig(self.settings))

    def host(self, entries):
        """The hosted set: lines of the file, which is replaced as a whole."""
        proc.write_text(self.domains + ".new", "".join(e + "\n" for e in entries))
        os.rename(self.domains + ".new", self.domains)

    def address(self):
        """The milter's socket as connect() takes it."""
        kind, _, rest = self.socket.partition(":")
        if kind == "unix":
            return rest
        port, _, host = rest.partition("@")
        return host or "127.0.0.1", int(port)

    def launch(self, preexec=None):
        """Starts the process without waiting for its socket."""
        self.daemon = proc.Daemon([os.path.join(proc.BUILD, "tollgated"), "-f", "-c", self.conf],
                                  self.log_file, env=self.env, preexec=preexec)

    def start(self, preexec=None):
        self.launch(preexec)
        self.daemon.until("milter socket", lambda: proc.can_connect(self.address()))
        # The socket is there before what a crash left in doubt has been told.
        started = "tollgated[%d] notice: started" % self.daemon.pid
        self.daemon.until("line of the start", lambda: started in self.log())

    def stop(self):
        return self.daemon.stop(60)

    def kill(self):
        return self.daemon.kill()

    def restart(self):
        self.stop()
        self.start()

    def reload(self):
        self.daemon.signal(signal.SIGUSR1)

    def log(self):
        return proc.read_text(self.log_file)

    def complaints(self):
        """Lines of the log that a sanitizer or a broken invariant wrote."""
        return [line for line in self.log().split("\n")
                if re.search("Sanitizer|runtime error:|broken invariant", line)]

    def ask(self, **request):
        """What the control socket answers."""
        path = self.state + "/control.sock"
        proc.wait_for("control socket", lambda: proc.can_connect(path))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def doubtful(self):
        """Queue ids of the messages that the log calls doubtful -> were they counted?"""
        found = {}
        for line in self.log().split("\n"):
            if "message in doubt" in line:
                queue_id = re.search(r"\bqid=(\S+)", line)
                counted = re.search(r"\bcounted=(\w+)", line)
                found[queue_id.group(1)] = counted.group(1) == "yes"
        return found

    def command(self, *arguments):
        """Exit code, stdout and stderr of the tollgate command with this configuration."""
        return proc.run([os.path.join(proc.BUILD, "tollgate"), arguments[0], "-c", self.conf] +
                        list(arguments[1:]))


# What sessions count, not messages: how many and how long they are depends on the test's pace.
SESSION_FIELDS = ("milter_sessions", "milter_session_seconds", "smtp_in_connections",
                  "smtp_in_connection_seconds")


def counted(redis, kind="total"):
    """All that messages count: account -> {counter: amount}, without bookkeeping. kind: total,
    month:2026-11 and so on. Accounts and nodes come from the index sets."""
    accounts = set()
    for members in redis.pipe([("SMEMBERS", "tg:accounts:{0%s}" % s) for s in SHARDS]):
        accounts.update(members)
    accounts.update("@" + node for node in redis("SMEMBERS", "tg:nodes"))
    out = {}
    for account in sorted(accounts):
        fields = plain(redis.hash("tg:{%s}:%s" % (account, kind)))
        if fields:
            out[account] = fields
    return out


def plain(fields):
    return {k: int(v) for k, v in fields.items()
            if not k.startswith("_") and k.split(" ")[-1] not in SESSION_FIELDS and int(v)}


def sessions(fields):
    """The same of sessions alone, without seconds: users' fields, too."""
    return {k: int(v) for k, v in fields.items()
            if not k.startswith("_") and k.split(" ")[-1] in SESSION_FIELDS
            and not k.endswith("_seconds") and int(v)}


def node_messages(redis):
    return int(redis("HGET", "tg:{@%s}:total" % NODE, "messages") or 0)


def wait_moving(redis, is_there, quiet_s=30):
    """Until is_there(), and not longer than nothing has moved in the node's figures for that time,
    however slow the machine is."""
    state, changed = None, time.monotonic()
    while not is_there() and time.monotonic() - changed < quiet_s:
        now = [node_messages(redis)] + redis("HMGET", "tg:{@%s}:node" % NODE, "dirty_rows",
                                             "journal_records")
        if now != state:
            state, changed = now, time.monotonic()
        time.sleep(0.01)


def wait_pushed(redis, quiet_s=30):
    """Until the node has no row left to push, after a look that has shown a part of them."""
    wait_moving(redis, lambda: redis("HGET", "tg:{@%s}:node" % NODE, "dirty_rows") == "0", quiet_s)


def wait_counted(redis, messages, quiet_s=30):
    """Until Redis shows that many messages let through by the node, and the node has no row left to
    push: rows of one message go there one after the other, and the node says that some are waiting
    before it pushes the first. The checks that follow say what is missing."""
    wait_moving(redis, lambda: node_messages(redis) >= messages and
                redis("HGET", "tg:{@%s}:node" % NODE, "dirty_rows") == "0", quiet_s)


def difference(before, after):
    """after - before, without what is equal: account -> {counter: amount}."""
    out = {}
    for account, fields in after.items():
        old = before.get(account, {})
        changed = {k: v - old.get(k, 0) for k, v in fields.items() if v != old.get(k, 0)}
        if changed:
            out[account] = changed
    return out
