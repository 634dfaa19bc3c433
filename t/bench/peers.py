"""What the bench measures: filters that do nothing, tollgated in its forms, and the programs of
others, each in a folder of its own. Every one has a socket for t/bench/load, and says of which
processes it is made."""

import functools
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tollgated

MUCH = 100000000  # of a limit that is never reached
PLAN = {"name": "default", "limits": [
    {"scope": "domain", "metric": "recipients", "max": str(MUCH), "per": "hour", "action": "defer"},
    {"scope": "user", "metric": "messages", "max": str(MUCH), "per": "day", "action": "defer"}]}
RSPAMD = """\
options {{
  pidfile = "{dir}/rspamd.pid"; filters = ""; tempdir = "{dir}"; hs_cache_dir = "{dir}";
  cache_file = "{dir}/symbols.cache"; control_socket = "{dir}/control.sock mode=0600";
  url_tld = "{dir}/tld"; dns {{ nameserver = ["127.0.0.1"]; }}
}}
logging {{ type = "console"; level = "error"; }}
actions {{ reject = 1000; }}
modules {{ path = "/usr/share/rspamd/plugins/ratelimit.lua"; }}
redis {{ servers = "{redis}"; }}
ratelimit {{ rates {{
  domain = {{
    selector = "from('smtp'):domain"; bucket = {{ burst = {much}; rate = "{much} / 1h"; }} }}
  user = {{
    selector = "user"; bucket = {{ burst = {much}; rate = "{much} / 1d"; }} }}
}} }}
worker "rspamd_proxy" {{
  bind_socket = "{dir}/milter.sock mode=0666"; milter = yes; timeout = 120s; count = {count};
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""
POLICYD = """\
debug: False
user: root
group: root
pidfile: "{dir}/pid"
backend: 0
sqlite_config:
    database: "{dir}/db.sqlite3"
SOCKET: "{dir}/policy.sock"
socket_permission: 0666
limits:
    - [{much}, 3600]
    - [{much}, 86400]
limits_by_id: {{}}
limit_by_sasl: True
limit_by_sender: False
limit_by_ip: False
limited_networks: []
success_action: dunno
fail_action: "defer_if_permit over the limit"
db_error_action: dunno
report: False
report_only_if_needed: True
report_limits: [86400]
delay_to_close: 300
count_mode: 1
"""
POSTFWD = ("id=USER; sasl_username=~./; "
           "action=rate(sasl_username/%d/86400/450 4.7.1 over the limit)\n" % MUCH)


def program(name):
    return os.path.join(proc.BUILD, name)


def children(pid):
    """A process and all below it."""
    found = [pid]
    for entry in os.listdir("/proc/%d/task" % pid):
        below = proc.read_text("/proc/%d/task/%s/children" % (pid, entry))
        for child in below.split():
            found += children(int(child))
    return found


class Peer:
    """is_policy: it speaks the policy protocol; the bench asks it once a message."""

    is_policy = False
    redis = None
    sent = 0  # messages that it was asked about

    def __init__(self, name, folder):
        self.name, self.folder = name, os.path.join(folder, re.sub(r"\W+", "-", name))
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "milter.sock")
        self.socket = "unix:" + self.path
        self.daemon = None

    def launch(self, argv):
        self.daemon = proc.Daemon(argv, os.path.join(self.folder, "log"))
        self.daemon.until(self.name, lambda: proc.can_connect(self.path), 120)

    def pids(self):
        return children(self.daemon.pid)

    def stop(self):
        self.daemon.stop(60)
        if self.redis:
            self.redis.stop()


class Null(Peer):
    def __init__(self, name, folder, which, *options):
        Peer.__init__(self, name, folder)
        self.launch([program(which), self.socket, *options])


class Tollgated(Peer):
    def __init__(self, name, folder, engine=None, limits=False, domains=1000, leases=False):
        Peer.__init__(self, name, folder)
        self.redis = redis_server.RedisServer(self.folder)
        wanted = {"log": {"level": "notice"}, "ledger": {"push": "200ms", "sync": "1s"},
                  "plans": [{"name": "default", "limits": []}],  # that of itself has a limit
                  # as it comes, not as tests have it
                  "milter": {"threads": 0, **({"engine": engine} if engine else {})}}
        if limits:
            wanted.update({"plans": [PLAN], "throttle": {"mode": "enforce", "leases": leases}})
        self.tollgated = tollgated.Tollgated(self.folder, self.redis.url, self.socket, wanted)
        self.tollgated.host(["example.com"] + ["d%d.test" % i for i in range(1, domains + 1)])
        self.tollgated.start()
        self.daemon = self.tollgated.daemon

    @staticmethod
    def engines():
        """Those that this version can be told to use; None: it has one alone."""
        native = os.path.join(proc.SOURCE, "milter/engine_native.c")
        return ("native", "libmilter") if os.path.exists(native) else (None,)


class Rspamd(Peer):
    def __init__(self, name, folder):
        Peer.__init__(self, name, folder)
        self.redis = redis_server.RedisServer(self.folder)
        proc.write_text(os.path.join(self.folder, "tld"), "com\ntest\n")
        conf = os.path.join(self.folder, "rspamd.conf")
        proc.write_text(conf, RSPAMD.format(dir=self.folder, redis=self.redis.url[len("unix://"):],
                                            much=MUCH, count=os.cpu_count()))
        self.launch(["rspamd", "-f", "-i", "-u", "root", "-c", conf])


class Policyd(Peer):
    is_policy = True

    def __init__(self, name, folder):
        Peer.__init__(self, name, folder)
        self.path = os.path.join(self.folder, "policy.sock")
        self.socket = "unix:" + self.path
        conf = os.path.join(self.folder, "conf.yaml")
        proc.write_text(conf, POLICYD.format(dir=self.folder, much=MUCH))
        self.launch(["policyd-rate-limit", "--file", conf])


class Postfwd(Peer):
    """Goes to the background; its first process is in the file of its pid."""

    is_policy = True

    def __init__(self, name, folder):
        Peer.__init__(self, name, folder)
        os.chmod(self.folder, 0o777)
        port = proc.free_port()
        self.socket = "inet:%d@127.0.0.1" % port
        rules, self.pid_file = (os.path.join(self.folder, n) for n in ("rules", "pid"))
        proc.write_text(rules, POSTFWD)
        proc.run(["postfwd2", "--daemon", "--file", rules, "--interface", "127.0.0.1", "--port",
                  str(port), "--user", "nobody", "--group", "nogroup", "--pidfile", self.pid_file])
        proc.wait_for(name, lambda: proc.can_connect(("127.0.0.1", port)), 60)

    def pids(self):
        return children(int(proc.read_text(self.pid_file)))

    def stop(self):
        os.kill(int(proc.read_text(self.pid_file)), 15)


# The floor of filters on that library that are written as its documentation shows, where each event
# is answered; that of our engine where MAIL, RCPT and end of message are; and of both when they
# have asked the MTA to wait for the answer to the end of message alone.
N = "libmilter, nothing"
FEW = "libmilter, nothing, few replies"
NATIVE = "native, nothing"
NATIVE_FEW = "native, nothing, few replies"
ASKS_NOTHING = "0x340"  # SMFIP_NODATA, _NOEOH and _NOUNKNOWN, which libmilter sets by itself


def makers():
    """Name -> how to start it, by name and folder: those that this machine and this build have.
    Those of tollgated also take `domains`."""
    found = {N: lambda n, f: Null(n, f, "t/bench/nullmilter", ASKS_NOTHING),
             FEW: lambda n, f: Null(n, f, "t/bench/nullmilter")}
    if os.path.exists(program("t/bench/nullnative")):
        found[NATIVE] = lambda n, f: Null(n, f, "t/bench/nullnative")
        found[NATIVE_FEW] = lambda n, f: Null(n, f, "t/bench/nullnative", "quiet")
    for engine in Tollgated.engines():
        of = "" if engine in (None, "native") else ", on libmilter"
        found["tollgated" + of] = functools.partial(Tollgated, engine=engine)
        found["tollgated" + of + ", limits"] = functools.partial(Tollgated, engine=engine,
                                                                 limits=True)
    found["tollgated, leases"] = functools.partial(Tollgated, engine="native", limits=True,
                                                   leases=True)
    for command, name, maker in (("rspamd", "rspamd, ratelimit", Rspamd),
                                 ("policyd-rate-limit", "policyd-rate-limit", Policyd),
                                 ("postfwd2", "postfwd", Postfwd)):
        if shutil.which(command):
            found[name] = maker
    return found
