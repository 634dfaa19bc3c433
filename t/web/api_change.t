#!/usr/bin/env python3
"""What programs change over /api/v1: limits, plans, held mail. Which token may, what is refused,
ETags, the log, and that the command says the same."""

import json
import os
import re
import sys
import time

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from web import Web

PASSWORD = "correct horse"
HOUR = "domain/recipients/hour"
LIMITS = "tg:{own.example}:limits"
PLANS = """
plans = (
  { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "hold"; } ); },
  { name = "business"; limits = (
    { scope = "domain"; metric = "recipients"; max = "6000"; per = "hour"; action = "defer"; } ); }
);
"""
OWN = "/api/v1/domains/own.example/"
LIMIT = OWN + "limits?limit=" + HOUR
HELD = "/api/v1/held/mx1/4ABC?domain=own.example"
CHANGES = (("PUT", LIMIT, {"max": 2000, "reason": "r"}),
           ("DELETE", LIMIT + "&reason=r", None),
           ("PUT", OWN + "plan", {"plan": "business", "reason": "r"}),
           ("DELETE", OWN + "plan?reason=r", None),
           ("PUT", OWN + "adjustments?id=a1", {"month": "2026-11", "counter": "out_messages",
                                               "amount": -2, "reason": "r"}),
           ("PUT", HELD, {"reason": "r"}),
           ("DELETE", HELD + "&reason=r", None))


class Api:
    def __init__(self, web, token=None, headers=None):
        self.web = web
        self.headers = headers or {"Authorization": "Bearer " + token}

    def __call__(self, method, path, value=None, **headers):
        body = json.dumps(value) if isinstance(value, dict) else value
        more = dict(self.headers, **({"Content-Type": "application/json"} if body else {}))
        more.update({name.replace("_", "-"): text for name, text in headers.items()})
        return self.web.request(method, path, more, body)


class Site:
    def __init__(self):
        self.folder = proc.scratch("api-change")
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.web = Web(self.folder, self.server.url, user_header="X-Remote-User",
                       trusted=["127.0.0.1"])
        proc.write_text(os.path.join(self.folder, "domains"), "own.example\nforeign.example\n")
        with open(self.web.command.conf, "a", encoding="utf-8") as f:
            f.write(PLANS)
        self.web.add_user("root", PASSWORD, "admin")
        self.web.start()
        for domain in ("own", "foreign"):
            self.redis("ZADD", "tg:{%s.example}:held" % domain, 1795878503, "mx1/4ABC")
        self.panel = Api(self.web, self.token("panel", "admin", "", "--write"))
        self.document = json.loads(self.panel("GET", "/api/v1/openapi.json").text)

    def token(self, name, role, domains="", *more):
        words = ["web", "token", name, "--role", role, *more]
        return self.web.command.good(*words, *(["--domains", domains] if domains else [])).strip()

    def state(self):
        return (self.redis.hash(LIMITS), self.redis("GET", "tg:{own.example}:plan"),
                sorted(self.redis.hash("tg:{@mx1}:release")),
                self.redis.hash("tg:{own.example}:adjust"),
                self.redis.hash("tg:{foreign.example}:adjust"))

    def check(self, name, value):
        whole = {"$ref": "#/components/schemas/" + name, "components": self.document["components"]}
        return [e.message for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]


def limits(site):
    answer = site.panel("PUT", LIMIT, {"max": 2000, "soft": 90, "forwards": True,
                                       "until": "+3days", "reason": 'ticket "1"'})
    tap.same(answer.status, 200, "a limit is set", answer.text)
    value = re.sub(r"until=\d+", "until=", site.redis.hash(LIMITS)[HOUR])
    written = 'max=2000 action=hold soft=90 forwards=yes until= reason="ticket \\"1\\"" ' \
        'author="panel"'
    tap.same(value, written, "with the token's name as author")
    shown = json.loads(site.web.command.good("limit", "show", "own.example", "--format", "json"))
    tap.same(json.loads(answer.text), shown, "the answer is what the command says of it")
    got = site.panel("GET", OWN + "limits")
    tap.same((got.text, site.check("Limits", shown)), (answer.text, []), "and what is got later")
    tap.ok(re.search(r"limit changed by=panel client=127\.0\.0\.1 holder=own\.example limit=" +
                     HOUR + " was=none is=.max=2000", site.web.wrote()), "a line in the log")
    answer = site.panel("DELETE", LIMIT + "&reason=over")
    tap.same((answer.status, site.redis.hash(LIMITS)), (200, {}), "and removed")
    tap.same(site.panel("DELETE", LIMIT + "&reason=over").status, 404, "once")
    for holder, name in (("@server", "server/bytes/day"), ("@client:192.0.2.1",
                                                           "client/messages/hour"),
                         ("alice@own.example", "user/messages/day")):
        path = "/api/v1/domains/%s/limits?limit=%s" % (holder, name)
        answer = site.panel("PUT", path, {"max": "7", "reason": "r"})
        tap.ok(answer.status == 200 and name in answer.text, "of " + holder, answer.text)
        tap.same(site.panel("DELETE", path + "&reason=r").status, 200, "which is removed")


def plans(site):
    answer = site.panel("PUT", OWN + "plan", {"plan": "business", "reason": "pays"})
    value = json.loads(answer.text)
    tap.same((answer.status, value["plan"], value["plan_from"]), (200, "business", "set"),
             "a plan is set")
    tap.ok("plan changed by=panel client=127.0.0.1 holder=own.example was=none is=business "
           "reason=pays" in site.web.wrote(), "a line in the log")
    answer = site.panel("DELETE", OWN + "plan?reason=left")
    tap.same(json.loads(answer.text)["plan"], "default", "and removed")


def held(site):
    answer = site.panel("PUT", HELD, {"reason": "<b>"})
    value = json.loads(answer.text)
    tap.same((answer.status, value["asked"]["by"], value["asked"]["reason"],
              site.check("HeldMessage", value)), (200, "panel", "<b>", []),
             "a release is asked for")
    listed = json.loads(site.panel("GET", "/api/v1/held?domain=own.example").text)
    tap.same((listed["held"], site.check("Held", listed)), ([value], []), "the list says so")
    tap.same(site.panel("PUT", HELD, {"reason": "r"}).status, 409, "once")
    one = Api(site.web, site.token("one", "domain", "own.example"))
    seen = json.loads(one("GET", "/api/v1/held").text)["held"]
    tap.same([sorted(m["asked"]) for m in seen], [["at"]],
             "a domain's administrator sees that, but not by whom")
    tap.same(one("GET", "/api/v1/held?domain=foreign.example").status, 404, "and no other's mail")
    answer = site.panel("DELETE", HELD + "&reason=slip")
    tap.same((answer.status, json.loads(answer.text)["asked"]), (200, None), "it is withdrawn")
    tap.same(site.panel("DELETE", HELD + "&reason=slip").status, 409, "once")


def adjustments(site):
    path, month = OWN + "adjustments?id=", time.strftime("%Y-%m", time.gmtime())
    change = {"month": month, "counter": "out_messages", "amount": -2, "evidence": "mail",
              "reason": "ticket 5"}
    answer = site.panel("PUT", path + "a1", change)
    value = json.loads(answer.text)
    tap.same((answer.status, value["added"], site.check("Adjustment", value)), (200, True, []),
             "an adjustment is added")
    entry = site.redis.hash("tg:{own.example}:adjust")[month + " a1"]
    entry = dict(json.loads(entry), at=0)
    tap.same(entry, {"amounts": {"out_messages": -2}, "reason": "ticket 5", "evidence": "mail",
                     "by": "panel", "at": 0}, "with reason, evidence and author")
    tap.ok("adjustment added by=panel client=127.0.0.1 account=own.example month=%s id=a1 "
           "counter=out_messages amount=-2 evidence=mail" % month in site.web.wrote(),
           "a line in the log")
    again = site.panel("PUT", path + "a1", dict(change, amount=-9))
    tap.same((again.status, json.loads(again.text)["added"]), (200, False), "once")
    tap.ok("-9" not in str(site.redis.hash("tg:{own.example}:adjust")), "it stays as it is")
    for fields, text in (({"month": "2026"}, "month: write"), ({"month": "2999-01"}, "month"),
                         ({"month": "2026-11-01"}, "month"),
                         ({"counter": "out_mesages"}, "write out_messages"),
                         ({"amount": 0}, "amount: use"), ({"amount": "1e3"}, "amount: use"),
                         ({"amount": str(2**53)}, "amount: use"), ({"reason": None}, "reason: say"),
                         ({"evidence": "x" * 501}, "evidence: shorten")):
        answer = site.panel("PUT", path + "a2", dict(change, **fields))
        tap.ok(answer.status == 400 and text in answer.text, "refused: %s" % str(fields)[:40],
               answer.text)
    for identity in ("", "a%20b", "x" * 65, "a%C3%A9"):
        tap.same(site.panel("PUT", path + identity, change).status, 400, "an id: " + identity[:9])
    tap.same(len(site.redis.hash("tg:{own.example}:adjust")), 1, "nothing was done")


def etags(site):
    site.panel("PUT", LIMIT, {"max": 5, "reason": "r"})
    tag = site.panel("GET", OWN + "limits").headers["etag"]
    site.web.command.good("limit", "set", "own.example", "domain/bytes/day", "7GB")
    for method, path, value in CHANGES[:4]:
        answer = site.panel(method, path, value, If_Match=tag)
        tap.same((answer.status, "get them again" in answer.text), (412, True),
                 "%s of what has changed meanwhile" % method)
    tap.ok("max=5" in site.redis.hash(LIMITS)[HOUR], "nothing was done")
    tag = site.panel("GET", OWN + "limits").headers["etag"]
    answer = site.panel("PUT", LIMIT, {"max": 6, "reason": "r"}, If_Match=tag)
    tap.same(answer.status, 200, "with the ETag of now it is done")
    answer = site.panel("PUT", LIMIT, {"max": 7, "reason": "r"}, If_Match=answer.headers["etag"])
    tap.same(answer.status, 200, "and again with that of the answer")
    tap.same(site.panel("PUT", LIMIT, {"max": 7, "reason": "r"}, If_Match=tag).status, 412,
             "what is sent twice is done once")
    tap.same(site.panel("DELETE", LIMIT + "&reason=r", If_Match="*").status, 200,
             "whatever there is")
    site.redis("DEL", LIMITS)


def who(site):
    """Each change by everybody who may not."""
    cookie = {"Cookie": site.web.sign_in("root", PASSWORD), "Origin": "http://127.0.0.1"}
    askers = (("nobody", Api(site.web, headers={"Accept": "*/*"}), 401, 401),
              ("an unknown token", Api(site.web, "tg_" + "0" * 64), 401, 401),
              ("a session", Api(site.web, headers=cookie), 403, 403),
              ("a proxy", Api(site.web, headers={"X-Remote-User": "root"}), 403, 403),
              ("an admin's token that reads", Api(site.web, site.token("read", "admin")), 403, 403),
              ("a domain's token", Api(site.web, site.token("one", "domain", "own.example")), 403,
               404),
              ("a user's token", Api(site.web, site.token("alice@own.example", "user")), 404, 404))
    before = site.state()
    for name, api, own, foreign in askers:
        for method, path, value in CHANGES:
            for where, want in ((path, own), (path.replace("own.", "foreign."), foreign)):
                answer = api(method, where, value)
                tap.ok(answer.status == want and
                       answer.headers["content-type"] == "application/problem+json" and
                       site.check("Problem", json.loads(answer.text)) == [],
                       "%s by %s" % (method, name), where, answer.status, answer.text)
    code, _, err = site.web.command("web", "token", "x", "--role", "domain", "--domains", "a.b",
                                    "--write")
    tap.ok(code == 64 and "--write needs --role admin" in err, "only an admin's token may write")
    tap.same(site.state(), before, "none of them did anything")


def faults(site):
    before = site.state()
    for body, text in (("", "no JSON object"), ("[1]", "no JSON object"), ("{", "no JSON object"),
                       ('{"max": 1, "max": 2, "reason": "r"}', "duplicate"),
                       ('{"max": 1.5, "reason": "r"}', "max: use"),
                       ('{"max": [1], "reason": "r"}', "max: use"),
                       ('{"max": 1, "reason": "a\\nb"}', "reason: use"),
                       ('{"max": 1, "reason": "a\\u202eb"}', "reason: use"),
                       ('{"max": 1, "reason": "r", "macks": 1}', "macks: unknown member"),
                       ('{"max": 1}', "reason: say why"), ('{"reason": "r"}', "max: give"),
                       ('{"max": -1, "reason": "r"}', "-1"),
                       ('{"max": 1, "reason": "%s"}' % ("x" * 501), "reason: shorten"),
                       ('{"max": 1, "reason": "r", "force": 1}', "force: use true or false"),
                       ('{"max": 1, "reason": "r", "soft": 100}', "soft: use"),
                       ('{"max": 1, "reason": "r", "action": "burn"}', "action: use"),
                       ('{"max": 1, "reason": "r", "until": "then"}', "until")):
        answer = site.panel("PUT", LIMIT, body or " ")
        tap.ok(answer.status == 400 and text in json.loads(answer.text)["detail"],
               "refused: " + body[:40], answer.status, answer.text)
    for method, path, value, want in (
            ("PUT", OWN + "limits", {"max": 1, "reason": "r"}, 400),
            ("PUT", OWN + "limits?limit=mails", {"max": 1, "reason": "r"}, 400),
            ("PUT", LIMIT + "&reason=r", {"max": 1, "reason": "r"}, 400),
            ("DELETE", LIMIT, None, 400), ("DELETE", OWN + "plan", None, 400),
            ("PUT", OWN + "plan", {"plan": "nosuch", "reason": "r"}, 400),
            ("PUT", OWN + "plan", {"reason": "r"}, 400),
            ("PUT", HELD.replace("4ABC", "4XYZ"), {"reason": "r"}, 404), ("PUT", HELD, {}, 400),
            ("DELETE", "/api/v1/domains/unknown.example/plan?reason=r", None, 404),
            ("POST", LIMIT, None, 405), ("DELETE", "/api/v1/domains", None, 405)):
        answer = site.panel(method, path, value)
        tap.same(answer.status, want, "%s %s" % (method, path))
    answer = site.panel("PUT", LIMIT, '{"max": 1, "reason": "%s"}' % ("x" * 9000))
    tap.same(answer.status, 413, "a body that is too large")
    answer = site.panel("PUT", LIMIT, {"max": 1, "reason": "r"}, Content_Type="text/plain")
    tap.same(answer.status, 415, "a body of another type")
    tap.same(site.state(), before, "nothing was done")


def main():
    site = Site()
    limits(site)
    plans(site)
    held(site)
    adjustments(site)
    etags(site)
    who(site)
    faults(site)
    tap.same(site.web.stop(), 0, "it stops")


tap.run(main)
