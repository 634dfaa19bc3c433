#!/usr/bin/env python3
"""The snippets for nginx, Apache and Caddy in the real servers: sign-in, a report, CSV, /metrics;
and nobody becomes another by the headers that he sends."""

import datetime
import http.client
import os
import re
import socket
import ssl
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tls_files
from counted import UTC, Counted
from redis_server import RedisServer
from web import FORM, Answer, Web

NAME = "stats.example.com"
PASSWORD = "correct horse"
MODULES = "/usr/lib/apache2/modules"
NGINX = """\
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    include {site};
}}
"""
APACHE = """\
ServerName localhost
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/apache.pid
ErrorLog {dir}/apache.err
{modules}
Listen 127.0.0.1:{port}
{user}
Include {site}
"""
CADDY = """\
{{
    admin off
    auto_https disable_redirects
}}
import {site}
"""


class Site:
    """One of the servers with its snippet, in which only places are changed."""

    def __init__(self, folder, web, pair, kind):
        self.folder, self.kind, self.port = folder, kind, proc.free_port()
        self.site = os.path.join(folder, kind + ".site")
        places = {"/run/tollgate-web/web.sock": web.unix,
                  "/etc/ssl/certs/%s.pem" % NAME: pair[0],
                  "/etc/ssl/private/%s.key" % NAME: pair[1]}
        source, changes = getattr(self, kind)(pair)
        text = proc.read_text(os.path.join(proc.SOURCE, "contrib", source))
        for old, new in list(places.items()) + changes:
            if old in text:
                text = text.replace(old, new)
            elif (old, new) in changes or (old.startswith("/run")):
                raise ValueError("%s: no %s" % (source, old))
        proc.write_text(self.site, text)
        env = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        self.daemon = proc.Daemon(self.argv, os.path.join(folder, kind + ".log"), env=env)
        self.daemon.until(kind, lambda: proc.can_connect(("127.0.0.1", self.port)))

    def conf(self, text):
        path = os.path.join(self.folder, self.kind + ".conf")
        proc.write_text(path, text)
        return path

    def nginx(self, pair):
        del pair
        conf = self.conf(NGINX.format(dir=self.folder, site=self.site))
        self.argv = ["nginx", "-c", conf, "-p", self.folder]
        return "nginx/tollgate.conf", [("listen 443 ssl;", "listen 127.0.0.1:%d ssl;" % self.port),
                                       ("listen [::]:443 ssl;", "")]

    def apache(self, pair):
        del pair
        names = ["mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl",
                 "socache_shmcb"]
        conf = self.conf(APACHE.format(
            dir=self.folder, site=self.site, port=self.port,
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            modules="\n".join("LoadModule %s_module %s/mod_%s.so" % (name, MODULES, name)
                              for name in names)))
        self.argv = ["apache2", "-DFOREGROUND", "-f", conf]
        return "apache/tollgate.conf", [("*:443", "*:%d" % self.port)]

    def caddy(self, pair):
        conf = self.conf(CADDY.format(site=self.site))
        self.argv = ["caddy", "run", "--config", conf, "--adapter", "caddyfile"]
        return "caddy/Caddyfile", [(NAME + " {", "%s:%d {\n\ttls %s %s\n\tbind 127.0.0.1" %
                                    (NAME, self.port, *pair))]


class Client:
    """A browser that knows the authority."""

    def __init__(self, site, ca):
        self.port = site.port
        self.host = "%s:%d" % (NAME, site.port)
        self.context = ssl.create_default_context(cafile=ca[0])

    def __call__(self, method, path, headers=None, body=None):
        connection = http.client.HTTPSConnection(NAME, self.port, timeout=30)
        connection.sock = self.context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), 30), server_hostname=NAME)
        try:
            connection.request(method, path, body=body,
                               headers=dict({"Host": self.host}, **(headers or {})))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def sign_in(self, name, password, headers=None):
        return self("POST", "/signin", dict({
            "Content-Type": FORM, "Origin": "https://" + self.host,
            "Sec-Fetch-Site": "same-origin"}, **(headers or {})),
            urllib.parse.urlencode({"user": name, "password": password}))


def reads(kind, web, ask):
    answer = ask.sign_in("anna", PASSWORD)
    tap.same((answer.status, answer.headers.get("location")), (303, "/"), kind + ": a sign-in")
    cookie = answer.cookie()
    tap.ok(cookie.startswith("__Host-tg=") and "; Secure" in answer.headers["set-cookie"],
           kind + ": with a safe cookie, for the client speaks TLS", answer.headers)
    page = ask("GET", "/r/smtp?from=2026-11-01", {"Cookie": cookie})
    tap.ok(page.status == 200 and "4,321" in page.text and "</html>" in page.text,
           kind + ": a report", page.status, page.text[-300:])
    data = ask("GET", "/r/smtp.csv?mode=domain&from=2026-11-01", {"Cookie": cookie})
    want = web.command.good("report", "smtp", "--by", "domain", "--from", "2026-11-01",
                            "--format", "csv")
    tap.same((data.status, data.text, data.headers.get("content-disposition")),
             (200, want, 'attachment; filename="smtp.csv"'), kind + ": CSV, as the command's")
    tap.ok("default-src 'none'" in page.headers.get("content-security-policy", ""),
           kind + ": the headers of security come through")
    tag = data.headers.get("etag")
    again = ask("GET", "/r/smtp.csv?mode=domain&from=2026-11-01",
                {"Cookie": cookie, "If-None-Match": tag or ""})
    tap.same(again.status, 304, kind + ": ETag")


def is_nobody(kind, web, ask):
    """Headers that a proxy alone may send."""
    for headers in ({"X-Remote-User": "root"}, {"x-remote-user": "anna"},
                    {"X-Remote-User": "root", "X-Forwarded-For": "127.0.0.1"},
                    {"X-Remote-User": "root", "Connection": "close, X-Remote-User"}):
        answer = ask("GET", "/account", headers)
        tap.same((answer.status, answer.headers.get("location", "")[:7]), (303, "/signin"),
                 "%s: who sends %s is nobody" % (kind, ", ".join(headers)))
    seen = web.wrote().count("sign-in failed client=")
    ask.sign_in("anna", "wrong", {"X-Forwarded-For": "203.0.113.9"})
    lines = re.findall(r"sign-in failed client=(\S+)", web.wrote())
    tap.ok(len(lines) == seen + 1 and lines[-1] == "127.0.0.1",
           kind + ": a client is counted under his own address", lines)
    answer = ask.sign_in("anna", PASSWORD, {"X-Forwarded-Proto": "http"})
    tap.ok(answer.cookie().startswith("__Host-tg="), kind + ": and nobody seems to be in plain",
           answer.status)


def metrics(kind, ask, token):
    for what, headers, want in (
            ("who is not in web.metrics_from", {}, 401),
            ("who says that he is", {"X-Forwarded-For": "192.0.2.7"}, 401),
            ("who has a token", {"Authorization": "Bearer " + token}, 200)):
        answer = ask("GET", "/metrics", headers)
        tap.same(answer.status, want, "%s: /metrics, %s" % (kind, what))
    tap.ok("\ntollgate_up 1\n" in answer.text, kind + ": with figures")


def main():
    tap.need("nginx", "apache2", "caddy", "openssl")
    folder = proc.scratch("proxies")
    redis = RedisServer(folder)
    now = datetime.datetime(2026, 11, 21, 12, tzinfo=UTC)
    counted = Counted()
    counted.add(now, "example.com", {"in_messages": 4321, "in_bytes": 10}, "alice@example.com")
    counted.write(redis.connect(), {"mx1": int(now.timestamp())})
    ca = tls_files.authority(folder)
    pair = tls_files.certificate(folder, NAME, ca)
    web = Web(folder, redis.url, now=now, mode="0666", user_header="X-Remote-User",
              metrics_from=["192.0.2.7"])
    web.add_user("anna", PASSWORD, "admin")
    web.add_user("root", PASSWORD, "admin")
    token = web.add_token("prometheus", "admin")
    web.start()
    for kind in ("nginx", "apache", "caddy"):
        place = os.path.join(folder, kind)
        os.mkdir(place)
        site = Site(place, web, pair, kind)
        ask = Client(site, ca)
        reads(kind, web, ask)
        is_nobody(kind, web, ask)
        metrics(kind, ask, token)
        site.daemon.stop()
    tap.same(web.stop(), 0, "it stops")


tap.run(main)
