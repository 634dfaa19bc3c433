#!/usr/bin/env python3
"""tollgate limit and plan against a real Redis: what they write, what they show, what they refuse.

With TG_GOLDEN=write the files in t/data/cli are written anew: look at the diff.
"""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from tollgate import Tollgate, golden

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOUR = "domain/recipients/hour"
LIMITS = "tg:{example.com}:limits"
DOMAINS = "example.com\nexample.org\n.wild.example\nalias.example example.com\n"
ASSIGN = "example.org business\nwrong.wild.example nosuch\n"
PLANS = """
throttle: {
  mode = "%s"; assign = ["file:%s/assign"];
  exempt: { domains = ["free.wild.example"]; };
};
plans = (
  { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "500"; per = "hour"; action = "log"; },
    { scope = "domain"; metric = "recipients"; max = "600"; per = "60min"; action = "hold";
      soft = 80; forwards = true; },
    { scope = "domain"; metric = "bytes"; max = "10GB"; per = "month"; action = "reject"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "defer"; },
    { scope = "server"; metric = "messages"; max = "100000"; per = "day"; action = "log"; },
    { scope = "client"; metric = "messages"; max = "100"; per = "10min"; action = "defer"; } ); },
  { name = "business"; limits = (
    { scope = "domain"; metric = "recipients"; max = "6000"; per = "hour"; action = "defer"; } ); }
);
"""


def make(folder, server, mode="observe"):
    proc.write_text(os.path.join(folder, "assign"), ASSIGN)
    tollgate = Tollgate(folder, server.url, "Europe/Berlin", now=NOW, more=PLANS % (mode, folder),
                        domains=DOMAINS)
    tollgate.env.update(SUDO_USER="", USER="ada", LOGNAME="")
    return tollgate


def sets(tollgate, redis):
    """What is written is what tollgated reads."""
    end = int((NOW + datetime.timedelta(days=9, hours=11)).timestamp())
    for args, value in (
            ([HOUR, "2000"], 'max=2000 action=hold soft=80 forwards=yes author="ada"'),
            (["domain/recipients/60min", "700", "--soft", "0", "--forwards=no",
              "--action", "log"],
             'max=700 action=log author="ada"'),
            ([HOUR, "unlimited"], 'max=unlimited action=log author="ada"'),
            ([HOUR, "8", "--soft", "50"], 'max=8 action=log soft=50 author="ada"'),
            ([HOUR, "0", "--action", "reject", "--soft", "0", "--until", "2026-11-30",
              "--reason", 'a "b" \\ c\n'],
             'max=0 action=reject until=%d reason="a \\"b\\" \\\\ c " author="ada"' % end),
            ([HOUR, "5", "--until", "+12hours", "--forwards"],
             'max=5 action=reject forwards=yes until=%d author="ada"' %
             (NOW.timestamp() + 12 * 3600))):
        tollgate.good("limit", "set", "EXAMPLE.com.", *args)
        tap.same(redis.hash(LIMITS), {HOUR: value}, "limit set " + " ".join(args))
    tollgate.good("limit", "set", "example.com", "user/bytes/7days", "2GB",
                  env={"SUDO_USER": "eve"})
    tap.same(redis.hash(LIMITS)["user/bytes/7days"],
             'max=2147483648 action=defer author="eve"', "behind sudo, who called it")
    redis("HSET", LIMITS, "domain/recipients/3600s", "max=9")
    tollgate.good("limit", "set", "example.com", HOUR, "6")
    tap.same(sorted(redis.hash(LIMITS)), [HOUR, "user/bytes/7days"],
             "another spelling of the same window is replaced")
    redis("HSET", LIMITS, "domain/recipients/3600s", "max=9")
    out = tollgate.good("limit", "unset", "example.com", "domain/recipients/60min")
    tap.same(sorted(redis.hash(LIMITS)), ["user/bytes/7days"], "all spellings are removed")
    tap.ok("removed" in out and "600 recipients per hour, otherwise held" in out,
           "and what is in force now is said", out)
    out = tollgate.good("limit", "unset", "example.com", HOUR)
    tap.ok("has no override" in out, "there is none any more", out)
    redis("DEL", LIMITS)
    tollgate.good("limit", "set", "@server", "server/messages/day", "5")
    tollgate.good("limit", "set", "@client", "client/messages/10min", "6")
    tap.same((redis.hash("tg:{@server}:limits"), redis.hash("tg:{@client}:limits")),
             ({"server/messages/day": 'max=5 action=log author="ada"'},
              {"client/messages/10min": 'max=6 action=defer author="ada"'}), "server and clients")
    redis("DEL", "tg:{@server}:limits", "tg:{@client}:limits")


def shows(tollgate, redis):
    golden("limit-show.txt", tollgate.good("limit", "show", "example.com"))
    tollgate.good("limit", "set", "example.com", HOUR, "20000", "--until", "2026-11-28", "--reason",
                  "black friday, ticket 4711")
    tollgate.good("limit", "set", "example.com", "domain/bytes/month", "unlimited")
    redis("HSET", LIMITS, "user/messages/day", "max=50 until=1790000000")
    redis("HSET", LIMITS, "server/messages/day", 'max=50 author="\x1b[31m"')
    golden("limit-show-overrides.txt", tollgate.good("limit", "show", "example.com"))
    golden("limit-show.json", tollgate.good("limit", "show", "example.com", "--format", "json"))
    golden("limit-show-client.txt", tollgate.good("limit", "show", "@client"))
    golden("limit-show-ascii.txt", tollgate.good("limit", "show", "example.org",
                                                 env={"LC_ALL": "C", "COLUMNS": "80"}))
    out = tollgate.good("limit", "set", "example.com", HOUR, "300")
    tap.ok("It ended at 2026-11-29 00:00:00 before; now it has no end" in out and
           'Its reason was "black friday, ticket 4711"; now it has none' in out,
           "what a new override no longer has is said", out)
    out = tollgate.good("limit", "set", "example.com", HOUR, "400")
    tap.ok("before; now" not in out and "now it has none" not in out, "once", out)
    out = tollgate.good("limit", "show", "free.wild.example")
    tap.ok("exempt" in out, "an exempt domain", out)
    for domain, text in (("nobody.example", "no: nothing is charged"),
                         ("alias.example", "charged to example.com"),
                         ("wrong.wild.example", 'throttle.assign has "nosuch"')):
        out = tollgate.good("limit", "show", domain)
        tap.ok(text in out, domain, out)
    redis("HSET", LIMITS, "domain/recipients/day", "max=many", "rubbish", "x=1")
    code, out, err = tollgate("limit", "show", "example.com")
    tap.ok(code == 0 and err.count("an override of example.com has no effect") == 2 and
           '"many"' in err, "overrides that cannot be read are named", code, err)
    tollgate.good("limit", "unset", "example.com", "rubbish")
    tap.same(redis("HEXISTS", LIMITS, "rubbish"), 0, "and can be removed")
    redis("DEL", LIMITS)


def plans(tollgate, redis):
    golden("plan-show-all.txt", tollgate.good("plan", "show"))
    out = tollgate.good("plan", "set", "example.com", "business")
    tap.same(redis("GET", "tg:{example.com}:plan"), "business", "the plan is set")
    tap.ok("example.com: the plan is business" in out, "and said", out)
    plans = json.loads(tollgate.good("plan", "show", "--format", "json"))
    tap.ok("business" in [p["plan"] for p in plans] and all("max" in row for p in plans
                                                            for row in p["limits"]),
           "all plans as JSON", plans)
    tap.same(json.loads(tollgate.good("plan", "show", "example.com", "--format", "json")),
             json.loads(tollgate.good("limit", "show", "example.com", "--format", "json")),
             "one account's is that of limit show")
    golden("plan-show.txt", tollgate.good("plan", "show", "example.com"))
    tollgate.good("plan", "set", "example.org", "default")
    out = tollgate.good("plan", "unset", "example.org")
    tap.ok("the plan is business (assigned by throttle.assign)" in out, "unset: the file's", out)
    tap.same(redis("GET", "tg:{example.org}:plan"), None, "and gone")
    out = tollgate.good("plan", "unset", "example.org")
    tap.ok("no plan was set" in out, "there was none", out)
    redis("SET", "tg:{example.com}:plan", "gone")
    out = tollgate.good("plan", "show", "example.com")
    tap.ok('(set at run time to "gone", which' in out and "default" in out,
           "a plan that the configuration no longer has", out)
    redis("DEL", "tg:{example.com}:plan")


WRONG = (
    (64, "expected set, unset, show or try", ["limit"]),
    (64, "did you mean unset?", ["limit", "unst", "example.com", HOUR]),
    (64, "limit set needs D NAME MAX", ["limit", "set", "example.com", HOUR]),
    (64, "limit show needs D", ["limit", "show"]),
    (64, "names no limit", ["limit", "set", "example.com", "recipients/hour", "5"]),
    (64, '"fortnight" is no window', ["limit", "set", "example.com", "user/bytes/fortnight", "5"]),
    (64, '"many" is not a valid maximum', ["limit", "set", "example.com", HOUR, "many"]),
    (64, '"5GB" is not a valid maximum', ["limit", "set", "example.com", HOUR, "5GB"]),
    (64, "did you mean defer?", ["limit", "set", "example.com", HOUR, "5", "--action", "defr"]),
    (64, "--soft 100: expected a number from 0 to 99",
     ["limit", "set", "example.com", HOUR, "5", "--soft", "100"]),
    (64, "in the past", ["limit", "set", "example.com", HOUR, "5", "--until", "2026-11-20"]),
    (64, "--until soon", ["limit", "set", "example.com", HOUR, "5", "--until", "soon"]),
    (64, "limits of scope domain or user, not server",
     ["limit", "set", "example.com", "server/bytes/day", "5"]),
    (64, "limits of scope client", ["limit", "set", "@client", HOUR, "5"]),
    (64, "has no limits: name", ["limit", "show", "@mx1"]),
    (64, "is not an IP address", ["limit", "show", "@client:example.com"]),
    (64, "name one", ["limit", "show", ".wild.example"]),
    (64, "a..b", ["limit", "show", "a..b"]),
    (64, "takes no such option", ["limit", "show", "example.com", "--force"]),
    (64, "--format needs limit show", ["limit", "unset", "example.com", HOUR, "--format", "json"]),
    (64, "names no limit", ["limit", "unset", "example.com", "nonsense"]),
    (65, "nothing was changed", ["limit", "set", "nobody.example", HOUR, "5"]),
    (65, "is charged to example.com", ["limit", "set", "alias.example", HOUR, "5"]),
    (64, "expected set, unset or show", ["plan"]),
    (64, "did you mean business?", ["plan", "set", "example.com", "buisness"]),
    (64, "plan set needs", ["plan", "set", "example.com"]),
    (64, "plan unset needs", ["plan", "unset"]),
    (64, 'unexpected argument "x"', ["plan", "show", "example.com", "x"]),
    (64, "--force needs", ["plan", "show", "example.com", "--force"]),
    (64, "--format needs plan show", ["plan", "unset", "example.com", "--format", "json"]),
    (65, "not hosted here", ["plan", "set", "nobody.example", "business"]),
)


def wrong(tollgate, redis):
    before = sorted(redis("KEYS", "tg:*"))
    for code, text, args in WRONG:
        got, out, err = tollgate(*args)
        tap.ok(got == code and text in err and out == "" and err.startswith("tollgate: "),
               "%d: tollgate %s" % (code, " ".join(args)), got, out, err)
    tap.same(sorted(redis("KEYS", "tg:*")), before, "nothing was written")
    code, _, err = tollgate("limit", "set", "nobody.example", HOUR, "5", "--force")
    tap.ok(code == 0 and "not hosted" in err and redis("EXISTS", "tg:{nobody.example}:limits"),
           "--force does it, and warns", code, err)
    tollgate.good("plan", "set", "nobody.example", "business", "--force")
    redis("DEL", "tg:{nobody.example}:limits", "tg:{nobody.example}:plan")


def refused(tollgate, redis, server):
    redis("SET", LIMITS, "nonsense")
    redis("HSET", "tg:{example.com}:plan", "a", "b")
    for args in (["limit", "show", "example.com"], ["plan", "show", "example.com"]):
        code, out, err = tollgate(*args)
        tap.ok(code == 65 and "tg:{example.com}:" in err and out == "", " ".join(args) +
               ": a key of another type", code, out, err)
    redis("DEL", LIMITS, "tg:{example.com}:plan")
    redis("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
    for args in (["limit", "set", "example.com", HOUR, "5"], ["plan", "set", "example.com",
                                                              "business"]):
        code, out, err = tollgate(*args)
        tap.ok(code == 69 and "OOM" in err and out == "", " ".join(args) +
               ": a store that takes nothing", code, out, err)
    redis("CONFIG", "SET", "maxmemory", "0")
    server.kill()
    code, _, err = tollgate("limit", "set", "example.com", HOUR, "5")
    tap.ok(code == 69 and server.path in err, "no store", code, err)


def main():
    folder = proc.scratch("limit")
    server = RedisServer(folder)
    redis = server.connect()
    tollgate = make(folder, server)
    sets(tollgate, redis)
    shows(tollgate, redis)
    plans(tollgate, redis)
    wrong(tollgate, redis)
    out = tollgate.good("limit", "set", "example.com", HOUR, "5")
    tap.ok('throttle.mode is "observe"' in out, "observe mode is said", out)
    out = make(folder, server, "enforce").good("limit", "set", "example.com", HOUR, "6")
    tap.ok("observe" not in out and "is held" in out and "(before: 5)" in out, "enforce mode", out)
    refused(tollgate, redis, server)


tap.run(main)
