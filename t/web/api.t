#!/usr/bin/env python3
"""/api/v1: its OpenAPI file is sound and has every route; every answer is as it says, for each
role; totals are those of the command; violations and domains come in parts; ETag; errors."""

import datetime
import json
import os
import re
import sys

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree
import violations
from counted import UTC, Counted
from redis_server import RedisServer
from web import Web

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DOMAINS = ("example.com", "example.org", "shop.example")
PROBLEM = "application/problem+json"
# A question for each path; those of reports are asked of every report.
EXAMPLES = {"/api/v1/totals": "?month=2026-11"}
METHODS = {"HTTP_GET": "get", "READ": "get", "HTTP_PUT": "put", "HTTP_DELETE": "delete",
           "HTTP_POST": "post"}


def fill(redis):
    counted = Counted()
    for number, domain in enumerate(DOMAINS):
        for back in range(3):
            counted.add(NOW - datetime.timedelta(hours=9 * back), domain, {
                "in_messages": 1 + number, "in_bytes": 10**6 + number, "out_messages": 2,
                "out_bytes": 5, "smtp_in_connections": 1}, "alice@" + domain, "mx1")
    counted.add(NOW, "@", {"status_seconds": 60, "smtp_in_connections": 3, "messages": 9})
    counted.write(redis, {"mx1": int(NOW.timestamp())})
    through = int(NOW.timestamp())
    redis("HSET", "tg:{@mx1}:collect", "version", "0.1.0", "seen", through, "log_from", 1,
          "log_through", through, "pushed_through", through, "lines", 5, "gaps", 0)
    for number in range(5):
        holder = DOMAINS[number % 2]
        violations.add(redis, NOW - datetime.timedelta(minutes=10 - number), holder,
                       ("domain/recipients/hour", 600), 600, 3 + number, user="alice@" + holder)


class Api:
    def __init__(self, web, token):
        self.web, self.headers = web, {"Authorization": "Bearer " + token}

    def get(self, path, **headers):
        return self.web.get(path, headers=dict(self.headers, **headers))

    def json(self, path):
        answer = self.get(path)
        if answer.status != 200:
            raise RuntimeError("%s: %d %s" % (path, answer.status, answer.text))
        return json.loads(answer.text)


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def resolve(document, reference):
    at = document
    for part in reference.split("/")[1:]:
        at = at[part]
    return at


def sound(document):
    tap.ok(document["openapi"] == "3.1.0" and document["info"]["title"] and
           document["info"]["version"], "an OpenAPI file", document["info"])
    faults, ids = [], []
    for reference in references(document):
        try:
            resolve(document, reference)
        except KeyError:
            faults.append("nothing at " + reference)
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            faults.append("%s: %s" % (name, error))
    for path, method, operation in operations(document):
        ids.append(operation["operationId"])
        names = [(p["name"], p["in"]) for p in operation["parameters"]]
        if len(set(names)) != len(names):
            faults.append(path + ": a parameter twice")
        in_path = set(re.findall(r"{(\w+)}", path))
        if {n for n, where in names if where == "path"} != in_path:
            faults.append("%s: parameters of the path" % path)
        if not all(p["description"] and p["schema"] for p in operation["parameters"]):
            faults.append(path + ": a parameter without description or schema")
        if not {"200", "default"} & set(operation["responses"]) or not operation["summary"]:
            faults.append("%s %s: no answer, or no summary" % (method, path))
    if len(set(ids)) != len(ids):
        faults.append("an operationId twice")
    tap.none(faults, "which is sound")


def has_all_routes(document):
    routes = set()
    for path, methods in re.findall(r'{"(/api/v1/[^"]+)",\s*([A-Z_ |]+),',
                                    tree.read("web/routes.c").decode()):
        for word in re.findall(r"[A-Z_]+", methods):
            if METHODS.get(word):
                routes.add((path, METHODS[word]))
    described = {(re.sub(r"{\w+}", "*", path), method)
                 for path, method, _ in operations(document)}
    tap.ok(len(routes) >= 7, "routes of the API are found", routes)
    tap.same(sorted(described), sorted(routes), "each of them is described, and no other")


def check(document, schema, value):
    """What of the value the schema does not allow."""
    whole = dict(schema, components=document["components"])
    return [error.message[:300] for error in
            jsonschema.Draft202012Validator(whole).iter_errors(value)]


def schema_of(operation):
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def paths_to_ask(api, path):
    if path == "/api/v1/reports/{report}":
        for report in api.json("/api/v1/reports")["reports"]:
            yield path.replace("{report}", report["name"]) + "?from=today"
            yield path.replace("{report}", report["name"]) + "?from=2026-11-19&step=day"
        yield "/api/v1/reports/smtp?mode=user&domain=example.com&top=1"
    else:
        yield path.replace("{domain}", "example.com") + EXAMPLES.get(path, "")


def answers(document, api, who, may):
    """Every path answers as the file says: with what its schema allows, or with a problem."""
    faults, good = [], 0
    for path, method, operation in operations(document):
        if method != "get":
            continue
        for question in paths_to_ask(api, path):
            answer = api.get(question)
            value = json.loads(answer.text)
            if answer.status == 200:
                good += 1
                found = check(document, schema_of(operation), value)
            else:
                found = check(document, {"$ref": "#/components/schemas/Problem"}, value)
                if answer.headers["content-type"] != PROBLEM or answer.status != value["status"]:
                    found.append("no problem+json")
            faults += ["%s: %s" % (question, text) for text in found[:3]]
            if question.split("?")[0] in may and answer.status != 200:
                faults.append("%s: %d" % (question, answer.status))
    tap.none(faults, who + ": every path answers as the file says")
    tap.ok(good >= 4, who + ": with figures", good)
    report = api.json("/api/v1/reports/smtp")
    del report["total"]
    tap.ok(check(document, {"$ref": "#/components/schemas/Report.smtp"}, report),
           "an answer that lacks something is found")


def parameters(document, api):
    faults = []
    for path, method, operation in operations(document):
        if method != "get":
            continue
        question = next(paths_to_ask(api, path)).split("?")[0]
        answer = api.get(question + "?nonsense=1")
        if answer.status != 400 or "nonsense" not in answer.text:
            faults.append("%s: takes anything" % path)
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                answer = api.get("%s?%s=" % (question, parameter["name"]))
                if "unknown parameter" in answer.text:
                    faults.append("%s: does not know %s" % (path, parameter["name"]))
                for choice in parameter["schema"].get("enum", []):
                    answer = api.get("%s?%s=%s" % (question, parameter["name"], choice))
                    if "unknown value" in answer.text:
                        faults.append("%s: %s=%s" % (path, parameter["name"], choice))
    tap.none(faults, "the parameters are those that are described, and no others")
    for path in ("totals", "totals?from=2026-11-01", "totals?month=2026-11-02", "domains?top=0",
                 "totals?month=2026-11&from=2026-11-01", "violations?after=x", "domains?top=1e9",
                 "violations?domain=.."):
        answer = api.get("/api/v1/" + path)
        tap.same((answer.status, answer.headers["content-type"]), (400, PROBLEM), path)


def etags(api):
    for path in ("reports", "totals?month=2026-11", "domains", "violations", "nodes",
                 "openapi.json"):
        tag = api.get("/api/v1/" + path).headers.get("etag", "")
        again = api.get("/api/v1/" + path, **{"If-None-Match": tag})
        other = api.get("/api/v1/" + path, **{"If-None-Match": '"0"'})
        tap.same((again.status, again.body, other.status), (304, b"", 200), path + ": ETag")


def totals(web, api):
    for query, words in (("month=2026-11", ["--month", "2026-11"]),
                         ("from=2026-11-20&to=2026-11-21&domain=shop.example",
                          ["--from", "2026-11-20", "--to", "2026-11-21", "--domain",
                           "shop.example"]),
                         ("month=2026-11&by=customer", ["--month", "2026-11", "--by", "customer"]),
                         ("month=2026-11&customer=4711",
                          ["--month", "2026-11", "--customer", "4711"]),
                         ("month=2026-11&customer=4712",
                          ["--month", "2026-11", "--customer", "4712"])):
        want = json.loads(web.command.good("totals", *words, "--format", "json"))
        tap.same(api.json("/api/v1/totals?" + query), want, "totals as the command: " + query)
    for query, words in (("customer=4711", ["--customer", "4711"]),
                         ("mode=domain&customer=4711", ["--customer", "4711", "--by", "domain"]),
                         ("mode=customer", ["--by", "customer"])):
        want = json.loads(web.command.good("report", "smtp", "--format", "json", *words))
        got = api.json("/api/v1/reports/smtp?step=none&" + query)
        tap.same((got["scope"], got["name"], got["total"]),
                 (want["scope"], want["name"], want["total"]), "report as the command: " + query)
        name = {"mode=customer": "customer"}.get(query, "domain")
        tap.same({r.get(name): r["total_bytes"] for r in got["rows"]},
                 {r.get(name): r["total_bytes"] for r in want["rows"]}, "and its rows")
    page = api.get("/c/4711").text
    total = want["rows"][[r["customer"] for r in want["rows"]].index("4711")]["in_messages"]
    tap.ok("{:,}".format(total) in page and "/limits/@customer:4711" in page and
           'href="/c/4711"' in api.get("/customers").text, "the pages of a customer", total)
    one = Api(web, web.add_token("two", "domain", "example.org,example.com"))
    rows = one.json("/api/v1/totals?month=2026-11")["rows"]
    tap.same([row["account"] for row in rows], ["example.com", "example.org"],
             "who has two domains gets the totals of both")
    tap.same(one.get("/api/v1/totals?month=2026-11&domain=shop.example").status, 404,
             "and of no other")


def in_parts(redis, api):
    got, after = [], ""
    while after is not None:
        part = api.json("/api/v1/domains?top=2&after=" + after)
        got.append(part["domains"])
        after = part["next"]
    tap.same(got, [list(DOMAINS[:2]), list(DOMAINS[2:])], "domains in parts")
    everything = api.json("/api/v1/violations")
    tap.same([v["wanted"] for v in everything["violations"]], [3, 4, 5, 6, 7],
             "violations, the oldest first")
    first = everything["violations"][0]["id"]
    part = api.json("/api/v1/violations?top=2&after=" + first)
    tap.same([v["wanted"] for v in part["violations"]], [4, 5], "those behind one")
    part = api.json("/api/v1/violations?after=" + part["next"])
    tap.same([v["wanted"] for v in part["violations"]], [6, 7], "and on")
    again = api.json("/api/v1/violations?after=" + part["next"])
    tap.same((again["violations"], again["next"]), ([], part["next"]), "until there is none")
    violations.add(redis, NOW, DOMAINS[0], ("domain/recipients/hour", 600), 600, 99)
    new = api.json("/api/v1/violations?after=" + again["next"])["violations"]
    tap.same([(v["account"], v["wanted"]) for v in new], [(DOMAINS[0], 99)], "a new one comes")
    two = api.json("/api/v1/violations?top=2")["violations"]
    tap.same([v["wanted"] for v in two], [7, 99], "without `after', the last ones")
    empty = api.json("/api/v1/violations?domain=shop.example")
    tap.same((empty["violations"], empty["next"]), ([], "0-0"), "none at all")


def usage(web, api):
    """As the command says."""
    got = api.json("/api/v1/domains/example.com/usage")
    want = json.loads(web.command.good("usage", "example.com", "--format", "json"))
    tap.same((got["account"], got["mode"], got["exempt"]), ("example.com", "observe", False),
             "usage of a domain")
    tap.same([row["limit"] for row in got["limits"]], [row["limit"] for row in want["limits"]],
             "has the limits of the command")
    tap.ok(got["limits"], "which there are")
    for path, want in (("nowhere.example", 404), ("@server", 404), ("..", 404)):
        tap.same(api.get("/api/v1/domains/%s/usage" % path).status, want, "usage of " + path)
    one = Api(web, web.add_token("three", "domain", "example.org"))
    tap.same(one.get("/api/v1/domains/example.com/usage").status, 404, "of another's domain")


def installed(document):
    path = os.path.join(proc.BUILD, "doc/tollgate-api.json")
    tap.same(json.loads(proc.read_text(path)), document, "the file that is installed is the same")


def main():
    folder = proc.scratch("api")
    server = RedisServer(folder)
    redis = server.connect()
    fill(redis)
    web = Web(folder, server.url, now=NOW,
              customers=["example.com 4711", "example.org 4711", "nowhere.example 4712"])
    proc.write_text(os.path.join(folder, "domains"), "\n".join(DOMAINS) + "\n")
    web.start()
    api = Api(web, web.add_token("all", "admin"))
    document = api.json("/api/v1/openapi.json")
    sound(document)
    has_all_routes(document)
    installed(document)
    everything = ["/api/v1/" + p for p in ("reports", "reports/smtp", "totals", "domains",
                                           "domains/example.com/usage", "violations", "nodes")]
    answers(document, api, "admin", everything)
    answers(document, Api(web, web.add_token("one", "domain", "example.com")), "domain",
            everything[:-1])
    parameters(document, api)
    etags(api)
    totals(web, api)
    usage(web, api)
    in_parts(redis, api)
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
