#!/usr/bin/env python3
"""tollgate period export: each target is told each amount once, however often the export is killed
and repeated. The targets are fakes that count."""

import datetime
import http.server
import json
import os
import socketserver
import sys
import threading
import urllib.parse
import urllib.request
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate, preload

UTC = datetime.timezone.utc
MONTH = "2025-11"
KEEP = 'keep_days = "3650d"; '
IDS = "hostbill example.com 4711\nplesk example.com 12\nhostbill a.example 1\nplesk a.example 2\n"
COMMAND = r"""#!/bin/sh
# Notes what it is told; asked, it looks. $FAIL: it notes and fails, as where an answer is lost.
read -r line
case $1 in
ask) grep -qxF "$line" "$0.asked" 2>/dev/null; id=$(echo "$line" | sed 's/"action":"ask"//')
     grep -qF "$(echo "$id" | sed 's/.*"id":"\([^"]*\)".*/\1/')" "$0.told" 2>/dev/null || exit 1 ;;
bill) echo "$line" >>"$0.told"; [ ! -e "$0.fail" ] ;;
esac
"""


class Targets(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """HostBill, which adds whatever it gets; Plesk, which sets; a receiver of CloudEvents, which
    knows an event by source and id."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        self.forget()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def forget(self):
        self.usage = []      # (account, variable, qty, output)
        self.events = {}     # (source, id) -> data
        self.bad_day = None  # (dom_id, date) that Plesk refuses
        self.traffic = {}    # (dom_id, date) -> (in, out, fetched)
        self.packets = []    # the dom_ids of each packet
        self.requests = 0
        self.headers_seen = []
        self.status = 200    # 0: the connection ends behind the work
        self.refuse = ""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        t, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        t.requests += 1
        t.headers_seen.append(dict(self.headers))
        if t.status >= 400:
            return self.answer(t.status, "no")
        text = getattr(self, "do_" + self.path.strip("/"))(t, body.decode())
        if t.status == 0:
            self.close_connection = True
            return self.connection.close()
        return self.answer(t.status, text)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_hostbill(self, t, body):
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        assert (form["api_id"], form["api_key"]) == ("id7", "key&\"8"), form
        if form["account_id"] == t.refuse:
            return json.dumps({"success": False, "error": ["no such account"]})
        if form["call"] == "meteredAddUsage":
            t.usage.append((form["account_id"], form["variable"], form["qty"], form["output"]))
            return json.dumps({"success": True, "usage_id": len(t.usage)})
        variables = {}
        for account, variable, qty, output in t.usage:
            if account == form["account_id"]:
                variables.setdefault(variable, {"values": []})["values"].append(
                    {"qty": qty, "output": output})
        return json.dumps({"success": True, "variables": variables})

    def do_events(self, t, body):
        for event in json.loads(body):
            assert event["specversion"] == "1.0", event
            t.events[(event["source"], event["id"])] = event
        return ""

    def do_plesk(self, t, body):
        answer = ""
        packet = list(xml.etree.ElementTree.fromstring(body).iter("set_traffic"))
        parts = [{part.tag: part.text for part in operation} for operation in packet]
        t.packets.append(sorted({part["dom_id"] for part in parts}))
        for part in parts:
            status = "error" if (part["dom_id"], part["date"]) == t.bad_day else "ok"
            if status == "ok":
                t.traffic[(part["dom_id"], part["date"])] = tuple(
                    int(part[name]) for name in ("smtp_in", "smtp_out", "pop3_imap_out"))
            answer += "<set_traffic><result><status>%s</status></result></set_traffic>" % status
        return "<packet><webspace>%s</webspace></packet>" % answer


class Site:
    def __init__(self, customers=()):
        self.folder = proc.scratch("period-export")
        self.customers = os.path.join(self.folder, "customers") if customers else None
        self.own(customers)
        self.server = RedisServer(self.folder)
        redis = self.redis = self.server.connect()
        counted = Counted()
        november = datetime.datetime(2025, 11, 20, tzinfo=UTC)
        counted.add(november, "example.com", {"in_bytes": 1000001, "out_bytes": 5, "pop_bytes": 3})
        counted.add(november, "a.example", {"forward_bytes": 2000000000, "in_messages": 9})
        counted.write(redis, {"mx1": int(datetime.datetime.now(UTC).timestamp())})
        self.targets = Targets()
        self.program = os.path.join(self.folder, "bill")
        proc.write_text(self.program, COMMAND)
        os.chmod(self.program, 0o755)
        self.secrets = os.path.join(self.folder, "secrets")
        proc.write_text(self.secrets, 'hostbill id7 key&"8\nplesk pk\n'
                        "cloudevents Authorization: Bearer tk\n")
        os.chmod(self.secrets, 0o600)
        proc.write_text(os.path.join(self.folder, "ids"), IDS)
        self.outbox = os.path.join(self.folder, "state", "periods", "outbox.db")
        self.tollgate = self.command("GB")
        self.tollgate.good("period", "close", MONTH)

    def own(self, lines):
        if self.customers:
            proc.write_text(self.customers, "".join(line + "\n" for line in lines))

    def command(self, units, fields=(), folder=None):
        url = self.targets.url
        tollgate = Tollgate(folder or self.folder, self.server.url, more=(
            'billing: { %s units = "%s"; fields = [%s]; secrets_file = "%s"; ids_file = "%s/ids"; '
            'targets = ["command:%s", "hostbill:%s/hostbill", "plesk:%s/plesk", '
            '"cloudevents:%s/events"]; };' % (
                'customers = ["file:%s"];' % self.customers if self.customers else "", units,
                ", ".join('"%s"' % f for f in fields), self.secrets, self.folder,
                self.program, url, url, url)))
        conf = proc.read_text(tollgate.conf)
        proc.write_text(tollgate.conf, conf.replace("store: {", "store: { " + KEEP))
        return tollgate

    def told(self):
        path = self.program + ".told"
        return [json.loads(line) for line in proc.read_text(path).split("\n") if line] \
            if os.path.exists(path) else []

    def forget(self):
        self.targets.forget()
        for path in (self.outbox, self.outbox + "-journal", self.program + ".told",
                     self.program + ".fail"):
            if os.path.exists(path):
                os.unlink(path)

    def export(self, target, *args, env=None):
        return self.tollgate("period", "export", MONTH, "--to", target, *args, env=env)


WANT = [("a.example", "forward_bytes", "2.000"), ("example.com", "in_bytes", "0.002"),
        ("example.com", "out_bytes", "0.001")]
HOSTBILL = [({"a.example": "1", "example.com": "4711"}[a], f, v, "2025-11/%s/%s/1" % (a, f))
            for a, f, v in WANT]


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
    tap.same([(i["account"], i["field"], i["value"]) for i in site.told()], WANT, "told once")


def busy_days(traffic):
    return {day: numbers for day, numbers in traffic.items() if any(numbers)}


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
    tap.same(busy_days(t.traffic), {("12", MONTH + "-20"): (1000001, 5, 0),
                                    ("2", MONTH + "-20"): (0, 2000000000, 0)}, "has its traffic")
    tap.same(t.headers_seen[-1].get("KEY"), "pk", "with its key")
    key = "tg:{example.com}:day:%s-" % MONTH
    had = int(site.redis("HGET", key + "20", "in_bytes"))
    site.redis("HSET", key + "20", "in_bytes", had - 1)
    site.redis("HSET", key + "21", "out_bytes", 7)
    tap.same(site.export("plesk", "--again")[0], 0, "days that no longer are as they were closed")
    tap.same({day: n for day, n in busy_days(t.traffic).items() if day[0] == "12"},
             {("12", MONTH + "-20"): (1000000, 5, 0), ("12", MONTH + "-30"): (1, 0, 0)},
             "are dealt the closed sum, and the last one has the rest")
    conf = proc.read_text(site.tollgate.conf)
    proc.write_text(site.tollgate.conf, conf.replace(KEEP, KEEP.replace("3650", "31")))
    tap.same(site.export("plesk", "--again")[0], 0, "days that are no longer kept")
    tap.same(busy_days(t.traffic), {("12", MONTH + "-30"): (1000001, 5, 0),
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
    tap.same([(i["account"], i["field"], i["value"]) for i in site.told()], WANT, "told once")
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
    tap.same([(i["account"], i["field"], i["value"]) for i in site.told()], WANT,
             "two hosts at once: told once")
    codes = [t("period", "export", MONTH, "--to", "command") for t in (site.tollgate, there)]
    refused = [err for code, _, err in codes if code == 75]
    tap.ok(len(refused) == 1 and "from the host" in refused[0], "one of them is refused", codes)
    tap.same(len(site.told()), len(WANT), "and tells nothing")
    site.redis("HDEL", "tg:periods", MONTH + " export command")


def killed(site, target, result, stride):
    """Killed at every so many steps, and repeated."""
    for step in range(1, 1000, stride):
        site.forget()
        env = dict(preload(site.folder, "step_shim"), TG_STEP=str(step))
        code, _, err = site.export(target, env=env)
        again = site.export(target)
        if again[0] != 0 or result(site) != result.want:
            tap.ok(False, "%s, killed at step %d: once" % (target, step), result(site), again, err)
            return
        if code == 0:
            tap.ok(step > 20, "%s, killed at steps up to %d: once" % (target, step))
            return
    tap.ok(False, "%s: the export never ends" % target)


def usage(site):
    return site.targets.usage


def told(site):
    return [(i["account"], i["field"], i["value"]) for i in site.told()]


def events(site):
    return len(site.targets.events)


def traffic(site):
    return busy_days(site.targets.traffic)


usage.want, told.want, events.want = HOSTBILL, WANT, 3
traffic.want = {("12", MONTH + "-20"): (1000001, 5, 0), ("2", MONTH + "-20"): (0, 2000000000, 0)}


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
    tap.same(sorted(told(site)), sorted(sums), "each sum once")
    code, _, err = site.export("command")
    tap.ok(code == 64 and "not both" in err and len(told(site)) == 3,
           "not by account as well, which would bill twice", err)
    site.forget()
    tap.same(site.export("command")[0], 0, "by account")
    code, _, err = site.export("command", "--by", "customer")
    tap.ok(code == 64 and "not both" in err and told(site) == WANT, "nor the other way round", err)
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
    killed(site, "command", told, 4)
    killed(site, "hostbill", usage, 11)
    killed(site, "cloudevents", events, 13)
    killed(site, "plesk", traffic, 13)
    for args, code, text in ((["--to", "fax"], 64, "fax"), ([], 64, "needs --to")):
        got, _, err = site.tollgate("period", "export", MONTH, *args)
        tap.ok(got == code and text in err, "export %s is refused" % args, err)
    got, _, err = site.export("json", "--by", "customer")
    tap.ok(got == 64 and "was closed before" in err, "by customers that the file lacks", err)
    got, _, err = site.tollgate("period", "export", "2025-12", "--to", "csv")
    tap.ok(got == 66 and "not closed" in err, "a month that is not closed is not exported", err)
    site.server.stop()


tap.run(main)
