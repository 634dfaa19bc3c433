#!/usr/bin/env python3
"""The accountant with journal, ledger and Redis: killed, robbed of files; each message once."""

import os
import random
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
from accountant import Node, counted, differences, expected

ROUNDS = 20
DICE = random.Random(int(os.environ.get("TG_SEED", "4711")))


def periods_fit(redis, kind):
    """The sum over months, days or hours is the total."""
    faults = []
    for account in ["d%d.example" % i for i in range(7)]:
        total = int(redis.hash("tg:{%s}:total" % account)["in_bytes"])
        parts = sum(int(redis("HGET", key, "in_bytes"))
                    for key in redis("KEYS", "tg:{%s}:%s:*" % (account, kind)))
        if parts != total:
            faults.append("%s: %d over %ss, %d in all" % (account, parts, kind, total))
    return faults


def kill_rounds(folder):
    """Two nodes, killed at random; Redis flushed or killed (it comes back empty) in between."""
    server = redis_server.RedisServer(folder)
    nodes = [Node(folder, "mx1", server.url), Node(folder, "mx2", server.url)]
    target = 0
    for _ in range(ROUNDS):
        target += DICE.randrange(100, 600)
        running = [node.start(target) for node in nodes]
        time.sleep(DICE.random() * 0.12)
        event = DICE.randrange(6)
        if event == 0:
            server.connect()("FLUSHALL")
        if event == 1:
            server.kill()
        for daemon in running:
            if DICE.randrange(4):
                daemon.kill()
            else:
                daemon.wait()
        if event == 1:
            server.start()
    for node in nodes:
        code, said = node.run(target)
        tap.same(code, 0, "%s ends well" % node.name, said[-1000:])
        tap.same(node.last, target, "with all that was appended")
    redis = server.connect()
    tap.none(differences(counted(redis), expected(nodes)), "every message is counted once")
    tap.ok(len([key for key in expected(nodes) if key[0] == "held"]) == 7, "some are still held")
    for node in nodes:
        tap.ok("release of an unknown held message" in proc.read_text(node.log),
               "a second release is reported")
    for kind in ("month", "day", "hour"):
        tap.none(periods_fit(redis, kind), "and in one %s" % kind)
    for node in nodes:
        tap.ok(len(node.segments()) <= 2, "segments that are in the ledger go",
               *node.segments())
        through = int(redis("HGET", "tg:{@%s}:node" % node.name, "pushed_through"))
        tap.ok(abs(time.time() - through) < 60, "pushed_through is now, not %d" % through)
    return server, nodes


class AofServer(redis_server.RedisServer):
    """Keeps an append-only file; the system writes it when it likes."""

    def start(self):
        self.daemon = proc.Daemon(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
             "--appendonly", "yes", "--appendfsync", "no", "--dir", self.folder],
            os.path.join(self.folder, "redis.log"))

        def is_loaded():
            try:
                return proc.can_connect(self.path) and self.connect()("PING") == "PONG"
            except redis_server.RedisError:
                return False
        self.daemon.until("redis-server", is_loaded)

    def cut(self):
        """Takes a piece off the end of the file, as a crash of the machine does."""
        folder = os.path.join(self.folder, "appendonlydir")
        path = [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if "incr" in f][-1]
        size = os.path.getsize(path)
        os.truncate(path, DICE.randrange(size // 2, size))


def torn_file(folder):
    server = AofServer(folder)
    node = Node(folder, "mx1", server.url)
    faults = []
    for step in range(8):
        node.run(300 * (step + 1))
        server.kill()
        for _ in range(2):
            server.cut()
            server.start()
            server.kill()
        server.start()
        redis = server.connect()
        through = redis("HGET", "tg:{@mx1}:node", "pushed_through")
        node.run(node.last)
        faults += differences(counted(redis), expected([node]))
        if through and int(redis("HGET", "tg:{@mx1}:node", "pushed_through")) < int(through):
            faults.append("pushed_through went back")
        redis.close()
    tap.none(faults, "an append-only file torn twice and loaded twice: all comes back, once")
    server.stop()


def journal_away(server, node, others, folder):
    """What is in the ledger stays counted, numbers go on."""
    was = node.last
    shutil.move(node.journal(), os.path.join(folder, "moved"))
    code, said = node.run(was + 100)
    tap.same(code, 0, "without its journal", said[-1000:])
    tap.same(node.last, was + 100, "numbers go on")
    tap.ok("the ledger is ahead of the journal" in said, "which is said", said)
    tap.none(differences(counted(server.connect()), expected([node] + others)),
             "and nothing is counted twice")


def state_of(node, mode, until):
    """Asks a running driver until its state fits; returns the state and the log's new lines."""
    before = len(proc.read_text(node.log))
    with open(node.log, "ab") as log:
        p = subprocess.Popen(node.argv(node.last + 10, mode), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
    p.stdout.readline()

    def ask():
        p.stdin.write("\n")
        p.stdin.flush()
        state = p.stdout.readline()
        return state if until(state) else None
    state = proc.wait_for("state", ask)
    p.stdin.close()
    rest = p.stdout.read()
    node.last = int(re.search(r"last (\d+)", rest).group(1))
    p.wait(120)
    return state, proc.read_text(node.log)[before:]


def segment_gone(server, node, others):
    was = node.last
    node.run(was + 1500, "append")
    segments = node.segments()
    tap.ok(len(segments) > 3, "several segments wait", *segments)
    kept = os.path.join(node.state, "kept")
    shutil.move(os.path.join(node.journal(), segments[1]), kept)
    state, said = state_of(node, "wait", lambda s: "damaged=1" in s)
    tap.ok("accounting has stopped" in said and node.journal() in said, "a segment is gone", said)
    tap.ok("gone" in state, "the state says so too", state)
    tap.ok("waited=0" in state, "who waits for it waits in vain", state)
    tap.same(node.last, was + 1510, "mail goes on")
    shutil.move(kept, os.path.join(node.journal(), segments[1]))
    code, said = node.run(node.last)
    tap.same(code, 0, "when it is back", said[-1000:])
    tap.none(differences(counted(server.connect()), expected([node] + others)),
             "everything is counted")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x55]))


def segment_damaged(server, node, others):
    node.run(node.last + 1500, "append")
    path = os.path.join(node.journal(), node.segments()[2])
    flip(path, 5000)
    state, said = state_of(node, "wait", lambda s: "damaged=1" in s)
    tap.ok("accounting has stopped" in said and path in said, "a flipped byte is found", said)
    folded = int(re.search(r"folded=(\d+)", state).group(1))
    tap.ok(int(os.path.basename(path).split(".")[0]) <= folded < node.last,
           "what is before it counts", state)
    flip(path, 5000)
    code, said = node.run(node.last)
    tap.same(code, 0, "when it is mended", said[-1000:])
    tap.none(differences(counted(server.connect()), expected([node] + others)),
             "everything is counted")


def tail_lost(server, node, others):
    """A power failure: the ledger has counted records that the journal no longer has."""
    node.run(node.last + 50)
    was = node.last
    path = os.path.join(node.journal(), node.segments()[-1])
    os.truncate(path, os.path.getsize(path) - 300)
    code, said = node.run(was + 20)
    tap.ok(code == 0 and "the ledger is ahead of the journal" in said, "the journal's end is lost",
           said)
    tap.same(node.last, was + 20, "its numbers are not given again")
    tap.none(differences(counted(server.connect()), expected([node] + others)),
             "what the ledger counted stays counted")


def messages(nodes):
    """What the node's own account has to say, for nodes of one name."""
    return sum(expected([node]).get("@" + node.name, [0])[0] for node in nodes)


def shown(server, name):
    return int(server.connect().hash("tg:{@%s}:total" % name)["messages"])


def ledger_restored(folder, server):
    """ledger.db comes out of a backup; journal and Redis are whole: all is counted once."""
    os.environ["TG_SEGMENT_BYTES"] = "100000000"
    node = Node(folder, "mx4", server.url)
    node.run(100)
    path = os.path.join(node.state, "ledger.db")
    shutil.copy(path, path + ".backup")
    node.run(45000)
    tap.same(shown(server, "mx4"), messages([node]), "before")
    os.rename(path + ".backup", path)
    with open(node.log, "ab") as log:
        p = subprocess.Popen(node.argv(45010, "wait"), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=log)
    most = 0
    node.last = 45010
    while p.stdout.readable() and most < messages([node]) and p.poll() is None:
        most = max(most, shown(server, "mx4"))
    p.communicate()
    tap.same(shown(server, "mx4"), messages([node]), "a restored ledger: once")
    tap.same(most, messages([node]), "and never more on the way")
    del os.environ["TG_SEGMENT_BYTES"]


def state_dir_restored(folder, server):
    """All of state_dir comes out of a backup: what Redis has stays, what comes later is added."""
    node = Node(folder, "mx5", server.url)
    node.run(100)
    shutil.copytree(node.state, node.state + ".backup")
    node.run(400)
    then = messages([node])
    shutil.rmtree(node.state)
    os.rename(node.state + ".backup", node.state)
    node.last = 100
    begin = messages([node])
    _, said = node.run(200)
    tap.ok("counting continues under a new share" in said, "a restored state_dir is noticed", said)
    tap.same(shown(server, "mx5"), then + messages([node]) - begin, "and nothing lost or doubled")
    server.connect()("DEL", "tg:{@mx5}:node")
    node.run(node.last)
    tap.same(shown(server, "mx5"), then + messages([node]) - begin, "also later")


def state_dir_copied(folder, server):
    """Two machines with one state_dir and one name at the same time."""
    nodes = [Node(folder, "mx6", server.url), Node(folder, "mx6", server.url)]
    nodes[0].run(100)
    nodes[1].state, nodes[1].log = nodes[0].state + ".copy", nodes[0].log + ".copy"
    shutil.copytree(nodes[0].state, nodes[1].state)
    nodes[1].last = 100
    common = messages([nodes[1]])
    running = []
    for node in nodes:
        with open(node.log, "ab") as log:
            running.append(subprocess.Popen(node.argv(300, "wait"), stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log))
        node.last = 300
    want = messages(nodes) - common
    seen = []
    proc.wait_for("both have pushed", lambda: shown(server, "mx6") == want)
    proc.wait_for("the original hears of it", lambda: all(
        "two nodes of the same name" in proc.read_text(node.log) for node in nodes))
    for _ in range(40):
        seen.append(shown(server, "mx6"))
        time.sleep(0.05)
    tap.same(set(seen), {want}, "copies of one state_dir: all is counted, and nothing swings")
    for node in nodes:
        lines = [x for x in proc.read_text(node.log).split("\n") if " error: " in x]
        tap.ok(len(lines) <= 3, "told once a minute, not at each push", *lines)
    for p in running:
        p.communicate()
    tap.same(shown(server, "mx6"), want, "also at the end")


def other_zone(folder, server):
    os.environ["TG_ZONE"] = "Asia/Kolkata"
    node = Node(folder, "mx7", server.url)
    code, said = node.run(10)
    tap.ok(code == 1 and "tg:timezone" in said or "Asia/Kolkata" in said and "UTC" in said,
           "a node of another time zone does not start", said)
    del os.environ["TG_ZONE"]
    shutil.rmtree(node.state)
    node.run(10)
    os.environ["TG_ZONE"] = "Asia/Kolkata"
    server.connect()("SET", "tg:timezone", "Asia/Kolkata")
    code, said = node.run(20)
    tap.ok(code == 1 and "ledger.db has counted days and months in timezone" in said,
           "nor does a ledger go on in another one", said)
    del os.environ["TG_ZONE"]
    server.connect()("SET", "tg:timezone", "UTC")


def hurry(node):
    node.run(node.last)
    tap.same(node.run(node.last + 30, "hurry")[0], 0, "who waits for it need not wait for its turn")


def ledger_gone(node):
    path = os.path.join(node.state, "ledger.db")
    os.rename(path, path + ".away")
    code, said = node.run(node.last)
    tap.ok(code == 1 and "ledger.db is gone" in said and "ledger.id" in said,
           "a ledger that is gone is not begun anew", said)
    tap.ok(not os.path.exists(path), "nor is a new one left behind")
    other = Node(os.path.dirname(node.state), "other", node.url)
    other.run(1, "append")
    other.run(1)
    shutil.copy(os.path.join(other.state, "ledger.db"), path)
    code, said = node.run(node.last)
    tap.ok(code == 1 and "has counted here" in said, "nor is another one taken", said)
    os.rename(path + ".away", path)
    tap.same(node.run(node.last)[0], 0, "back in its place")


def doubtful(folder, server):
    node = Node(folder, "mx3", server.url)
    node.run(20)
    code, _ = node.run(40, "doubtful")
    tap.same(code, -9, "killed with two messages in flight")
    _, said = node.run(50)
    lines = [line for line in said.split("\n") if "message in doubt" in line]
    tap.ok(len(lines) == 2 and "qid=Q41 number=41 counted=yes" in lines[0] and
           "qid=Q42 number=42" in lines[1], "both are named", *lines)
    tap.same(node.last, 50, "and counted")
    _, said = node.run(52)
    tap.ok("in doubt" not in said, "once")
    node.run(52, "doubtful")
    _, said = node.run(60)
    tap.same(re.findall("message in doubt.*(qid=\\S+)", said), ["qid=Q54"],
             "one that is held is not in doubt")


def main():
    tap.need("redis-server")
    folder = proc.scratch("accountant")
    server, (first, second) = kill_rounds(folder)
    journal_away(server, first, [second], folder)
    segment_gone(server, second, [first])
    segment_damaged(server, second, [first])
    tail_lost(server, second, [first])
    hurry(second)
    ledger_gone(second)
    doubtful(folder, server)
    ledger_restored(folder, server)
    state_dir_restored(folder, server)
    state_dir_copied(folder, server)
    other_zone(folder, server)
    server.stop()
    torn_file(proc.scratch("accountant-aof"))


tap.run(main)
