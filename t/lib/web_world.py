"""A site for looking at the pages: two months of figures of domains large and small, with names as
they come (long, right to left, other alphabets), the smallest and the largest numbers, logs with a
gap, limits that were crossed, mail on hold. The same figures each time."""

import datetime
import json
import os
import random

import proc
import violations
from counted import UTC, Counted
from redis_server import RedisServer
from tollgate import stopped_clock
from web import Web
from windows import Windows

ZONE = "Europe/Zagreb"
NOW = datetime.datetime(2026, 11, 21, 13, 20, 8, tzinfo=UTC)
DAYS = 62
PASSWORD = "correct horse"
LONG = "a-very-long-label-that-nobody-would-type-by-hand-but-somebody-has"
LONG_DOMAIN = "%s.%s.example" % (LONG, LONG[:40])
BUCHER, HEBREW = "xn--bcher-kva.example", "xn--4dbrk0ce.example"
# Name, messages a day in both directions together.
DOMAINS = (("example.com", 14000), ("mail.example.org", 5200), ("shop.example.net", 2600),
           (BUCHER, 800), (HEBREW, 120), (LONG_DOMAIN, 40), ("small.example", 1),
           ("_unattributed", 9))
HUGE, EMPTY = "archive.example", "unused.example"
HUGE_MONTH = "2026-08"  # its figures would flatten every chart of another
PEOPLE = ("anna", "bogdan", "carla", "d.horvat", "newsletter", "office",
          "\u05d3\u05d5\u05d3", "j\u00f6rg",
          "a-name-of-somebody-who-wanted-all-of-it-in-the-address")
CUSTOMERS = ("example.com 4711", "mail.example.org 4711", "shop.example.net acme")
PLANS = """
throttle: { mode = "enforce"; };
plans = ( { name = "default"; limits = (
    { scope = "domain"; metric = "recipients"; max = "600"; per = "hour"; action = "defer"; },
    { scope = "domain"; metric = "bytes"; max = "10GB"; per = "day"; action = "reject"; },
    { scope = "user"; metric = "messages"; max = "200"; per = "day"; action = "hold"; },
    { scope = "customer"; metric = "bytes"; max = "90GB"; per = "month"; action = "log"; },
    { scope = "server"; metric = "messages"; max = "100000"; per = "day"; action = "log"; } ); } );
"""
USERS = (("root", "admin", ""), ("anna", "domain", "example.com,mail.example.org"),
         ("anna@example.com", "user", ""))


def _add_day(counted, draw, day, domain, per_day):
    weekday = 0.35 if day.weekday() >= 5 else 1.0
    names = [""] if domain.startswith("_") else [name + "@" + domain for name in PEOPLE]
    shares = [2.0 ** -k for k in range(len(names))]
    for hour in (8, 10, 13, 16, 20):
        for name, share in zip(names, shares):
            n = int(per_day * weekday * share / 10 * draw.uniform(0.6, 1.3))
            if n == 0 and draw.random() > 0.02:
                continue
            counted.add(day.replace(hour=hour), domain, _amounts(draw, n), name,
                        draw.choice(("mx1", "mx1", "mx2")))


def _amounts(draw, n):
    size = draw.randrange(20000, 90000)
    out, forward, blocked = int(n * 0.31), int(n * 0.02), int(n * 0.01)
    amounts = {
        "in_messages": n, "in_recipients": int(n * 1.2), "in_bytes": n * size,
        "out_messages": out, "out_recipients": int(out * 1.5), "out_bytes": out * size // 2,
        "forward_messages": forward, "forward_recipients": forward,
        "forward_bytes": forward * size, "local_sent_messages": int(n * 0.1),
        "local_received_messages": int(n * 0.1), "local_received_bytes": n * 900,
        "bounces_received": int(n * 0.003), "in_spam_messages": int(n * 0.2),
        "throttled_recipients": blocked, "throttled_messages": blocked,
        "observed_recipients": blocked * 2, "violations_recipients": 1 if blocked else 0}
    for level, part in (("high", 0.05), ("normal", 0.6), ("low", 0.05), ("bulk", 0.3)):
        amounts["priority_%s_messages" % level] = int((n + out) * part)
        amounts["priority_%s_bytes" % level] = int((n + out) * part) * size
    return amounts


def _add_sessions(counted, draw, day):
    """What the collector counts for the nodes."""
    for hour in range(0, 24, 4):
        when = day.replace(hour=hour)
        if when > NOW:
            return
        for node in ("mx1", "mx2"):
            n = draw.randrange(900, 2400)
            amounts = {"status_seconds": 14400, "status_cpu_ms": n * 700,
                       "status_memory_mib_seconds": 14400 * draw.randrange(300, 380),
                       "status_handle_seconds": 14400 * draw.randrange(400, 600),
                       "status_thread_seconds": 14400 * draw.randrange(60, 90),
                       "status_connection_seconds": 14400 * draw.randrange(10, 50),
                       "status_spool_seconds": 14400 * draw.randrange(0, 300)}
            for kind in ("smtp_in", "smtp_out", "pop", "imap"):
                amounts.update({
                    kind + "_connections": n, kind + "_connection_seconds": n * 31,
                    kind + "_blocked": n // 9, kind + "_bad_commands": n // 40,
                    kind + "_terminations": n // 25})
            for kind in ("smtp_in", "pop", "imap"):
                amounts[kind + "_auth_failed"] = n // 30
            for kind in ("pop", "imap"):
                amounts[kind + "_bytes"] = n * 51200
            for kind in ("spamd", "clamd"):
                amounts.update({kind + "_connections": n, kind + "_connection_seconds": n * 2,
                                kind + "_failed": n // 300})
            amounts.update({"smtp_out_failed": n // 50, "smtp_out_rejected": n // 60})
            counted.add(when, "@", amounts, node=node)


def _figures():
    draw = random.Random(20261121)
    counted = Counted(ZONE)
    for back in range(DAYS):
        day = (NOW - datetime.timedelta(days=back)).replace(hour=0, minute=30, second=0)
        for domain, per_day in DOMAINS:
            _add_day(counted, draw, day, domain, per_day)
        _add_sessions(counted, draw, day)
    counted.add(datetime.datetime(2026, 8, 3, 12, tzinfo=UTC), HUGE, {
        "in_messages": 10**12, "in_recipients": 10**12, "in_bytes": 8 * 10**15,
        "out_messages": 1, "out_bytes": 1}, "all@" + HUGE)
    counted.add(NOW - datetime.timedelta(days=70), EMPTY, {"in_messages": 1, "in_bytes": 1})
    return counted


def _collectors(redis):
    through = int(NOW.timestamp())
    begin = through - DAYS * 86400
    for node in ("mx1", "mx2"):
        redis("HSET", "tg:{@%s}:collect" % node, "version", "0.1.0", "seen", through - 2,
              "log_from", begin, "log_through", through - 4, "pushed_through", through - 4,
              "lines", 48203117, "gaps", 1 if node == "mx1" else 0,
              "sources", "file:/var/log/mail.log")
    redis("HSET", "tg:{@mx1}:gaps", "1", "%d %d 0 file:/var/log/mail.log: the copy was not found"
          % (through - 5 * 86400, through - 5 * 86400 + 240))


def _limits(redis):
    hourly, daily = ("domain/recipients/hour", 600), ("user/messages/day", 200)
    for hours, holder, user, action in (
            (49, "shop.example.net", "", "defer"),
            (30, LONG_DOMAIN, PEOPLE[-1] + "@" + LONG_DOMAIN, "defer"),
            (8, HEBREW, "\u05d3\u05d5\u05d3@" + HEBREW, "reject"),
            (5, BUCHER, "j\u00f6rg@" + BUCHER, "log"),
            (3, "example.com", "anna@example.com", "hold"),
            (1, "example.com", "newsletter@example.com", "defer")):
        violations.add(redis, NOW - datetime.timedelta(hours=hours), holder,
                       daily if action == "hold" else hourly, 597 + hours, 12 + hours, user=user,
                       action=action, observed=action == "log", soft=hours == 49,
                       qid="4jWnX%02dVvBz1cTBS" % hours)
    for minutes, holder in ((12, "example.com"), (90, "example.com"), (400, LONG_DOMAIN)):
        redis("ZADD", "tg:{%s}:held" % holder, int(NOW.timestamp()) - minutes * 60,
              "mx1/4jWnX%03dVvBz1cTBS" % minutes)


def _usage(redis):
    windows = Windows(redis)
    hour = datetime.timedelta(hours=1)
    windows.consume("example.com", "recipients", "hour", 431, NOW - hour / 3)
    windows.consume("example.com", "bytes", "day", 2 << 30, NOW - 2 * hour)
    windows.consume("example.com", "messages", "day", 168, NOW - 3 * hour, "anna@example.com")
    windows.consume("example.com", "messages", "day", 200, NOW - 4 * hour,
                    "newsletter@example.com")
    windows.consume(LONG_DOMAIN, "messages", "day", 3, NOW - hour, PEOPLE[-1] + "@" + LONG_DOMAIN)
    windows.consume("@server", "messages", "day", 9120, NOW - 2 * hour)
    redis("HSET", "tg:{example.com}:limits", "domain/recipients/hour",
          'max=900 action=defer until=%d author="root" reason="a campaign"'
          % (NOW + 200 * hour).timestamp())
    redis("HSET", "tg:{example.com}:adjust", "2026-10 mx1/1", json.dumps(
        {"amounts": {"out_messages": -3, "out_bytes": -61440},
         "reason": "refused by a later filter", "evidence": "mx1 4jWnX01VvBz1cTBS",
         "by": "reconcile", "at": int(NOW.timestamp())}))


def _lists(redis):
    """What the collector noticed."""
    ms = int(NOW.timestamp()) * 1000
    for hours, domain, text in ((2, "example.com", "550 5.7.1 Service unavailable, client blocked "
                                 "using zen.example; see https://lists.example/query/192.0.2.1"),
                                (5, LONG_DOMAIN, "554 no"), (9, "mail.example.org", "421 later")):
        redis("XADD", "tg:refusals", "*", "node", "mx1", "time_ms", ms - hours * 3600000,
              "provider", "outlook.example", "relay", "mx.outlook.example", "list", "zen.example",
              "domain", domain, "text", text, "greeting", 0)
    for subject, value in (("newsletter@example.com", 4812), (LONG_DOMAIN, 2950)):
        redis("XADD", "tg:anomalies", "*", "node", "mx1", "time_ms", ms - 7200000, "kind", "login",
              "subject", subject, "metric", "out_recipients", "value", value, "usual", "11.5",
              "factor", "418.4")


class WebWorld:
    """A tollgate-web with these figures, or (`full` false) with none, as after the installation."""

    def __init__(self, folder, full=True):
        self.redis = RedisServer(folder, stopped_clock(folder, NOW))
        if full:
            connection = self.redis.connect()
            _figures().write(connection, {"mx1": int(NOW.timestamp()) - 1,
                                          "mx2": int(NOW.timestamp()) - 3})
            _collectors(connection)
            _limits(connection)
            _usage(connection)
            _lists(connection)
            connection.close()
        self.web = Web(folder, self.redis.url, ZONE, NOW, CUSTOMERS)
        proc.write_text(self.web.command.conf, proc.read_text(self.web.command.conf) + PLANS)
        proc.write_text(os.path.join(folder, "domains"),
                        "".join(name + "\n" for name, _ in DOMAINS if name[0] != "_"))
        for name, role, domains in USERS:
            self.web.add_user(name, PASSWORD, role, domains)
        self.web.start()
        self.url = "http://127.0.0.1:%d" % self.web.port

    def stop(self):
        code = self.web.stop()
        self.redis.stop()
        return code
