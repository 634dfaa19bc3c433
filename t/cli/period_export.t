#!/usr/bin/env python3
"""tollgate period export: each target is told each amount once, however often the export is
repeated. The targets are fakes that count."""

import json
import os
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from export_site import HOSTBILL, IDS, KEEP, MONTH, WANT, Site


def files(site):
    _, out, _ = site.export("csv")
    tap.same(out, site.tollgate.good("period", "show", MONTH), "CSV is the closed file")
    data = json.loads(site.export("json")[1])
    tap.same([(i["account"], i["field"], i["value"], i["unit"]) for i in data["items"]],
             [(a, f, v, "GB") for a, f, v in WANT], "JSON, rounded up")
    tap.same((data["items"][1]["amount"], data["period"], len(data["hash"])),
             (1000001, MONTH, 64), "with the exact amount")
    for units, value in (("B", "1000001"), ("MB", "1.001"), ("MiB", "0.954"), ("GiB", "0.001")):
        items = json.loads(site.command(units).good("period", "export", MONTH, "--to", "json"))
        tap.same(items["items"][1]["value"], value, "in " + units)
    data = json.loads(site.command("B", ["in_messages"]).good("period", "export", MONTH, "--to",
                                                              "json"))
    tap.same([(i["field"], i["value"], i["unit"]) for i in data["items"]],
             [("in_messages", "9", "")], "billing.fields")
    code, _, err = site.command("B", ["pop_bytes"])("period", "export", MONTH, "--to", "json")
    tap.ok(code == 65 and "pop_bytes" in err, "a field that the file does not have", err)
    site.command("GB")


def once(site):
    t = site.targets
    code, out, err = site.export("hostbill", "--dry-run")
    tap.ok(code == 0 and t.requests == 0 and out.count('"id"') == 3, "a dry run sends nothing", err)
    for times in range(3):
        code, out, err = site.export("hostbill", *["--again"][:times == 2])
        tap.same((code, t.usage), (0, HOSTBILL), "HostBill, time %d" % (times + 1), out, err)
    os.unlink(site.outbox)
    tap.same((site.export("hostbill")[0], t.usage), (0, HOSTBILL), "and with a lost outbox")
    for times in range(2):
        tap.same(site.export("cloudevents")[0], 0, "CloudEvents")
    tap.same(t.requests, 3 + 3 + 3 + 3 + 1, "one request for all of them, once")
    event = t.events[("mx1", "2025-11/example.com/in_bytes/1")]
    tap.same((len(t.events), event["data"]["amount"], event["subject"], event["time"]),
             (3, 1000001, "example.com", "2025-11-30T23:59:59+00:00"), "as they should be")
    tap.same((t.headers_seen[-1].get("Authorization"), t.headers_seen[-1]["Content-Type"]),
             ("Bearer tk", "application/cloudevents-batch+json"), "with their headers")
    for times in range(2):
        tap.same(site.export("command")[0], 0, "a program")
    tap.same(site.told(), WANT, "told once")


def plesk(site):
    """Each day of the month, and together what was closed."""
    site.forget()
    t = site.targets
    t.bad_day = ("12", MONTH + "-30")
    code, _, err = site.export("plesk")
    tap.ok(code == 65 and "error" in err, "a day that Plesk refuses is told", code, err)
    t.bad_day = None
    tap.same(site.export("plesk")[0], 0, "Plesk, once more")
    tap.same((len(t.traffic), t.packets), (2 * 30, [["2"], ["12"], ["12"]]),
             "each day of the month, a domain in one request")
    tap.same((site.export("plesk")[0], len(t.packets)), (0, 3), "what it has is not sent again")
    tap.same(site.traffic(), {("12", MONTH + "-20"): (1000001, 5, 0),
                                    ("2", MONTH + "-20"): (0, 2000000000, 0)}, "has its traffic")
    tap.same(t.headers_seen[-1].get("KEY"), "pk", "with its key")
    key = "tg:{example.com}:day:%s-" % MONTH
    had = int(site.redis("HGET", key + "20", "in_bytes"))
    site.redis("HSET", key + "20", "in_bytes", had - 1)
    site.redis("HSET", key + "21", "out_bytes", 7)
    tap.same(site.export("plesk", "--again")[0], 0, "days that no longer are as they were closed")
    tap.same({day: n for day, n in site.traffic().items() if day[0] == "12"},
             {("12", MONTH + "-20"): (1000000, 5, 0), ("12", MONTH + "-30"): (1, 0, 0)},
             "are dealt the closed sum, and the last one has the rest")
    conf = proc.read_text(site.tollgate.conf)
    proc.write_text(site.tollgate.conf, conf.replace(KEEP, KEEP.replace("3650", "31")))
    tap.same(site.export("plesk", "--again")[0], 0, "days that are no longer kept")
    tap.same(site.traffic(), {("12", MONTH + "-30"): (1000001, 5, 0),
                                    ("2", MONTH + "-30"): (0, 2000000000, 0)}, "are one")
    proc.write_text(site.tollgate.conf, conf)
    t.traffic.clear()
    with urllib.request.urlopen(t.url + "/plesk", site.export("plesk", "--dry-run")[1].encode()):
        tap.same((len(t.traffic), t.packets[-1]), (2 * 30, ["12", "2"]), "and as a file")
    site.forget()
    tollgate = site.command("B", ["out_bytes"])
    tap.same((tollgate("period", "export", MONTH, "--to", "plesk")[0], len(t.packets)), (0, 2),
             "whatever is billed elsewhere")
    site.command("GB")
    site.redis("HDEL", key + "21", "out_bytes")
    site.redis("HSET", key + "20", "in_bytes", had)


def failing(site):
    site.forget()
    t = site.targets
    t.status = 503
    code, _, err = site.export("hostbill")
    tap.ok(code == 69 and "503" in err, "a target in trouble ends the export", err)
    t.status = 0
    code, _, _ = site.export("hostbill")
    tap.same(code, 69, "one that does not answer, too")
    t.status = 200
    tap.same((site.export("hostbill")[0], t.usage), (0, HOSTBILL), "what it did is not done again")
    site.forget()
    t.refuse = "1"
    code, out, err = site.export("hostbill")
    tap.ok(code == 65 and "no such account" in err and len(t.usage) == 2 and "1 refused" in out,
           "one account that is refused holds up no others", out, err)
    t.refuse = ""
    tap.same((site.export("hostbill")[0], sorted(t.usage)), (0, sorted(HOSTBILL)),
             "and comes later")
    site.forget()
    proc.write_text(site.program + ".fail", "")
    tap.same(site.export("command")[0], 69, "a program that fails after its work")
    os.unlink(site.program + ".fail")
    tap.same(site.export("command")[0], 0, "is asked")
    tap.same(site.told(), WANT, "told once")
    os.chmod(site.secrets, 0o644)
    code, _, err = site.export("hostbill")
    tap.ok(code == 78 and "chmod" in err, "secrets that everybody may read are refused", err)
    os.chmod(site.secrets, 0o600)
    ids = os.path.join(site.folder, "ids")
    proc.write_text(ids, "hostbill example.com 4711\n")
    site.forget()
    code, _, err = site.export("hostbill")
    tap.ok(code == 65 and "a.example has no line" in err and len(t.usage) == 2,
           "a domain without a number is named", err)
    proc.write_text(ids, "hostbill example.com 4711\nhostbill a.example -\n")
    site.forget()
    code, out, err = site.export("hostbill")
    tap.ok(code == 0 and len(t.usage) == 2 and " 0 refused" in out,
           "one that is not billed there is left out", out, err)
    tap.ok("a.example" not in site.export("hostbill", "--dry-run")[1], "of a dry run, too")
    proc.write_text(ids, IDS)


def two_hosts(site):
    """The same job on another host, with an outbox of its own, at the same time and later."""
    other = os.path.join(site.folder, "other")
    os.mkdir(other)
    there = site.command("GB", folder=other)
    proc.write_text(there.conf, proc.read_text(there.conf).replace('node = "mx1"', 'node = "mx9"'))
    site.forget()
    both = [threading.Thread(target=t, args=("period", "export", MONTH, "--to", "command"))
            for t in (site.tollgate, there)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    tap.same(site.told(), WANT,
             "two hosts at once: told once")
    codes = [t("period", "export", MONTH, "--to", "command") for t in (site.tollgate, there)]
    refused = [err for code, _, err in codes if code == 75]
    tap.ok(len(refused) == 1 and "from the host" in refused[0], "one of them is refused", codes)
    tap.same(len(site.told()), len(WANT), "and tells nothing")
    site.redis("HDEL", "tg:periods", MONTH + " export command")


def by_customer():
    """Whose a domain was stands in the file of the month; a customer is billed the sum."""
    site = Site(["example.com 9", "a.example 9"])
    out = site.export("csv")[1]
    tap.ok("\naccount,customer,figure," in out and "\nexample.com,9,billed," in out,
           "the closed file has the customers", out)
    data = json.loads(site.export("json")[1])
    tap.same({i["customer"] for i in data["items"]}, {"9"}, "and so has JSON")
    site.own(["example.com 8"])
    data = json.loads(site.export("json", "--by", "customer")[1])
    sums = [("@customer:9", "in_bytes", "0.002"), ("@customer:9", "out_bytes", "0.001"),
            ("@customer:9", "forward_bytes", "2.000")]
    tap.same(sorted((i["account"], i["field"], i["value"]) for i in data["items"]), sorted(sums),
             "a domain that moved later stays where it was")
    for _ in range(2):
        tap.same(site.export("command", "--by", "customer")[0], 0, "to a program")
    tap.same(sorted(site.told()), sorted(sums), "each sum once")
    code, _, err = site.export("command")
    tap.ok(code == 64 and "not both" in err and len(site.told()) == 3,
           "not by account as well, which would bill twice", err)
    site.forget()
    tap.same(site.export("command")[0], 0, "by account")
    code, _, err = site.export("command", "--by", "customer")
    tap.ok(code == 64 and "not both" in err and site.told() == WANT, "nor the other way round", err)
    proc.write_text(os.path.join(site.folder, "ids"), "hostbill @customer:9 77\n")
    tap.same((site.export("hostbill", "--by", "customer")[0],
              {(a, v) for a, _, v, _ in site.targets.usage}),
             (0, {("77", "0.002"), ("77", "0.001"), ("77", "2.000")}), "HostBill by its number")
    for target in ("csv", "whmcs", "plesk"):
        code, _, err = site.export(target, "--by", "customer")
        tap.ok(code == 64 and "domains alone" in err, "not to " + target, err)
    tap.ok("2025-11" in site.tollgate.good("period", "verify"), "it is verified as it is")
    site.server.stop()


def main():
    tap.need("redis-server", "curl")
    by_customer()
    site = Site()
    files(site)
    once(site)
    plesk(site)
    failing(site)
    two_hosts(site)
    for args, code, text in ((["--to", "fax"], 64, "fax"), ([], 64, "needs --to")):
        got, _, err = site.tollgate("period", "export", MONTH, *args)
        tap.ok(got == code and text in err, "export %s is refused" % args, err)
    got, _, err = site.export("json", "--by", "customer")
    tap.ok(got == 64 and "was closed before" in err, "by customers that the file lacks", err)
    got, _, err = site.tollgate("period", "export", "2025-12", "--to", "csv")
    tap.ok(got == 66 and "not closed" in err, "a month that is not closed is not exported", err)
    site.server.stop()


tap.run(main)
