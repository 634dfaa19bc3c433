#!/usr/bin/env python3
"""`tollgated -t` refuses what a start refuses, each with file:line and the fix, and warns of what
has no effect or tells a secret."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tollgated

TOLLGATED = os.path.join(proc.BUILD, "tollgated")


class Site:
    def __init__(self, name, **settings):
        self.folder = proc.scratch(name)
        self.daemon = tollgated.Tollgated(self.folder, "unix:///nonexistent/redis.sock",
                                          "unix:%s/milter.sock" % self.folder)
        self.daemon.write_settings(**settings)
        self.daemon.host(["example.com"])
        os.chmod(self.daemon.conf, 0o640)

    def run(self, *options):
        return proc.run([TOLLGATED, *options, "-c", self.daemon.conf])

    def line_of(self, name):
        """The number of the last line that sets such a name."""
        lines = proc.read_text(self.daemon.conf).split("\n")
        return max([1] + [n + 1 for n, line in enumerate(lines)
                          if re.match(r" *%s = " % name, line)])

    def says(self, text, setting, words):
        where = "%s:%d: " % (self.daemon.conf, self.line_of(setting.rpartition(".")[2]))
        return any(line.startswith(where) and setting in line and words in line
                   for line in text.split("\n"))

    def file(self, name, text, mode):
        path = os.path.join(self.folder, name)
        proc.write_text(path, text)
        os.chmod(path, mode)
        return path


def is_refused(site, setting, words, at_start=78):
    code, _, text = site.run("-t")
    tap.ok(code == 78 and site.says(text, setting, words), "-t: %s: %s" % (setting, words), code,
           text)
    code, _, text = site.run("-f")
    tap.ok(code == at_start and words in text, "a start: %d" % at_start, code, text)


def test_good():
    site = Site("good")
    os.mkdir(site.daemon.state, 0o750)
    code, _, text = site.run("-t")
    tap.same((code, text), (0, ""), "nothing to say")
    tap.same(os.listdir(site.daemon.state), [], "and nothing is made")


def test_faults():
    is_refused(Site("dir", milter={"socket": "unix:/nonexistent/milter.sock"}), "milter.socket",
               "/nonexistent/milter.sock does not exist; make it", 73)
    is_refused(Site("group", milter={"group": "no-such-group"}), "milter.group",
               'unknown group "no-such-group"')
    is_refused(Site("password", store={"password_file": "/nonexistent"}), "store.password_file",
               "cannot read /nonexistent")
    site = Site("empty")
    site.daemon.write_settings(store={"password_file": site.file("password", "\n", 0o600)})
    is_refused(site, "store.password_file", "is empty")
    is_refused(Site("notify", throttle={"notify": "/nonexistent/notify"}), "throttle.notify",
               "no program /nonexistent/notify")
    site = Site("mode")
    site.daemon.write_settings(throttle={"notify": site.file("notify", "#!/bin/sh\n", 0o644)})
    is_refused(site, "throttle.notify", "chmod a+x")
    site = Site("state")
    os.mkdir(site.daemon.state)
    os.chmod(site.daemon.state, 0o777)
    is_refused(site, "state_dir", "everybody may write")


def test_store():
    site = Site("store", store={"url": "sentinel://127.0.0.1:26379"})
    is_refused(site, "url", "the name of the master is missing")
    site.daemon.write_settings(store={"url": "rediss://127.0.0.1:6379",
                                      "tls": {"ca_file": "/nonexistent/ca.pem"}})
    is_refused(site, "ca_file", "/nonexistent/ca.pem: No such file or directory; correct the file")
    site.daemon.write_settings(store={"tls": {
        "ca_file": "", "cert_file": site.file("cert", "no PEM\n", 0o600)}})
    is_refused(site, "cert_file", "cannot use the certificate in")
    site.daemon.write_settings(store={"tls": {"cert_file": "", "key_file": "/nonexistent/key"}})
    is_refused(site, "key_file", "set store.tls.cert_file")


def test_account():
    """With the rights of the account, though root tests it."""
    is_refused(Site("user", user="no-such-account"), "user", 'unknown account "no-such-account"')
    site = Site("secret", user="nobody")
    site.daemon.write_settings(store={"password_file": site.file("password", "x\n", 0o600)})
    is_refused(site, "store.password_file", "Permission denied")


def test_redis():
    site = Site("redis", store={"url": "private:"})
    saved = os.environ["PATH"]
    os.environ["PATH"] = "/nonexistent"
    is_refused(site, "store.url", "redis-server", 69)
    os.environ["PATH"] = saved
    tap.same(site.run("-t")[0], 0, "with the program it is good")


def test_all_at_once():
    site = Site("all", milter={"group": "no-such-group"}, throttle={"notify": "/nonexistent"})
    code, _, text = site.run("-t")
    tap.ok(code == 78 and site.says(text, "milter.group", "unknown") and
           site.says(text, "throttle.notify", "no program"), "all faults are told at once", text)


def warns(site, setting, words):
    code, _, text = site.run("-t")
    tap.ok(code == 0 and site.says(text, "warning: " + setting, words),
           "a warning: %s: %s" % (setting, words), code, text)


def test_warnings():
    site = Site("open")
    site.daemon.write_settings(store={"password_file": site.file("password", "x\n", 0o644)})
    os.chmod(site.daemon.conf, 0o640)
    warns(site, "store.password_file", "everybody may read")
    site.daemon.write_settings(store={"tls": {"server_name": "redis.example.com"}})
    warns(site, "store.tls.server_name", "has no TLS")
    site = Site("url", store={"url": "redis://user:secret@127.0.0.1:1"})
    os.chmod(site.daemon.conf, 0o644)
    warns(site, "store.url", "holds a password")
    warns(Site("port", milter={"socket": "inet:8890@0.0.0.0"}), "milter.socket", "not a loopback")
    warns(Site("domain", throttle={"exempt": {"domains": ["other.test"]}}),
          "throttle.exempt.domains", "other.test is not hosted")
    warns(Site("address", throttle={"exempt": {"users": ["joe@other.test"]}}),
          "throttle.exempt.users", "joe@other.test is not hosted")
    site = Site("plan")
    assign = site.file("plans", "example.com nonsense\n", 0o644)
    site.daemon.write_settings(throttle={"assign": ["file:" + assign]})
    text = site.run("-t")[2]
    tap.ok(text.startswith(assign + ":1: example.com: there is no plan \"nonsense\""),
           "an unknown plan: file and line", text)
    site = Site("none")
    site.daemon.host([])
    warns(site, "hosted.domains", "no domain is hosted")
    quiet = Site("quiet", throttle={"exempt": {"domains": ["Example.com"],
                                               "users": ["joe@example.com"]}},
                 milter={"socket": "inet:8890@127.0.0.1"})
    tap.same(quiet.run("-t")[::2], (0, ""), "no warning without a cause")


def test_background_log():
    site = Site("log", milter={"socket": "unix:/nonexistent/milter.sock"})
    text = site.run()[2]
    tap.ok("warning: log.target" in text, "stderr as the log of a background process", text)
    text = site.run("-f")[2]
    tap.ok("log.target" not in text, "not in the foreground", text)


def main():
    tap.need(root=True)
    for test in (test_good, test_faults, test_store, test_account, test_redis, test_all_at_once,
                 test_warnings, test_background_log):
        tap.note(test.__name__)
        test()


tap.run(main)
