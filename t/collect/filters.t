#!/usr/bin/env python3
"""A real spamd and a real clamd: the figures that their logs give are what the clients did."""

import hashlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import collector
import proc
import redis_server
import tap

VIRUS = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MAIL = b"Subject: x\r\nFrom: a@b.test\r\n\r\nhello\r\n"

CLAMD = """\
Foreground yes
DatabaseDirectory {dir}/signatures
LogFile {dir}/clamd.log
LogTime yes
LogClean yes
TCPSocket {port}
TCPAddr 127.0.0.1
User root
"""


def talk(port, said):
    """Says it and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(said)
        s.shutdown(socket.SHUT_WR)
        return s.makefile("rb").read()


# --- spamd ----------------------------------------------------------------------------------------

def spamd_start(folder):
    port, log = proc.free_port(), os.path.join(folder, "spamd.log")
    rules = os.path.join(folder, "rules")
    os.mkdir(rules)
    proc.write_text(os.path.join(rules, "test.pre"),
                    "loadplugin Mail::SpamAssassin::Plugin::Check\n")
    proc.write_text(os.path.join(rules, "test.cf"),
                    "header TG_X Subject =~ /x/\nscore TG_X 1\nuse_bayes 0\n")
    daemon = proc.Daemon(["spamd", "-L", "-x", "-i", "127.0.0.1", "-p", str(port), "-m", "2",
                          "-s", log, "-u", "nobody", "-H", folder, "--configpath", rules,
                          "--siteconfigpath", rules], os.path.join(folder, "spamd.out"),
                         env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ["PATH"]})
    daemon.until("spamd", lambda: proc.can_connect(("127.0.0.1", port)), timeout_s=60)
    return daemon, port, log


def spamd_use(port):
    """Returns connections and those that failed."""
    check = b"CHECK SPAMC/1.5\r\nContent-length: %d\r\n\r\n%s" % (len(MAIL), MAIL)
    good, bad = 0, 1    # who looked whether it listens said nothing
    for _ in range(5):
        good += b"EX_OK" in talk(port, check)
    good += b"PONG" in talk(port, b"PING SPAMC/1.5\r\n\r\n")
    for said in (b"FOO bar\r\n\r\n", b""):
        talk(port, said)
        bad += 1
    tap.same(good, 6, "spamd answers")
    return good + bad, bad


def spamc_fail():
    """spamc's words when there is no spamd, as syslog would have them."""
    ran = subprocess.run(["spamc", "-l", "-d", "127.0.0.1", "-p", str(proc.free_port()),
                          "--connect-retries=2", "--retry-sleep=1"], input=MAIL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = [line.replace("spamc: ", "spamc[7]: ", 1)
             for line in ran.stderr.decode().splitlines() if line.startswith("spamc: ")]
    stamp = time.strftime("%b %e %H:%M:%S mx ", time.gmtime())
    return "".join(stamp + line + "\n" for line in lines).encode()


# --- clamd ----------------------------------------------------------------------------------------

def clamd_start(folder):
    port = proc.free_port()
    signatures = os.path.join(folder, "signatures")
    os.mkdir(signatures)
    proc.write_text(os.path.join(signatures, "test.hdb"), "%s:%d:Tollgate.Test\n" % (
        hashlib.md5(VIRUS).hexdigest(), len(VIRUS)))
    conf = os.path.join(folder, "clamd.conf")
    proc.write_text(conf, CLAMD.format(dir=folder, port=port))
    daemon = proc.Daemon(["clamd", "-c", conf], os.path.join(folder, "clamd.out"),
                         env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ["PATH"]})
    daemon.until("clamd", lambda: proc.can_connect(("127.0.0.1", port)), timeout_s=60)
    return daemon, port, os.path.join(folder, "clamd.log")


def clamd_use(folder, port):
    scans = 0
    for data, want in ((MAIL, b"OK"), (VIRUS, b"FOUND"), (MAIL, b"OK")):
        stream = struct.pack(">I", len(data)) + data + struct.pack(">I", 0)
        scans += want in talk(port, b"zINSTREAM\0" + stream)
    path = os.path.join(folder, "mail")
    proc.write_text(path, MAIL.decode())
    scans += b"OK" in talk(port, b"zSCAN %s\0" % path.encode())
    talk(port, b"zPING\0")
    tap.same(scans, 4, "clamd answers")
    return scans


# --- the comparison -------------------------------------------------------------------------------

def counted(log):
    out = subprocess.run([os.path.join(proc.BUILD, "t/collect/machine_dump")], input=log,
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    return dict((line.split(" ")[1], int(line.split(" ")[2])) for line in out.splitlines())


def pushed(folder, paths):
    """The same from Redis, where tollgate-collect brought it; each log is a source of its own."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = collector.Collector(folder, "unix://" + server.path,
                            {"collect": {"sources": ["file:" + path for path in paths]}})
    code, _, err = c.once()
    tap.same(code, 0, "tollgate-collect --once", err)
    return dict((name, int(amount))
                for name, amount in redis.hash("tg:{@%s}:total" % collector.NODE).items()
                if name.startswith(("spamd_", "clamd_")))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def scan(folder, port, is_over):
    """One scan of many files after the other."""
    many = os.path.join(folder, "many")
    os.mkdir(many)
    proc.write_text(os.path.join(many, "0"), MAIL.decode())
    for i in range(1, 2000):
        os.link(os.path.join(many, "0"), os.path.join(many, str(i)))
    while not is_over.is_set():
        talk(port, b"zCONTSCAN %s\0" % many.encode())


def asked(folder):
    """A collector in service asks clamd while one of its threads is kept at work."""
    clamd, port, _ = clamd_start(folder)
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = collector.Collector(folder, server.url, {
        "collect": {"clamd": "inet:127.0.0.1:%d" % port}})
    proc.write_text(c.log_path, "")

    def seconds():
        return int(redis("HGET", "tg:{@%s}:total" % collector.NODE,
                         "clamd_connection_seconds") or 0)

    is_over = threading.Event()
    client = threading.Thread(target=scan, args=(folder, port, is_over))
    client.start()
    began = time.monotonic()
    c.start()
    try:
        c.daemon.until("seconds of clamd", lambda: seconds() > 0, timeout_s=60)
    finally:
        is_over.set()
        client.join()
    tap.ok(4 <= seconds() <= time.monotonic() - began, "one thread, 5 seconds or more", seconds())
    tap.same(c.stop(), 0, "it stops")
    clamd.stop()


def main():
    tap.need("spamd", "spamc", "clamd", root=True)
    folder = proc.scratch("filters")
    os.chmod(folder, 0o777)
    spamd, spamd_port, spamd_log = spamd_start(folder)
    clamd, clamd_port, clamd_log = clamd_start(folder)
    connections, failed = spamd_use(spamd_port)
    scans = clamd_use(folder, clamd_port)
    spamd.stop()
    clamd.stop()
    away = spamc_fail()
    tries = away.count(b" failed, retrying ")
    tap.same(tries, 2, "spamc tried twice")
    log = read(spamd_log)
    seconds = sum(float(scan) for scan in re.findall(r"scantime=([0-9.]+)", log.decode()))
    want = {name: amount for name, amount in (
        ("spamd_connections", connections), ("spamd_connection_seconds", int(seconds + 1e-6)),
        ("spamd_failed", failed + tries), ("clamd_connections", scans)) if amount}
    away_log = os.path.join(folder, "mail.log")
    proc.write_text(away_log, away.decode())
    said = [log.decode(), read(clamd_log).decode(), away.decode()]
    tap.same(counted("".join(said).encode()), want, "what the machines count", *said)
    tap.same(pushed(folder, [spamd_log, clamd_log, away_log]), want, "what Redis has", *said)
    asked(proc.scratch("asked"))


tap.run(main)
