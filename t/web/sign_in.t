#!/usr/bin/env python3
"""Signing in: passwords, sessions, forms of other sites, guessing, and what leads elsewhere."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from web import Web

PASSWORD = "correct horse"
HTTPS = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}


def sessions(web, redis):
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD, "to": "/violations"})
    tap.same((answer.status, answer.headers.get("location")), (303, "/violations"),
             "a sign-in leads on")
    tap.ok(re.fullmatch(r"tg=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200",
                        answer.headers.get("set-cookie", "")), "its cookie", answer.headers)
    cookie = answer.cookie()
    tap.same(web.get("/account", cookie).status, 200, "the session holds")
    keys = redis("KEYS", "tg:web:session:*")
    stored = " ".join(redis("KEYS", "tg:web:*")) + str([redis("GET", key) for key in keys])
    tap.ok(cookie[3:] not in stored and PASSWORD not in stored,
           "the store holds neither the cookie nor the password")
    key = redis("KEYS", "tg:web:session:*")[0]
    tap.ok(3500 < redis("TTL", key) <= 3600, "a session ends after an hour without a request")
    redis("EXPIRE", key, 100)
    web.get("/account", cookie)
    tap.ok(redis("TTL", key) > 3500, "which each request begins anew")
    return cookie


def over_tls(web):
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD}, unix=True,
                      headers=dict(HTTPS, Origin="https://localhost"))
    tap.ok(answer.headers.get("set-cookie", "").startswith("__Host-tg=") and
           "; Secure" in answer.headers["set-cookie"], "over TLS the cookie is bound to the host",
           answer.headers)
    plain = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD}, unix=True, headers=plain)
    tap.ok(answer.status == 403 and not answer.cookie(), "without TLS no password is taken",
           answer.status)
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD}, headers=HTTPS)
    tap.ok(answer.status == 403 and not answer.cookie(),
           "nor behind a proxy that is not trusted, whatever it says", answer.status)
    page = web.get("/signin", headers=plain, unix=True)
    tap.ok("without TLS" in page.text and "password" not in re.findall(r'name="(\w+)"', page.text),
           "nor is it asked for")


def fixed(web):
    """A session that somebody else put into the browser does not become his."""
    mine = web.sign_in("root", PASSWORD)
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD,
                                  "token": web.get("/account", mine).token()}, mine)
    tap.ok(answer.cookie() and answer.cookie() != mine, "each sign-in has a new session")
    tap.same(web.get("/account", mine).status, 303, "and ends the one before")
    planted = "tg=" + "0" * 64
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD}, planted)
    tap.ok(answer.cookie() != planted and web.get("/account", planted).status == 303,
           "a cookie that was planted is no session")


def forms(web, cookie):
    """What other sites can make a browser send."""
    port = "http://127.0.0.1:%d" % web.port
    token = web.get("/account", cookie).token()
    tap.ok(token, "forms carry a token")
    for what, fields, change in (
            ("of another site", {"token": token}, {"Origin": "https://evil.example"}),
            ("that does not say whose it is", {"token": token}, {"Origin": None}),
            ("of a sandbox", {"token": token}, {"Origin": "null"}),
            ("of another origin of the host", {"token": token}, {"Sec-Fetch-Site": "same-site"}),
            ("without a token", {}, {}),
            ("with another token", {"token": "0" * 64}, {}),
            ("of another type", {"token": token}, {"Content-Type": "text/plain"})):
        answer = web.post("/signout", fields, cookie, change)
        tap.ok(answer.status in (403, 415), "a form %s is refused" % what, answer.status)
    answer = web.post("/signin", {"user": "anna", "password": PASSWORD}, "",
                      {"Origin": "https://evil.example"})
    tap.ok(answer.status == 403 and not answer.cookie(), "so is a sign-in of another site")
    tap.same(web.get("/account", cookie).status, 200, "none of them did anything")
    answer = web.post("/signout", {"token": token}, cookie, {"Origin": port})
    tap.same((answer.status, answer.headers.get("location")), (303, "/signin"), "its own is")
    tap.ok("Max-Age=0" in answer.headers.get("set-cookie", ""), "and takes the cookie back")
    tap.same(web.get("/account", cookie).status, 303, "the session is over")


def others(web):
    first, second = web.sign_in("anna", PASSWORD), web.sign_in("anna", PASSWORD)
    page = web.get("/account", second)
    tap.ok("End the other sessions" in page.text, "the sessions are listed")
    web.post("/account/end", {"token": page.token()}, second)
    tap.same((web.get("/account", first).status, web.get("/account", second).status), (303, 200),
             "the others can be ended")
    tap.ok("tollgate web passwd anna" in page.text, "the page says how to change the password")
    argv = [os.path.join(proc.BUILD, "tollgate"), "-c", web.command.conf, "web", "passwd"]
    code, _, err = proc.run(argv + ["anna"], b"elevenchars\n")
    tap.ok(code != 0 and "shorter than 12 bytes" in err, "a short password is refused", err)
    code, _, err = proc.run(argv + ["nobody"], (PASSWORD + "\n").encode())
    tap.ok(code == 64 and "nobody is not in" in err, "a new name needs a role", err)
    before = proc.read_text(web.users)
    code, _, err = proc.run(argv + ["anna"], (PASSWORD + "2\n").encode())
    after = proc.read_text(web.users)
    tap.ok(code == 0 and before != after and
           [re.sub(r":[^:]*:", ":HASH:", line, count=1) for line in before.splitlines()] ==
           [re.sub(r":[^:]*:", ":HASH:", line, count=1) for line in after.splitlines()],
           "a new password alone leaves role and domains as they were", err)
    tap.same(web.get("/account", second).status, 303, "a new password ends them all")
    web.add_user("anna", PASSWORD, "domain", "example.com")


def leads(web):
    for to, want in (("/r/smtp?from=2026-11", "/r/smtp?from=2026-11"), ("//evil.example/", "/"),
                     ("/\\evil.example", "/"), ("https://evil.example/", "/"), ("", "/"),
                     ("javascript:alert(1)", "/")):
        answer = web.post("/signin", {"user": "anna", "password": PASSWORD, "to": to})
        tap.same(answer.headers.get("location"), want, "a sign-in leads nowhere else: " + to)
    answer = web.get("/r/smtp?from=2026-11&domain=example.com")
    tap.same(answer.headers.get("location"),
             "/signin?to=%2Fr%2Fsmtp%3Ffrom%3D2026-11%26domain%3Dexample.com",
             "who is not signed in comes back to where he wanted to go")


def guesses(web):
    wrong = web.post("/signin", {"user": "bob", "password": "guess guess"})
    unknown = web.post("/signin", {"user": "nobody", "password": "guess guess"})
    tap.same((wrong.status, wrong.text.replace("bob", "nobody")), (403, unknown.text),
             "an unknown name is answered like a wrong password")
    tap.ok(re.search(r"sign-in failed client=127\.0\.0\.1 user=bob", web.wrote()),
           "the log says who guessed, and from where")
    statuses = [web.post("/signin", {"user": "bob", "password": "guess %d" % i}).status
                for i in range(6)]
    tap.same(statuses, [403] * 4 + [429] * 2, "after five no password is checked any more")
    answer = web.post("/signin", {"user": "bob", "password": PASSWORD})
    tap.ok(answer.status == 429 and answer.headers.get("retry-after") and not answer.cookie(),
           "not even the right one")
    tap.ok(web.sign_in("anna", PASSWORD), "who was right before is not concerned")
    forged = web.post("/signin", {"user": "root\nsign-in failed client=192.0.2.9", "password": "x"})
    tap.ok(forged.status == 400 and "client=192.0.2.9" not in web.wrote(),
           "a name cannot forge a line of the log")
    token = web.add_token("grafana", "admin")
    answer = web.post("/signin", {"user": "grafana", "password": token})
    tap.same(answer.status, 403, "a token is no password")


def main():
    folder = proc.scratch("web")
    redis = RedisServer(folder)
    web = Web(folder, "unix://" + redis.path)
    for name, role, domains in (("root", "admin", ""), ("anna", "domain", "example.com"),
                                ("bob", "domain", "example.com")):
        web.add_user(name, PASSWORD, role, domains)
    web.start()
    cookie = sessions(web, redis.connect())
    over_tls(web)
    fixed(web)
    forms(web, cookie)
    others(web)
    leads(web)
    guesses(web)
    tap.ok(PASSWORD not in web.wrote(), "no password is in the log")
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
