#!/usr/bin/env python3
"""Customers in totals and reports: sums of their domains, exactly; a domain without one for itself.
Domains are dealt to customers at random (the seed is printed), and dealt again."""

import csv
import datetime
import io
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc
FIELDS = ("in_messages", "in_bytes", "out_messages", "out_recipients", "out_bytes",
          "forward_bytes", "throttled_recipients", "violations_recipients")
DAYS = [datetime.datetime(2026, 11, n, 12, tzinfo=UTC) for n in (2, 3, 9)]
TIME = "--from", "2026-11-01", "--to", "2026-11-30"
DOMAINS = ["d%d.example" % n for n in range(40)] + ["_unattributed"]


def records(text):
    return list(csv.DictReader(io.StringIO(text)))


class World:
    def __init__(self):
        self.folder = proc.scratch("customers")
        self.server = RedisServer(self.folder)
        self.list = self.folder + "/customers"
        self.seed = random.randrange(1 << 30)
        tap.note("seed %d" % self.seed)
        self.dice = random.Random(self.seed)
        self.counted = Counted()
        for domain in DOMAINS:
            for day in DAYS:
                self.counted.add(day, domain, {f: self.dice.randrange(1, 1 << 40) for f in FIELDS},
                                 "u@" + domain)
        self.counted.write(self.server.connect(), {"mx1": int(DAYS[0].timestamp()) + 90 * 86400})
        self.customer = {}
        self.tollgate = Tollgate(self.folder, self.server.url, now=DAYS[0] +
                                 datetime.timedelta(days=30), domains="d1.example\n",
                                 more='billing: { customers = ["file:%s"]; };' % self.list)

    def deal(self, *names):
        """Each domain to one of the customers, or to none (None)."""
        self.customer = {d: self.dice.choice(names) for d in DOMAINS}
        proc.write_text(self.list, "".join("%s %s\n" % (d, c) for d, c in self.customer.items()
                                           if c is not None))

    def of(self, customer, account=""):
        """Its domains; without a customer: the account."""
        return [d for d, c in self.customer.items() if c == customer] if customer else [account]

    def report(self, *args):
        return self.tollgate.good("report", *args, *TIME, "--format", "csv")

    def totals(self, *args):
        return records(self.tollgate.good("totals", *TIME, *args))


def check_totals(w, plain):
    rows = w.totals("--by", "customer")
    keys = [(r["customer"], r["account"]) for r in rows]
    tap.same(set(keys), {(c or "", "" if c else d) for d, c in w.customer.items()},
             "a line for each customer, and each domain without one")
    tap.same((len(keys), keys), (len(set(keys)), sorted(keys)), "once, in order")
    wrong = [(r["customer"], f) for r in rows for f in plain[DOMAINS[0]]
             if f not in ("account", "from", "to", "complete") and
             int(r[f]) != sum(int(plain[d][f]) for d in w.of(r["customer"], r["account"]))]
    tap.none(wrong, "every counter of a customer is the sum of its domains'")


def check_reports(w, plain):
    for report, field in (("smtp", "out_bytes"), ("message-traffic", "in_messages")):
        rows = {r["customer"]: r for r in records(w.report(report, "--by", "customer"))}
        tap.same({c: int(r[field]) for c, r in rows.items()},
                 {c: sum(int(plain[d][field]) for d in w.of(c) or [c]) for c in rows}, report)
        tap.same(set(rows), {c or d for d, c in w.customer.items()}, report + ": all of them")
    days = records(w.report("smtp", "--by", "customer", "--step", "day"))
    tap.same(sum(int(r["out_bytes"]) for r in days),
             sum(int(p["out_bytes"]) for p in plain.values()),
             "by day: nothing is lost")
    tap.same({len([r for r in days if r["customer"] == "c1"])}, {len(DAYS)}, "a line each day")


def check_one(w, plain):
    domains = [d for d, c in w.customer.items() if c == "c1"]
    want = sum(int(plain[d]["out_bytes"]) for d in domains)
    tap.same(int(records(w.report("smtp", "--customer", "c1"))[0]["out_bytes"]), want,
             "one customer")
    rows = records(w.report("smtp", "--customer", "c1", "--by", "domain"))
    tap.same({r["domain"]: int(r["out_bytes"]) for r in rows},
             {d: int(plain[d]["out_bytes"]) for d in domains}, "its domains")
    rows = records(w.report("message-traffic", "--customer", "c1", "--by", "user"))
    tap.same({r["user"] for r in rows}, {"u@" + d for d in domains}, "its users")
    tap.same([r["account"] for r in w.totals("--customer", "c1")], sorted(domains), "its totals")
    tap.same([(r["customer"], int(r["out_bytes"])) for r in
              w.totals("--customer", "c1", "--by", "customer")], [("c1", want)], "in one line")
    data = json.loads(w.tollgate.good("report", "smtp", "--customer", "c1", *TIME, "--format",
                                      "json"))
    tap.same((data["scope"], data["name"]), ("customer", "c1"), "JSON says whose it is")


def check_refused(w):
    for args, text in ((("report", "smtp", "--customer", "nobody"), "gives it no domain"),
                       (("totals", "--month", "2026-11", "--customer", "nobody"), "no domain"),
                       (("report", "smtp", "--customer", "c1", "--domain", "d1.example"), "excl"),
                       (("report", "smtp", "--customer", "c1", "--by", "node"), "--server"),
                       (("report", "smtp", "--domain", "d1.example", "--by", "customer"),
                        "--server"),
                       (("report", "refusals", "--customer", "c1"), "a list"),
                       (("totals", "--month", "2026-11", "--customer", "c1", "--domain", "a.test"),
                        "excludes")):
        code, _, err = w.tollgate(*args)
        tap.ok(code == 64 and text in err, "refused: " + " ".join(args), code, err)
    w.tollgate = Tollgate(w.folder, w.server.url)
    code, _, err = w.tollgate("report", "smtp", "--by", "customer")
    tap.ok(code == 64 and "billing.customers" in err, "and where there are no customers", err)


def main():
    tap.need("redis-server")
    w = World()
    plain = None
    for names in (("c1", "c2", "C2", None), ("c1", "d0.example", "c3", None)):
        w.deal(*names)
        plain = plain or {r["account"]: r for r in w.totals()}
        check_totals(w, plain)
        if "d0.example" not in names:
            check_reports(w, plain)
        check_one(w, plain)
    check_refused(w)
    w.server.stop()


tap.run(main)
