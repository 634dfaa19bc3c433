#!/usr/bin/env python3
"""POP before SMTP with a real Dovecot: who has just read mail may send from the same address."""

import os
import poplib
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dovecot_server
import proc
import redis_server
import relay
import sink
import tap

TEXT = b"Subject: x\r\nFrom: joe@host.test\r\n\r\nhello\r\n"

DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/run
protocols = pop3
listen = 127.0.0.1
log_path = {dir}/log
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  executable = pop3 tollgate-popauth
}}
service tollgate-popauth {{
  executable = script-login {script}
  user = root
  unix_listener tollgate-popauth {{
  }}
}}
"""


def start_dovecot(folder, redis):
    port = proc.free_port()
    for name in ("run", "mail"):
        os.mkdir(os.path.join(folder, name))
    os.chmod(os.path.join(folder, "mail"), 0o777)
    proc.write_text(os.path.join(folder, "users"), "joe@host.test:secret\n")
    proc.write_text(os.path.join(folder, "popauth"),
                    "redis='-s %s'\n[ ! -e %s/no-redis ] || redis='-s /nonexistent'\n" % (
                        redis.path, folder))
    script = os.path.join(folder, "postlogin")  # Dovecot hands no variables of ours down
    proc.write_text(script, "#!/bin/sh\nTOLLGATE_POPAUTH=%s/popauth exec %s \"$@\"\n" % (
        folder, os.path.join(proc.SOURCE, "contrib/dovecot/tollgate-popauth")))
    os.chmod(script, 0o755)
    conf = os.path.join(folder, "dovecot.conf")
    head = dovecot_server.V24 if dovecot_server.is_24() else dovecot_server.V23
    proc.write_text(conf, (head + DOVECOT).format(dir=folder, port=port, script=script))
    daemon = proc.Daemon(["dovecot", "-F", "-c", conf], os.path.join(folder, "dovecot.out"))
    daemon.until("POP3", lambda: proc.can_connect(("127.0.0.1", port)))
    return daemon, port


def read_mail(port):
    box = poplib.POP3("127.0.0.1", port, timeout=20)
    box.user("joe@host.test")
    box.pass_("secret")
    stat = box.stat()
    box.quit()
    return stat


def may_send(r):
    with smtplib.SMTP("127.0.0.1", r.port) as c:
        try:
            c.sendmail("joe@host.test", ["out@else.test"], TEXT)
            return True
        except smtplib.SMTPRecipientsRefused as e:
            if list(e.recipients.values())[0][0] != 554:
                raise
            return False


def main():
    tap.need("dovecot", "redis-server", "redis-cli", root=True)
    folder = proc.scratch("popauth")
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    dovecot, port = start_dovecot(folder, server)
    s = sink.Sink()
    r = relay.Relay(folder, settings={
        "store": {"url": "unix://" + server.path}, "networks": {"host": ["192.0.2.1"]},
        "relay": {"next_hop": "127.0.0.1:%d" % s.port}})
    r.start()
    tap.ok(not may_send(r), "a stranger may not send elsewhere")
    tap.same(read_mail(port), (0, 0), "joe looks into the mailbox")
    tap.same(redis("GET", "tg:popauth:{127.0.0.1}"), "joe@host.test", "Redis knows")
    tap.ok(1790 <= redis("TTL", "tg:popauth:{127.0.0.1}") <= 1800, "for half an hour")
    proc.wait_for("leave to send", lambda: may_send(r))
    tap.ok(True, "now the address may send")
    proc.wait_for("delivery", s.count)
    proc.write_text(os.path.join(folder, "no-redis"), "")
    tap.same(read_mail(port), (0, 0), "with Redis away joe still gets to the mailbox")
    redis("DEL", "tg:popauth:{127.0.0.1}")
    r.restart()
    tap.ok(not may_send(r), "and when the time is over, no more")
    for daemon in (r.daemon, dovecot):
        tap.same(daemon.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")


tap.run(main)
