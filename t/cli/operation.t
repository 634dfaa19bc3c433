#!/usr/bin/env python3
"""The commands of OPERATION in tollgated(8) do what their paragraphs say, as they stand there.

They run in a folder that stands for the machine: /var, /etc and /root are below it, systemctl, ssh,
make and useradd are scripts, and tollgated and tollgate read the configuration there.
"""

import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
import tree
from redis_server import Redis, RedisServer
from tollgated import libconfig

SYSTEMCTL = """\
#!/bin/sh
lock=$BOX/var/lib/tollgate/lock
stop() {
    pid=$(cat $lock 2>/dev/null) || return 0
    kill $pid 2>/dev/null
    while kill -0 $pid 2>/dev/null; do sleep 0.02; done
}
start() {
    sed -i -e "s,^state_dir.*,state_dir = \\"$BOX/var/lib/tollgate\\";," \\
        -e "s,unix:/.*m.sock,unix:$BOX/m.sock," $BOX/etc/tollgate/tollgate.conf
    setsid $TG_BUILD/tollgated -f -c $BOX/etc/tollgate/tollgate.conf >>$BOX/log 2>&1 </dev/null &
    until grep -q "tollgated.$!. notice: started" $BOX/log; do
        kill -0 $! || { tail -3 $BOX/log >&2; exit 1; }
        sleep 0.02
    done
}
case $1 in
stop | disable) stop ;;
start | enable) start ;;
restart) stop && start ;;
esac
"""
SSH = """\
#!/bin/sh
new=$BOX/$1
mkdir -p $new
shift
command=$(echo "$*" | sed "s,$BOX/,$new/,g")
BOX=$new exec sh -c "$command"
"""
OURS = '#!/bin/sh\nexec $TG_BUILD/%s "$@" -c $BOX/etc/tollgate/tollgate.conf\n'
COMMAND = '#!/bin/sh\nname=$1; shift\nexec $TG_BUILD/tollgate $name ' \
    '-c $BOX/etc/tollgate/tollgate.conf "$@"\n'
NOTHING = "#!/bin/sh\nexit 0\n"


def paragraphs():
    """Name -> the displays of its paragraph, each a list of commands."""
    section = tree.read("doc/tollgated.8").decode().split("\n.Sh OPERATION\n")[1].split("\n.Sh ")[0]
    out = {}
    for part in section.split("\n.Ss ")[1:]:
        shown = re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed$", part)
        out[part.split("\n")[0]] = [d.replace(" \\e\n", " ").strip().split("\n") for d in shown]
    return out


class Machine:
    def __init__(self, folder, node, url="private:"):
        self.box = folder
        for name in ("etc/tollgate", "var/lib/tollgate", "root"):
            os.makedirs(os.path.join(folder, name))
        proc.write_text(os.path.join(folder, "log"), "")
        self.domains = os.path.join(folder, "domains")
        proc.write_text(self.domains, "example.com\n")
        self.write(node, url)

    def conf(self):
        return os.path.join(self.box, "etc/tollgate/tollgate.conf")

    def write(self, node, url):
        self.node, self.url = node, url
        proc.write_text(self.conf(), libconfig({
            "node": node, "timezone": "UTC", "state_dir": self.state(), "user": "",
            "log": {"target": "stderr"},
            "milter": {"socket": "unix:%s/m.sock" % self.box, "group": ""},
            "store": {"url": url}, "ledger": {"push": "20ms"},
            "hosted": {"domains": ["file:" + self.domains]}}))

    def state(self):
        return os.path.join(self.box, "var/lib/tollgate")

    def log(self):
        return proc.read_text(os.path.join(self.box, "log"))

    def redis(self):
        path = self.url[7:] if self.url != "private:" else self.state() + "/redis/redis.sock"
        return Redis(path)

    def send(self, count):
        with milterclient.Session("unix:%s/m.sock" % self.box) as session:
            for _ in range(count):
                answer = session.deliver("x@gmail.test", ["u@example.com"],
                                         milterclient.message_of([], 700))
                tap.ok(answer.accepted, "mail is accepted", repr(answer))

    def shows(self, count, what):
        def shown():
            try:
                return int(self.redis()("HGET", "tg:{example.com}:total", "in_messages") or 0)
            except (OSError, ValueError, EOFError):
                return -1
        try:
            proc.wait_for("figures", lambda: shown() == count)
        except TimeoutError:
            pass
        tap.same(shown(), count, what, self.log()[-1000:])

    def pid(self):
        return int(proc.read_text(self.state() + "/lock") or 0)


class Admin:
    """Types what the manual says."""

    def __init__(self, folder):
        self.folder = folder
        self.pages = paragraphs()
        self.bin = os.path.join(folder, "bin")
        os.mkdir(self.bin)
        for name, text in (("systemctl", SYSTEMCTL), ("ssh", SSH), ("tollgate", COMMAND),
                           ("tollgated", OURS % "tollgated"), ("make", NOTHING),
                           ("useradd", NOTHING), ("editor", NOTHING)):
            proc.write_text(os.path.join(self.bin, name), text)
            os.chmod(os.path.join(self.bin, name), 0o755)

    def type(self, machine, line):
        line = re.sub(r"(?<![\w./])/(var|etc|root)(?=/)", machine.box + r"/\1", line)
        line = line.replace("-C / ", "-C %s/ " % machine.box)
        line = re.sub(r"-o \w+ -g \w+ ", "", line)  # accounts that this machine may lack
        env = {"PATH": self.bin + ":" + os.environ["PATH"], "BOX": machine.box,
               "TG_BUILD": proc.BUILD}
        return proc.run(["sh", "-c", line], env=env)

    def do(self, machine, paragraph, display=0):
        lines = self.pages[paragraph][display]
        kept = [line for line in lines if re.match(r"\w=", line)]  # variables of the display
        for line in lines:
            code, out, err = self.type(machine, "\n".join(kept + [line]))
            good = code == 0 or (line.startswith("tollgate doctor") and "ok " in out)
            tap.ok(good, "%s: %s" % (paragraph, line), code, out[-800:], err[-800:])


def backup(admin, mx1):
    admin.type(mx1, "systemctl start tollgated")
    mx1.send(5)
    mx1.shows(5, "before the backup")
    admin.do(mx1, "Backup and restore", 0)
    mx1.send(3)
    mx1.shows(8, "after the backup")
    admin.do(mx1, "Backup and restore", 1)
    mx1.shows(5, "all is as it was, Redis, too")
    admin.do(mx1, "Backup and restore", 2)
    mx1.send(1)
    mx1.shows(9, "with the present Redis nothing is lost")
    tap.ok("counting continues under a new share" in mx1.log(), "the log says so")


def move(admin, mx1):
    admin.do(mx1, "Move to another host")
    mx1.box = os.path.join(mx1.box, "newhost")
    os.mkdir(mx1.box + "/root")
    mx1.shows(9, "the new host has the figures")
    mx1.send(1)
    mx1.shows(10, "and goes on")


def faults(admin, mx1):
    mx1.redis()("DEL", "tg:{example.com}:total")
    mx1.redis()("SET", "tg:{example.com}:total", "not ours")
    admin.do(mx1, "Redis is lost or refuses")
    admin.do(mx1, "The disk is full, or fails", 0)
    admin.do(mx1, "The disk is full, or fails", 1)
    mx1.shows(10, "the key is back")
    admin.do(mx1, "A damaged journal")
    mx1.send(1)
    admin.do(mx1, "A lost or damaged ledger")
    tap.ok(os.path.exists(mx1.box + "/root/ledger.db"), "the damaged ledger is kept")
    mx1.send(1)
    mx1.shows(12, "a ledger that is made again")


def change(admin, mx1, server):
    """As the comment behind each editor says."""
    admin.do(mx1, "Upgrade")
    shown = admin.pages["Rename a node"][0]
    tap.ok('# node = "mx3";' in "\n".join(shown), "Rename a node says what to edit", *shown)
    lines = list(shown)
    for i, line in enumerate(lines):
        if line.startswith("editor"):
            mx1.write("mx3", mx1.url)
        if line.startswith("tollgate node"):  # once it has written both
            mx1.send(1)
            mx1.shows(13, "the sum of both names")
        code, out, err = admin.type(mx1, line)
        tap.ok(code == 0, "Rename a node: " + line, out, err)
        lines[i] = out
    tap.ok("mx1" in lines[-1] and "mx3" in lines[-1], "both names are listed", lines[-1])
    mx1.write("mx3", server.url)
    admin.do(mx1, "Change to another Redis")
    mx1.shows(13, "another Redis gets all")


def redis_comes_back(admin, nodes, mx2):
    """What the paragraph says to do where Redis is restored behind a ledger that was made again."""
    def all_nodes(what):
        for node in nodes:
            code, out, err = admin.type(node, "systemctl %s tollgated" % what)
            tap.ok(code == 0, what + " " + node.node, out, err)
    redis = mx2.redis()
    all_nodes("stop")
    before = {key: redis("HGETALL", key) for key in redis("KEYS", "tg:{*")
              if redis("TYPE", key) == "hash"}
    redis("FLUSHALL")
    admin.do(mx2, "A lost or damaged ledger")
    mx2.shows(2, "all of the journal, under a share of its own")
    all_nodes("stop")
    for key, fields in before.items():
        redis("DEL", key)
        redis("HSET", key, *fields)
    all_nodes("start")
    mx2.shows(17, "the former counters come back: the same mail is there twice")
    all_nodes("stop")
    redis("FLUSHALL")
    all_nodes("start")
    mx2.shows(15, "each writes what is in its ledger")


def retire(admin, mx3, mx2):
    admin.type(mx2, "systemctl start tollgated")
    mx2.send(2)
    mx3.shows(15, "a second node")
    redis_comes_back(admin, (mx3, mx2), mx2)
    admin.do(mx3, "Two nodes with one name")
    (stop, retire_it), = admin.pages["Retire a node"]
    tap.same(admin.type(mx2, stop)[0], 0, stop)
    code, out, err = admin.type(mx3, retire_it)
    tap.ok(code == 0 and "retired" in out, retire_it, out, err)
    mx3.shows(15, "its figures stay")


def without_systemd(admin, machine):
    admin.type(machine, "systemctl stop tollgated")
    admin.do(machine, "Without systemd", 0)
    start, reload_it, stop = admin.pages["Without systemd"][1]
    code, out, err = admin.type(machine, start)
    tap.ok(code == 0 and proc.can_connect(machine.box + "/m.sock"), "it serves when it returns",
           out, err)
    pid = machine.pid()
    tap.same(admin.type(machine, reload_it)[0], 0, reload_it)
    tap.same(admin.type(machine, stop)[0], 0, stop)
    proc.wait_for("its end", lambda: not os.path.exists("/proc/%d" % pid))
    tap.ok(not proc.can_connect(machine.box + "/m.sock"), "it is stopped")


def end(machines):
    """Whatever is left of a test that failed."""
    for machine in machines:
        pid = machine.pid()
        if pid and "tollgated" in proc.read_text("/proc/%d/cmdline" % pid):
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + 30
            while os.path.exists("/proc/%d" % pid) and time.monotonic() < until:
                time.sleep(0.02)


def main():
    tap.need("redis-server", "redis-cli")
    folder = proc.scratch("op")
    admin = Admin(folder)
    server = RedisServer(folder)
    mx1 = Machine(os.path.join(folder, "mx1"), "mx1")
    mx2 = Machine(os.path.join(folder, "mx2"), "mx2", server.url)
    try:
        backup(admin, mx1)
        move(admin, mx1)
        faults(admin, mx1)
        change(admin, mx1, server)
        retire(admin, mx1, mx2)
        without_systemd(admin, mx1)
    finally:
        end([mx1, mx2])


tap.run(main)
