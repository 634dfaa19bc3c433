#!/usr/bin/env python3
"""Sign-in with the password of a mailbox, asked of a real Dovecot over its socket for
authentication clients: right and wrong passwords, odd names, a Dovecot that goes and comes back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from dovecot_server import DovecotServer
from redis_server import RedisServer
from web import Web

USERS = {"alice@example.com": "correct horse", "bob@example.com": "pass\u00e4word \"x\"",
         "root": "a mailbox's", "carol": "no address"}


def account(web, name, password):
    """The page of who has signed in so; "" where nobody has."""
    cookie = web.sign_in(name, password)
    return web.get("/account", cookie).text if cookie else ""


def passwords(web):
    for name in ("alice@example.com", "bob@example.com"):
        page = account(web, name, USERS[name])
        tap.ok(name in page and "<dd>user</dd>" in page, "a mailbox's password signs in: " + name,
               page[-500:])
    cookie = web.sign_in("alice@example.com", USERS["alice@example.com"])
    tap.same((web.get("/r/smtp?user=alice@example.com", cookie).status,
              web.get("/r/smtp?user=bob@example.com", cookie).status,
              web.get("/status", cookie).status), (200, 404, 404), "who sees himself only")
    for name, password in (("alice@example.com", "wrong"), ("alice@example.com", ""),
                           ("bob@example.com", USERS["alice@example.com"]),
                           ("nobody@example.com", "x"), ("carol", USERS["carol"]),
                           ("alice@example.com\tnologin", "correct horse"),
                           ("root", USERS["root"])):
        tap.ok(not web.sign_in(name, password), "not with %r and %r" % (name, password))
    tap.ok("<dd>admin</dd>" in account(web, "root", "of the users file"),
           "a name of the users file has its own password")


def away(web, folder, server, auth):
    """Whoever is signed in stays so; others cannot until Dovecot is back."""
    cookie = web.sign_in("alice@example.com", USERS["alice@example.com"])
    server.stop()
    answer = web.post("/signin", {"user": "bob@example.com", "password": USERS["bob@example.com"]})
    tap.same((answer.status, answer.cookie()), (403, ""), "without Dovecot nobody is let in")
    tap.ok("dovecot cannot be asked" in web.wrote(), "and the log says why")
    tap.same(web.get("/account", cookie).status, 200, "who is signed in stays so")
    again = os.path.join(folder, "again")
    os.mkdir(again)
    server = DovecotServer(again, USERS, auth)
    tap.ok(proc.wait_for("Dovecot again", lambda: account(
        web, "bob@example.com", USERS["bob@example.com"])), "it is back")
    return server


def main():
    tap.need("dovecot", "redis-server", root=True)
    folder = proc.scratch("dovecot")
    first = os.path.join(folder, "first")
    os.mkdir(first)
    auth = os.path.join(folder, "auth-tollgate")
    server = DovecotServer(first, USERS, auth)
    redis = RedisServer(folder)
    web = Web(folder, redis.url, dovecot_auth="unix:" + auth)
    web.add_user("root", "of the users file", "admin")
    web.start()
    passwords(web)
    server = away(web, folder, server, auth)
    tap.same(web.stop(), 0, "it stops")
    server.stop()


tap.run(main)
