#!/usr/bin/env python3
"""Who sees what: each role asks for its own, another's and an unknown domain and user, in each
form; by password, token and proxy; and the pages that say who is signed in."""

import datetime
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree
from counted import UTC, Counted
from redis_server import RedisServer
from web import Web

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse"
# Amounts that are found nowhere else in a page.
OWN, FOREIGN = 73737373, 91919191
FORMS = ("", ".csv", ".json", ".svg")
DOMAINS = {"own": "own.example", "foreign": "foreign.example", "unknown": "unknown.example"}
USERS = {"own": "alice@own.example", "foreign": "bob@foreign.example",
         "unknown": "carol@unknown.example"}


def fill(redis):
    counted = Counted()
    for account, amount in (("own.example", OWN), ("foreign.example", FOREIGN)):
        user = "alice@own.example" if account == "own.example" else "bob@foreign.example"
        counted.add(NOW, account, {"in_messages": amount, "in_bytes": amount,
                                   "smtp_in_connections": 1}, user)
    counted.add(NOW, "own.example", {"in_messages": FOREIGN}, "other@own.example")
    counted.write(redis, {"mx1": int(NOW.timestamp())})
    for stream in ("tg:violations", "tg:{foreign.example}:violations"):
        redis("XADD", stream, "*", "domain", "foreign.example", "user", "bob@foreign.example",
              "scope", "domain", "metric", "recipients", "limit", "600/hour", "used", str(FOREIGN),
              "wanted", "3", "action", "defer", "retry_after", "720", "time_ms",
              str(int(NOW.timestamp() * 1000)))
    redis("ZADD", "tg:{foreign.example}:held", int(NOW.timestamp()), "mx1/4FOREIGNQUEUE")


def shown(text, amount):
    return str(amount) in text or "{:,}".format(amount) in text


class Asker:
    """Somebody, by the headers that say who he is."""

    def __init__(self, web, name, headers, unix=False):
        self.web, self.name, self.headers, self.unix = web, name, headers, unix

    def get(self, path):
        return self.web.get(path, headers=self.headers, unix=self.unix)


def askers(web):
    """Each role by each way."""
    for role, name, domains in (("admin", "root", ""), ("domain", "anna", "own.example"),
                                ("user", "alice@own.example", "")):
        web.add_user(name, PASSWORD, role, domains)
        yield role, Asker(web, role + " by password", {"Cookie": web.sign_in(name, PASSWORD)})
        yield role, Asker(web, role + " by proxy", {"X-Remote-User": name}, unix=True)
        if role != "user":
            token = web.add_token(name + "-program", role, domains)
            yield role, Asker(web, role + " by token", {"Authorization": "Bearer " + token})


def expected(role, whose):
    """What a role gets for a domain or user: the status."""
    if role == "admin":
        return 404 if whose == "unknown" else 200
    return 200 if whose == "own" else 404


def reports(role, asker):
    faults, nothing = [], {}
    for whose in DOMAINS:
        for question in ("domain=" + DOMAINS[whose], "user=" + USERS[whose],
                         "mode=user&domain=" + DOMAINS[whose]):
            for form in FORMS:
                path = "/r/smtp%s?%s" % (form, question)
                answer = asker.get(path)
                want = expected(role, whose)
                if role == "user" and whose == "own" and "mode=user" in question:
                    want = 400  # he is the only line there could be
                if answer.status != want:
                    faults.append("%s %s: %d, not %d" % (asker.name, path, answer.status, want))
                if role != "admin" and whose != "own" and (
                        shown(answer.text, FOREIGN) or shown(answer.text, OWN)):
                    faults.append("%s %s: shows a figure" % (asker.name, path))
                if answer.status == 404:
                    nothing.setdefault((form, ), set()).add(answer.text)
    tap.none(faults, asker.name + ": domains and users, in each form")
    if role != "admin":
        tap.none(["%s: %d texts" % (form, len(texts)) for form, texts in nothing.items()
                  if len(texts) != 1], asker.name + ": what is foreign reads like what is unknown")


def pages(role, asker):
    rights = {"/": 200, "/r/smtp": 200, "/violations": 200, "/account": 200, "/help/smtp": 200,
              "/held": 404 if role == "user" else 200,
              "/status": 200 if role == "admin" else 404,
              "/api/v1/reports/smtp": 200, "/api/v1/reports": 200,
              "/api/v1/domains": 404 if role == "user" else 200, "/api/v1/violations": 200,
              "/api/v1/totals?month=2026-11": 404 if role == "user" else 200,
              "/api/v1/nodes": 200 if role == "admin" else 404,
              "/api/v1/domains/foreign.example/usage": expected(role, "foreign"),
              "/api/v1/openapi.json": 200,
              "/api/v1/totals?month=2026-11&domain=foreign.example": expected(
                  role, "foreign") if role != "user" else 404,
              "/api/v1/violations?domain=foreign.example": expected(role, "foreign"),
              "/r/server-status": 200 if role == "admin" else 404,
              "/r/smtp?mode=domain": 200 if role == "admin" else 400,
              "/d/own.example": 200, "/d/foreign.example": expected(role, "foreign"),
              "/d/unknown.example": 404, "/d/..%2f": 404, "/d/_unattributed": 404,
              "/violations?domain=foreign.example": expected(role, "foreign"),
              "/held?domain=foreign.example": expected(role, "foreign"),
              "/api/v1/reports/smtp?domain=foreign.example": expected(role, "foreign"),
              "/r/refusals": 404 if role == "user" else 200,
              "/r/anomalies.json": 404 if role == "user" else 200,
              "/r/refusals?domain=foreign.example": expected(role, "foreign"),
              "/r/anomalies.csv?domain=foreign.example": expected(role, "foreign"),
              "/r/refusals?domain=unknown.example": 404,
              "/help/anomalies": 200,
              "/d/own.example/card.svg": 404 if role == "user" else 200,
              "/d/foreign.example/card.svg": expected(role, "foreign"),
              "/d/unknown.example/card.svg": 404,
              "/q/4FOREIGNQUEUE": expected(role, "foreign"),
              "/q/4UNKNOWN": 200 if role == "admin" else 404, "/q/..%2f": 404,
              "/billing": 404 if role == "user" else 200,
              "/billing/2026-11.json": 404 if role == "user" else 200,
              "/billing?domain=foreign.example": expected(role, "foreign"),
              "/billing/2026-11.csv?domain=foreign.example": expected(role, "foreign"),
              "/billing?domain=unknown.example": 404,
              "/held/mx1/4FOREIGNQUEUE?domain=foreign.example": expected(role, "foreign"),
              "/held/mx1/4FOREIGNQUEUE?domain=own.example": 404,
              "/c/4711": 200 if role == "admin" else 404, "/c/4712": 404, "/c/..%2f": 404,
              "/customers": 200 if role == "admin" else 404,
              "/r/smtp?customer=4711": 200 if role == "admin" else 404,
              "/r/smtp.csv?customer=4711&mode=domain": 200 if role == "admin" else 404,
              "/r/smtp?customer=4712": 404,
              "/r/smtp?customer=4711&domain=own.example": 400 if role == "admin" else 404,
              "/r/smtp?mode=customer": 200 if role == "admin" else 400,
              "/api/v1/reports/smtp?customer=4711": 200 if role == "admin" else 404,
              "/api/v1/totals?month=2026-11&customer=4711": 200 if role == "admin" else 404,
              "/api/v1/totals?month=2026-11&by=customer": 200 if role == "admin" else 404,
              "/billing?customer=4711": 200 if role == "admin" else 404,
              "/billing/2026-11.csv?customer=4711": 200 if role == "admin" else 404,
              "/billing?customer=4712": 404,
              "/limits/@customer:4711": 200 if role == "admin" else 404,
              "/held/mx1/4FOREIGNQUEUE": 200 if role == "admin" else 404,
              "/api/v1/held?domain=foreign.example": expected(role, "foreign"),
              "/api/v1/domains/foreign.example/limits": expected(role, "foreign"),
              "/api/v1/domains/own.example/limits": 404 if role == "user" else 200,
              "/adjust/own.example": {"admin": 200, "domain": 403, "user": 404}[role],
              "/adjust/foreign.example": expected(role, "foreign"), "/adjust/@mx1": 404,
              "/limits/own.example": 404 if role == "user" else 200,
              "/limits/alice@own.example": 200,
              "/limits/foreign.example": expected(role, "foreign"),
              "/limits/bob@foreign.example": expected(role, "foreign"),
              "/limits/unknown.example": 404, "/limits/@mx1": 404,
              "/limits/@server": 200 if role == "admin" else 404,
              "/r/smtp?domain=@mx1": 400}
    faults = []
    for path, want in rights.items():
        answer = asker.get(path)
        if answer.status != want:
            faults.append("%s: %d, not %d" % (path, answer.status, want))
        if role != "admin" and ("foreign.example" in answer.text or
                                "4FOREIGN" in answer.text.replace(path, "") or
                                "bob@" in answer.text):
            faults.append(path + ": names a foreign domain, user or message")
        if role == "user" and shown(answer.text, FOREIGN):
            faults.append(path + ": shows what others of his domain sent")
    tap.none(faults, asker.name + ": every page")


def nobody(web):
    faults = []
    for path in ("/", "/r/smtp", "/d/own.example", "/violations", "/held", "/status", "/account",
                 "/help/smtp", "/r/refusals", "/billing", "/billing/2026-11",
                 "/customers", "/c/4711",
                 "/q/4FOREIGNQUEUE"):
        answer = web.get(path)
        if answer.status != 303 or not answer.headers["location"].startswith("/signin"):
            faults.append("%s: %d" % (path, answer.status))
    for path in ("/r/smtp.csv", "/r/smtp.json", "/r/smtp.svg", "/api/v1/reports/smtp",
                 "/r/anomalies.json", "/billing/2026-11.csv", "/api/v1/reports",
                 "/api/v1/totals?month=2026-11", "/api/v1/domains", "/api/v1/violations",
                 "/api/v1/nodes", "/api/v1/openapi.json"):
        answer = web.get(path)
        if answer.status != 401 or "problem+json" not in answer.headers["content-type"]:
            faults.append("%s: %d" % (path, answer.status))
    tap.none(faults, "who is not signed in is led to the sign-in, programs are refused")
    tap.same(web.get("/healthz").status, 200, "health needs no sign-in")


def forged(web, redis_token):
    """Words that only a proxy may say, and tokens that are none."""
    tap.same(web.get("/", headers={"X-Remote-User": "root"}).status, 400,
             "a user named by who is no proxy is refused")
    tap.same(web.get("/", headers={"X-Forwarded-For": "127.0.0.1", "X-Remote-User": "root"}).status,
             400, "whatever else he says")
    both = web.request("GET", "/", None, unix=True)
    tap.same(both.status, 303, "the Unix socket alone is nobody")
    connection = web.connection(unix=True)
    connection.putrequest("GET", "/")
    connection.putheader("X-Remote-User", "anna")
    connection.putheader("X-Remote-User", "root")
    connection.endheaders()
    tap.same(connection.getresponse().status, 400, "two users are refused")
    connection.close()
    tap.same(web.get("/", headers={"X-Remote-User": "stranger"}, unix=True).status, 401,
             "a name that is neither in the file nor an address is nobody")
    for token in ("", "tg_", "tg_" + "0" * 64, redis_token[:-1], redis_token.upper()):
        bearer = {"Authorization": "Bearer " + token}
        tap.same(web.get("/api/v1/reports/smtp", headers=bearer).status, 401,
                 "a token that is none: " + token[:8])


def one_place():
    """Pages read figures in web/figures.c alone, which takes nothing but a scope, and web/scope.c
    alone makes one. /metrics has no scope: whoever may read it sees the server's."""
    reads = re.compile(r"\bread_(?!\w+_add_row)(list\(|(report|counters|users?|accounts|nodes?|"
                       r"node_infos|violations|held|windows|lists|coverage|totals|adjustments|"
                       r"usage|message)\w*\()")
    faults = []
    for path in tree.files():
        if not re.match(r"web/\w+\.c$", path):
            continue
        text = tree.read(path).decode()
        if not re.match(r"web/(figures|metrics)", path) and reads.search(text):
            faults.append(path + ": reads figures past the scope")
        if path != "web/scope.c" and re.search(r"sees_nodes = |level = SCOPE_[SDU]\w+;", text):
            faults.append(path + ": makes a scope")
    tap.none(faults, "who sees what is decided in one place")
    tap.ok(reads.search(tree.read("web/figures.c").decode()), "which is found")


def main():
    one_place()
    folder = proc.scratch("web")
    redis = RedisServer(folder)
    fill(redis.connect())
    web = Web(folder, "unix://" + redis.path, now=NOW, user_header="X-Remote-User",
              customers=["own.example 4711", "foreign.example 4711"])
    web.start()
    nobody(web)
    for role, asker in askers(web):
        reports(role, asker)
        pages(role, asker)
    forged(web, web.add_token("grafana", "admin"))
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
