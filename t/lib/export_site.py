"""A site with a closed month, and fakes of the billing systems that it is exported to. They count:
what they are told twice, they have twice."""

import datetime
import http.server
import json
import os
import socketserver
import threading
import urllib.parse
import xml.etree.ElementTree

import proc
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc
MONTH = "2025-11"
KEEP = 'keep_days = "3650d"; '
IDS = "hostbill example.com 4711\nplesk example.com 12\nhostbill a.example 1\nplesk a.example 2\n"
WANT = [("a.example", "forward_bytes", "2.000"), ("example.com", "in_bytes", "0.002"),
        ("example.com", "out_bytes", "0.001")]
HOSTBILL = [({"a.example": "1", "example.com": "4711"}[a], f, v, "2025-11/%s/%s/1" % (a, f))
            for a, f, v in WANT]
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
    def __init__(self, customers=(), name="period-export"):
        self.folder = proc.scratch(name)
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
        """What the program was told: (account, field, value)."""
        path = self.program + ".told"
        lines = proc.read_text(path).split("\n") if os.path.exists(path) else []
        items = [json.loads(line) for line in lines if line]
        return [(i["account"], i["field"], i["value"]) for i in items]

    def traffic(self):
        """What Plesk has: {(domain, day): (in, out, fetched)}, of days with traffic."""
        return {day: numbers for day, numbers in self.targets.traffic.items() if any(numbers)}

    def forget(self):
        self.targets.forget()
        for path in (self.outbox, self.outbox + "-journal", self.program + ".told",
                     self.program + ".fail"):
            if os.path.exists(path):
                os.unlink(path)

    def export(self, target, *args, env=None):
        return self.tollgate("period", "export", MONTH, "--to", target, *args, env=env)

