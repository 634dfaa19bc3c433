#!/usr/bin/env python3
"""Report pages: the same figures as the command, in every form; links that lead on; wrong questions
that name the fix; names that would be markup."""

import csv
import datetime
import html
import io
import json
import os
import random
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_server import RedisServer
from web import Web

ZONE = "Europe/Berlin"
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DOMAINS = ("example.com", "example.org", "xn--bcher-kva.example", "_unattributed")
USERS = ("alice", "bob", "j\u00f6rg", '"<script>alert(1)</script>"', "_other")
# The last is not of users.
REPORTS = ("smtp", "message-traffic", "message-data", "throttle-traffic", "traffic-by-priority")


def fill():
    draw = random.Random(20261121)
    counted = Counted(ZONE)
    for hour in range(0, 90 * 24, 2):
        domain = draw.choice(DOMAINS)
        user = draw.choice(USERS)
        if not user.startswith("_"):
            user += "@" + domain
        kind = draw.choice(("in", "out", "forward"))
        counted.add(NOW - datetime.timedelta(hours=hour), domain, {
            kind + "_messages": draw.randrange(1, 9), kind + "_recipients": draw.randrange(1, 9),
            kind + "_bytes": draw.randrange(1, 10**12)},
            "" if domain.startswith("_") else user, draw.choice(("mx1", "mx2")))
    return counted


class Pages:
    def __init__(self, web, token):
        self.web, self.headers = web, {"Authorization": "Bearer " + token}

    def __call__(self, path):
        return self.web.get(path, headers=self.headers)


def questions(draw, count):
    """(address, arguments of the command) of the same question."""
    for _ in range(count):
        query, words = {}, []
        scope = draw.choice(("server", "server", "domain", "user"))
        domain = draw.choice(DOMAINS[:3])
        if scope != "server":
            query["domain"] = domain
            words += ["--domain", domain]
        if scope == "user":
            query["user"] = "alice@" + domain
            words += ["--user", "alice@" + domain]
        modes = {"server": ("trend", "domain", "user"), "domain": ("trend", "user"),
                 "user": ("trend",)}[scope]
        query["mode"] = draw.choice(modes)
        if query["mode"] != "trend":
            words += ["--by", query["mode"]]
        of_users = scope == "user" or query["mode"] == "user"
        report = draw.choice(REPORTS[:-1] if of_users else REPORTS)
        words.insert(0, report)
        steps = ["none", "day", "week", "month", "quarter"]
        if not of_users:
            steps.append("hour")
        query["step"] = draw.choice(steps)
        if query["step"] != "none":
            words += ["--step", query["step"]]
        start, end = draw.choice((("2026-11-10", "2026-11-12"), ("2026-10-24", "2026-11-21"),
                                  ("-3days", "today")))
        query["from"], query["to"] = start, end
        words += ["--from", start, "--to", end]
        if draw.random() < 0.5:
            columns = {"smtp": "out_bytes", "message-traffic": "in_messages",
                       "message-data": "out_bytes"}
            if report in columns:
                query["sort"] = columns[report]
                words += ["--sort", columns[report]]
                if draw.random() < 0.5:
                    query["desc"] = "0"
                    words.append("--reverse")
        if query["mode"] != "trend" and draw.random() < 0.4:
            query["top"] = "2"
            words += ["--top", "2"]
        yield report, query, words


def cells(page):
    """The texts of the table's rows, tags cut off."""
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
             for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


def same_figures(pages):
    """Page, CSV, JSON and API of a question are what `tollgate report` says."""
    faults = []
    for report, query, words in questions(random.Random(7), 60):
        encoded = urllib.parse.urlencode(query)
        want = {form: pages.web.command.good("report", *words, "--format", form)
                for form in ("csv", "json")}
        for path, form in (("/r/%s.csv", "csv"), ("/r/%s.json", "json"),
                           ("/api/v1/reports/%s", "json")):
            answer = pages(path % report + "?" + encoded)
            if answer.text != want[form]:
                faults.append("%s?%s: %d, another than tollgate report %s" % (
                    path % report, encoded, answer.status, " ".join(words)))
        rows = list(csv.reader(io.StringIO(want["csv"])))
        answer = pages("/r/%s?%s" % (report, encoded))
        if answer.status != 200:
            faults.append("/r/%s?%s: %d" % (report, encoded, answer.status))
        elif len(rows) > 1:
            shown = cells(answer.text)
            names = [row[0].split(" ")[0] for row in shown]
            labels = 1 if query["mode"] != "trend" or query["step"] != "none" else 0
            if labels and names != [row[0].split(" ")[0] for row in rows[1:]]:
                faults.append("/r/%s?%s: other rows: %s" % (report, encoded, names[:3]))
            counts = [name for name in rows[0] if name.endswith("_messages")]
            for name in counts[:1]:
                exact = ["{:,}".format(int(row[rows[0].index(name)])) for row in rows[1:]]
                if not all(number in row for number, row in zip(exact, shown)):
                    faults.append("/r/%s?%s: other figures" % (report, encoded))
    tap.none(faults, "60 questions have the figures of the command in each form")


def links(pages):
    """Every link of these pages leads to a page, with the names as they are."""
    faults, seen = [], set()
    for start in ("/", "/r/smtp?mode=domain", "/r/smtp?mode=user&domain=example.com",
                  "/r/smtp?step=month&from=2026-09", "/d/xn--bcher-kva.example"):
        for url in re.findall(r'href="(/[^"]*)"', pages(start).text):
            url = html.unescape(url)
            if url in seen or url.startswith("/static"):
                continue
            seen.add(url)
            answer = pages(url)
            if answer.status != 200:
                faults.append("%s, linked by %s: %d" % (url, start, answer.status))
    tap.none(faults, "no link is dead")
    tap.ok(len(seen) > 60, "there are many", len(seen))
    page = pages("/r/smtp?mode=domain").text
    tap.ok('href="/r/smtp?domain=example.com"' in page, "a domain leads to its trend")
    page = pages("/r/smtp?mode=user&domain=example.com").text
    tap.ok('user=alice%40example.com' in page, "a user to his")
    page = pages("/r/smtp?mode=domain&sort=out_bytes").text
    tap.ok('aria-sort="descending"' in page and "sort=out_bytes&amp;desc=0" in page,
           "a head turns the order round")


def markup(pages):
    answer = pages("/r/smtp?mode=user&domain=example.com&from=2026-09")
    tap.ok("<script>alert" not in answer.text and "&lt;script&gt;alert" in answer.text,
           "a name that would be markup is text")
    for word in ("<script>alert(1)</script>", '"><img src=x>', "'x"):
        quoted = urllib.parse.quote(word)
        for path in ("/r/smtp?sort=" + quoted, "/r/smtp?domain=" + quoted, "/r/smtp?user=" + quoted,
                     "/r/smtp?" + quoted + "=1", "/r/" + quoted, "/d/" + quoted,
                     "/signin?to=" + quoted):
            text = pages(path).text
            if "<script>alert" in text or "<img src=x" in text or "\"'x" in text:
                tap.ok(False, "markup in an answer", path)
    tap.ok(True, "nor does one of the address become any")


def wrong(pages):
    for query, says in (
            ("frm=2026-11", "frm: unknown parameter: write from"),
            ("from=yesterdax", "from yesterdax"), ("from=2026-11-05&to=2026-11-01", "later than"),
            ("step=year", "step: unknown value \"year\": use none, hour, day"),
            ("mode=domain&domain=example.com", "leave domain, user and customer out"),
            ("mode=user&step=hour", "users are counted by day"),
            ("sort=nonsense", "sort: "), ("top=0", "top: use a number"),
            ("desc=2", "desc: unknown value"), ("chart=pie", "use bar, line, area, none"),
            ("user=alice", "write the whole address"), ("domain=a b", "domain: "),
            ("step=hour&from=2026-08", "")):
        query = query.replace(" ", "%20")
        page, data = pages("/r/smtp?" + query), pages("/r/smtp.json?" + query)
        tap.ok(page.status == 400 and says in html.unescape(page.text) and data.status == 400 and
               says in json.loads(data.text)["detail"], "wrong, with the fix: " + query,
               page.status, html.unescape(page.text)[-400:])


def empty(folder):
    """Right after the installation there is nothing, and every page says so."""
    redis = RedisServer(folder)
    web = Web(folder, "unix://" + redis.path)
    web.start()
    pages = Pages(web, web.add_token("x", "admin"))
    faults = [path for path in ("/", "/r/smtp", "/r/smtp?mode=domain", "/r/imap-usage", "/status",
                                "/r/server-status", "/violations", "/held", "/help/smtp",
                                "/r/smtp.svg") if pages(path).status != 200]
    tap.none(faults, "pages without any figures")
    web.stop()
    redis.stop()


def main():
    empty(proc.scratch("web-empty"))
    folder = proc.scratch("web")
    redis = RedisServer(folder)
    fill().write(redis.connect(), {"mx1": int(NOW.timestamp()), "mx2": int(NOW.timestamp()) - 3})
    web = Web(folder, "unix://" + redis.path, ZONE, NOW)
    web.start()
    pages = Pages(web, web.add_token("x", "admin"))
    same_figures(pages)
    links(pages)
    markup(pages)
    wrong(pages)
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
