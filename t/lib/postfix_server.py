"""A private Postfix: own configuration, queue and log, on free ports of 127.0.0.1. Needs root.

Two services: smtp (as from the world; XCLIENT says who the client is) and submission (AUTH, any
login with the password "secret"). Hosted mail and everything else is delivered to one sink.
"""

import os
import pwd
import re
import socket
import subprocess

import auth_server
import proc

SBIN = "/usr/lib/postfix/sbin"
BACKLOG = "/proc/sys/net/unix/max_dgram_qlen"

MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
config_directory = {dir}/conf
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
myhostname = mx.host.test
myorigin = host.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8 198.51.100.0/24
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_address_preference = ipv4
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination
smtpd_forbid_bare_newline = no
smtpd_tls_security_level = none
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dir}/auth.sock
smtputf8_enable = yes
message_size_limit = 52428800
default_process_limit = 100
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = static:ok
virtual_alias_maps = texthash:{dir}/forwards
virtual_transport = {transport}
default_transport = {transport}
relay_transport = {transport}
relay_domains = backup.test
maximal_backoff_time = 10s
minimal_backoff_time = 5s
queue_run_delay = 5s
enable_long_queue_ids = yes
{more}
"""

MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, folder, domains, forwards=(), sink_port=None, more=""):
        """domains: tables or names as for virtual_mailbox_domains. forwards: (address, target)."""
        self.dir = os.path.join(folder, "postfix")
        self.conf = os.path.join(self.dir, "conf")
        self.maillog = os.path.join(self.dir, "maillog")
        self.smtp, self.submission = proc.free_port(), proc.free_port()
        self.domains, self.more = domains, more
        self.transport = "smtp:[127.0.0.1]:%d" % sink_port if sink_port else "discard:"
        self.master, self.probes = None, 0  # probes: sessions of start() itself
        for name in ("", "conf", "queue", "data"):
            os.mkdir(os.path.join(self.dir, name))
        os.chown(os.path.join(self.dir, "data"), pwd.getpwnam("postfix").pw_uid, 0)
        proc.write_text(os.path.join(self.dir, "forwards"),
                        "".join("%s %s\n" % pair for pair in forwards))
        self.auth = auth_server.AuthServer(os.path.join(self.dir, "auth.sock"))
        self._configure("")

    def milter_socket(self):
        """Where a milter's socket goes: in a folder of the queue."""
        folder = os.path.join(self.dir, "queue", "tollgate")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, "milter.sock")

    def _configure(self, milters):
        proc.write_text(os.path.join(self.conf, "main.cf"), MAIN.format(
            dir=self.dir, domains=self.domains, transport=self.transport,
            more=self.more + "\n" + milters))
        proc.write_text(os.path.join(self.conf, "master.cf"), MASTER.format(
            smtp=self.smtp, submission=self.submission))

    def use_milter(self, milter, action="tempfail"):
        """milter: unix:PATH or inet:HOST:PORT, for SMTP and for what is submitted here."""
        self._configure("smtpd_milters = %s\nnon_smtpd_milters = %s\nmilter_default_action = %s\n"
                        "internal_mail_filter_classes = bounce\n" % (milter, milter, action))

    def start(self):
        """master and its daemons log by datagrams: with the kernel's default of 10 in the queue,
        they may wait for each other before postlogd has begun, and greet nobody. Then a new one."""
        allow_datagrams(512)
        self.command("postfix", "check")
        for _ in range(3):
            self.probes += 4  # of each service one that connects and one that is greeted
            self.master = proc.Daemon([os.path.join(SBIN, "master"), "-c", self.conf, "-d"],
                                      os.path.join(self.dir, "master.log"))
            for port in (self.smtp, self.submission):
                self.master.until("Postfix", lambda p=port: proc.can_connect(("127.0.0.1", p)))
            if greets(self.smtp) and greets(self.submission):
                return
            self.master.stop()
        raise TimeoutError("Postfix greets nobody")

    def stop(self):
        self.master.stop()

    def reload(self):
        self.command("postfix", "reload")

    def command(self, name, *arguments, stdin=b""):
        """A Postfix command on this instance; an error raises."""
        argv = ["/usr/sbin/" + name, "-c", self.conf] if name != "sendmail" else [
            "/usr/sbin/sendmail", "-C", self.conf]
        p = subprocess.run(argv + list(arguments), input=stdin, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=240, check=False)
        if p.returncode != 0:
            raise RuntimeError("%s: %s" % (name, p.stderr.decode("utf-8", "replace")))
        return p.stdout.decode("utf-8", "replace")

    def queue(self):
        """Queue ids of what has not been delivered yet."""
        text = self.command("postqueue", "-j")
        return re.findall(r'"queue_id": "(\w+)"', text)

    def wait_empty(self):
        proc.wait_for("empty queue", lambda: not self.queue(), 60)

    def log(self):
        return proc.read_text(self.maillog)


def allow_datagrams(count):
    """Where this machine allows it."""
    try:
        if int(proc.read_text(BACKLOG)) < count:
            proc.write_text(BACKLOG, "%d\n" % count)
    except OSError:
        pass


def greets(port):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        try:
            return s.recv(3) == b"220"
        except socket.timeout:
            return False
