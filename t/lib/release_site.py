"""What `tollgate release` talks to, played by the test: a control socket, mail queues and their
logs."""

import json
import os
import subprocess
import sys
import time

import proc
import tap
from control import Control
from tollgate import Tollgate

# Each instance of Postfix has its folder; its queue is a file named after that.
POSTQUEUE = """#!/bin/sh
echo "postqueue $*" >>"$FAKE/calls"
test ! -e "$FAKE/postqueue-fails" || { echo "postqueue: fatal: no queue" >&2; exit 69; }
test ! -e "$FAKE/later" || test "$(grep -c postqueue "$FAKE/calls")" -lt 2 || exec cat "$FAKE/later"
case "$*" in
-j) cat "$FAKE/queue-etc-postfix";;
*-j) cat "$FAKE/queue$(echo "$2" | tr / -)";;
esac
"""
POSTSUPER = """#!/bin/sh
echo "postsuper $*" >>"$FAKE/calls"
test ! -e "$FAKE/postsuper-fails" || { echo "postsuper: fatal: no such queue" >&2; exit 1; }
"""
POSTMULTI = """#!/bin/sh
for folder in $(cat "$FAKE/instances"); do echo "- - y $folder"; done
"""
RELAY = """#!/bin/sh
echo "relay $4 $5" >>"$FAKE/calls"
case "$4" in list) cat "$FAKE/queue-relay";; esac
"""
SENDMAIL = """#!/bin/sh
test -e "$FAKE/mailq" || { echo "sendmail: fatal: -qQ is not implemented" >&2; exit 64; }
echo "sendmail $*" >>"$FAKE/calls"
case "$*" in
"-bp -qQ") cat "$FAKE/mailq";;
-bp) cat "$FAKE/mailq-rest";;
esac
"""
POSTCONF = """#!/bin/sh
test -e "$FAKE/syslog" || echo "$FAKE/maillog"
"""
JOURNALCTL = """#!/bin/sh
cat "$FAKE/journal"
"""
# As Sendmail 8.17 writes it.
MAILQ = """\
\t\t/var/spool/mqueue (2 requests)
-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------
%s        6 Sat Nov 28 18:19 <alice@example.com>
     QUARANTINE: example.com: limit of 1 messages per day reached (1 used), t
\t\t\t\t\t <x1@gmail.test>
%s*   12345 Sat Nov 28 18:19 <alice@example.com>
\t\t\t\t\t <x2@gmail.test>
\t\tTotal requests: 2
"""
NO_MAILQ = "/var/spool/mqueue is empty\n\t\tTotal requests: 0\n"
NEVER = {"error": "the message is larger than its limit", "never": True}
MAIN, OTHER = "/etc/postfix", "/etc/postfix-out"
LIST = ["postqueue -c /etc/postfix -j"]


# What a mail log says of a message; %s is its queue id.
HELD = "cleanup: %s: milter-hold: END-OF-MESSAGE from client.test[198.51.100.7]: milter triggers"
REMOVED = "postsuper: %s: removed"
DELETED = (HELD, REMOVED)


def history(queue_id, lines):
    """Lines "PROGRAM: TEXT" as syslog writes them."""
    return ["Nov 28 20:12:21 mx postfix/%s[12095]: %s" % tuple(
        (line.replace("%s", queue_id)).split(": ", 1)) for line in lines]


def own_var_log(path, main):
    """A main function that runs that of the script at path with a /var/log of its own."""
    def inside():
        subprocess.run(["mount", "-t", "tmpfs", "none", "/var/log"], check=True)
        main()

    def outside():
        tap.need("setpriv", "unshare", root=True)
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, os.path.abspath(path)],
                   dict(os.environ, TG_NAMESPACE="yes"))

    return inside if os.environ.get("TG_NAMESPACE") else outside


class Site:
    def __init__(self):
        self.folder = proc.scratch("release")
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        for name, text in (("postqueue", POSTQUEUE), ("postsuper", POSTSUPER),
                           ("postmulti", POSTMULTI), ("tollgate-relay", RELAY),
                           ("sendmail", SENDMAIL), ("postconf", POSTCONF),
                           ("journalctl", JOURNALCTL)):
            proc.write_text(os.path.join(self.bin, name), text)
            os.chmod(os.path.join(self.bin, name), 0o755)
        self.tollgate = Tollgate(self.folder, "unix:///nonexistent/redis.sock")
        self.tollgate.env.update(FAKE=self.folder, PATH=self.bin + ":" + os.environ["PATH"])
        self.control = Control(os.path.join(self.folder, "state"))
        self.start = int(time.time()) - 1000
        self.queues, self.instances, self.log = {}, [MAIN], []
        self.reset()

    def hold(self, number, account="example.com", late_s=0, on_hold=True, released=False, id=None,
             age_s=None, queue=MAIN, seen=MAIN, name="hold", log=DELETED):
        """A held message; late_s: how much later than that Postfix says it arrived; queue: where
        it is, seen: where it was seen before; log: if it is in none, what the mail log says."""
        held = self.start + number if age_s is None else int(time.time()) - age_s
        key = id or "Q%d" % number
        self.control.messages.append({"id": key, "number": number, "account": account,
                                      "time": held, "released": released, "queue": seen})
        if not on_hold or late_s > 120:
            self.log += history(key, log)
        if on_hold:
            self.queues[queue].append({"queue_name": name, "queue_id": key, "recipients": [],
                                       "arrival_time": held + late_s, "sender": "a@b"})

    def run(self, *args):
        """Exit code, stdout, stderr, what the socket was asked, which programs were run."""
        for folder, queue in self.queues.items():
            proc.write_text(os.path.join(self.folder, "queue" + folder.replace("/", "-")),
                            "".join(json.dumps(m) + "\n" for m in queue))
        proc.write_text(os.path.join(self.folder, "instances"), "\n".join(self.instances))
        proc.write_text(os.path.join(self.folder, "maillog"), "\n".join(self.log) + "\n")
        proc.write_text(os.path.join(self.folder, "calls"), "")
        del self.control.asked[:]
        code, out, err = self.tollgate("release", *args)
        calls = proc.read_text(os.path.join(self.folder, "calls")).splitlines()
        return code, out, err, self.control.asked[:], calls

    def reset(self):
        del self.control.messages[:], self.log[:]
        self.control.answers.clear()
        self.queues.clear()
        self.queues.update({MAIN: [], OTHER: [], "-relay": []})

    def flag(self, name, on):
        path = os.path.join(self.folder, name)
        if on:
            proc.write_text(path, "")
        else:
            os.unlink(path)


def gone(*ids, folder=MAIN):
    return [c % (folder, i) for i in ids
            for c in ("postsuper -c %s -H %s", "postqueue -c %s -i %s")]
