#!/usr/bin/env python3
"""HTTP: methods, headers, limits, slow clients, odd paths; a start that is refused, a reload, a
store that is away and comes back."""

import http.client
import os
import re
import signal
import socket
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from web import Web

POLICY = ("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")


def methods(web):
    for method, path, want, allow in (
            ("POST", "/r/smtp", 405, "GET, HEAD"), ("DELETE", "/signin", 405, "GET, HEAD, POST"),
            ("GET", "/signout", 405, "POST"), ("PUT", "/healthz", 405, "GET, HEAD"),
            ("GET", "/nowhere", 404, None)):
        answer = web.request(method, path)
        tap.same((answer.status, answer.headers.get("allow")), (want, allow), method + " " + path)
    head, get = web.request("HEAD", "/signin"), web.request("GET", "/signin")
    tap.same((head.status, head.body), (200, b""), "HEAD has no body")
    tap.same(head.headers.get("content-length"), str(len(get.body)), "but its length")


def headers(web):
    faults = []
    for path in ("/", "/signin", "/nowhere", "/r/smtp.json", "/healthz", "/%00", "/signin?x=1"):
        answer = web.get(path)
        for name, want in (("content-security-policy", POLICY), ("referrer-policy", "same-origin"),
                           ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"),
                           ("cache-control", "no-store")):
            if answer.headers.get(name) != want:
                faults.append("%s: %s: %s" % (path, name, answer.headers.get(name)))
        if re.search(r'style=|<style|<script(?! src="/static/[0-9a-f]+/tollgate.js" defer=""></)',
                     answer.text):
            faults.append(path + ": markup that the policy forbids")
    tap.none(faults, "every answer has the headers of security")


def static(web):
    files = [word for word in web.get("/signin").text.split('"') if word.startswith("/static/")]
    tap.same([os.path.basename(path) for path in files],
             ["tollgate.css", "icon.svg", "tollgate.js", "icon.svg"], "what a page names")
    for path, kind in zip(files, ("text/css; charset=utf-8", "image/svg+xml",
                                  "text/javascript; charset=utf-8")):
        answer = web.get(path)
        with open(os.path.join(proc.SOURCE, "web/static", os.path.basename(path)), "rb") as f:
            tap.same((answer.status, answer.headers["content-type"], answer.body),
                     (200, kind, f.read()), path)
    sheet = files[0]
    tap.ok("max-age=31536000" in answer.headers["cache-control"], "may be kept for a year")
    wrong = "/static/0000000000000000/" + sheet.rsplit("/", 1)[1]
    tap.same(web.get(wrong).status, 404, "of another version there is none")
    for path in ("/static/../signin", "/static/%2e%2e/signin", "/static/x/..%2f..%2fetc%2fpasswd",
                 "/static//", "//evil.example/", "/r/smtp/", "/%", "/%ff", "/%0d%0aSet-Cookie:x"):
        tap.same(web.get(path).status, 404, "nothing at " + path)


def raw(web, text, timeout_s=30):
    """What the server answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", web.port), timeout_s) as s:
        s.sendall(text)
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return got.decode("latin-1")
            got += piece


def limits(web):
    answer = raw(web, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    tap.ok(" 414 " in answer or " 431 " in answer, "a long address is refused", answer[:80])
    answer = raw(web, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n")
    tap.ok(" 431 " in answer or " 413 " in answer, "long headers are", answer[:80])
    form = {"user": "a" * 20000}
    tap.same(web.post("/signin", form).status, 413, "a large form is")
    answer = raw(web, b"GET / HTTP/1.1\r\n\r\n")
    tap.ok(" 400 " in answer, "a request without Host is", answer[:80])
    many = "&".join("p%d=1" % i for i in range(50))
    tap.same(web.get("/signin?" + many).status, 400, "many parameters are")
    answer = web.get("/signin?too=1")
    tap.ok(answer.status == 400 and "too: unknown parameter: write to" in answer.text,
           "an unknown parameter names the fix", answer.text)
    answer = web.get("/signin?to=1&to=2")
    tap.ok(answer.status == 400 and "given twice" in answer.text, "so does one given twice")


def slow(redis):
    """A client that trickles a byte at a time is ended; others are served meanwhile."""
    web = Web(proc.scratch("web-slow"), redis.url, timeout="3s")
    web.start()
    begun, ended = time.monotonic(), False
    with socket.create_connection(("127.0.0.1", web.port), 30) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        s.settimeout(0.2)
        while not ended and time.monotonic() - begun < 20 * proc.PATIENCE:
            try:
                s.sendall(b"a")
                ended = s.recv(1) == b""
            except socket.timeout:
                pass
            except OSError:
                ended = True
    tap.ok(ended, "a slow request is ended in time", time.monotonic() - begun)
    tap.same(web.stop(), 0, "and that server stops")


def idle(web):
    open_ones = [socket.create_connection(("127.0.0.1", web.port), 30) for _ in range(100)]
    tap.same(web.get("/healthz").status, 200, "100 idle connections keep nobody out")
    for s in open_ones:
        s.close()


def etag(web, token):
    bearer = {"Authorization": "Bearer " + token}
    first = web.get("/api/v1/reports/smtp", headers=bearer)
    tag = first.headers.get("etag")
    again = web.get("/api/v1/reports/smtp", headers=dict(bearer, **{"If-None-Match": tag}))
    tap.same((first.status, again.status, again.body), (200, 304, b""), "ETag of the API")
    other = web.get("/api/v1/reports/smtp?from=-40days",  # this month began later
                    headers=dict(bearer, **{"If-None-Match": tag}))
    tap.same(other.status, 200, "another question has another one")
    tap.same(web.get("/api/v1/reports/nope", headers=bearer).status, 404, "no such report")


def store_away(web, redis, token):
    bearer = {"Authorization": "Bearer " + token}
    tap.same(web.get("/readyz").status, 200, "ready")
    redis.kill()
    away = web.get("/r/smtp.json", headers=bearer)
    tap.same((away.status, away.headers["content-type"]), (503, "application/problem+json"),
             "the store is away")
    tap.ok(redis.path not in away.text and away.headers.get("retry-after"),
           "which says when to try again, and nothing of the machine", away.text)
    tap.same((web.get("/readyz").status, web.get("/healthz").status), (503, 200),
             "not ready, but alive")
    redis.start()
    proc.wait_for("ready", lambda: web.get("/readyz").status == 200)
    tap.same(web.get("/r/smtp.json", headers=bearer).status, 200, "the store is back")
    redis.connect()("SET", "tg:schema", "99")
    tap.same(web.get("/readyz").status, 503, "another schema is not ready")
    redis.connect()("DEL", "tg:schema")


def reload(web):
    conf = web.command.conf
    good = proc.read_text(conf)
    web.add_user("late", "correct horse", "admin")
    proc.write_text(conf, good.replace('level = "debug"', 'level = "nonsense"'))
    web.daemon.signal(signal.SIGUSR1)
    proc.wait_for("refusal", lambda: "not reloaded" in web.wrote())
    tap.same(web.get("/healthz").status, 200, "a broken configuration leaves the old one in force")
    proc.write_text(conf, good)
    web.daemon.signal(signal.SIGHUP)
    proc.wait_for("reload", lambda: " notice: reloaded" in web.wrote())
    tap.ok(web.sign_in("late", "correct horse"), "after a reload it goes on")


def starts(web):
    """What a start refuses, -t refuses with 78 and the fix."""
    for change, says in (('listen = ["inet:80@192.0.2.1"]', "not a loopback address"),
                         ('listen = []', "web.listen is empty"),
                         ('listen = ["unix:/x"]; group = "no-such-group"', "unknown group")):
        path = os.path.join(web.folder, "bad.conf")
        proc.write_text(path, 'web: { %s; user = ""; users_file = ""; };\n' % change)
        for options in (["-t"], ["-f"]):
            program = os.path.join(proc.BUILD, "tollgate-web")
            code, _, err = proc.run([program, *options, "-c", path])
            tap.ok(code == 78 and says in err, " ".join(options) + " refuses: " + change, code, err)
    path = os.path.join(web.folder, "users.bad")
    proc.write_text(path, "anna:$y$1:boss:\n")
    conf = os.path.join(web.folder, "bad.conf")
    proc.write_text(conf, 'web: { listen = ["unix:%s/x"]; user = ""; users_file = "%s"; };\n'
                    % (web.folder, path))
    code, _, err = proc.run([os.path.join(proc.BUILD, "tollgate-web"), "-t", "-c", conf])
    tap.ok(code == 78 and path + ":1:" in err, "a users file with a fault, with its line", err)
    code, _, err = proc.run(web.argv("-f"))
    tap.ok(code == 75 and "address in use" in err, "a second one on the same socket", code, err)
    code, _, _ = proc.run(web.argv("-t"))
    tap.same(code, 0, "the good one is good")


def main():
    folder = proc.scratch("web")
    redis = RedisServer(folder)
    web = Web(folder, "unix://" + redis.path)
    web.start()
    mode = stat.S_IMODE(os.stat(web.unix).st_mode)
    tap.same(oct(mode), "0o660", "the socket has the mode of web.mode")
    token = web.add_token("grafana", "admin")
    methods(web)
    headers(web)
    static(web)
    limits(web)
    slow(redis)
    idle(web)
    etag(web, token)
    store_away(web, redis, token)
    reload(web)
    starts(web)
    keep = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    keep.request("GET", "/healthz")
    keep.getresponse().read()
    tap.same(web.stop(), 0, "TERM ends it, though a connection is open")
    tap.ok(not os.path.exists(web.unix), "and its socket is gone")


tap.run(main)
