#!/usr/bin/env python3
"""contrib/demo: builds, runs, shows In, Out, Forward and local mail with the right figures, also on
its web pages, says how to plug it into Postfix, and leaves nothing behind."""

import csv
import http.client
import os
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap

# What contrib/demo.d/mail.py sends, by its table.
WANT = {
    "example.com": {"in_messages": 16, "in_recipients": 16, "out_messages": 6,
                    "forward_messages": 6, "local_sent_messages": 4, "bounces_received": 1,
                    "priority_bulk_messages": 3, "priority_high_messages": 1},
    "example.org": {"in_messages": 2, "out_messages": 5, "out_recipients": 7, "forward_messages": 1,
                    "local_received_messages": 4},
}


def totals(text):
    """The CSV of the output, by account."""
    lines = text.replace("\r", "").split("\n")
    head = next(i for i, line in enumerate(lines) if line.startswith("account,"))
    rows = []
    for line in lines[head:]:
        if "," not in line:
            break
        rows.append(line)
    return {row["account"]: row for row in csv.DictReader(rows)}


def left_behind(folder):
    """Processes that have to do with the demo's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        text = proc.read_text("/proc/%s/cmdline" % pid)
        if folder in text and int(pid) != os.getpid():
            found.append("%s %s" % (pid, text.replace("\0", " ")))
    return found


def look(port, password):
    """The page of the domains, as somebody sees it who does what the demo says."""
    site = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    site.request("POST", "/signin", urllib.parse.urlencode({"user": "demo", "password": password}),
                 {"Content-Type": "application/x-www-form-urlencoded",
                  "Origin": "http://127.0.0.1:%d" % port})
    answer = site.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    site.request("GET", "/r/message-traffic?mode=domain", headers={"Cookie": cookie})
    return site.getresponse().read().decode()


def demonstrate(folder):
    """Runs it at a terminal, and looks at its pages meanwhile: exit code, output, page."""
    person, terminal = os.openpty()
    output = os.path.join(folder, "output")
    os.mkdir(os.path.join(folder, "tmp"))
    with open(output, "wb") as out:
        demo = subprocess.Popen(
            [os.path.join(proc.SOURCE, "contrib/demo"), "--no-install"], stdin=terminal, stdout=out,
            stderr=out, env=dict(os.environ, TMPDIR=os.path.join(folder, "tmp"), CFLAGS="-O0"))
    try:
        proc.wait_for("web pages", lambda: demo.poll() is not None or
                      "Press Enter" in proc.read_text(output), timeout_s=600)
        found = re.search(r"http://127.0.0.1:(\d+)/ and sign in as demo, password (\w+)",
                          proc.read_text(output))
        page = look(int(found.group(1)), found.group(2)) if found else ""
        os.write(person, b"\n")
        code = demo.wait(240)
    finally:
        demo.kill()
    return code, proc.read_text(output), page


def on_page(page, account):
    """Messages of the table's row: in, out, forward."""
    row = next((row for row in page.split("<tr>") if account + "</bdi>" in row), "")
    return [int(text.replace(",", "")) for text in re.findall(r">([\d,]+)</td>", row)]


def main():
    tap.need("autoreconf", "redis-server")
    if proc.is_sanitized("tollgated"):
        tap.skip("contrib/demo makes a build of its own, the same whatever this one is")
    folder = proc.scratch("demo")
    code, out, page = demonstrate(folder)
    tap.same(code, 0, "it ends well", out[-3000:])
    rows = totals(out)
    faults = ["%s %s: got %s, want %d" % (account, name, rows.get(account, {}).get(name), number)
              for account, fields in WANT.items() for name, number in fields.items()
              if rows.get(account, {}).get(name) != str(number)]
    tap.none(faults, "the totals are those of the mail that was sent")
    tap.ok(re.search(r"in .*out .*forward", out), "a report shows in, out and forward")
    tap.ok("█" in out or "▏" in out, "a report is drawn as a chart")
    shown = ("in_messages", "out_messages", "forward_messages")
    faults = [account for account, fields in WANT.items()
              if not {fields[name] for name in shown} <= set(on_page(page, account))]
    tap.none(faults, "the page that it says how to open has the same figures")
    tap.ok(re.search(r"(?m)^smtpd_milters = .*tollgate/milter.sock", out) and
           "non_smtpd_milters" in out.split("smtpd_milters = ", 1)[1],
           "the last thing is how to attach it to Postfix", out[-800:])
    tap.same(os.listdir(os.path.join(folder, "tmp")), [], "no file is left behind")
    tap.none(left_behind(folder), "no process is left behind")


tap.run(main)
