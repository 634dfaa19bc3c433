#!/usr/bin/env python3
"""tollgated confined as its systemd unit confines it: each kind of source can be read and asked,
also Postfix's, whose commands list the network interfaces; so can its own redis-server run."""

import errno
import os
import pwd
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import confined
import milterclient
import proc
import redis_server
import tap
import tollgated
from socketmap_server import SocketmapServer

# The filter of system calls denies what a leak check of the sanitizers needs.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

UNIT = os.path.join(proc.SOURCE, "contrib/systemd/tollgated.service.in")
MESSAGE = milterclient.message_of(["Subject: x"])


def as_service():
    """Bound as the unit says, and nobody, as far as it is ours to give up."""
    confine = confined.unit(UNIT)
    who = pwd.getpwnam("nobody")

    def prepare():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(who.pw_gid)
            os.setuid(who.pw_uid)
        confine()

    return prepare


def postfix_folder(folder, more):
    conf = os.path.join(folder, "postfix")
    os.mkdir(conf)
    proc.write_text(conf + "/master.cf", "")
    proc.write_text(conf + "/virtual", "sales@postfix.example joe@elsewhere.test\n")
    proc.write_text(conf + "/main.cf",
                    "compatibility_level = 3.6\nmyhostname = mx.host.test\nalias_maps =\n"
                    "mydestination =\nvirtual_mailbox_domains = postfix.example\n"
                    "virtual_alias_maps = texthash:%s/virtual\n%s" % (conf, more))
    return "postfix:" + conf


def deliver(site, sender, recipient):
    with milterclient.Session(site.socket, "203.0.113.9") as session:
        return session.deliver(sender, [recipient], MESSAGE)


def nice_values(pid):
    """Of its threads."""
    tasks = "/proc/%d/task" % pid
    return [proc.read_text("%s/%s/stat" % (tasks, task)).rpartition(")")[2].split()[16]
            for task in os.listdir(tasks)]


def each_kind(more, prepare):
    """more: lines of main.cf."""
    folder = proc.scratch("unit")
    os.chmod(folder, 0o777)
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    redis("SADD", "hosted", "redis.example")
    port = proc.free_port()
    maps = {"d": {"unix.example": "OK", "inet.example": "OK"}}
    servers = [SocketmapServer(folder + "/map.sock", maps),
               SocketmapServer(("127.0.0.1", port), maps)]
    postfix = postfix_folder(folder, more)
    site = tollgated.Tollgated(folder, server.url, "unix:%s/milter.sock" % folder, {
        "hosted": {"forwards": [postfix],
                   "domains": ["file:%s/domains" % folder, "redis:hosted", postfix,
                               "socketmap:unix:%s/map.sock:d" % folder,
                               "socketmap:inet:127.0.0.1:%d:d" % port]}})
    site.host(["file.example"])
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgated"), "-t", "-c", site.conf],
                              preexec=prepare)
    tap.same((code, out, err), (0, "", ""), "-t has nothing to say; main.cf with %r" % more)
    site.start(prepare)
    tap.ok("5" in nice_values(site.daemon.pid), "accounting stands back behind the mail")
    for kind in ("file", "redis", "postfix", "unix", "inet"):
        reply = deliver(site, "x@gmail.test", "alice@%s.example" % kind)
        tap.ok(reply.accepted, "a domain of %s is hosted" % kind, reply, site.log()[-700:])
    deliver(site, "x@gmail.test", "sales@postfix.example")
    tollgated.wait_counted(redis, 6)
    got = tollgated.counted(redis)
    tap.same({a: f.get("in_messages") for a, f in got.items() if a[0] != "@"},
             {"file.example": 1, "redis.example": 1, "postfix.example": 2, "unix.example": 1,
              "inet.example": 1}, "each counts as in")
    tap.same(got["postfix.example"].get("forward_messages"), 1, "a forwarder of Postfix is one")
    tap.same(site.stop(), 0, "it ends well", site.log()[-700:])
    for s in servers:
        s.close()


def own_store(prepare):
    folder = proc.scratch("unit")
    os.chmod(folder, 0o777)
    site = tollgated.Tollgated(folder, "private:", "unix:%s/milter.sock" % folder)
    site.host(["file.example"])
    site.start(prepare)
    tap.ok(deliver(site, "x@gmail.test", "alice@file.example").accepted, "mail goes through")
    redis = redis_server.Redis(site.state + "/redis/redis.sock")
    tollgated.wait_counted(redis, 1)
    tap.same(tollgated.counted(redis)["file.example"].get("in_messages"), 1,
             "its own redis-server runs")
    tap.same(site.stop(), 0, "it ends well", site.log()[-700:])


def error_of(prepare, attempt):
    """The errno with which attempt() fails in a confined process; 0: it does not."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            prepare()
            attempt()
        except OSError as e:
            code = e.errno
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def refuses(prepare):
    """The confinement of this test is one: what no unit allows fails in it."""
    tap.same(error_of(prepare, lambda: socket.socket(socket.AF_UNIX)), 0, "Unix sockets work")
    tap.same(error_of(prepare, lambda: socket.socket(socket.AF_PACKET)), errno.EAFNOSUPPORT,
             "other families are refused")
    tap.same(error_of(prepare, lambda: os.chroot("/")), errno.EPERM,
             "other system calls are not permitted")


def main():
    tap.need("postfix", "redis-server", "systemd-analyze")
    prepare = as_service()
    refuses(prepare)
    each_kind("", prepare)
    each_kind("mynetworks = 127.0.0.0/8\n", prepare)
    own_store(prepare)


tap.run(main)
