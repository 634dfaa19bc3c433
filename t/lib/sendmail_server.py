"""A private Sendmail out of an unpacked package (TG_SENDMAIL_ROOT, or /): own configuration, queue
and log, on a free port of 127.0.0.1. Needs root.

Connections are trusted as clients of 127.0.0.1 and 127.0.0.2: Sendmail has no XCLIENT, so a client
binds the address that it wants to come from. Everything is delivered to one sink.
"""

import os

import auth_server
import proc

ROOT = os.environ.get("TG_SENDMAIL_ROOT", "/")
LIBEXEC = os.path.join(ROOT, "usr/libexec/sendmail")
PROGRAM = os.path.join(LIBEXEC, "sendmail")
CF = os.path.join(ROOT, "usr/share/sendmail/cf/")

MC = """\
divert(0)dnl
define(`_CF_DIR_', `{cf}')dnl
include(`{cf}m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`MAIL_SETTINGS_DIR', `{dir}/')dnl
define(`QUEUE_DIR', `{dir}/queue')dnl
define(`confPID_FILE', `{dir}/sendmail.pid')dnl
define(`confDOMAIN_NAME', `mx.host.test')dnl
define(`confCW_FILE', `{dir}/local-host-names')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `{dir}/statistics')dnl
define(`HELP_FILE', `')dnl
define(`confSERVICE_SWITCH_FILE', `{dir}/service.switch')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDEF_USER_ID', `65534:65534')dnl
define(`confMAX_MESSAGE_SIZE', `52428800')dnl
define(`confTO_IDENT', `0')dnl
define(`confREFUSE_LA', `0')dnl
define(`confQUEUE_LA', `999')dnl
define(`confPRIVACY_FLAGS', `')dnl
define(`confLOG_LEVEL', `9')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`virtusertable', `hash {dir}/virtusertable')dnl
VIRTUSER_DOMAIN_FILE(`{dir}/virtual-domains')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
INPUT_MAIL_FILTER(`tollgate', `S={milter}, F=T')dnl
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {sink}')dnl
MAILER(`smtp')dnl
"""

# Where Sendmail looks host names up: no DNS.
SWITCH = "hosts files\naliases files\n"


class Sendmail:
    def __init__(self, sink_port, milter, forwards=()):
        """forwards: (address, target), in a table of virtual users."""
        # Sendmail trusts no file that lies below a folder for everybody, such as /tmp.
        self.dir = proc.scratch("sendmail", "/run")
        self.port = proc.free_port()
        self.cf = os.path.join(self.dir, "sendmail.cf")
        self.maillog = os.path.join(self.dir, "maillog")
        self.daemon = None
        for name in ("queue", "sasl"):
            os.mkdir(os.path.join(self.dir, name))
        os.chmod(os.path.join(self.dir, "queue"), 0o700)
        for name, text in (
                ("local-host-names", "mx.host.test\n"), ("service.switch", SWITCH),
                ("statistics", ""),
                ("virtual-domains", "".join(sorted({a.split("@")[1] + "\n" for a, _ in forwards}))),
                ("sasl/Sendmail.conf", "pwcheck_method: saslauthd\nmech_list: PLAIN\n"
                 "saslauthd_path: %s/sasl/mux\n" % self.dir)):
            proc.write_text(os.path.join(self.dir, name), text)
        self.auth = auth_server.SaslauthdServer(os.path.join(self.dir, "sasl/mux"))
        mc = MC.format(dir=self.dir, cf=CF, port=self.port, sink=sink_port, milter=milter)
        proc.write_text(self.cf, self._make("m4", stdin=mc))
        self._make("makemap", "-C", self.cf, "hash", os.path.join(self.dir, "virtusertable"),
                   stdin="".join("%s\t%s\n" % pair for pair in forwards))

    @staticmethod
    def _make(program, *arguments, stdin=""):
        own = os.path.join(LIBEXEC, program)
        code, out, err = proc.run([own if os.path.exists(own) else program] + list(arguments),
                                  stdin.encode())
        if code != 0:
            raise RuntimeError("%s: %s" % (program, err))
        return out

    def environment(self):
        shim = os.path.join(self.dir, "shim.so")
        if not os.path.exists(shim):
            source = os.path.join(proc.SOURCE, "t/lib/sendmail_shim.c")
            self._make(os.environ.get("TG_CC", "cc"), "-shared", "-fPIC", "-o", shim, source)
        return {"LD_PRELOAD": shim, "TG_SASL_FOLDER": self.dir + "/sasl"}

    def start(self):
        self.daemon = proc.Daemon(
            [PROGRAM, "-bD", "-C", self.cf, "-q5s", "-X", self.dir + "/transcript"],
            os.path.join(self.dir, "stderr"), env=self.environment())
        self.daemon.until("Sendmail", lambda: proc.can_connect(("127.0.0.1", self.port)))

    def stop(self):
        self.daemon.stop()
