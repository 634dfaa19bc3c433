#!/usr/bin/env python3
"""The second witness: real Postfix, its log read by tollgate-collect, compared with what tollgated
counted. One message is lost after the end of data, one is sent past the milter, one forwarded by
.forward, one by Sieve; each is named with its queue id, and nothing else."""

import json
import os
import pwd
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import dovecot_server
import fake_milter
import proc
import site_postfix
import smtp
import tap
import tollgated
from site_postfix import OUTSIDE, mail

LDA = "/usr/lib/dovecot/dovecot-lda"
FORWARDER, SIEVE, PLAIN = "games", "irc", "backup"
DOVECOT = """\
protocols =
log_path = {folder}/dovecot.log
mail_home = {folder}/mail/{user}
postmaster_address = postmaster@box.example
submission_host = 127.0.0.1:{port}
auth_socket_path = {folder}/none
"""
DOVECOT_23 = DOVECOT + """\
mail_location = maildir:{folder}/mail/{user}
protocol lda {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{folder}/mail/{user}.sieve
}}
"""
DOVECOT_24 = dovecot_server.VERSIONS_24 + DOVECOT + """\
mail_driver = maildir
mail_path = {folder}/mail/{user}
protocol lda {{
  mail_plugins = sieve
}}
sieve_script personal {{
  path = {folder}/mail/{user}.sieve
}}
"""


MAIN = """
mydestination = box.example
mailbox_size_limit = 0
forward_path = {folder}/forward/$user
mail_spool_directory = {folder}/spool/
mailbox_command_maps = inline:{{
    {{{user} = /usr/bin/env HOME={folder}/mail {lda} -c {folder}/dovecot.conf}} }}
"""


def owned(path, user):
    who = pwd.getpwnam(user)
    os.chown(path, who.pw_uid, who.pw_gid)


class Site(site_postfix.Site):
    def __init__(self):
        self.past = proc.free_port()
        self.refuser = fake_milter.FakeMilter(answers={"eom": self.refuse})
        self.is_to_be_lost = False
        super().__init__(settings={"collect": {"user": "", "sources": []}})
        proc.wait_for("the service without milters",
                      lambda: proc.can_connect(("127.0.0.1", self.past)))
        self.tollgated.write_settings(collect={"sources": [
            "file:" + self.postfix.maillog, "file:" + self.postfix.dir + "/dovecot.log"]})

    def refuse(self, _):
        """A second milter refuses what it is told to, after tollgated has accepted it."""
        return fake_milter.packet("r" if self.is_to_be_lost else "c")

    def wire(self):
        """A second milter, a service without any, local(8) with .forward and Sieve."""
        folder = self.postfix.dir
        self.postfix.more += MAIN.format(folder=folder, user=SIEVE, lda=LDA)
        self.postfix.use_milter("unix:tollgate/milter.sock inet:127.0.0.1:%d" % self.refuser.port)
        with open(self.postfix.conf + "/master.cf", "a") as master:
            master.write("127.0.0.1:%d inet n - n - - smtpd -o smtpd_milters=\n"
                         "local unix - n n - - local\n" % self.past)
        for name in ("forward", "spool", "mail"):
            os.mkdir(os.path.join(folder, name))
        os.chmod(folder + "/spool", 0o1777)
        proc.write_text(folder + "/forward/" + FORWARDER,
                        "friend@gmail.test, other@gmail.test, %s@box.example\n" % PLAIN)
        proc.write_text(folder + "/mail/%s.sieve" % SIEVE,
                        "require \"copy\"; redirect :copy \"away@partner.test\";\n")
        template = DOVECOT_24 if dovecot_server.is_24() else DOVECOT_23
        proc.write_text(folder + "/dovecot.conf", template.format(
            folder=folder, user=SIEVE, port=self.postfix.smtp))
        proc.write_text(folder + "/dovecot.log", "")
        for name in ("/mail", "/dovecot.log"):
            owned(folder + name, SIEVE)

    def collect(self):
        code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate-collect"), "-c",
                                   self.tollgated.conf, "--once"])
        tap.same(code, 0, "the log is read", out, err)

    def reconcile(self, *options):
        code, out, err = self.tollgated.command("reconcile", "--format", "json", *options)
        tap.same(code, 0, "reconcile %s" % " ".join(options), err)
        return json.loads(out)


def queue_ids(site, words):
    return [line.split(": ")[1].split(":")[0] for line in site.postfix.log().split("\n")
            if words in line]


def next_second():
    """Times of the log are whole seconds: what is queued now is later than what was before."""
    now = time.time()
    proc.wait_for("the next second", lambda: time.time() > now + 2)


def send_all(site):
    """Some mail that agrees, and the four that do not."""
    for n in range(5):
        site.send("x@gmail.test", ["alice@example.com"], mail("X-N: %d" % n), OUTSIDE)
        site.send("jdoe", ["far@gmail.test"], mail(), login="jdoe")
    site.send("x@gmail.test", ["sales@example.com"], mail(), OUTSIDE)
    next_second()
    site.is_to_be_lost = True
    lost = site.attempt("x@gmail.test", ["bob@example.com"])
    site.is_to_be_lost = False
    past = smtp.Smtp(site.past)
    past.xclient(ADDR=OUTSIDE, NAME="client.test")
    missed = past.send("x@gmail.test", ["carol@example.org"], mail())
    past.quit()
    forwarded = site.send("x@gmail.test", [FORWARDER + "@box.example"], mail(), OUTSIDE)
    sieved = site.send("x@gmail.test", [SIEVE + "@box.example"], mail(), OUTSIDE)
    site.delivered("friend@gmail.test")
    site.delivered("away@partner.test")
    site.postfix.wait_empty()
    return lost, missed, forwarded, sieved


def main():
    tap.need("postfix", "redis-server", LDA)
    site = Site()
    site.tollgated.host(site_postfix.HOSTED + ["box.example"])
    site.tollgated.restart()
    lost, missed, forwarded, sieved = send_all(site)
    next_second()
    site.collect()
    tap.same([stage for stage, *_ in lost.refused], ["end"], "the second milter refuses")
    found = site.reconcile()
    rows = {(r["finding"], r["queue_id"]) for r in found["rows"]}
    lost_id = queue_ids(site, "milter-reject: END-OF-MESSAGE")[0]
    tap.same(rows, {("not-queued", lost_id), ("missed", missed), ("forward", forwarded),
                    ("passed-on", sieved)}, "each is named, and nothing else", found)
    tap.same(found["counted"], found["confirmed"] + 1, "all others are confirmed", found)
    check_effects(site, found, lost_id, forwarded)
    check_why(site, forwarded)
    site.stop()


def check_effects(site, found, lost_id, forwarded):
    effects = {(r["finding"], r["account"]): dict(e.split("=") for e in r["effect"].split())
               for r in found["rows"] if r["account"]}
    lost, forward = effects["not-queued", "example.com"], effects["forward", "box.example"]
    tap.same((lost["in_messages"], lost["in_recipients"]), ("-1", "-1"),
             "the lost one is taken back")
    tap.same((forward["forward_messages"], forward["forward_recipients"]), ("+1", "+2"),
             "the forward is added")
    tap.same(int(forward["forward_bytes"]), -int(lost["in_bytes"]),
             "with its bytes, once for its one destination")
    tap.same(effects["forward", "@" + tollgated.NODE], forward, "the node forwards the same")
    told = site.redis.hash("tg:{@%s}:collect" % tollgated.NODE)
    tap.same((told["reconcile_not_queued"], told["reconcile_counted"]),
             (str(found["findings"]["not-queued"]), str(found["counted"])),
             "monitoring hears of it")
    before = site.redis("KEYS", "tg:*:adjust")
    tap.same(before, [], "a report writes nothing")
    for times in ("once", "twice"):
        wrote = site.reconcile("--adjust")["adjustments_written"]
        tap.same(wrote, 4, "adjustments are written")
        kept = site.redis.hash("tg:{box.example}:adjust")
        tap.same(len(kept), 1, "asked %s, it is there once" % times)
    name, value = kept.popitem()
    tap.ok(name.split()[1].startswith(tollgated.NODE + "/"), "with an id", name)
    value = json.loads(value)
    tap.same(value["amounts"], {k: int(v) for k, v in forward.items()}, "its amounts")
    tap.ok(forwarded in value["evidence"] and value["by"].startswith("root"),
           "evidence and author", value)


def check_why(site, forwarded):
    code, out, err = site.tollgated.command("why", forwarded)
    tap.same(code, 0, "why", err)
    for words in ("queued: from x@gmail.test", "to %s@box.example" % FORWARDER, "sent by local"):
        tap.ok(words in out, "why says: " + words, out)


tap.run(main)
