#!/usr/bin/env python3
"""The theme: a cookie that a form of these pages sets, and that decides how pages are written."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from web import Web


def theme_of(web, cookie=""):
    """What the sign-in page, which everybody sees, is written for."""
    page = web.get("/signin", cookie).text
    return page.split("data-theme=\"")[1].split("\"")[0] if "data-theme" in page else "auto"


def chosen(web):
    for theme, age in (("light", 31536000), ("dark", 31536000), ("auto", 0)):
        answer = web.post("/theme", {"theme": theme, "to": "/signin?to=%2Fr%2Fsmtp"})
        tap.same((answer.status, answer.headers["location"], answer.cookie()),
                 (303, "/signin?to=%2Fr%2Fsmtp", "tg-theme=" + theme), theme + " leads back")
        tap.ok("Max-Age=%d" % age in answer.headers["set-cookie"] and
               "SameSite=Lax" in answer.headers["set-cookie"], theme + " is kept, or forgotten",
               answer.headers["set-cookie"])
        tap.same(theme_of(web, answer.cookie()), theme, theme + " is what pages are written for")


def wrong(web):
    for cookie in ("", "tg-theme=", "tg-theme=pink", 'tg-theme="><script>', "tg-theme=darker"):
        tap.same(theme_of(web, cookie), "auto", "a cookie that says nothing: " + cookie)
    tap.same(web.post("/theme", {"theme": "pink"}).status, 400, "there is no fourth one")
    tap.same(web.post("/theme", {"theme": "dark", "more": "1"}).status, 400, "nor another field")
    for to in ("//evil.example/", "https://evil.example/", "/\\evil.example", ""):
        tap.same(web.post("/theme", {"theme": "dark", "to": to}).headers["location"], "/",
                 "it leads to no other site: " + to)
    tap.same(web.post("/theme", {"theme": "dark"}, headers={
        "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}).status, 403,
             "nor is it set from one")
    tap.same(web.get("/theme").status, 405, "a link does not set it")


def main():
    folder = proc.scratch("theme")
    redis = RedisServer(folder)
    web = Web(folder, redis.url)
    web.start()
    chosen(web)
    wrong(web)
    tap.same(web.stop(), 0, "it stops")
    redis.stop()


tap.run(main)
