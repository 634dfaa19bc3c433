#!/usr/bin/env python3
"""Who is signed in by somebody else: Dovecot's passwords, and links of a control panel."""

import hashlib
import hmac
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from auth_server import AuthServer
from redis_server import RedisServer
from web import Web

KEY = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse"


def account(web, cookie):
    """Name and role of the account page; "" where nobody is signed in."""
    page = web.get("/account", cookie)
    return page.text if page.status == 200 else ""


def dovecot(web):
    cookie = web.sign_in("alice@example.com", "secret")
    page = account(web, cookie)
    tap.ok("alice@example.com" in page and "<dd>user</dd>" in page,
           "a mailbox's password signs its user in", page)
    tap.same((web.get("/r/smtp?user=alice@example.com", cookie).status,
              web.get("/r/smtp?user=bob@example.com", cookie).status,
              web.get("/r/smtp?mode=user&domain=example.com", cookie).status,
              web.get("/status", cookie).status), (200, 404, 400, 404), "who sees himself only")
    wrong = web.post("/signin", {"user": "alice@example.com", "password": "wrong"})
    tap.same((wrong.status, wrong.cookie()), (403, ""), "a wrong one does not")
    tap.ok(not web.sign_in("root", "secret"), "a name of the file has its own password")
    tap.ok(not web.sign_in("alice", "secret"), "a login that is no address sees nothing")
    tab = web.post("/signin", {"user": "x\tuser=root", "password": "secret"})
    tap.ok(tab.status == 400 and not tab.cookie(), "a name cannot add words to the question")


def link(name, until, key=KEY, signature=None):
    words = "%s\n%d" % (name, until)
    signature = signature or hmac.new(key.encode(), words.encode(), hashlib.sha256).hexdigest()
    return "/in?" + urllib.parse.urlencode({"u": name, "until": until, "sig": signature})


def links(web):
    now = int(time.time())
    good = link("bob@example.com", now + 30)
    answer = web.get(good)
    tap.same((answer.status, answer.headers.get("location")), (303, "/"), "a link signs in")
    page = account(web, answer.cookie())
    tap.ok("bob@example.com" in page and "<dd>user</dd>" in page, "as the one it names", page)
    again = web.get(good)
    tap.same((again.status, again.cookie()), (400, ""), "once")
    answer = web.get(link("anna", now + 30))
    tap.ok("<dd>domain</dd>" in account(web, answer.cookie()), "the file says the role")
    for what, url in (
            ("of the past", link("bob@example.com", now - 2)),
            ("of too far ahead", link("bob@example.com", now + 600)),
            ("of another key", link("bob@example.com", now + 30, "x" * 32)),
            ("without a signature", "/in?u=bob%%40example.com&until=%d" % (now + 30)),
            ("with another name", good.replace("bob", "eve")),
            ("with another time", good.replace(str(now + 30), str(now + 31))),
            ("of a name that is nobody", link("stranger", now + 30)),
            ("with a line feed", link("bob@example.com\n%d" % (now + 30), now + 31))):
        answer = web.get(url)
        tap.same((answer.status, answer.cookie()), (400, ""), "a link %s is refused" % what)
    plain = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    answer = web.get(link("bob@example.com", now + 40), headers=plain, unix=True)
    tap.same((answer.status, answer.cookie()), (400, ""), "so is one that came without TLS")
    tap.ok("sign-in failed client=127.0.0.1" in web.wrote(), "the log says so")


def away(web, server, auth):
    server.shutdown()
    server.server_close()
    os.unlink(auth)
    answer = web.post("/signin", {"user": "carol@example.com", "password": "secret"})
    tap.same((answer.status, answer.cookie()), (403, ""), "without Dovecot nobody is let in")
    tap.ok("dovecot cannot be asked" in web.wrote(), "and the log says why")


def main():
    folder = proc.scratch("web")
    redis = RedisServer(folder)
    auth = os.path.join(folder, "auth.sock")
    server = AuthServer(auth)
    key = os.path.join(folder, "key")
    proc.write_text(key, KEY + "\n")
    web = Web(folder, "unix://" + redis.path, link_key_file=key,
              dovecot_auth="unix:" + auth)
    web.add_user("root", PASSWORD, "admin")
    web.add_user("anna", PASSWORD, "domain", "example.com")
    web.start()
    dovecot(web)
    links(web)
    away(web, server, auth)
    proc.write_text(key, "short\n")
    tap.same(web.get(link("bob@example.com", int(time.time()) + 30, "short")).status, 500,
             "a key that is too short signs nobody in")
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
