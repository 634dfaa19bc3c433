#!/usr/bin/env python3
"""tollgate-relay as a daemon: to the background, from root to its own account, reloads."""

import os
import pwd
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import smtp
import tap

TEXT = b"Subject: x\r\n\r\nhello\r\n"
ACCOUNT = "nobody"


def pid_of(r):
    return int(proc.read_text(os.path.join(r.settings["relay"]["queue_dir"], "lock")) or 0)


def gone(pid):
    return not os.path.exists("/proc/%d" % pid)


def background(folder):
    """As root, without -f: the command comes back when all stands, and the rest runs as nobody."""
    r = relay.Relay(folder, settings={"user": ACCOUNT, "log": {"target": "syslog"}})
    os.chmod(folder, 0o777)
    code, _, err = r.command()
    tap.same((code, err), (0, ""), "to the background")
    pid = pid_of(r)
    try:
        status = proc.read_text("/proc/%d/status" % pid)
        uid = str(pwd.getpwnam(ACCOUNT).pw_uid)
        tap.ok("Uid:\t%s\t%s\t%s\t%s" % (uid, uid, uid, uid) in status, "root no more", status)
        c = smtp.Smtp(r.port)
        c.send("a@x.test", ["bob@host.test"], TEXT)
        c.quit()
        r.wait_mail("bob@host.test")
        owner = os.stat(os.path.join(folder, "mail", "host.test")).st_uid
        tap.same(str(owner), uid, "mail belongs to the account")
        r.wait_empty()
        code, out, _ = r.command("queue", "list")
        tap.same((code, out), (0, "0 messages, 0 bytes\n"), "root can look into the queue")
    finally:
        os.kill(pid, signal.SIGTERM)
    proc.wait_for("the end", lambda: gone(pid))
    code, _, err = relay.Relay(proc.scratch("user"), settings={"user": "no-such-account"}).command()
    tap.ok(code == 78 and "no-such-account" in err, "an account that is none", code, err)


def links(folder):
    """Root's queue commands in a directory of the service account, which has put links in it."""
    r = relay.Relay(folder, settings={"user": ACCOUNT})
    uid, victims = pwd.getpwnam(ACCOUNT).pw_uid, os.path.join(folder, "victims")
    os.chmod(folder, 0o755)
    os.mkdir(victims, 0o700)
    secret = os.path.join(victims, "secret")
    proc.write_text(secret, "root's\n")
    queue = r.settings["relay"]["queue_dir"]
    for name, target in (("tmp", victims), ("lock", secret), ("mail", victims)):
        if os.path.isdir(queue):
            shutil.rmtree(queue)
        os.mkdir(queue, 0o700)
        for part in ("mail", "hold", "tmp"):
            os.mkdir(os.path.join(queue, part), 0o700)
            os.chown(os.path.join(queue, part), uid, -1)
        proc.write_text(os.path.join(queue, "lock"), "")
        os.chown(os.path.join(queue, "lock"), uid, -1)
        os.chown(queue, uid, -1)
        place = os.path.join(queue, name)
        os.unlink(place) if name == "lock" else os.rmdir(place)  # pylint: disable=W0106
        os.symlink(target, place)
        for arguments in (["hold", "all"], ["delete", "secret"], ["release", "all"], ["list"]):
            r.command("queue", *arguments)
            tap.same(proc.read_text(secret), "root's\n",
                     "%s is a link: queue %s leaves the file alone" % (name, " ".join(arguments)))
        tap.same(os.listdir(victims), ["secret"], name + ": and makes none there")
    proc.write_text(secret, "tollgate-queue 1\nid AAA1\ncreated 1\nbytes 0\nflags \n"
                    "sender private@x.test\nrecipient b@y.test\n\n")
    os.chmod(secret, 0o600)
    os.unlink(os.path.join(queue, "mail"))
    os.mkdir(os.path.join(queue, "mail"))
    os.symlink(secret, os.path.join(queue, "mail", "AAA1"))
    _, out, _ = r.command("queue", "list")
    tap.ok("private@" not in out, "queue list shows nothing that the account may not read", out)


def may_reach(r, domain):
    c = smtp.Smtp(r.port)
    c.command("MAIL FROM:<a@x.test>")
    try:
        c.command("RCPT TO:<bob@%s>" % domain)
        return True
    except smtp.Refused:
        return False
    finally:
        c.close()


def reloads(folder):
    r = relay.Relay(folder, settings={"networks": {"host": ["192.0.2.1"]}})
    r.start()
    tap.ok(not may_reach(r, "else.test"), "denied")
    r.write_settings(networks={"customers": ["127.0.0.0/8"]})
    r.daemon.signal(signal.SIGUSR1)
    r.wait_log("notice: reloaded")
    tap.ok(may_reach(r, "else.test"), "USR1: customers may send")
    r.write_settings(networks={"customers": ["0.0.0.0/0"]})
    r.daemon.signal(signal.SIGHUP)
    r.wait_log("not reloaded.*open to strangers")
    tap.ok(may_reach(r, "else.test"), "HUP with an open relay: the old stays")
    proc.write_text(r.conf, "nonsense = ")
    r.daemon.signal(signal.SIGUSR1)
    proc.wait_for("the second fault", lambda: r.log().count("not reloaded") == 2)
    tap.ok(may_reach(r, "else.test"), "a broken file: the old stays")
    r.write_settings(networks={"customers": []})
    r.daemon.signal(signal.SIGHUP)
    proc.wait_for("reload", lambda: r.log().count("notice: reloaded") == 2)
    tap.ok(not may_reach(r, "else.test"), "HUP reloads, too")
    proc.write_text(os.path.join(folder, "relay-domains"), "host.test\nnew.example.test\n")
    proc.wait_for("the new domain", lambda: may_reach(r, "new.example.test"))
    tap.ok(True, "a changed list of domains is read by itself")
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")


def default_domain(folder):
    """What the table of settings says can be reloaded is: hosted.default_domain, log.level,
    ledger.min_free."""
    r = relay.Relay(folder, ["one.test", "two.test"],
                    settings={"hosted": {"default_domain": "one.test"}})
    r.start()

    def mail_to_joe():
        c = smtp.Smtp(r.port)
        try:
            c.send("a@x.test", ["joe"], TEXT)
            return 250
        except smtp.Refused as e:
            return e.code
        finally:
            c.close()

    def reload(**settings):
        before = r.log().count("notice: reloaded")
        r.write_settings(**settings)
        r.daemon.signal(signal.SIGUSR1)
        proc.wait_for("reload", lambda: r.log().count("notice: reloaded") > before)

    mail_to_joe()
    r.wait_mail("joe@one.test")
    reload(hosted={"default_domain": "two.test"})
    mail_to_joe()
    r.wait_mail("joe@two.test")
    tap.same(len(r.mail("joe@one.test")), 1, "hosted.default_domain")
    lines = r.log().count("debug: connect")
    tap.ok(lines > 0, "log.level is debug")
    reload(log={"level": "info"})
    r.wait_log("notice: reloaded")
    mail_to_joe()
    r.wait_mail("joe@two.test", 2)
    tap.same(r.log().count("debug: connect"), lines, "log.level")
    reload(ledger={"min_free": "1024GB"})
    tap.same(mail_to_joe(), 452, "ledger.min_free")
    tap.same(r.stop(), 0, "stopped")


def calls():
    program = os.path.join(proc.BUILD, "tollgate-relay")
    for arguments, want in ((["-V"], 0), (["-h"], 0), (["--version"], 0), (["--help"], 0),
                            (["-x"], 64), (["--nonsense"], 64), (["nonsense"], 64),
                            (["user"], 64), (["user", "a:b"], 64), (["-c", "/nonexistent"], 78),
                            (["-c", "/nonexistent", "queue", "list"], 78)):
        code, out, err = proc.run([program] + arguments)
        tap.ok(code == want and out + err, "%s: %d" % (" ".join(arguments), want), code, out, err)
    out = proc.run([program, "-h"])[1]
    for command in ("queue list [-j]", "queue flush [ID]", "queue hold|release|delete ID|all",
                    "user LOGIN"):
        tap.ok(command in out, "-h shows " + command, out)
    code, _, err = proc.run([program, "user", "joe"], b"\n")
    tap.ok(code == 66 and "no password" in err, "an empty password", err)


def main():
    tap.need(root=True)
    background(proc.scratch("service"))
    links(proc.scratch("links"))
    reloads(proc.scratch("reload"))
    default_domain(proc.scratch("default"))
    calls()


tap.run(main)
