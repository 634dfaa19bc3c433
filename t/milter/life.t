#!/usr/bin/env python3
"""The daemon's life: options, start, reloads under load, sources that change, a drained end."""

import contextlib
import grp
import os
import pwd
import re
import resource
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated

TOLLGATED = os.path.join(proc.BUILD, "tollgated")
OUTSIDE, ALICE = "x@elsewhere.test", "alice@example.com"
SIZE = 600
MESSAGE = milterclient.message_of(["Subject: hi"], SIZE)


class Site:
    def __init__(self, name, settings=None, redis=True):
        self.folder = proc.scratch(name)
        os.mkdir(self.folder + "/redis")
        self.url = "unix://%s/redis/redis.sock" % self.folder
        self.server = redis_server.RedisServer(self.folder + "/redis") if redis else None
        self.daemon = tollgated.Tollgated(self.folder, self.url,
                                          "unix:%s/milter.sock" % self.folder, settings)
        self.daemon.host(["example.com"])

    def send(self, recipient=ALICE):
        with milterclient.Session(self.daemon.socket) as s:
            return s.deliver(OUTSIDE, [recipient], MESSAGE)

    def redis_comes(self):
        self.server = redis_server.RedisServer(self.folder + "/redis")

    def counter(self, name, account="example.com"):
        with_redis = self.server.connect()
        value = with_redis("HGET", "tg:{%s}:total" % account, name)
        with_redis.close()
        return int(value or 0)

    def wait_counter(self, name, value, account="example.com"):
        """What is counted in the end."""
        with_redis = self.server.connect()
        tollgated.wait_moving(with_redis, lambda: self.counter(name, account) >= value)
        with_redis.close()
        return self.counter(name, account)

    def wait_log(self, pattern, count=1):
        """Until the log has that many such lines; the last of them."""
        def found():
            lines = [x for x in self.daemon.log().split("\n") if re.search(pattern, x)]
            return lines[-1] if len(lines) >= count else None
        return self.daemon.daemon.until("line " + pattern, found)


# --- options -------------------------------------------------------------------------------------


def test_options():
    site = Site("options", redis=False)
    conf = site.daemon.conf
    tap.same(proc.run([TOLLGATED, "-t", "-c", conf])[0], 0, "-t: good")
    code, text, _ = proc.run([TOLLGATED, "-T", "-c", conf])
    tap.ok(code == 0 and 'prefix = "tg";' in text, "-T prints it", text)
    proc.write_text(conf + ".printed", text)
    tap.same(proc.run([TOLLGATED, "-t", "-c", conf + ".printed"])[0], 0, "and it is valid")
    proc.write_text(conf + ".few", 'timezone = "UTC"; node = "mx9";\nstore: { url = "private:"; '
                    'prefix = "x"; };\nthrottle: { exempt: { users = '
                    '["a@b.test"]; }; };\n')
    tap.same(proc.run([TOLLGATED, "-n", "-c", conf + ".few"])[:2], (
        0, 'node = "mx9";\nstore: {\n    prefix = "x";\n};\n'
        'throttle: {\n    exempt: {\n        users = ["a@b.test"];\n    };\n};\n'),
             "-n prints what differs from the defaults")
    code, text, _ = proc.run([TOLLGATED, "-d", "-c", "/nonexistent"])
    tap.ok(code == 0 and 'prefix = "tg";' in text and 'node = "";' in text, "-d prints these", text)
    code, text, _ = proc.run([TOLLGATED, "-V"])
    tap.ok(code == 0 and text.startswith("tollgated "), "-V", text)
    code, text, _ = proc.run([TOLLGATED, "-h"])
    tap.ok(code == 0 and "usage:" in text, "-h")
    for wrong in (["-x"], ["-c"], ["argument"]):
        code, _, text = proc.run([TOLLGATED] + wrong)
        tap.ok(code == 64 and "usage:" in text, "wrong usage %s is 64" % wrong)
    faults = (
        ("misspelled", 'milter: { sokket = "x"; };', "milter.socket"),
        ("wrong type", 'node = 17;', "node"),
        ("syntax", 'node = ', "syntax"),
    )
    for name, line, mend in faults:
        proc.write_text(conf + ".bad", line + "\n")
        code, _, text = proc.run([TOLLGATED, "-t", "-c", conf + ".bad"])
        where = r"^%s\.bad:\d+: " % re.escape(conf)
        tap.ok(code == 78 and re.search(where, text, re.M) and mend in text,
               "-t: %s is 78, with file and line" % name, code, text)
    tap.same(proc.run([TOLLGATED, "-t", "-c", conf + ".none"])[0], 78, "-t: no such file is 78")
    tap.same(proc.run([TOLLGATED, "-f", "-c", conf + ".none"])[0], 78, "so it is at a start")


def test_missing_source():
    site = Site("source", redis=False)
    os.unlink(site.daemon.domains)
    code, _, text = proc.run([TOLLGATED, "-t", "-c", site.daemon.conf])
    tap.ok(code == 78 and site.daemon.domains in text, "-t: a missing source is 78", code, text)
    code, _, text = proc.run([TOLLGATED, "-f", "-c", site.daemon.conf])
    tap.ok(code == 78 and site.daemon.domains in text, "so it is at a start", code, text)
    tap.ok(not os.path.exists(site.folder + "/milter.sock"), "and no socket is left")


def test_faults_at_start():
    """Each is told with its mend, and by its exit code."""
    site = Site("faults")
    with_redis = site.server.connect()
    with_redis("SET", "hosted", "x")
    busy = socket.socket()
    busy.bind(("127.0.0.1", 0))
    busy.listen()
    port = busy.getsockname()[1]
    faults = (
        ({"hosted": {"domains": ["redis:hosted"]}}, 78, "SADD"),
        ({"milter": {"socket": "unix:/nonexistent/milter.sock"}}, 73, "make it"),
        ({"milter": {"socket": "inet:%d@127.0.0.1" % port}}, 75, ": address in use"),
        ({"milter": {"group": "no-such-group"}}, 78, "no-such-group"),
        ({"state_dir": "/proc/tollgate"}, 73, "/proc/tollgate"),
    )
    for changes, want, mend in faults:
        other = tollgated.Tollgated(proc.scratch("fault"), site.url, site.daemon.socket, changes)
        other.host(["example.com"])
        code, _, text = proc.run([TOLLGATED, "-f", "-c", other.conf])
        tap.ok(code == want and mend in text, "%s is %d" % (changes, want), code, text)
    site.daemon.start()
    for _ in range(5):
        site.send()
    site.wait_counter("in_messages", 5)
    site.daemon.stop()
    segment = site.daemon.state + "/journal/%020d.journal" % 1
    with open(segment, "r+b") as f:
        f.seek(os.path.getsize(segment) // 2)
        f.write(b"\xff\xfe\xfd")
    code, _, text = proc.run([TOLLGATED, "-f", "-c", site.daemon.conf])
    tap.ok(code == 65 and "offset" in text and "--repair" in text, "a damaged journal is 65", text)


# --- start ---------------------------------------------------------------------------------------


def test_redis_comes_later():
    site = Site("late", redis=False)
    site.daemon.start()
    tap.ok(site.send().accepted, "Redis is away: mail flows")
    site.redis_comes()
    tap.same(site.wait_counter("in_messages", 1), 1, "it comes: what was counted is there")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_hosted_in_redis():
    site = Site("hosted", {"hosted": {"domains": ["redis:hosted"]}}, redis=False)
    code, _, text = proc.run([TOLLGATED, "-t", "-c", site.daemon.conf])
    tap.ok(code == 0 and "redis" in text, "-t: a server that is away is no fault, but told", text)
    site.daemon.start()
    d = site.send()
    stage = "mail" if tollgated.engine() == {"engine": "libmilter"} else "rcpt"
    tap.ok((d.stage, d.text[:9]) == (stage, "451 4.3.0"), "no hosted set yet: mail waits", d)
    site.redis_comes()
    with_redis = site.server.connect()
    with_redis("SADD", "hosted", "example.com")
    site.wait_log("sources reloaded")
    tap.ok(site.send().accepted, "it can: mail flows")
    tap.same(site.wait_counter("in_messages", 1), 1, "and counts")
    with_redis("SADD", "hosted", "later.test")
    site.wait_log("sources reloaded", 2)
    site.send("bob@later.test")
    tap.same(site.wait_counter("in_messages", 1, "later.test"), 1, "a change there is noticed")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_sockets():
    site = Site("sockets", {"milter": {"mode": "0640"}})
    path = site.folder + "/milter.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    site.daemon.start()
    tap.ok(site.send().accepted, "a dead socket is replaced")
    tap.same(os.stat(path).st_mode & 0o777, 0o640, "with the mode of the settings")
    other = tollgated.Tollgated(proc.scratch("other"), site.url, "unix:" + path)
    other.host(["example.com"])
    code, _, text = proc.run([TOLLGATED, "-f", "-c", other.conf])
    tap.ok(code == 75 and path in text, "one that is served is not", code, text)
    tap.ok(site.send().accepted, "who serves goes on")
    site.daemon.kill()
    site.daemon.start()
    tap.ok(site.send().accepted, "after a kill it comes up again")
    tap.same(site.wait_counter("in_messages", 3), 3, "and nothing is lost")
    successor = socket.socket(socket.AF_UNIX)
    os.unlink(path)
    successor.bind(path)
    tap.same(site.daemon.stop(), 0, "a clean end")
    tap.ok(os.path.exists(path), "another's socket is left alone")


def test_two_of_one():
    """The second waits for the first to end; and takes its place if it does."""
    site = Site("two")
    site.daemon.start()
    first = site.daemon.daemon
    site.daemon.launch()
    second = site.daemon.daemon
    with milterclient.Session(site.daemon.socket) as s:
        tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted, "the first serves")
    tap.same(first.stop(), 0, "the first ends")
    second.until("second", lambda: proc.can_connect(site.daemon.address()))
    tap.ok(site.send().accepted, "the second serves")
    tap.same(site.wait_counter("in_messages", 2), 2, "all is counted once")
    tap.same(second.stop(), 0, "a clean end")


def test_background():
    site = Site("background")
    code, _, text = proc.run([TOLLGATED, "-c", site.daemon.conf])
    tap.ok(code == 0 and site.send().accepted, "the command returns when it serves", code, text)
    pid = int(proc.read_text(site.daemon.state + "/lock"))
    code, _, text = proc.run([TOLLGATED, "-c", site.daemon.conf.replace("tollgate.conf", "none")])
    tap.ok(code == 78, "a failed start is told by its exit code", code, text)
    os.kill(pid, signal.SIGTERM)
    proc.wait_for("end", lambda: not os.path.exists("/proc/%d" % pid) or
                  "Z (" in proc.read_text("/proc/%d/status" % pid))
    tap.ok(not os.path.exists(site.folder + "/milter.sock"), "TERM ends it")


def test_privileges():
    """Started as root it becomes another, for good."""
    if os.geteuid() != 0:
        return
    site = Site("root", {"user": "nobody", "milter": {"group": "daemon", "mode": "0660"}})
    nobody, group = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid
    site.daemon.start()
    site.wait_log("started")
    status = proc.read_text("/proc/%d/status" % site.daemon.daemon.pid)
    tap.ok(re.search(r"^Uid:(\t%d){4}$" % nobody, status, re.M), "it is nobody", status)
    tap.ok(re.search(r"^Groups:\t%d *$" % pwd.getpwnam("nobody").pw_gid, status, re.M),
           "in no other group", status)
    made = os.stat(site.folder + "/milter.sock")
    tap.same((made.st_uid, made.st_gid, made.st_mode & 0o777), (nobody, group, 0o660),
             "the socket is nobody's and the group's")
    tap.same(os.stat(site.daemon.state).st_uid, nobody, "so is the state")
    tap.ok(site.send().accepted, "it serves")
    tap.same(site.wait_counter("in_messages", 1), 1, "and counts")
    tap.same(site.daemon.stop(), 0, "a clean end")
    site.daemon.write_settings(user="no-such-account")
    code, _, text = proc.run([TOLLGATED, "-f", "-c", site.daemon.conf])
    tap.ok(code == 78 and "no-such-account" in text, "an unknown account is named", code, text)


# --- reload --------------------------------------------------------------------------------------


def test_reload_under_load():
    site = Site("reload")
    site.daemon.start()
    stop = threading.Event()

    def work(which):
        good = bad = 0
        while not stop.is_set():
            with milterclient.Session(site.daemon.socket) as s:
                for _ in range(5):
                    d = s.deliver(OUTSIDE, ["user%d@example.com" % which], MESSAGE)
                    good, bad = good + d.accepted, bad + (not d.accepted)
        return good, bad

    def signals():
        for i in range(30):
            entries = ["example.com"] + ["d%d.test" % n for n in range(i)]
            site.daemon.host(entries)
            site.daemon.daemon.signal(signal.SIGHUP if i % 2 else signal.SIGUSR1)
            time.sleep(0.03)  # the load in between, not an event

    done = threading.Thread(target=lambda: (signals(), stop.set()))
    done.start()
    results = milterclient.in_parallel(4, work)
    done.join()
    good = sum(r[0] for r in results)
    tap.ok(good > 50 and not any(r[1] for r in results),
           "no message is refused while it reloads", results)
    site.wait_log("configuration reloaded")
    tap.same((site.wait_counter("in_messages", good), site.wait_counter("in_bytes", good * SIZE)),
             (good, good * SIZE), "and all are counted")
    tap.ok(site.daemon.daemon.is_running(), "HUP does not end it")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_reload_changes():
    site = Site("changes")
    site.daemon.start()
    site.daemon.write_settings(log={"level": "debug"}, node="other",
                               hosted={"domains": ["file:%s.2" % site.daemon.domains]})
    proc.write_text(site.daemon.domains + ".2", "example.org\n")
    site.daemon.reload()
    tap.ok("node" in site.wait_log("need a restart"), "what needs a restart is named")
    site.wait_log("configuration reloaded")
    site.send("bob@example.org")
    tap.same(site.wait_counter("in_messages", 1, "example.org"), 1, "the new hosted set counts")
    tap.same(site.counter("in_messages", "@mx1"), 1, "under the old node's name")
    site.wait_log(" debug: message classified qid=")
    os.unlink(site.daemon.domains + ".2")
    site.daemon.reload()
    line = site.wait_log("not reloaded; the old one stays in force")
    tap.ok(site.send("bob@example.org").accepted, "a source that is gone: the old set stays", line)
    proc.write_text(site.daemon.conf, "nonsense\n")
    site.daemon.reload()
    line = site.wait_log(r"configuration fault.*conf:\d+: ")
    tap.ok(site.daemon.conf in line, "a broken configuration is told, with its place", line)
    tap.ok(site.send("bob@example.org").accepted, "and the old one stays in force")
    tap.same(site.wait_counter("in_messages", 3, "example.org"), 3, "all is counted")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_source_changes():
    """Without a signal; a message keeps to what held at its MAIL."""
    site = Site("watch")
    site.daemon.start()
    with milterclient.Session(site.daemon.socket, steps=milterclient.HEARD_STEPS) as s:
        s.queue_id = milterclient.next_queue_id()
        s.mail(OUTSIDE)
        site.daemon.host(["example.com", "new.test"])
        site.wait_log("sources reloaded")
        s.rcpt("bob@new.test")
        tap.ok(s.content(MESSAGE)[1].accepted, "a message that began before the change")
        tap.ok(s.deliver(OUTSIDE, ["bob@new.test"], MESSAGE).accepted, "one after it")
    tap.same(site.wait_counter("in_messages", 1, "new.test"), 1, "only the second is the domain's")
    tap.same(site.wait_counter("relay_messages", 1, "_unattributed"), 1, "the first is not")
    line = site.wait_log("missing from the hosted set")
    tap.ok("domain=new.test" in line, "which the log wonders about", line)
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_no_room():
    """Less free space than is wanted: mail waits, or passes uncounted, as the settings say."""
    site = Site("room", {"ledger": {"min_free": "900GB"}})
    site.daemon.start()
    d = site.send()
    tap.ok(d.text.startswith("452 4.3.1"), "no room: mail waits", d)
    site.wait_log("message cannot be counted|mail deferred")
    site.daemon.write_settings(ledger={"on_full": "accept"})
    site.daemon.reload()
    site.wait_log("configuration reloaded")
    tap.ok(site.send().accepted, "or passes")
    tap.ok("qid=" in site.wait_log("message not counted"), "which is an error in the log")
    site.daemon.write_settings(ledger={"min_free": "0B"})
    site.daemon.reload()
    site.wait_log("configuration reloaded", 2)
    proc.wait_for("room", lambda: site.send().accepted and site.counter("in_messages") > 0)
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_many_sessions():
    site = Site("files")
    site.daemon.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)))
    site.wait_log("the limit of open files is low")
    sessions = [milterclient.Session(site.daemon.socket) for _ in range(50)]
    line = site.wait_log("sessions near the limit")
    tap.ok("limit=56" in line, "four fifths of the descriptors: a warning", line)
    tap.ok(all(s.deliver(OUTSIDE, [ALICE], MESSAGE).accepted for s in sessions), "all are served")
    for s in sessions:
        s.close()
    tap.same(site.wait_counter("in_messages", 50), 50, "and counted")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_relayed():
    """Each domain that seems to be missing is named once an hour, whatever was named before."""
    site = Site("relayed")
    site.daemon.start()
    for recipients in (["a@one.test", ALICE, "b@two.test"], ["c@two.test"], ["d@three.test"],
                       ["e@one.test", "f@four.test"]):
        with milterclient.Session(site.daemon.socket) as s:
            tap.ok(s.deliver(OUTSIDE, recipients, MESSAGE).accepted, "to " + " ".join(recipients))
    tap.same(site.wait_counter("relay_messages", 4, "_unattributed"), 4, "all are relayed")
    lines = re.findall("missing from the hosted set.*domain=(\\S+)", site.daemon.log())
    tap.same(lines, ["one.test", "two.test", "three.test", "four.test"], "each has its line, once")
    tap.same(site.daemon.stop(), 0, "a clean end")


def test_words_of_strangers():
    """A domain that is named like a cause of trouble does not silence it."""
    site = Site("words")
    site.daemon.start()
    site.send("x@journal")
    site.wait_log("missing from the hosted set.*domain=journal")
    site.daemon.write_settings(ledger={"min_free": "900GB", "on_full": "accept"})
    site.daemon.reload()
    site.wait_log("configuration reloaded")
    tap.ok(proc.wait_for("line", lambda: site.send().accepted and
                         "message not counted" in site.daemon.log()), "it is logged")
    tap.same(site.daemon.stop(), 0, "a clean end")


def cpu_s(pid):
    """Processor time that a process has used."""
    fields = proc.read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_files_left():
    """More sessions than files may be open: the rest wait, and the daemon waits with them."""
    site = Site("nofile")
    site.daemon.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    with contextlib.ExitStack() as waiting:
        for _ in range(120):
            waiting.enter_context(contextlib.closing(milterclient.connect_socket(
                site.daemon.socket)))
        site.wait_log("no open files left for new sessions")
        before = cpu_s(site.daemon.daemon.pid)
        time.sleep(2)  # the time that is measured
        used = cpu_s(site.daemon.daemon.pid) - before
        tap.ok(used < 0.1, "less than 5 % of a processor", used)
    tap.ok(site.send().accepted, "they go: it serves")
    tap.same(len(re.findall("no open files left", site.daemon.log())), 1, "it says so once")
    tap.same(site.daemon.stop(), 0, "a clean end")


# --- end -----------------------------------------------------------------------------------------


def test_drain():
    site = Site("drain")
    site.daemon.start()
    idle = milterclient.Session(site.daemon.socket, steps=milterclient.HEARD_STEPS)
    quiet = milterclient.Session(site.daemon.socket)
    with milterclient.Session(site.daemon.socket, steps=milterclient.HEARD_STEPS) as s:
        s.queue_id = milterclient.next_queue_id()
        s.mail(OUTSIDE)
        s.rcpt(ALICE)
        site.daemon.daemon.signal(signal.SIGTERM)
        site.wait_log("stopping")
        late = proc.wait_for("refusal", lambda: next(
            (r for r in [idle.mail(OUTSIDE)] if not r.accepted or idle.milter.abort()), None))
        tap.ok(late.text.startswith("451 4.3.2"), "new mail is told to come later", late)
        late = quiet.deliver(OUTSIDE, [ALICE], MESSAGE)
        tap.ok(late.text.startswith("451 4.3.2"), "and so is where only its end is answered", late)
        tap.ok(s.content(MESSAGE)[1].accepted, "mail under way is finished")
    idle.milter.close()
    quiet.milter.close()
    tap.same(site.daemon.daemon.wait(20), 0, "then it ends")
    tap.same(site.wait_counter("in_messages", 1), 1, "with all counted")
    tap.ok(not os.path.exists(site.folder + "/milter.sock"), "and its socket gone")
    site.daemon.start()
    tap.same(site.daemon.doubtful(), {}, "nothing is in doubt")
    started = time.monotonic()
    tap.same(site.daemon.stop(), 0, "without mail")
    tap.ok(time.monotonic() - started < 8, "it ends soon", time.monotonic() - started)


def test_idle_session_at_end():
    """A session that had its answer and says no more is not in doubt after a clean end."""
    site = Site("idle")
    site.daemon.start()
    s = milterclient.Session(site.daemon.socket)
    tap.ok(s.deliver(OUTSIDE, [ALICE], MESSAGE, abort_after=False).accepted, "a message")
    tap.same(site.daemon.stop(), 0, "an end while its session is open")
    s.milter.close()
    site.daemon.start()
    tap.same(site.daemon.doubtful(), {}, "leaves no doubt")
    s = milterclient.Session(site.daemon.socket)
    d = s.deliver(OUTSIDE, [ALICE], MESSAGE, abort_after=False)
    site.daemon.kill()
    s.milter.close()
    site.daemon.start()
    site.wait_log("message in doubt")
    tap.same(site.daemon.doubtful(), {d.queue_id: True}, "a kill does, and names it")
    tap.same(site.wait_counter("in_messages", 2), 2, "counted it is")
    tap.same(site.daemon.stop(), 0, "a clean end")


# What an engine could do otherwise.
OF_ENGINE = (test_sockets, test_privileges, test_reload_under_load, test_many_sessions,
             test_no_files_left, test_drain, test_idle_session_at_end)
OF_ANY = (test_options, test_missing_source, test_faults_at_start, test_redis_comes_later,
          test_hosted_in_redis, test_two_of_one, test_background, test_reload_changes,
          test_source_changes, test_no_room, test_relayed, test_words_of_strangers)


def main():
    for test in OF_ENGINE if tollgated.engine() else OF_ANY + OF_ENGINE:
        tap.note(test.__name__)
        test()


tap.run(main)
