#!/usr/bin/env python3
"""What an admin changes by the pages: limits and plans. Who may, what is refused, what the log
says, and that the command sees it and the other way round."""

import hashlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
import tollgated
from redis_server import RedisServer
from web import Web

PASSWORD = "correct horse"
HOUR = "domain/recipients/hour"
LIMITS = "tg:{own.example}:limits"
PLANS = """
throttle: { mode = "enforce"; };
plans = (
  { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "hold";
      soft = 80; } ); },
  { name = "business"; limits = (
    { scope = "domain"; metric = "recipients"; max = "6000"; per = "hour"; action = "defer"; } ); }
);
"""
EVIL = '<script>alert(1)</script>"\' &'
SET = {"what": "set", "scope": "domain", "metric": "recipients", "per": "hour", "max": "2000",
       "reason": "ticket 4711"}


def shard(account):
    return "0" + hashlib.sha256(account.encode()).hexdigest()[0]


def field(page, name, form="set"):
    """The value of a field in that form of a page, as the browser has it."""
    for text in re.findall(r"<form.*?</form>", page.text, re.S):
        if 'value="%s"' % form in text:
            found = re.search(r'<input[^>]*name="%s"[^>]*value="([^"]*)"' % name, text)
            return found.group(1) if found else None
    return None


class Admin:
    """Somebody at a browser."""

    def __init__(self, site, name):
        self.web, self.cookie = site.web, site.web.sign_in(name, PASSWORD)

    def page(self, holder="own.example"):
        return self.web.get("/limits/" + holder, self.cookie)

    def send(self, fields, holder="own.example", page=None, headers=None):
        """The form of the page, filled in."""
        page = page or self.page(holder)
        filled = dict({"token": page.token(), "seen": field(page, "seen") or ""}, **fields)
        return self.web.post("/limits/" + holder, filled, self.cookie, headers)


class Site:
    def __init__(self):
        self.folder = proc.scratch("actions")
        self.server = RedisServer(self.folder)
        self.redis = self.server.connect()
        self.web = Web(self.folder, self.server.url)
        proc.write_text(os.path.join(self.folder, "domains"),
                        "own.example\nforeign.example\nalias.example own.example\n")
        with open(self.web.command.conf, "a", encoding="utf-8") as f:
            f.write(PLANS)
        for name, role, domains in (("root", "admin", ""), ("anna", "domain", "own.example"),
                                    ("alice@own.example", "user", "")):
            self.web.add_user(name, PASSWORD, role, domains)
        self.web.start()

    def limits(self, holder="own.example"):
        return self.redis.hash("tg:{%s}:limits" % holder)

    def logged(self, event):
        """The last line of that event, without its time."""
        found = re.findall(r"notice: (%s .*)" % event, self.web.wrote())
        return found[-1] if found else None


def sets(site, root):
    answer = root.send(SET)
    tap.same((answer.status, answer.headers.get("location")),
             (303, "/limits/own.example?done=set"), "a limit is set, and the page comes back")
    written = 'max=2000 action=hold soft=80 reason="ticket 4711" author="root"'
    tap.same(site.limits(), {HOUR: written},
             "what is written is what the command writes: with author and reason")
    page = site.web.get(answer.headers["location"], root.cookie)
    tap.ok("The limit is set." in page.text and "by root: ticket 4711" in page.text and
           "2,000" in page.text, "and shown")
    out = site.web.command.good("limit", "show", "own.example")
    tap.ok("by root: ticket 4711" in out, "the command shows it", out)
    tap.same(site.logged("limit changed"),
             "limit changed by=root client=127.0.0.1 holder=own.example limit=" + HOUR +
             ' was=none is="%s" reason="ticket 4711"' % written.replace('"', '\\"'),
             "the log says who, from where, what was, what is and why")
    root.send(dict(SET, max="0", action="reject", soft="0", forwards="yes", until="+3days"))
    value = re.sub(r"until=\d+", "until=", site.limits()[HOUR])
    tap.same(value, 'max=0 action=reject forwards=yes until= reason="ticket 4711" author="root"',
             "with everything that the command takes")
    tap.ok('was="max=2000 action=hold' in site.logged("limit changed"), "the log has what was")


def unsets(site, root):
    out = site.web.command.good("limit", "set", "own.example", "domain/bytes/day", "5GB",
                                "--reason", "by hand", "--action", "log")
    tap.ok("5.0 GB" in out, "the command sets another", out)
    page = root.page()
    tap.ok("domain/bytes/day: 5.0 GB, over it log" in page.text and "by hand" in page.text,
           "the page shows it")
    answer = root.send({"what": "unset", "limit": "domain/bytes/day", "reason": "over"})
    tap.same((answer.status, sorted(site.limits())), (303, [HOUR]), "and removes it")
    tap.ok(re.search(r"limit=domain/bytes/day was=.max=5368709120 .*is=none reason=over",
                     site.logged("limit changed")), "the log says so", site.logged("limit changed"))
    answer = root.send({"what": "unset", "limit": "domain/bytes/day", "reason": "again"})
    tap.ok(answer.status == 404 and "no override of domain/bytes/day" in answer.text,
           "one that is not there is not removed", answer.status)
    answer = root.send({"what": "unset", "limit": HOUR, "reason": "x"})
    tap.same((answer.status, site.limits()), (303, {}), "the plan's holds again")


def plans(site, root):
    answer = root.send({"what": "plan", "plan": "business", "reason": "pays"})
    tap.same((answer.status, site.redis("GET", "tg:{own.example}:plan")), (303, "business"),
             "a plan is set")
    tap.same(site.logged("plan changed"), "plan changed by=root client=127.0.0.1 "
             "holder=own.example was=none is=business reason=pays", "which the log says")
    tap.ok("business" in site.web.command.good("plan", "show", "own.example"),
           "the command shows it")
    tap.ok("6,000" in root.page().text, "its limits are in force")
    answer = root.send({"what": "plan", "plan": "nosuch", "reason": "x"})
    tap.ok(answer.status == 400 and "unknown plan" in answer.text, "an unknown one is refused")
    answer = root.send({"what": "plan", "reason": "left"})
    tap.same((answer.status, site.redis("GET", "tg:{own.example}:plan")), (303, None),
             "and unset")


def others(site, root):
    """Users, the server, clients; domains that nothing is charged to."""
    for holder, scope, key, name in (
            ("alice@own.example", "user", "own.example",
             "alice@own.example user/recipients/hour"),
            ("@server", "server", "@server", "server/recipients/hour"),
            ("@client", "client", "@client", "client/recipients/hour"),
            ("@client:192.0.2.1", "client", "@client", "192.0.2.1 client/recipients/hour")):
        answer = root.send(dict(SET, scope=scope), holder)
        tap.ok(answer.status == 303 and name in site.limits(key), "a limit of " + holder,
               answer.status, site.limits(key))
        page = site.web.get(answer.headers["location"], root.cookie)
        tap.same(page.status, 200, "its page")
        answer = root.send({"what": "unset", "limit": scope + "/recipients/hour", "reason": "x"},
                           holder)
        tap.ok(answer.status == 303 and name not in site.limits(key), "is removed")
    answer = root.send(dict(SET, scope="domain"), "@server")
    tap.ok(answer.status == 400 and "has limits of scope server" in answer.text,
           "of another scope it is refused")
    answer = root.send(SET, "alias.example")
    tap.ok(answer.status == 400 and "charged to own.example" in answer.text and
           not site.limits("alias.example"), "where it would do nothing it is refused")
    answer = root.send(dict(SET, force="1"), "alias.example")
    tap.same((answer.status, len(site.limits("alias.example"))), (303, 1), "unless forced")
    tap.same(root.page("unknown.example").status, 404, "an unknown domain has no page")
    tap.same(root.page("@mx1").status, 404, "nor has a node")


def faults(site, root):
    """What cannot be is told, with the fix, and what was typed stays."""
    before = site.limits()
    for change, text in (({"max": "many"}, "many"), ({"max": ""}, "max: give a number"),
                         ({"per": "fortnight"}, "fortnight"), ({"metric": "mails"}, "mails"),
                         ({"scope": "galaxy"}, "galaxy"), ({"soft": "101"}, "soft: use a"),
                         ({"action": "burn"}, "action: use log"),
                         ({"until": "2001-01-01"}, "until"),
                         ({"forwards": "perhaps"}, "forwards: use yes"),
                         ({"reason": ""}, "reason: say why"),
                         ({"reason": "x" * 501}, "reason: shorten it"),
                         ({"seen": ""}, "Somebody else has changed")):
        answer = root.send(dict(SET, **change))
        kept = change.get("max", "2000") or None
        tap.ok(answer.status in (400, 409) and text in answer.text and
               field(answer, "max") == kept, "refused, and kept: %s" % change, answer.status,
               field(answer, "max"))
        tap.ok(re.search(r'<p class="alert bad" role="alert">', answer.text), "and read out")
    for change in ({"reason": "x" * 1025}, {"extra": "1"}, {"what": "drop"},
                   {"reason": "a\nlimit changed by=eve"}, {"reason": "a\u202eb"}):
        answer = root.send(dict(SET, **change))
        tap.same(answer.status, 400, "refused: %s" % str(change)[:40])
    tap.ok("by=eve" not in site.web.wrote(), "no reason forges a line of the log")
    tap.same(site.limits(), before, "nothing was done")


def scripts(site, root):
    answer = root.send(dict(SET, reason=EVIL))
    page = site.web.get(answer.headers["location"], root.cookie)
    tap.ok(answer.status == 303 and "<script>alert" not in page.text and
           "&lt;script&gt;alert" in page.text, "a reason is text on the page")
    answer = root.send(dict(SET, max=EVIL))
    tap.ok(answer.status == 400 and "<script>alert" not in answer.text,
           "and so is what is typed wrong")
    site.redis("HSET", LIMITS, "domain/bytes/day", 'max=5 author="<b>eve</b>" reason="<i>"')
    page = root.page()
    tap.ok("<b>eve" not in page.text and "&lt;b&gt;eve" in page.text, "and an author")
    site.redis("DEL", LIMITS)


def meanwhile(site, root):
    page = root.page()
    site.web.command.good("limit", "set", "own.example", HOUR, "700")
    answer = root.send(SET, page=page)
    tap.ok(answer.status == 409 and "Somebody else has changed" in answer.text and
           "max=700" in site.limits()[HOUR], "a change in between is told, not overwritten",
           answer.status, site.limits())
    tap.ok(field(answer, "max") == "2000" and "700" in answer.text,
           "what was typed stays, what is there is shown")
    filled = dict(SET, token=answer.token(), seen=field(answer, "seen"))
    again = site.web.post("/limits/own.example", filled, root.cookie)
    tap.ok(again.status == 303 and "max=2000" in site.limits()[HOUR], "sent again, it is done")
    replay = site.web.post("/limits/own.example", filled, root.cookie)
    tap.same(replay.status, 409, "sent once more, it is not")
    page = root.page()
    site.web.command.good("plan", "set", "own.example", "business")
    answer = root.send({"what": "plan", "plan": "default", "reason": "x"}, page=page)
    tap.same((answer.status, site.redis("GET", "tg:{own.example}:plan")), (409, "business"),
             "the same for plans")
    site.redis("DEL", LIMITS, "tg:{own.example}:plan")


def foreign_forms(site, root):
    page = root.page()
    for what, fields, change in (
            ("of another site", {}, {"Origin": "https://evil.example"}),
            ("that does not say whose it is", {}, {"Origin": None}),
            ("of another origin of the host", {}, {"Sec-Fetch-Site": "cross-site"}),
            ("without a token", {"token": ""}, {}),
            ("with another token", {"token": "0" * 64}, {}),
            ("of another type", {}, {"Content-Type": "text/plain"})):
        answer = root.send(dict(SET, **fields), page=page, headers=change)
        tap.ok(answer.status in (403, 415), "a form %s is refused" % what, answer.status)
    big = dict(SET, reason="x" * 9000)
    tap.same(root.send(big, page=page).status, 413, "a form that is too large is refused")
    tap.same(site.limits(), {}, "none of them did anything")


def roles(site, root):
    """Only the server's administrator changes anything; others see what is theirs."""
    site.web.command.good("limit", "set", "own.example", HOUR, "700", "--reason", "pays late")
    own, foreign = "own.example", "foreign.example"
    posts = (SET, {"what": "unset", "limit": HOUR, "reason": "x"},
             {"what": "plan", "plan": "business", "reason": "x"})
    for name, seen in (("anna", {own: 200, foreign: 404, "alice@own.example": 200, "@server": 404,
                                 "bob@foreign.example": 404, "unknown.example": 404,
                                 "@client:192.0.2.1": 404}),
                       ("alice@own.example", {own: 404, foreign: 404, "alice@own.example": 200,
                                              "eve@own.example": 404, "@server": 404})):
        who = Admin(site, name)
        for holder, want in seen.items():
            page = who.page(holder)
            tap.same(page.status, want, "%s, limits of %s" % (name, holder))
            tap.ok("pays late" not in page.text and "<form method=\"post\" action=\"/limits" not in
                   page.text, "without reasons and forms")
            token = who.page("alice@own.example").token()
            for fields in posts:
                answer = site.web.post("/limits/" + holder, dict(fields, token=token), who.cookie)
                tap.same(answer.status, 403 if want == 200 else 404,
                         "%s of %s by %s" % (fields["what"], holder, name))
    answer = site.web.post("/limits/own.example", SET)
    tap.same((answer.status, answer.headers.get("location")), (303, "/signin"),
             "who is not signed in is led to the sign-in")
    tap.same(site.limits()[HOUR].split()[0], "max=700", "none of them did anything")
    tap.ok('href="/limits/own.example"' in site.web.get("/d/own.example", root.cookie).text,
           "the domain's page leads there")
    site.redis("DEL", LIMITS)


def from_violations(site, root):
    site.redis("XADD", "tg:violations", "*", "domain", "own.example", "user", "a@own.example",
               "scope", "domain", "metric", "recipients", "limit", "600/hour", "used", "600",
               "wanted", "3", "action", "defer", "retry_after", "720", "time_ms", "1795878503000")
    page = site.web.get("/violations", root.cookie)
    url = "/limits/own.example?scope=domain&amp;metric=recipients&amp;per=hour"
    tap.ok(url in page.text, "a violation leads to its limit")
    page = site.web.get(url.replace("&amp;", "&"), root.cookie)
    tap.same((page.status, field(page, "per")), (200, "hour"), "which stands in the form")


def releases(site, root):
    """A request is left for the node, which shows until it is done."""
    redis, key, url = site.redis, "tg:{@mx1}:release", "/held/mx1/4ABC?domain=own.example"
    redis("ZADD", "tg:{own.example}:held", 1795878503, "mx1/4ABC")
    redis("ZADD", "tg:{foreign.example}:held", 1795878503, "mx1/4DEF")
    redis("SADD", "tg:accounts:{%s}" % shard("own.example"), "own.example")
    held = site.web.get("/held?domain=own.example", root.cookie)
    tap.ok('href="%s"' % url in held.text, "the list leads to the message", held.text[-900:])
    page = site.web.get(url, root.cookie)

    def send(who, fields, where=url, token=None):
        token = token or page.token()
        return site.web.post(where, dict({"token": token}, **fields), who.cookie)
    for fields, status in (({"what": "release"}, 400), ({"what": "release", "reason": ""}, 400),
                           ({"what": "keep", "reason": "x"}, 400),
                           ({"what": "release", "reason": "x" * 501}, 400),
                           ({"what": "withdraw", "reason": "x"}, 409),
                           ({"what": "release", "reason": "x", "token": "0" * 64}, 403)):
        tap.same(send(root, fields).status, status, "refused: %s" % str(fields)[:40])
    tap.same(redis.hash(key), {}, "nothing was done")
    answer = send(root, {"what": "release", "reason": EVIL})
    tap.same((answer.status, answer.headers.get("location")), (303, url), "a request is made")
    value = json.loads(redis.hash(key)["4ABC"])
    tap.same((value["account"], value["held"], value["by"], value["client"], value["reason"]),
             ("own.example", 1795878503, "root", "127.0.0.1", EVIL), "with author and reason")
    tap.ok(0 < redis("TTL", key) <= 604800, "it does not stay for ever")
    tap.ok(re.search(r"release asked for by=root client=127\.0\.0\.1 qid=4ABC node=mx1 "
                     "domain=own.example reason=.*script", site.web.wrote()), "and a line")
    shown = site.web.get(url, root.cookie)
    tap.ok("was asked for at" in shown.text and "by root" in shown.text and
           "<script>alert" not in shown.text and "asked for" in
           site.web.get("/held?domain=own.example", root.cookie).text, "the pages show it")
    tap.same(send(root, {"what": "release", "reason": "again"}).status, 409, "it is made once")
    anna, alice = Admin(site, "anna"), Admin(site, "alice@own.example")
    seen = site.web.get(url, anna.cookie)
    tap.ok(seen.status == 200 and "was asked for" in seen.text and "by root" not in seen.text and
           "<form method=\"post\" action=\"/held" not in seen.text,
           "a domain's administrator sees that, but not why")
    for who, where, want in ((anna, url, 403), (alice, url, 404),
                             (anna, "/held/mx1/4DEF?domain=foreign.example", 404),
                             (anna, "/held/mx1/4XYZ?domain=own.example", 404),
                             (root, "/held/mx2/4ABC?domain=own.example", 404)):
        token = site.web.get("/account", who.cookie).token()
        answer = send(who, {"what": "release", "reason": "x"}, where, token)
        tap.same(answer.status, want, "release by another: " + where)
    answer = send(root, {"what": "withdraw", "reason": "a slip"})
    tap.same((answer.status, redis.hash(key)), (303, {}), "it can be withdrawn")
    tap.ok("release withdrawn by=root" in site.web.wrote(), "which the log says, too")


def adjusts(site, root):
    """A correction beside the figures, by a form that is one entry however often it is sent."""
    url, key = "/adjust/own.example", "tg:{own.example}:adjust"
    month = time.strftime("%Y-%m", time.gmtime())
    page = site.web.get(url, root.cookie)
    filled = {"token": page.token(), "month": month, "counter": "out_bytes", "amount": "+300",
              "evidence": EVIL, "reason": "credit",
              "id": re.search(r'value="(web/[0-9a-f]{16})"', page.text).group(1)}
    for change, text in (({"month": "May"}, "month"), ({"counter": "octets"}, "counter: "),
                         ({"amount": "many"}, "amount: use"), ({"reason": ""}, "reason: say"),
                         ({"id": ""}, "id: use")):
        answer = site.web.post(url, dict(filled, **change), root.cookie)
        kept = 'value="%s"' % change.get("amount", "+300")
        tap.ok(answer.status == 400 and text in answer.text and kept in answer.text,
               "refused, and kept: %s" % change, answer.status)
    tap.same(site.web.post(url, dict(filled, token="0" * 64), root.cookie).status, 403,
             "with another token")
    tap.same(site.redis.hash(key), {}, "nothing was done")
    where = "/billing/%s?domain=own.example" % month
    for _ in range(2):
        answer = site.web.post(url, filled, root.cookie)
        tap.same((answer.status, answer.headers.get("location")), (303, where), "it is added")
    entries = site.redis.hash(key)
    tap.same([json.loads(e)["amounts"] for e in entries.values()], [{"out_bytes": 300}], "once")
    shown = site.web.get(where, root.cookie)
    tap.ok("out_bytes +300" in shown.text and "credit" in shown.text and
           "<script>alert" not in shown.text and 'href="/adjust/own.example"' in shown.text,
           "the month shows it")
    tap.same(site.web.wrote().count("adjustment added by=root"), 1, "a line in the log")
    for name, want in (("anna", 403), ("alice@own.example", 404)):
        who = Admin(site, name)
        token = site.web.get("/account", who.cookie).token()
        tap.same(site.web.post(url, dict(filled, token=token, id="x"), who.cookie).status, want,
                 "not by " + name)
    tap.same(site.redis.hash(key), entries, "none of them did anything")


def acts(site, root):
    """A tollgated of the same store does what the page says."""
    folder = proc.scratch("actions-node")
    node = tollgated.Tollgated(folder, site.server.url, "unix:%s/milter.sock" % folder, {
        "throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [
            {"scope": "domain", "metric": "messages", "max": "600", "per": "hour",
             "action": "defer"}]}]})
    node.host(["own.example"])
    node.start()

    def passes():
        with milterclient.Session(node.socket, auth="a@own.example") as s:
            return s.deliver("a@own.example", ["b@far.example"],
                             milterclient.message_of(["Subject: hi"], 30)).accepted
    tap.ok(passes(), "mail passes")
    root.send(dict(SET, metric="messages", max="0"))
    proc.wait_for("the limit", lambda: not passes())
    root.send({"what": "unset", "limit": "domain/messages/hour", "reason": "x"})
    proc.wait_for("the plan's", passes)
    tap.ok(True, "the limit acts, and ends when it is removed")
    tap.same(node.stop(), 0, "tollgated stops")


def main():
    site = Site()
    root = Admin(site, "root")
    sets(site, root)
    unsets(site, root)
    plans(site, root)
    others(site, root)
    faults(site, root)
    scripts(site, root)
    meanwhile(site, root)
    foreign_forms(site, root)
    roles(site, root)
    from_violations(site, root)
    releases(site, root)
    adjusts(site, root)
    acts(site, root)
    tap.ok(PASSWORD not in site.web.wrote(), "no password is in the log")
    tap.same(site.web.stop(), 0, "it stops")


tap.run(main)
