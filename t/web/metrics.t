#!/usr/bin/env python3
"""/metrics: what promtool says of it, the same figures as `tollgate report', who may read it, a
Redis that goes and comes back, a real Prometheus that scrapes it; and the alert rules and the
dashboard name only metrics that there are."""

import datetime
import json
import os
import random
import re
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import UTC, Counted
from redis_server import RedisServer
from web import Web

DOMAINS = ("example.com", "example.org", "shop.example", "_unattributed")
CLASSES = ("in", "out", "forward", "relay", "local_sent", "local_received")
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.]+)$")
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
RULES = os.path.join(proc.SOURCE, "contrib/prometheus/tollgate.rules.yml")
OPEN = "application/openmetrics-text; version=1.0.0"


def fill(now):
    draw = random.Random(20261128)
    counted = Counted()
    for back in range(400):
        kind = draw.choice(CLASSES)
        when = now - datetime.timedelta(hours=back * 2)
        counted.add(when, draw.choice(DOMAINS), {
            kind + "_messages": draw.randrange(1, 9), kind + "_recipients": draw.randrange(1, 9),
            kind + "_bytes": draw.randrange(1, 10**9), "throttled_recipients": draw.randrange(3),
            "violations_recipients": draw.randrange(2)}, node=draw.choice(("mx1", "mx2")))
        counted.add(when, "@", {"messages": 1, "bytes": 5, "status_seconds": 60,
                                "status_cpu_ms": 1234, "smtp_in_connections": 3,
                                "smtp_in_connection_seconds": 7, "smtp_out_blocked": 1})
    return counted


def samples(text):
    """{(name, ((label, value), ...)): number as text}"""
    found = {}
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            found[name, tuple(sorted(LABEL.findall(labels or "")))] = value
    return found


def total(found, name, **labels):
    return sum(float(value) for (n, own), value in found.items()
               if n == name and set(labels.items()) <= set(own))


def checked_by_promtool(text):
    return proc.run(["promtool", "check", "metrics"], text.encode())


def forms(web):
    answer = web.get("/metrics")
    tap.same((answer.status, answer.headers["content-type"]),
             (200, "text/plain; version=0.0.4; charset=utf-8"), "Prometheus text by default")
    tap.same(answer.headers["cache-control"], "no-store", "which nobody stores")
    code, out, err = checked_by_promtool(answer.text)
    tap.same((code, out, err), (0, "", ""), "promtool has nothing to say of it")
    code, _, _ = checked_by_promtool(re.sub(r"(tollgate_messages)_total", r"\1", answer.text))
    tap.ok(code != 0, "but of a counter without _total it has")
    openly = web.get("/metrics", headers={"Accept": OPEN + ",text/plain;q=0.5"})
    tap.same(openly.headers["content-type"], OPEN + "; charset=utf-8", "OpenMetrics by Accept")
    tap.ok(openly.text.endswith("\n# EOF\n"), "ends with # EOF")
    plain, other = samples(answer.text), samples(openly.text)
    moving = ("tollgate_collect_lag_seconds", "tollgate_http_")
    tap.same(*({key: value for key, value in s.items() if not key[0].startswith(moving)}
               for s in (plain, other)), "the same samples in both forms")
    return plain


def requests(web):
    """The time that answers took: of this process, by route."""
    for _ in range(3):
        web.get("/healthz")
        web.get("/no/such/page")
    found = samples(web.get("/metrics").text)
    name = "tollgate_http_request_duration_seconds"
    tap.same((total(found, name + "_count", route="/healthz"),
              total(found, name + "_count", route="none"),
              total(found, name + "_bucket", route="/healthz", le="+Inf")), (3, 3, 3),
             "each request is in the histogram of its route")
    tap.ok(not any("such" in str(key) for key in found), "paths of clients are not")


def as_the_report(web, counted, found):
    argv = ("report", "smtp", "--by", "node", "--from", "2000-01-01", "--format", "json")
    rows = json.loads(web.command.good(*argv))["rows"]
    tap.same(len(rows), 2, "the report has both nodes")
    faults = []
    for row in rows:
        for kind in ("in", "out", "forward"):
            for field, name in (("messages", "tollgate_messages_total"),
                                ("bytes", "tollgate_message_bytes_total")):
                got = total(found, name, node=row["node"], **{"class": kind})
                if got != row["%s_%s" % (kind, field)]:
                    faults.append("%s %s %s: %s" % (row["node"], kind, field, got))
    tap.none(faults, "the figures of `tollgate report'")
    tap.same(total(found, "tollgate_throttled_recipients_total", mode="enforce"),
             sum(counted.amount("@" + n, "throttled_recipients") for n in ("mx1", "mx2")),
             "and of limits")
    tap.same(total(found, "tollgate_session_seconds_total", node="mx1", protocol="smtp_in"), 2800,
             "sessions of a node with a collector")
    tap.ok(not any(("node", "mx2") in own and ("protocol", "smtp_in") in own for _, own in found),
           "none of a node without one")


def domains(found, counted):
    named = sorted({dict(own)["domain"] for n, own in found
                    if n == "tollgate_domain_message_bytes_total"})
    tap.same(len(named), 3, "two domains and all others", named)
    tap.ok("_other" in named, "under _other")
    tap.same(total(found, "tollgate_domain_message_bytes_total"),
             sum(counted.amount(d, c + "_bytes") for d in DOMAINS for c in CLASSES),
             "together they are all")
    users = [key for key in found if "@" in str(key)]
    tap.none(users, "no address is in a label")


def access(web):
    token = {"Authorization": "Bearer " + web.add_token("prometheus", "admin")}
    other = {"Authorization": "Bearer " + web.add_token("reseller", "domain", "example.com")}
    away = {"X-Forwarded-For": "192.0.2.1"}
    forged = {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"}
    for what, headers, unix, want in (
            ("an address of web.metrics_from", {}, False, 200),
            ("who comes through a proxy that is not trusted", forged, False, 401),
            ("who comes through a trusted one, from elsewhere", away, True, 401),
            ("and from an address of web.metrics_from", forged, True, 200),
            ("whose address is not told", {}, True, 401),
            ("an administrator's token", dict(away, **token), True, 200),
            ("the same through a proxy that is not trusted", dict(away, **token), False, 200),
            ("the token of a domain", dict(away, **other), True, 404),
            ("a wrong token", dict(away, Authorization="Bearer tg_x"), True, 401)):
        tap.same(web.get("/metrics", headers=headers, unix=unix).status, want, what)
    tap.same(web.post("/metrics", {}).status, 405, "nothing is posted there")


def away_and_back(web, redis, write):
    redis.kill()
    proc.wait_for("tollgate_up 0", lambda: "\ntollgate_up 0\n" in web.get("/metrics").text)
    answer = web.get("/metrics")
    tap.same(answer.status, 200, "an answer while Redis is away")
    own = ("tollgate_up", "tollgate_build_info", "tollgate_http_")
    tap.none([key for key in samples(answer.text) if not key[0].startswith(own)],
             "with nothing stale")
    tap.same(checked_by_promtool(answer.text)[0], 0, "promtool has nothing to say of it")
    redis.start()
    write()
    proc.wait_for("tollgate_up 1", lambda: "\ntollgate_up 1\n" in web.get("/metrics").text)
    tap.ok("tollgate_messages_total{" in web.get("/metrics").text, "back with its figures")


def query(port, expression):
    url = "http://127.0.0.1:%d/api/v1/query?query=%s" % (port, urllib.parse.quote(expression))
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:
        return []


def scraped(web, folder, found):
    """By a real Prometheus, which asks for OpenMetrics, and evaluates the rules."""
    port = proc.free_port()
    conf = os.path.join(folder, "prometheus.yml")
    proc.write_text(conf, "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                    "rule_files: [%s]\nscrape_configs:\n  - job_name: tollgate\n"
                    "    static_configs: [{targets: ['127.0.0.1:%d']}]\n" % (RULES, web.port))
    daemon = proc.Daemon(["prometheus", "--config.file=" + conf,
                          "--storage.tsdb.path=" + os.path.join(folder, "tsdb"),
                          "--web.listen-address=127.0.0.1:%d" % port],
                         os.path.join(folder, "prometheus.log"))
    try:
        daemon.until("a scrape", lambda: query(port, "tollgate_up"))
        tap.same([r["value"][1] for r in query(port, "up")], ["1"], "Prometheus scrapes it")
        got = query(port, 'sum(tollgate_message_bytes_total{class="out"})')
        tap.same(float(got[0]["value"][1]),
                 total(found, "tollgate_message_bytes_total", **{"class": "out"}),
                 "and has the same figures")
    finally:
        daemon.stop()


def expressions():
    """(where, expression) of the rules and of the dashboard."""
    text = proc.read_text(RULES)
    for alert, rest in re.findall(r"- alert: (\S+)\n\s+expr:(.*?)\n\s+(?:for|labels):", text, re.S):
        yield alert, rest
    board = json.loads(proc.read_text(os.path.join(proc.SOURCE, "contrib/grafana/tollgate.json")))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
            if target["datasource"]["uid"] != "${datasource}":
                yield panel["title"], "tollgate_fixed_datasource"
    for variable in board["templating"]["list"]:
        yield variable["name"], str(variable.get("query"))


def named_metrics_exist(found):
    there = {name for name, _ in found}
    labels = {(name, label) for name, own in found for label, _ in own}
    faults, seen = [], 0
    for where, expression in expressions():
        for name, selector in re.findall(r"(tollgate_[a-z_]+)(\{[^}]*\})?", expression):
            seen += 1
            if name not in there:
                faults.append("%s: no metric %s" % (where, name))
            for label in re.findall(r"([a-z]+)=", selector):
                if (name, label) not in labels:
                    faults.append("%s: %s has no label %s" % (where, name, label))
    tap.ok(seen > 30, "metrics are named in the rules and the dashboard", seen)
    tap.none(faults, "each of them exists, with its labels")


def rules():
    folder = os.path.dirname(RULES)
    code, out, err = proc.run(["promtool", "test", "rules",
                               os.path.join(folder, "tollgate.rules.test.yml")])
    tap.same(code, 0, "promtool test rules", out, err)
    tested = set(re.findall(r"alertname[:=]\s*\"?(\w+)",
                            proc.read_text(os.path.join(folder, "tollgate.rules.test.yml"))))
    tap.same(sorted(tested), sorted(re.findall(r"- alert: (\S+)", proc.read_text(RULES))),
             "each alert has a test")


def main():
    tap.need("promtool", "prometheus", "redis-server")
    rules()
    folder = proc.scratch("metrics")
    now = datetime.datetime.now(UTC).replace(microsecond=0)
    redis = RedisServer(folder)
    counted = fill(now)

    def write():
        through = int(now.timestamp())
        counted.write(redis.connect(), {"mx1": through, "mx2": through})
        redis.connect()("HSET", "tg:{@mx1}:collect", "version", "0.1.0", "seen", through,
                        "log_from", 1, "log_through", through, "pushed_through", through,
                        "lines", 5, "gaps", 0, "sources", "file:/var/log/mail.log",
                        "sources_through", "%d file:/var/log/mail.log\n" % through,
                        "queue_messages", 7, "reconcile_at", through, "reconcile_counted", 9)
        redis.connect()("HSET", "tg:{@mx1}:node", "disk_free", 10**9, "disk_min", 10**8)

    write()
    web = Web(folder, redis.url, metrics_domains=2)
    web.start()
    found = forms(web)
    as_the_report(web, counted, found)
    domains(found, counted)
    named_metrics_exist(found)
    requests(web)
    access(web)
    scraped(web, folder, found)
    away_and_back(web, redis, write)
    web.stop()
    redis.stop()


tap.run(main)
