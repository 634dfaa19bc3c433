"""tollgate-collect under test: its configuration, its life, logs, and what it should count."""

import os
import signal
import time

import proc
import tollgated

NODE = "mx1"


class Collector:
    """A tollgate-collect in the foreground, logging to a file; its state outlives it."""

    def __init__(self, folder, store_url, settings=None, name="collect"):
        self.folder = folder
        self.conf = os.path.join(folder, name + ".conf")
        self.log_file = os.path.join(folder, name + ".log")
        self.state = os.path.join(folder, name + ".state")
        self.domains = os.path.join(folder, "domains")
        self.log_path = os.path.join(folder, "mail.log")
        self.env = {}
        self.daemon = None
        if not os.path.exists(self.domains):
            proc.write_text(self.domains, "example.com\nexample.net\n")
        self.settings = tollgated.merged({
            "node": NODE, "timezone": "UTC", "state_dir": self.state, "user": "",
            "log": {"target": "stderr", "level": "info"},
            "store": {"url": store_url, "prefix": "tg", "timeout": "10s"},
            "hosted": {"domains": ["file:" + self.domains]},
            "collect": {"user": "", "sources": ["file:" + self.log_path], "timezone": "UTC"},
        }, settings or {})
        proc.write_text(self.conf, tollgated.libconfig(self.settings))

    def argv(self, *options):
        return [os.path.join(proc.BUILD, "tollgate-collect"), *options, "-c", self.conf]

    def run(self, *options, **more):
        """Exit code, stdout and stderr."""
        return proc.run(self.argv(*options), env=self.env, **more)

    def once(self, *options):
        return self.run("--once", *options)

    def start(self, *options):
        self.daemon = proc.Daemon(self.argv("-f", *options), self.log_file, env=self.env)
        started = "tollgate-collect[%d] notice: started" % self.daemon.pid
        self.daemon.until("line of the start", lambda: started in self.log())

    def stop(self):
        return self.daemon.stop(60)

    def kill(self):
        return self.daemon.kill()

    def reload(self):
        self.daemon.signal(signal.SIGUSR1)

    def log(self):
        return proc.read_text(self.log_file)

    def database(self):
        return os.path.join(self.state, "collect", "collect.db")


class Logins:
    """A log of Dovecot's IMAP logins, in the traditional form; and how many there were."""

    def __init__(self, path):
        self.path = path
        self.count = 0
        self.users = {}
        self.file = open(path, "ab", buffering=0)

    def write(self, lines, at_s=None, host="mx"):
        """Each line is one write(2), as syslog daemons do it."""
        for _ in range(lines):
            self.file.write(self.line(at_s, host).encode())

    def write_bulk(self, lines, at_s=None):
        self.file.write("".join(self.line(at_s, "mx") for _ in range(lines)).encode())

    def line(self, at_s, host):
        user = "u%d@example.com" % (self.count % 7)
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(at_s or time.time()))
        self.count += 1
        self.users[user] = self.users.get(user, 0) + 1
        return ("%s %s dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=192.0.2.1, "
                "lip=192.0.2.2, mpid=%d, TLS, session=<s%d>\n"
                % (stamp, host, user, 1000 + self.count, self.count))

    def rotate(self):
        """As logrotate without copytruncate, keeping all."""
        older = 1
        while os.path.exists("%s.%d" % (self.path, older)):
            older += 1
        for i in range(older - 1, 0, -1):
            os.rename("%s.%d" % (self.path, i), "%s.%d" % (self.path, i + 1))
        os.rename(self.path, self.path + ".1")
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)


def counted(redis, account, counter="imap_connections", kind="total"):
    return int(redis("HGET", "tg:{%s}:%s" % (account, kind), counter) or 0)


def differences(redis, logins):
    """What Redis says otherwise than the log."""
    faults = []
    for account in ("@" + NODE, "example.com"):
        found = counted(redis, account)
        if found != logins.count:
            faults.append("%s: %d logins counted, %d logged" % (account, found, logins.count))
    month = redis("KEYS", "tg:{example.com}:users:month:*")
    for user, want in logins.users.items():
        found = sum(int(redis("HGET", key, user + " imap_connections") or 0) for key in month)
        if found != want:
            faults.append("%s: %d logins counted, %d logged" % (user, found, want))
    return faults
