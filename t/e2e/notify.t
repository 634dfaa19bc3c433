#!/usr/bin/env python3
"""contrib/notify/mail-admin: the admin's mail about a limit, once in its window."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import smtp
import tap
from site_postfix import Site

ALICE, CAROL, FAR = "alice@example.com", "carol@example.org", "far@gmail.test"
ADMIN = "admin@host.test"
# Postfix's sendmail takes a configuration other than the machine's from nobody but root; this one
# speaks SMTP instead.
SENDMAIL = """\
#!/usr/bin/env python3
import sys
sys.path.insert(0, "%s")
import smtp
data = sys.stdin.buffer.read().replace(b"\\n", b"\\r\\n")
smtp.Smtp(%d).send("tollgate@host.test", sys.argv[-1:], data)
"""
LIMITS = [dict(scope="domain", metric="recipients", max="4", per="hour", action="reject", soft=50)]


def program(folder, name, text):
    path = os.path.join(folder, name)
    proc.write_text(path, text)
    os.chmod(path, 0o755)
    return path


def mails(w):
    with w.sink.lock:
        return [d.data.decode() for d in w.sink.deliveries if ADMIN in d.recipients]


def wait_mails(w, count):
    try:
        proc.wait_for("mail", lambda: len(mails(w)) >= count)
    except TimeoutError:
        tap.note(w.tollgated.log()[-2000:])
    return mails(w)


def send(w, recipients, sender=ALICE):
    return w.attempt(sender, recipients, login=sender)


def over_limit(w, sender):
    """A domain that gets a limit now, and a message over it."""
    domain = sender.split("@")[1]
    w.redis("HSET", "tg:{%s}:limits" % domain, "user/messages/hour", "max=1 action=hold")
    proc.wait_for("the override", lambda: send(w, [FAR], sender) and
                  "violation domain=" + domain in w.tollgated.log())


def hostile(sample, folder):
    """What comes from clients stays in its line."""
    cat = program(folder, "cat", "#!/bin/sh\ncat\n")
    code, text, _ = proc.run([sample, "violation", "example.com", "domain/recipients/hour"], env={
        "SENDMAIL": cat, "TOLLGATE_FROM": "a\nBcc: b@far.test\r\x1b[2J", "TOLLGATE_QID": "%s%n\\n"})
    tap.ok(code == 0 and "\nBcc" not in text and "\x1b" not in text and "\r" not in text,
           "a sender with line ends and control bytes", text)
    tap.ok("%s%n\\n\n" in text, "nor is it a format", text)


def main():
    tap.need("postfix", "redis-server", root=True)
    folder = proc.scratch("notify")
    sample = os.path.join(os.path.abspath(proc.SOURCE), "contrib/notify/mail-admin")
    notify = program(folder, "notify", "#!/bin/sh\nSENDMAIL=%s/sendmail TOLLGATE_MAIL_TO=%s "
                     "exec %s \"$@\"\n" % (folder, ADMIN, sample))
    w = Site(settings={"throttle": {"mode": "enforce", "notify": notify},
                       "plans": [{"name": "default", "limits": LIMITS}]})
    library = os.path.dirname(os.path.abspath(smtp.__file__))
    program(folder, "sendmail", SENDMAIL % (library, w.postfix.smtp))

    send(w, [FAR, "b@gmail.test"])
    soft = wait_mails(w, 1)[-1]
    tap.ok("Subject: tollgate: example.com nears its limit\r\n" in soft, "soft percentage", soft)

    tap.ok(send(w, [FAR, "b@gmail.test"]).accepted, "the limit is reached")
    for _ in range(5):
        tap.ok(not send(w, [FAR]).accepted, "over the limit")
    first = wait_mails(w, 2)[-1]
    tap.ok("Subject: tollgate: example.com is over its limit (mail is rejected)\r\n" in first,
           "a message was stopped: the admin is notified", first)
    tap.none([x for x in ("  limit           domain/recipients/hour\r\n",
                          "  allows          4 recipients per hour\r\n",
                          "  used            4\r\n", "  this message    1 recipient\r\n",
                          "  sender          alice@example.com\r\n",
                          "  client          203.0.113.9\r\n",
                          "Auto-Submitted: auto-generated\r\n") if x not in first],
             "which limit, what was used, and whose message")
    # Mails are sent one after the other, so that of another limit comes last.
    over_limit(w, CAROL)
    third = wait_mails(w, 3)
    tap.ok("example.org is over its limit (mail is held)" in third[-1] and
           "  user            carol@example.org\r\n" in third[-1], "another limit, another mail",
           third[-1])
    tap.same(len(third), 3, "five messages over one limit made one mail")

    os.unlink(folder + "/sendmail")
    over_limit(w, "m@cust.example")
    proc.wait_for("a complaint", lambda: "throttle.notify failed" in w.tollgated.log())
    tap.ok("/notify ends with 127: " in w.tollgated.log(), "the log says why there is no mail",
           w.tollgated.log()[-1000:])
    hostile(sample, folder)
    w.stop()


tap.run(main)
