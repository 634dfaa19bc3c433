#!/usr/bin/env python3
"""Files of domains as other programs write them: in place, slowly, half, empty, by rename. No
message is charged to the wrong account, and what shrinks too much has to be confirmed."""

import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import relay
import smtp
import tap
import tollgated

ROUNDS = int(os.environ.get("TG_ROUNDS", "200"))
OUTSIDE = "x@gmail.test"
DOMAINS = ["d%d.example" % n for n in range(40)]
MESSAGE = milterclient.message_of(["Subject: x"])


class Site:
    def __init__(self, name, domains, settings=None):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.redis = self.server.connect()
        self.daemon = tollgated.Tollgated(self.folder, self.server.url,
                                          "unix:%s/milter.sock" % self.folder, settings)
        self.daemon.host(domains)
        self.daemon.start()

    def deliver(self, recipient):
        with milterclient.Session(self.daemon.socket) as s:
            return s.deliver(OUTSIDE, [recipient], MESSAGE)

    def wait_log(self, text, count=1):
        return proc.wait_for(text, lambda: self.daemon.log().count(text) >= count)

    def hosts(self, domain):
        """Delivers until the domain's mail counts; a domain that is not hosted never does."""
        def counts():
            self.deliver("alice@" + domain)
            return self.redis("HGET", "tg:{%s}:total" % domain, "in_messages")
        return proc.wait_for(domain, counts)

    def doctor(self):
        return self.daemon.command("doctor")[1]

    def stop(self):
        tap.same(self.daemon.stop(), 0, "it ends well", self.daemon.log()[-1000:])
        tap.none(self.daemon.complaints(), "nothing broke inside")


def shrunk():
    """A writer that truncates the file and takes long, or has nothing to write."""
    site = Site("shrunk", DOMAINS)
    proc.write_text(site.daemon.domains, "")
    site.wait_log("has shrunk from 40 to 0 entries")
    tap.ok(site.deliver("alice@d1.example").accepted, "mail goes on")
    tollgated.wait_counted(site.redis, 1)
    tap.same(tollgated.counted(site.redis)["d1.example"].get("in_messages"), 1,
             "and counts by the old entries")
    report = site.doctor()
    tap.ok(re.search(r"fail +hosted: tollgated does not use .* shrunk from 40 to 0", report),
           "doctor says so", report)
    site.daemon.host(DOMAINS[:19])
    site.wait_log("has shrunk from 40 to 19 entries")
    site.daemon.host(DOMAINS[:20])
    site.wait_log("sources reloaded")
    tap.ok("does not use what its sources" not in site.doctor(), "half of them is believed")
    site.daemon.host(DOMAINS[:1])
    site.wait_log("has shrunk from 20 to 1 entries")
    site.daemon.reload()
    site.wait_log("configuration reloaded")
    site.deliver("alice@d2.example")
    tollgated.wait_counted(site.redis, 2)
    tap.same(tollgated.counted(site.redis).get("d2.example"), None, "a reload confirms less")
    proc.write_text(site.daemon.domains, "")
    site.daemon.reload()
    site.wait_log("has shrunk from 1 to 0 entries")
    tap.ok(site.deliver("alice@d0.example").accepted, "asked for at once: not without a complaint")
    site.stop()


def relay_waits():
    folder = proc.scratch("relay")
    r = relay.Relay(folder, DOMAINS, {"networks": {"host": ["127.0.0.99"], "customers": []}})
    r.start()

    def answer(domain):
        client = smtp.Smtp(r.port)
        client.command("MAIL FROM:<%s>" % OUTSIDE)
        client.socket.sendall(b"RCPT TO:<alice@%s>\r\n" % domain.encode())
        code = client.reply()[0]
        client.close()
        return code

    tap.same(answer("d1.example"), 250, "the relay takes mail for a hosted domain")
    proc.write_text(folder + "/relay-domains", "")
    proc.wait_for("complaint", lambda: "has shrunk from 40 to 0 entries" in r.log())
    tap.same(answer("d1.example"), 250, "also when its file has been emptied")
    proc.write_text(folder + "/relay-domains", "".join(d + "\n" for d in DOMAINS[:30]))
    proc.wait_for("reload", lambda: "sources reloaded" in r.log())
    tap.same((answer("d1.example"), answer("d39.example"), answer("none.example")),
             (250, 451, 554), "a domain that has just gone is not refused for good")
    tap.same(r.stop(), 0, "it ends well")


def rewritten_under_load():
    """In place, with a reload for each time, while mail comes for a domain that is always there."""
    site = Site("rewritten", DOMAINS)
    stop = threading.Event()

    def work(which):
        sent = refused = 0
        while not stop.is_set():
            with milterclient.Session(site.daemon.socket) as s:
                for n in range(5):
                    done = s.deliver(OUTSIDE, ["u@" + DOMAINS[(which * 5 + n) % 40]], MESSAGE)
                    sent, refused = sent + 1, refused + (not done.accepted)
        return sent, refused

    def rewrite():
        for i in range(ROUNDS):
            with open(site.daemon.domains, "w", encoding="utf-8") as out:
                for domain in DOMAINS[:19]:
                    out.write(domain + "\n")
                out.flush()  # less than half of it is there, however long that takes
                if i % 2:
                    site.daemon.reload()
                time.sleep(0.002)  # the writer's own pace, not an event
                for domain in DOMAINS[19:] + ["r%d.example" % i]:
                    out.write(domain + "\n")
            if not i % 2:
                site.daemon.reload()
            time.sleep(0.005)
        stop.set()

    thread = threading.Thread(target=rewrite)
    thread.start()
    results = milterclient.in_parallel(4, work)
    thread.join()
    sent = sum(r[0] for r in results)
    tap.same(sum(r[1] for r in results), 0, "no message is refused in %d reloads" % ROUNDS)
    tollgated.wait_counted(site.redis, sent)
    got = tollgated.counted(site.redis)
    tap.same(got["@mx1"].get("in_messages"), sent, "each counts as in", got["@mx1"])
    tap.same(got.get("_unattributed"), None, "none to the wrong account")
    site.wait_log("configuration reloaded")
    tap.ok(site.hosts("r%d.example" % (ROUNDS - 1)), "what rests is read in the end")
    site.stop()


def ways_to_change():
    """A symbolic link above it swapped (as of a ConfigMap), an older time, the same time and size,
    an editor's rename, gone and there again."""
    site = Site("ways", ["zero.example"])
    folder = site.folder + "/cm"
    for n, domain in (("1", "aaa.example"), ("2", "bbb.example")):
        os.makedirs(folder + "/" + n)
        proc.write_text("%s/%s/domains" % (folder, n), domain + "\n")
        os.utime("%s/%s/domains" % (folder, n), (1600000000, 1600000000))
    os.symlink("1", folder + "/data")
    os.symlink("data/domains", folder + "/domains")
    site.daemon.write_settings(hosted={"domains": ["file:" + folder + "/domains"]})
    site.daemon.reload()
    tap.ok(site.hosts("aaa.example"), "through two symbolic links")
    os.symlink("2", folder + "/data.new")
    os.rename(folder + "/data.new", folder + "/data")
    tap.ok(site.hosts("bbb.example"), "one of them swapped, same size and time")
    path = folder + "/2/domains"
    before = os.stat(path)
    with open(path, "r+", encoding="utf-8") as out:
        out.write("ddd.example\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    tap.ok(site.hosts("ddd.example"), "written in place, same size and time")
    proc.write_text(path + ".new", "eee.example\n")
    os.rename(path + ".new", path)
    tap.ok(site.hosts("eee.example"), "renamed over")
    os.unlink(path)
    site.wait_log("sources not reloaded; the old ones stay in force")
    tap.ok(site.hosts("eee.example"), "gone: the old entries stay")
    proc.write_text(path, "fff.example\n")
    tap.ok(site.hosts("fff.example"), "there again")
    site.stop()


def root_only():
    """A file that the account of the daemon cannot read."""
    if os.geteuid() != 0:
        return
    folder = proc.scratch("user")
    site = tollgated.Tollgated(folder, "unix://%s/none" % folder, "unix:%s/milter.sock" % folder,
                               {"user": "nobody"})
    site.host(DOMAINS)
    test = [os.path.join(proc.BUILD, "tollgated"), "-t", "-c", site.conf]
    tap.same(proc.run(test), (0, "", ""), "-t: the account can read it")
    os.chmod(site.domains, 0o600)
    code, _, err = proc.run(test)
    tap.ok(code == 78 and "Permission denied" in err, "-t: it cannot, though root can", code, err)
    report = site.command("doctor")[1]
    tap.ok("as nobody" in report and "Permission denied" in " ".join(report.split()),
           "doctor sees it, too", report)


def flushed():
    """A start while the key of the domains is gone."""
    folder = proc.scratch("flushed")
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    site = tollgated.Tollgated(folder, server.url, "unix:%s/milter.sock" % folder,
                               {"hosted": {"domains": ["redis:hosted"]}})
    code, _, err = proc.run([os.path.join(proc.BUILD, "tollgated"), "-t", "-c", site.conf])
    tap.ok(code == 0 and "no such key" in err, "-t tells of it", code, err)
    site.start()

    def deliver():
        with milterclient.Session(site.socket) as s:
            return s.deliver(OUTSIDE, ["a@d1.example"], MESSAGE)

    tap.ok(deliver().text.startswith("451"), "mail waits")
    redis("SADD", "hosted", "d1.example")
    tap.ok(proc.wait_for("domains", lambda: deliver().accepted), "until the key is there")
    tap.same(site.stop(), 0, "it ends well")


def main():
    tap.need("redis-server")
    root_only()
    flushed()
    shrunk()
    relay_waits()
    ways_to_change()
    rewritten_under_load()


tap.run(main)
