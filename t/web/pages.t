#!/usr/bin/env python3
"""Pages beside the reports: each shows and gives as data what the command says, to whom it may."""

import csv
import datetime
import hashlib
import hmac
import io
import json
import os
import re
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import violations
from counted import UTC, Counted
from redis_server import RedisServer
from tollgate import stopped_clock
from web import Web
from windows import Windows

NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
PASSWORD = "correct horse"
KEY = "0123456789abcdef0123456789abcdef"
PLANS = """
throttle: { mode = "enforce"; exempt: { domains = ["second.example"]; }; };
plans = ( { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "defer"; },
    { scope = "domain"; metric = "bytes"; max = "10GB"; per = "day"; action = "reject"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "hold"; },
    { scope = "server"; metric = "messages"; max = "1000"; per = "day"; action = "log"; } ); } );
"""


def xadd(redis, key, **fields):
    redis("XADD", key, "*", *[str(x) for item in fields.items() for x in item])


def fill_lists(redis):
    redis("HSET", "tg:{@mx1}:collect", "pushed_through", NOW_S, "log_from", 1)
    for domain, text in (("own.example", "550 5.7.1 <b>listed</b>"), ("foreign.example", "550 no"),
                         ("own.example", "550 5.7.1 <b>listed</b>")):
        xadd(redis, "tg:refusals", node="mx1", time_ms=(NOW_S - 3600) * 1000,
             provider="outlook.example", relay="mx.outlook.example", list="zen.spamhaus.org",
             domain=domain, text=text, greeting=0)
    for subject, value in (("alice@own.example", 4812), ("foreign.example", 2950)):
        xadd(redis, "tg:anomalies", node="mx1", time_ms=(NOW_S - 7200) * 1000, kind="login",
             subject=subject, metric="out_recipients", value=value, usual="11.5", factor="418.4")


def adjust(redis, domain, period, number, amounts, reason):
    redis("HSET", "tg:{%s}:adjust" % domain, "%s mx1/%d" % (period, number), json.dumps(
        {"amounts": amounts, "reason": reason, "evidence": "mx1 4QUEUED", "by": "reconcile",
         "at": NOW_S - number}))


def fill_billing(redis, counted):
    october = NOW.replace(month=10)
    counted.add(october, "own.example", {"in_messages": 41, "in_bytes": 4100})
    counted.add(october, "second.example", {"out_messages": 42, "out_recipients": 43})
    counted.add(october, "foreign.example", {"forward_bytes": 91919191})
    counted.add(october, "_unattributed", {"relay_messages": 1})
    for domain in ("own.example", "foreign.example"):
        adjust(redis, domain, "2026-10", 1, {"out_messages": -1, "out_bytes": -1234567},
               "<i>missed</i> of " + domain)
    adjust(redis, "own.example", "2026-11", 2, {"in_messages": 5}, "of November")
    redis("HSET", "tg:{own.example}:adjust", "2026-10 mx1/9", "broken")


def fill(redis):
    counted = Counted()
    fill_billing(redis, counted)
    counted.add(NOW, "own.example", {"out_messages": 7, "out_bytes": 7000}, "alice@own.example")
    counted.add(NOW, "foreign.example", {"out_messages": 9}, "bob@foreign.example")
    counted.write(redis, {"mx1": NOW_S})
    fill_lists(redis)


class Site:
    def __init__(self):
        self.folder = proc.scratch("web")
        self.server = RedisServer(self.folder, env=stopped_clock(self.folder, NOW))
        self.redis = self.server.connect()
        fill(self.redis)
        self.key = os.path.join(self.folder, "link.key")
        proc.write_text(self.key, KEY + "\n")
        self.web = Web(self.folder, "unix://" + self.server.path, now=NOW, link_key_file=self.key)
        self.configure(PLANS)
        self.web.start()
        self.roles = {}
        for role, name, domains in (("admin", "root", ""),
                                    ("domain", "anna", "own.example,second.example"),
                                    ("user", "alice@own.example", "")):
            self.web.add_user(name, PASSWORD, role, domains)
            self.roles[role] = self.web.sign_in(name, PASSWORD)

    def configure(self, more):
        proc.write_text(os.path.join(self.folder, "domains"),
                        "own.example\nsecond.example\nforeign.example\nquiet.example\n")
        proc.write_text(self.web.command.conf,
                        proc.read_text(self.web.command.conf) + more)

    def get(self, path, role="admin"):
        return self.web.get(path, self.roles[role])

    def says(self, *args):
        return self.web.command.good(*args)


def lists(site):
    for name in ("refusals", "anomalies"):
        for words, query in (((), ""), (("--domain", "own.example"), "?domain=own.example"),
                             (("--from", "2026-10", "--to", "2026-10"),
                              "?from=2026-10&to=2026-10")):
            path = "/r/%s%%s%s" % (name, query)
            answer = site.get(path % ".csv")
            tap.same((answer.text, answer.headers["content-type"]),
                     (site.says("report", name, "--format", "csv", *words),
                      "text/csv; charset=utf-8"), path % ".csv" + " is what the command writes")
            data = json.loads(site.says("report", name, "--format", "json", *words))
            tap.same(json.loads(site.get(path % ".json").text), data, path % ".json")
            tap.same(json.loads(site.get("/api/v1/reports/" + name + query).text), data,
                     "and for programs")
            page = site.get(path % "")
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            tap.same((page.status, page.text.count("<tr>")), (200, len(rows) + (len(rows) > 0)),
                     "the page has as many rows")
        tap.same(site.get("/r/%s?domain=foreign.example" % name, "domain").status, 404,
                 "not another's")
        tap.same([site.get("/r/%s%s" % (name, e), "user").status for e in ("", ".csv")],
                 [404, 404], "not for users")
        own = site.get("/r/" + name, "domain").text
        tap.ok("own.example" in own and "foreign.example" not in own, "a domain has its own", own)
    page = site.get("/r/refusals").text
    tap.ok("550 5.7.1 &lt;b>listed&lt;/b>" in page or "550 5.7.1 &lt;b&gt;listed" in page,
           "what others say is text", page)
    tap.ok('href="/r/refusals"' in site.get("/r/smtp").text, "they are found")
    tap.ok('href="/r/refusals"' not in site.get("/r/smtp", "user").text, "by who may see them")
    for path, want in (("/r/refusals?top=0", "top: use a number"), ("/r/refusals?sort=x", "sort"),
                       ("/r/refusals?from=soon", "from soon")):
        answer = site.get(path)
        tap.ok(answer.status == 400 and want in answer.text, path, answer.text)
    tap.same((site.get("/r/refusals.svg").status, site.get("/help/refusals").status), (404, 200),
             "no chart, but a help page")
    answer = site.web.get("/r/refusals.csv")
    tap.ok(answer.status == 401 and "problem+json" in answer.headers["content-type"],
           "programs are refused as programs", answer.status)


def billing(site):
    """The totals of a month: what the command writes, within what each may see."""
    for month in ("2026-10", "2026-11"):
        for words, query in (((), ""), (("--domain", "own.example"), "?domain=own.example")):
            answer = site.get("/billing/%s.csv%s" % (month, query))
            tap.same((answer.text, answer.headers["content-type"]),
                     (site.says("totals", "--month", month, *words), "text/csv; charset=utf-8"),
                     "the CSV of %s%s is what the command writes" % (month, query))
            tap.same(json.loads(site.get("/billing/%s.json%s" % (month, query)).text),
                     json.loads(site.says("totals", "--month", month, "--format", "json", *words)),
                     "and so is the JSON")
    page = site.get("/billing/2026-10")
    rows = re.findall(r'<th scope="row">.*?<bdi>([^<]*)</bdi>', page.text)
    tap.same(rows[:5], ["_unattributed", "foreign.example", "own.example", "second.example", "Sum"],
             "each account has a line")
    tap.ok(", complete</p>" in page.text and ", so far</p>" in site.get("/billing").text,
           "complete, or so far")
    tap.same(re.findall(r'href="/billing/(\d{4}-\d\d)"', page.text)[:3],
             ["2026-11", "2026-10", "2026-09"], "links to the months")
    tap.ok(page.text.count("out_messages -1, out_bytes -1,234,567") == 2 and
           "&lt;i" in page.text and "of November" not in page.text,
           "its corrections, and no other month's", page.text)
    tap.ok("of November" in site.get("/billing").text, "which that month has")
    tap.ok("Closed at" not in page.text, "a month that is not closed says nothing of that")
    site.redis("HSET", "tg:periods", "2026-10",
               "2026-10\t%s\t2026-11-01T06:00:00Z\troot\t" % ("0f" * 32))
    page = site.get("/billing/2026-10")
    tap.ok("Closed at 2026-11-01T06:00:00Z by root." in page.text and "0f" * 32 in page.text,
           "one that is, by whom, and its hash", page.text)
    own = site.get("/billing/2026-10", "domain").text
    tap.ok("own.example" in own and "second.example" in own and "foreign" not in own and
           "91919191" not in own and "_unattributed" not in own,
           "who has several domains gets all of them, and nobody else's", own)
    data = site.get("/billing/2026-10.csv", "domain").text
    tap.same([row["account"] for row in csv.DictReader(io.StringIO(data))],
             ["own.example", "second.example"], "in data, too")
    tap.same(len(re.findall('<th scope="row">', site.get("/billing/2026-10?top=1").text)), 4,
             "top= cuts the list, not the corrections")
    tap.same([site.get(path, role).status for path, role in
              (("/billing", "user"), ("/billing/2026-10.csv", "user"),
               ("/billing?domain=foreign.example", "domain"), ("/billing/2027-01", "admin"),
               ("/billing/2026", "admin"), ("/billing/2026-10.svg", "admin"),
               ("/billing/2026-10-01", "admin"), ("/billing/.csv", "admin"))], [404] * 8,
             "what is not there, or another's")
    tap.same([site.get(path).status for path in ("/billing?top=x", "/billing?month=2026-10")],
             [400, 400], "what cannot be asked")
    tap.same(site.web.get("/billing/2026-10.json").status, 401, "nobody gets nothing")
    site.redis("HDEL", "tg:{@mx1}:node", "pushed_through")
    page = site.get("/billing/2026-10").text
    tap.ok(", so far</p>" in page and "mx1" in page, "who is missing is named", page)
    site.redis("HSET", "tg:{@mx1}:node", "pushed_through", NOW_S)


def usage_rows(page):
    """(limit, user, used, width of the bar, full, room again, full on, action) of each row."""
    part = page[page.index('id="usage-caption"'):] if 'id="usage-caption"' in page else ""
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", part[:part.find("</table>")]):
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
        bar = re.search(r'class="(good|warn|bad)" width="(\d+)"', row)
        if len(cells) == 8 and "<bdi>" in cells[0]:
            found.append((re.sub("<.*?>", "", cells[0]), cells[4], cells[1],
                          bar.groups() if bar else None, cells[3]) + tuple(cells[5:]))
    return found


def usage(site):
    """How much of its limits a domain, a user or the server has used."""
    windows = Windows(site.redis)
    for minutes in (50, 10):
        windows.consume("own.example", "recipients", "hour", 300,
                        NOW - datetime.timedelta(minutes=minutes))
    windows.consume("own.example", "messages", "day", 170, NOW - datetime.timedelta(hours=2),
                    "alice@own.example")
    windows.consume("@server", "messages", "day", 20, NOW - datetime.timedelta(hours=2))
    page = site.get("/d/own.example").text
    tap.same(usage_rows(page),
             [("domain/recipients/hour", "", "600 of 600", ("bad", "1000"), "100%",
               "12:11 (in 11min)", "", "defer"),
              ("domain/bytes/day", "", "0 B of 10.0 GB", None, "0%", "", "", "reject"),
              ("user/messages/day", "alice@own.example", "170 of 200", ("warn", "850"), "85%", "",
               "", "hold")], "a domain and its fullest users")
    said = json.loads(site.says("usage", "own.example", "--format", "json"))["limits"]
    tap.same([(r["limit"], "%d%%" % r["percent"]) for r in said],
             [(r[0], r[4]) for r in usage_rows(page)], "as the command says")
    tap.same(usage_rows(site.get("/d/own.example", "domain").text), usage_rows(page),
             "its administrator sees the same")
    own = usage_rows(site.get("/", "user").text)
    tap.same([r[:2] for r in own], [("user/messages/day", "alice@own.example")],
             "a user sees his own alone")
    tap.same([r[0] for r in usage_rows(site.get("/").text)], ["server/messages/day"],
             "the overview has those of the server")
    tap.ok("Exempt: no limit applies" in site.get("/d/second.example", "domain").text, "exempt")
    tap.ok('style="' not in page and 'aria-hidden="true"' in page, "bars are decoration")
    page = site.get("/d/_unattributed")
    tap.same((page.status, usage_rows(page.text)), (200, []), "nobody has no limits")


def signed(domain, until, key=KEY):
    text = "card\n%s\n%s" % (domain, until)
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return "/d/%s/card.svg?until=%s&sig=%s" % (domain, until, signature)


def card(site):
    """The picture of a domain's month: by a signed link for anybody, else as the page is."""
    answer = site.get("/d/own.example/card.svg", "domain")
    root = xml.etree.ElementTree.fromstring(answer.text)
    words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    tap.same(words, ["own.example", "2026-11 so far", "In", "0 B", "Out", "6.8 KB", "Forward",
                     "0 B", "100% of 600 recipients per hour"], "what it shows")
    bars = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if e.get("fill") == "#0072b2"]
    tap.same([e.get("height") for e in bars], ["28"], "a bar for the one day with mail")
    tap.none([e.tag for e in root.iter() if e.get("style") or e.get("href") or
              e.tag.endswith(("}style", "}script", "}a", "}image"))],
             "it refers to nothing, and needs no style sheet")
    tap.ok(root.get("role") == "img" and root[0].text == "own.example, 2026-11" and
           "out 6.8 KB" in root[1].text, "and says so in words")
    tap.same((answer.headers["content-type"], answer.headers["cross-origin-resource-policy"],
              answer.headers["cache-control"]), ("image/svg+xml", "same-origin",
                                                 "private, no-cache"), "for who is signed in")
    tap.same([site.get("/d/%s/card.svg" % d, role).status for d, role in (
        ("own.example", "admin"), ("foreign.example", "domain"), ("own.example", "user"),
        ("unknown.example", "admin"), ("..%2f", "admin"))], [200, 404, 404, 404, 404],
             "as the domain's page")
    tap.same(site.web.get("/d/own.example/card.svg").status, 404, "who is nobody needs a link")
    link = site.says("web", "card", "own.example", "--days", "2").strip()
    tap.same(link, signed("own.example", NOW_S + 2 * 86400), "the command makes one")
    first, again = site.web.get(link), site.web.get(link)
    tap.same((first.status, first.body == answer.body, again.status), (200, True, 200),
             "which shows the same, as often as one likes")
    tap.same((first.headers["cross-origin-resource-policy"], first.headers["cache-control"]),
             ("cross-origin", "public, max-age=300"), "in other sites, and may be kept a while")
    tap.same(site.web.get(link, headers={"If-None-Match": first.headers["etag"]}).status, 304,
             "who has it does not get it again")
    wrong = (signed("own.example", NOW_S - 1), signed("own.example", NOW_S + 400 * 86400),
             signed("own.example", NOW_S + 60, KEY[:-1] + "x"), signed("own.example", "soon"),
             signed("unknown.example", NOW_S + 60), link.replace("own.example", "foreign.example"),
             link[:-1] + ("0" if link[-1] != "0" else "1"), re.sub("until=", "until=1", link),
             "/d/own.example/card.svg?until=%d" % (NOW_S + 60))
    tap.same([site.web.get(path).status for path in wrong], [404] * len(wrong),
             "over, too long, of another key, domain or time: there is nothing")
    tap.same(site.get(wrong[2], "admin").status, 404, "not for an administrator either")
    tap.same(site.web.get(link.replace("/card.svg", "")).status, 303, "the link opens no page")
    tap.same(site.get(link + "&top=1").status, 400, "nor takes other words")
    for want, text, args in ((64, "--days", ["own.example", "--days", "0"]),
                             (64, "card takes", ["own.example", "--role", "admin"]),
                             (65, "no domain", ["..", ])):
        code, out, err = site.web.command("web", "card", *args)
        tap.ok(code == want and text in err and out == "", "web card " + " ".join(args), code, err)


def messages(site):
    """What is known of a queue id, to each what concerns him."""
    hour = ("domain/recipients/hour", 600)
    for domain, user in (("own.example", "alice@own.example"),
                         ("foreign.example", "bob@foreign.example")):
        violations.add(site.redis, NOW - datetime.timedelta(hours=5), domain, hour, 598, 3,
                       qid="4BOTH", user=user, sender=user)
        site.redis("ZADD", "tg:{%s}:held" % domain, NOW_S - 3600, "mx1/4BOTH")
    violations.add(site.redis, NOW, "foreign.example", hour, 598, 3, qid="4FOREIGN")
    violations.add(site.redis, NOW, "own.example", hour, 600, 1, qid="4OTHERS",
                   user="carol@own.example", sender="<script>@own.example")
    page = site.get("/q/4BOTH").text
    tap.same((page.count("598+3/600"), page.count("<bdi>foreign.example</bdi>"),
              page.count("<bdi>own.example</bdi>")), (2, 1, 1), "an administrator is told all")
    tap.ok("tollgate release 4BOTH" in page and "tollgate why 4BOTH" in page and "deferred" in page,
           "with what to run where", page)
    page = site.get("/q/4BOTH", "domain").text
    tap.ok("598+3/600" in page and "own.example" in page and "foreign" not in page and
           "bob@" not in page and "tollgate why" not in page, "a domain its own part", page)
    page = site.get("/q/4BOTH", "user").text
    tap.ok("598+3/600" in page and "foreign" not in page and "On hold" not in page,
           "a user his own", page)
    tap.ok("&lt;script" in site.get("/q/4OTHERS").text, "names are text")
    tap.same([site.get(path, role).status for path, role in
              (("/q/4FOREIGN", "domain"), ("/q/4FOREIGN", "user"), ("/q/4OTHERS", "user"),
               ("/q/4NOTHING", "domain"), ("/q/4NOTHING", "user"), ("/q/4-x", "admin"),
               ("/q/" + "A" * 65, "admin"), ("/q/4BOTH.csv", "admin"))], [404] * 8,
             "what is another's is not there, nor what is no queue id")
    tap.same(site.get("/q/4FOREIGN", "domain").text.replace("4FOREIGN", ""),
             site.get("/q/4NOTHING", "domain").text.replace("4NOTHING", ""), "and they read alike")
    page = site.get("/q/4NOTHING")
    tap.ok(page.status == 200 and "not on hold" in page.text, "of nothing an administrator is told")
    tap.ok('href="/q/4FOREIGN"' in site.get("/violations").text and
           'href="/q/4BOTH"' in site.get("/held", "domain").text, "the lists lead there")


def main():
    site = Site()
    lists(site)
    billing(site)
    usage(site)
    card(site)
    messages(site)
    tap.same(site.web.stop(), 0, "it stops")


tap.run(main)
