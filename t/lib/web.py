"""tollgate-web under test: its configuration, its life, and a client that speaks HTTP to it."""

import http.client
import os
import re
import socket
import urllib.parse

import proc
from tollgate import Tollgate, stopped_clock
from tollgated import libconfig

FORM = "application/x-www-form-urlencoded"


class Answer:
    """Status, headers (by lower-case name; a list of those that may stand twice) and body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def cookie(self):
        """ "tg=..." of Set-Cookie, or "". """
        return self.headers.get("set-cookie", "").split(";")[0]

    def token(self):
        found = re.search(r'name="token" value="([0-9a-f]+)"', self.text)
        return found.group(1) if found else ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self.path)


class Web:
    """A tollgate-web in the foreground, on a TCP port and on a Unix socket, logging to a file; and
    the command `tollgate` of the same configuration (`command`)."""

    def __init__(self, folder, store_url, zone="UTC", now=None, customers=(), **settings):
        """`customers`: lines of billing.customers."""
        self.folder, self.customers = folder, customers
        self.port = proc.free_port()
        self.unix = os.path.join(folder, "web.sock")
        self.users = os.path.join(folder, "web.users")
        self.log = os.path.join(folder, "web.log")
        self.daemon = None
        self.settings = dict({
            "listen": ["inet:%d@127.0.0.1" % self.port, "unix:" + self.unix],
            "user": "", "users_file": self.users, "timeout": "5min"}, **settings)
        self.command = Tollgate(folder, store_url, zone, now, self._more())
        self.env = stopped_clock(folder, now) if now is not None else {}

    def _more(self):
        groups = {"web": self.settings}
        if self.customers:
            path = os.path.join(self.folder, "customers")
            proc.write_text(path, "".join(line + "\n" for line in self.customers))
            groups["billing"] = {"customers": ["file:" + path]}
        return 'log: { target = "stderr"; level = "debug"; };\n' + libconfig(groups)

    def argv(self, *options):
        return [os.path.join(proc.BUILD, "tollgate-web"), "-c", self.command.conf, *options]

    def start(self):
        self.daemon = proc.Daemon(self.argv("-f"), self.log, env=dict(self.env, LC_ALL="C.UTF-8"))
        self.daemon.until("socket", lambda: proc.can_connect(("127.0.0.1", self.port)) and
                          proc.can_connect(self.unix))

    def stop(self):
        return self.daemon.stop()

    def wrote(self):
        return proc.read_text(self.log)

    def connection(self, unix=False):
        return _UnixConnection(self.unix) if unix else \
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, headers=None, body=None, unix=False):
        connection = self.connection(unix)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, cookie="", headers=None, unix=False):
        more = {"Cookie": cookie} if cookie else {}
        return self.request("GET", path, dict(more, **(headers or {})), unix=unix)

    def post(self, path, fields, cookie="", headers=None, unix=False):
        """A form as a page of this site sends it."""
        origin = "http://localhost" if unix else "http://127.0.0.1:%d" % self.port
        more = {"Content-Type": FORM, "Origin": origin, "Sec-Fetch-Site": "same-origin"}
        if cookie:
            more["Cookie"] = cookie
        more.update(headers or {})
        more = {name: value for name, value in more.items() if value is not None}
        return self.request("POST", path, more, urllib.parse.urlencode(fields), unix=unix)

    def add_user(self, name, password, role, domains=""):
        """As `tollgate web passwd` does, by that command."""
        argv = [os.path.join(proc.BUILD, "tollgate"), "-c", self.command.conf, "web", "passwd",
                name, "--role", role] + (["--domains", domains] if domains else [])
        code, out, err = proc.run(argv, (password + "\n").encode())
        if code != 0:
            raise RuntimeError(out + err)

    def add_token(self, name, role, domains=""):
        argv = [os.path.join(proc.BUILD, "tollgate"), "-c", self.command.conf, "web", "token", name,
                "--role", role] + (["--domains", domains] if domains else [])
        code, out, err = proc.run(argv)
        if code != 0:
            raise RuntimeError(out + err)
        return out.strip()

    def sign_in(self, name, password):
        """The cookie, or ""."""
        return self.post("/signin", {"user": name, "password": password}).cookie()
