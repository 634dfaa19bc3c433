"""tollgate-relay under test: its configuration, its life, its Maildirs and its queue."""

import glob
import os
import re

import proc
from tollgated import libconfig, merged

HOSTNAME = "relay.test"


class Relay:
    """A tollgate-relay in the foreground, logging to a file. Survives in its folder: start() after
    a kill goes on with the same queue. Its configuration is its own or a tollgated's, whose
    settings are then given."""

    def __init__(self, folder, domains=("host.test",), settings=None, base=None):
        self.folder = folder
        self.port = proc.free_port()
        self.conf = os.path.join(folder, "relay.conf")
        self.log_file = os.path.join(folder, "relay.log")
        self.state = os.path.join(folder, "relay-state")
        self.daemon = None
        self.env = {}
        own = {
            "node": "mx1", "state_dir": self.state, "user": "",
            "store": {"url": "unix://%s/no-redis" % folder},
            "hosted": {"domains": ["file:" + os.path.join(folder, "relay-domains")]},
        }
        proc.write_text(os.path.join(folder, "relay-domains"), "".join(d + "\n" for d in domains))
        self.settings = merged(merged(base or own, {
            "log": {"target": "stderr", "level": "debug"},
            "relay": {"listen": ["127.0.0.1:%d" % self.port], "hostname": HOSTNAME, "milters": [],
                      "maildir_root": os.path.join(folder, "mail"),
                      "queue_dir": os.path.join(folder, "relay-queue"),
                      "retry_first": "50ms", "retry_max": "200ms"},
        }), settings or {})
        self.write_settings()

    def write_settings(self, **changes):
        self.settings = merged(self.settings, changes)
        proc.write_text(self.conf, libconfig(self.settings))

    def launch(self):
        argv = [os.path.join(proc.BUILD, "tollgate-relay"), "-f", "-c", self.conf]
        self.daemon = proc.Daemon(argv, self.log_file, self.env)

    def start(self):
        before = self.log().count("notice: started")
        self.launch()
        self.daemon.until("start", lambda: self.log().count("notice: started") > before)

    def stop(self):
        return self.daemon.stop(60)

    def kill(self):
        return self.daemon.kill()

    def restart(self):
        self.stop()
        self.start()

    def command(self, *arguments):
        """Exit code, stdout and stderr of the program with this configuration."""
        return proc.run([os.path.join(proc.BUILD, "tollgate-relay"), "-c", self.conf] +
                        list(arguments))

    def log(self):
        return proc.read_text(self.log_file)

    def wait_log(self, pattern, timeout_s=20):
        """Until a line of the log matches; gives the match."""
        return proc.wait_for("%r in the log" % pattern,
                             lambda: re.search(pattern, self.log()), timeout_s)

    def complaints(self):
        """Lines of the log that a sanitizer or a broken invariant wrote."""
        return [line for line in self.log().split("\n")
                if re.search("Sanitizer|runtime error:|broken invariant", line)]

    def mail(self, address):
        """What the Maildir of an address holds, in the order of the files' names."""
        user, domain = address.split("@")
        files = glob.glob(os.path.join(self.folder, "mail", domain, user, "new", "*"))
        texts = []
        for name in sorted(files):
            with open(name, "rb") as f:
                texts.append(f.read())
        return texts

    def wait_mail(self, address, count=1, timeout_s=20):
        """Until the Maildir has so many; gives the last."""
        proc.wait_for("%d messages of %s" % (count, address),
                      lambda: len(self.mail(address)) >= count, timeout_s)
        return self.mail(address)[-1]

    def queued(self, place="mail"):
        """Queue ids."""
        try:
            return sorted(os.listdir(os.path.join(self.settings["relay"]["queue_dir"], place)))
        except FileNotFoundError:
            return []

    def wait_empty(self, timeout_s=60):
        proc.wait_for("empty queue", lambda: not self.queued(), timeout_s)
