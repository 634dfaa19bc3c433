#!/usr/bin/env python3
"""The same question has the same figures on the page, in CSV, in JSON, from the API, by `tollgate
report' and, for nodes, in /metrics: random figures, random questions. TG_SEED repeats a run."""

import csv
import datetime
import html.parser
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

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ZONE = "America/St_Johns"
DOMAINS = ("example.com", "example.org", "xn--bcher-kva.example")
CLASSES = ("in", "out", "forward", "local_sent", "local_received")
# Name, and whether users have it.
REPORTS = {"smtp": True, "message-traffic": True, "message-data": True, "throttle-traffic": True,
           "throttle-violations": False, "traffic-by-priority": False,
           "bandwidth-by-priority": False}
QUESTIONS = 40
UNITS = ("KB", "MB", "GB", "TB", "PB", "EB")


def fill(draw):
    counted = Counted(ZONE)
    for _ in range(600):
        when = NOW - datetime.timedelta(hours=draw.randrange(100 * 24))
        domain, kind = draw.choice(DOMAINS), draw.choice(CLASSES)
        amounts = {kind + "_messages": draw.randrange(1, 2000),
                   kind + "_recipients": draw.randrange(1, 9),
                   kind + "_bytes": int(10 ** draw.uniform(0, 13))}
        if kind in ("in", "out", "forward"):
            priority = draw.choice(("high", "normal", "low", "bulk"))
            amounts["priority_%s_messages" % priority] = amounts[kind + "_messages"]
            amounts["priority_%s_bytes" % priority] = amounts[kind + "_bytes"]
        if draw.random() < 0.3:
            amounts["throttled_messages"] = draw.randrange(1, 50)
            amounts["throttled_bytes"] = draw.randrange(1, 10**8)
            amounts["violations_recipients"] = draw.randrange(1, 5)
        user = draw.choice(("alice@", "bob@")) + domain
        counted.add(when, domain, amounts, user, draw.choice(("mx1", "mx2")))
    return counted


class Table(html.parser.HTMLParser):
    """The rows of the page's report: bodies and foot, each a list of texts."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.part, self.cell = {"tbody": [], "tfoot": []}, None, None
        self.feed(page[page.index('id="report-caption"'):])

    def handle_starttag(self, tag, attrs):
        if tag in self.rows:
            self.part = tag
        elif tag == "tr" and self.part:
            self.rows[self.part].append([])
        elif tag in ("td", "th") and self.part:
            self.cell = []

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.rows[self.part][-1].append("".join(self.cell).strip())
            self.cell = None
        elif tag == "table":
            self.part = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def as_shown(column, value):
    """A figure in the words of a page."""
    if value is None:
        return ""
    if not column.endswith("_bytes") or column.startswith("violations_"):
        return "{:,}".format(value)
    if value < 1000:
        return "%d B" % value
    size, unit = value / 1024, 0
    while size >= 999.95:
        size, unit = size / 1024, unit + 1
    return "%.1f %s" % (size, UNITS[unit])


def draw_question(draw):
    """(report, parameters, arguments of the command)."""
    scope = draw.choice(("server", "domain", "user"))
    mode = draw.choice({"server": ("trend", "domain", "user"), "domain": ("trend", "user"),
                        "user": ("trend",)}[scope])
    of_users = scope == "user" or mode == "user"
    report = draw.choice([name for name, users in REPORTS.items() if users or not of_users])
    domain = draw.choice(DOMAINS)
    query, words = {"mode": mode}, [report]
    if scope != "server":
        query["domain"] = domain
        words += ["--domain", domain]
    if scope == "user":
        query["user"] = "alice@" + domain
        words += ["--user", "alice@" + domain]
    if mode != "trend":
        words += ["--by", mode]
        if draw.random() < 0.5:
            query["top"] = str(draw.randrange(1, 4))
            words += ["--top", query["top"]]
    query["step"] = draw.choice(["none", "day", "week", "month", "quarter"] +
                                ([] if of_users else ["hour"]))
    if query["step"] != "none":
        words += ["--step", query["step"]]
    start = NOW.date() - datetime.timedelta(days=draw.randrange(0, 40 if query["step"] == "hour"
                                                                else 90))
    end = min(NOW.date(), start + datetime.timedelta(days=draw.choice((0, 1, 6, 40))))
    query["from"], query["to"] = str(start), str(end)
    return report, query, words + ["--from", str(start), "--to", str(end)]


def in_csv(text, want):
    rows = list(csv.DictReader(io.StringIO(text)))
    if len(rows) != len(want["rows"]):
        return "%d rows" % len(rows)
    for row, right in zip(rows, want["rows"]):
        for column in want["columns"]:
            if row[column] != ("" if right[column] is None else str(right[column])):
                return "%s: %s" % (column, row[column])
    return ""


def on_page(page, want):
    if not want["rows"]:
        return "" if "Nothing was counted" in page else "rows, where there are none"
    table = Table(page)
    count = len(want["columns"])
    if len(table.rows["tbody"]) != len(want["rows"]):
        return "%d rows" % len(table.rows["tbody"])
    pairs = list(zip(table.rows["tbody"], want["rows"]))
    if table.rows["tfoot"]:
        pairs.append((table.rows["tfoot"][-1], want["total"]))
    for cells, right in pairs:
        shown = [as_shown(c, right[c]) for c in want["columns"]]
        if cells[-count:] != shown:
            return "%s, not %s" % (cells, shown)
    return ""


def same(web, headers, draw):
    faults = {form: [] for form in ("csv", "json", "api", "page")}
    rows = 0
    for _ in range(QUESTIONS):
        report, query, words = draw_question(draw)
        want = json.loads(web.command.good("report", *words, "--format", "json"))
        rows += len(want["rows"])
        question = "?" + urllib.parse.urlencode(query)
        said = "tollgate report " + " ".join(words)
        for form, path in (("json", "/r/%s.json"), ("api", "/api/v1/reports/%s")):
            answer = web.get(path % report + question, headers=headers)
            if answer.status != 200 or json.loads(answer.text) != want:
                faults[form].append("%s: %s" % (said, answer.text[:300]))
        answer = web.get("/r/%s.csv" % report + question, headers=headers)
        fault = in_csv(answer.text, want) if answer.status == 200 else str(answer.status)
        faults["csv"] += ["%s: %s" % (said, fault)] if fault else []
        answer = web.get("/r/%s" % report + question, headers=headers)
        fault = on_page(answer.text, want) if answer.status == 200 else str(answer.status)
        faults["page"] += ["%s: %s" % (said, fault)] if fault else []
    for form, found in faults.items():
        tap.none(found, "%d questions: %s has the figures of the command" % (QUESTIONS, form))
    tap.ok(rows > QUESTIONS, "there are figures", rows)


def metrics(web, headers):
    """Every class of every node."""
    text, faults, seen = web.get("/metrics", headers=headers).text, [], 0
    for report, metric in (("message-traffic", "tollgate_messages_total"),
                           ("message-data", "tollgate_message_bytes_total")):
        rows = json.loads(web.command.good("report", report, "--by", "node", "--from", "2026-01",
                                           "--format", "json"))["rows"]
        for row in rows:
            for name in ("in", "out", "forward"):
                column = name + ("_messages" if "traffic" in report else "_bytes")
                found = re.search(r'^%s{node="%s",class="%s"} (\d+)$' %
                                  (metric, row["node"], name), text, re.M)
                seen += 1
                if not found or int(found.group(1)) != row[column]:
                    faults.append("%s %s %s: %s" % (metric, row["node"], name, row[column]))
    tap.none(faults, "/metrics has the figures of nodes")
    tap.ok(seen == 12, "of both", seen)


def main():
    seed = int(os.environ.get("TG_SEED") or random.SystemRandom().randrange(10**9))
    tap.note("TG_SEED=%d" % seed)
    draw = random.Random(seed)
    folder = proc.scratch("same")
    redis = RedisServer(folder)
    fill(draw).write(redis.connect(), {"mx1": int(NOW.timestamp()), "mx2": int(NOW.timestamp())})
    web = Web(folder, redis.url, ZONE, NOW)
    web.start()
    headers = {"Authorization": "Bearer " + web.add_token("all", "admin")}
    same(web, headers, draw)
    metrics(web, headers)
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
