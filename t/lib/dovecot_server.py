"""A private Dovecot, 2.3 or 2.4, for POP and IMAP on free ports, with its own log file; and clients
that count what they send and receive once logged in."""

import imaplib
import os
import poplib
import shlex
import socket
import struct
import subprocess

import proc

# Another Dovecot than the machine's: TG_DOVECOT="chroot DIR dovecot", with /tmp of both the same.
COMMAND = shlex.split(os.environ.get("TG_DOVECOT", "dovecot"))

COMMON = """\
base_dir = {dir}/run
state_dir = {dir}/run
protocols = pop3 imap
listen = 127.0.0.1
log_path = {dir}/log
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
imap_hibernate_timeout = 1s
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol imap {{
  mail_max_userip_connections = 2
}}
!include {snippet}
"""

V23 = """\
disable_plaintext_auth = no
mail_location = maildir:{dir}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail/%u
}}
"""

# What a configuration of Dovecot 2.4 begins with.
VERSIONS_24 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
V24 = VERSIONS_24 + """\
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {dir}/mail/%{{user}}
passdb passwd-file {{
  passwd_file_path = {dir}/users
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = nobody
    gid = nogroup
    home = {dir}/mail/%{{user}}
  }}
}}
"""


AUTH = """\
service auth {
  unix_listener %s {
    mode = 0666
  }
}
"""


def version():
    return subprocess.run(COMMAND + ["--version"], stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout.split()[0]


def is_24():
    return not version().startswith("2.3")


class DovecotServer:
    """`auth`: a socket for authentication clients, as in tollgate-web(8), readable for all."""

    def __init__(self, folder, users, auth=None):
        self.folder, self.log = folder, os.path.join(folder, "log")
        self.pop_port, self.imap_port = proc.free_port(), proc.free_port()
        self.version = version()
        os.chmod(folder, 0o755)
        for name in ("run", "mail"):
            os.mkdir(os.path.join(folder, name))
        os.chmod(os.path.join(folder, "mail"), 0o777)
        proc.write_text(os.path.join(folder, "users"),
                        "".join("%s:%s\n" % user for user in sorted(users.items())))
        snippet = os.path.join(folder, "snippet.conf")
        proc.write_text(snippet, proc.read_text(os.path.join(
            proc.SOURCE, "contrib/dovecot/91-tollgate-collect%s.conf" % ("-2.4" * is_24()))))
        conf = os.path.join(folder, "dovecot.conf")
        proc.write_text(conf, ((V24 if is_24() else V23) + COMMON).format(
            dir=folder, pop=self.pop_port, imap=self.imap_port, snippet=snippet) +
                        (AUTH % auth if auth else ""))
        self.daemon = proc.Daemon(COMMAND + ["-F", "-c", conf],
                                  os.path.join(folder, "dovecot.out"))
        for port in (self.pop_port, self.imap_port):
            self.daemon.until("a listener", lambda port=port: proc.can_connect(("127.0.0.1", port)))

    def lines(self):
        with open(self.log, "rb") as f:
            return f.read()

    def ends(self):
        """Sessions and logins that the log says are over."""
        return sum(b": Info: Disconnected: " in line or b"Login aborted: " in line or
                   b": Info: Maximum number" in line for line in self.lines().split(b"\n"))

    def stop(self):
        self.daemon.stop()


class Pop(poplib.POP3):
    """A session; .bytes is what went both ways since the reply to PASS."""

    def __init__(self, port):
        self.sent = self.received = 0
        super().__init__("127.0.0.1", port, timeout=30)

    def _putline(self, line):
        self.sent += len(line) + 2
        super()._putline(line)

    def _getline(self):
        line, octets = super()._getline()
        self.received += octets
        return line, octets

    def login(self, user, password):
        self.user(user)
        self.received = 0
        self.pass_(password)
        self.sent = 0

    @property
    def bytes(self):
        return self.sent + self.received


class Imap(imaplib.IMAP4):
    """A session; .bytes is what went both ways since the reply to LOGIN."""

    def __init__(self, port):
        self.sent = self.received = 0
        super().__init__("127.0.0.1", port, timeout=30)

    def send(self, data):
        self.sent += len(data)
        super().send(data)

    def read(self, size):
        data = super().read(size)
        self.received += len(data)
        return data

    def readline(self):
        line = super().readline()
        self.received += len(line)
        return line

    def begin(self, user, password):
        self.received = 0
        self.login(user, password)
        self.sent = 0

    def drain(self):
        while self.readline():
            continue

    def not_read(self):
        """Dovecot does not read, and so not count, the end of the line that ends the session."""
        self.sent -= 2

    def logout(self):
        """imaplib's own does not wait for all that is said."""
        self.send(b"z LOGOUT\r\n")
        self.drain()
        self.not_read()
        self.shutdown()

    @property
    def bytes(self):
        return self.sent + self.received


def reset(sock):
    """Closes it with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
