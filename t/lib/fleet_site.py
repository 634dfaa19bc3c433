"""tollgated over a fleet of Redis servers, with mail coming in all the time while a test does what
it likes to the servers."""

import collections
import csv
import io
import threading
import time

import milterclient
import proc
import tollgated

DOMAINS = ["d%d.example" % i for i in range(24)]
SENDERS = 3
TIMEOUT_MS = 250  # store.timeout
# What a loaded machine may add: the test is not of its speed.
SLACK_S = 10
MESSAGE = milterclient.message_of(["Subject: hi"], 500)
LIMIT = {"scope": "domain", "metric": "recipients", "max": "1000000", "per": "hour",
         "action": "defer"}


def this_month():
    return time.strftime("%Y-%m", time.gmtime())


class FleetSite:
    """Each message asks for a limit. .accepted: domain -> messages let through; .longest_s: what
    one of them took at most, from MAIL to the answer to its end."""

    def __init__(self, name, url, tls=None, **store):
        self.folder = proc.scratch(name)
        if tls:
            store["tls"] = tls.settings()
        store.update(url=url, timeout="%dms" % TIMEOUT_MS)
        self.daemon = tollgated.Tollgated(
            self.folder, url, "unix:%s/milter.sock" % self.folder,
            {"throttle": {"mode": "enforce"}, "store": store,
             "plans": [{"name": "default", "limits": [LIMIT]}]})
        self.daemon.host(DOMAINS)
        self.accepted = {d: 0 for d in DOMAINS}
        self.refused, self.longest_s = [], 0.0
        self.lock = threading.Lock()
        self.is_over = False
        self.threads = []
        self.began = this_month()

    def start(self):
        self.daemon.start()
        self.threads = [threading.Thread(target=self._send_all, args=(i,), daemon=True)
                        for i in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def _send_all(self, first):
        at = first
        while not self.is_over:
            domain = DOMAINS[at % len(DOMAINS)]
            at += 5  # no divisor of their number: each comes round
            self._send(domain)
            time.sleep(0.005)

    def _send(self, domain):
        sender = "alice@" + domain
        with milterclient.Session(self.daemon.socket, auth=sender) as s:
            begin = time.monotonic()
            answer = s.deliver(sender, ["a@far.test"], MESSAGE)
            took = time.monotonic() - begin
        with self.lock:
            self.longest_s = max(self.longest_s, took)
            if answer.accepted:
                self.accepted[domain] += 1
            else:
                self.refused.append(repr(answer.reply))

    def total(self):
        with self.lock:
            return sum(self.accepted.values())

    def more(self, count=50):
        """Waits until that many more messages have been accepted."""
        goal = self.total() + count
        proc.wait_for("%d more messages" % count, lambda: self.total() >= goal, 60)

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(60)

    def report(self):
        """domain -> messages out, as `tollgate totals` reads them from the fleet: of the months in
        which the test has run."""
        found = collections.Counter()
        for month in sorted({self.began, this_month()}):
            code, out, err = self.daemon.command("totals", "--month", month, "--format", "csv")
            if code != 0:
                return {"error": err}
            for row in csv.DictReader(io.StringIO(out)):
                name = row.get("account") or row.get("domain")
                if name in self.accepted:
                    found[name] += int(row["out_messages"])
        return dict(found)

    def wait_counted(self):
        """Until the fleet has all that was accepted; the report then."""
        try:
            proc.wait_for("the figures", lambda: self.report() == self.accepted, 60)
        except TimeoutError:
            pass
        return self.report()
