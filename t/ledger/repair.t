#!/usr/bin/env python3
"""tollgated --repair: a damaged journal, a ledger that is gone, Redis gone with it. What can be had
is counted, each message once; what cannot is told."""

import glob
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults
import proc
import redis_server
import tap
import tollgated
from accountant import Node, counted, differences, expected

PROGRAM = os.path.join(proc.BUILD, "tollgated")


class Site:
    def __init__(self, name):
        self.folder = proc.scratch(name)
        self.server = redis_server.RedisServer(self.folder)
        self.node = Node(self.folder, "mx1", self.server.url)
        self.conf = os.path.join(self.folder, "tollgate.conf")
        proc.write_text(self.conf, tollgated.libconfig({
            "node": "mx1", "timezone": "UTC", "state_dir": self.node.state, "user": "",
            "store": {"url": self.server.url, "prefix": "tg", "timeout": "1s"}}))

    def run(self, last, mode=None):
        code, said = self.node.run(last, mode)
        tap.ok(code == 0, "the node ends well", said[-800:])
        return said

    def repair(self):
        return proc.run([PROGRAM, "--repair", "-c", self.conf])

    def lose_ledger(self):
        for path in glob.glob(self.node.state + "/ledger.db*"):
            os.unlink(path)

    def is_right(self, what, less=()):
        """less: records that are lost."""
        want = expected([self.node])
        for number in less:
            domain = "d%d.example" % (number % 7)
            for key in (domain, (domain, "u%d@%s" % (number % 5, domain)), "@mx1"):
                want[key] = [want[key][0] - 1, want[key][1] - 1000 - number * 37 % 4999,
                             want[key][2]]
        tap.none(differences(counted(self.server.connect()), want)[:5], what)


def is_message(number):
    return number % 10 not in (3, 5) and number % 40 not in (7, 27, 29, 37)


def days_fit(site, what):
    """Users' days add up to their months."""
    sums = {}
    redis = site.server.connect()
    for kind, sign in (("month", 1), ("day", -1)):
        for key in redis("KEYS", "tg:{*}:users:%s:*" % kind):
            for field, value in redis.hash(key).items():
                if field.endswith(" in_bytes"):
                    sums[field] = sums.get(field, 0) + sign * int(value)
    tap.none(["%s: %d" % item for item in sums.items() if item[1]][:3], what)


def cut_off_push(site, last):
    """Killed while it pushes: some rows are in Redis, some not."""
    shim = faults.Faults(proc.scratch("shim"))
    site.run(last, "append")
    shim.fail("pwrite-kill", 40)
    site.node.run(last, None, shim.env)


def ledger_lost(site):
    site.run(2000)
    cut_off_push(site, 4000)
    redis = site.server.connect()
    site.lose_ledger()
    code, said = site.node.run(4000)
    tap.ok(code == 1 and "tollgated --repair" in said, "a lost ledger is told, and the way", said)
    _, out, said = proc.run([os.path.join(proc.BUILD, "tollgate"), "doctor", "-c", site.conf])
    tap.ok(re.search("ledger: .*\n.*fix: .*tollgated --repair", out), "by doctor, too", out, said)
    code, out, said = site.repair()
    tap.ok(code == 0 and re.search("made again of [1-9][0-9]* rows in redis and 4000 records", out),
           "it is made again", out, said)
    tap.ok("lost" not in out, "nothing is lost", out)
    site.run(4001)
    site.is_right("all is counted, once")
    days_fit(site, "by day, too")
    shares = {f for key in redis("KEYS", "tg:{@mx1}:total") for f in redis.hash(key)
              if re.fullmatch(r"_mx1\.[0-9a-f]+", f)}
    tap.ok(len(shares) == 1, "under the same share", *shares)
    redis("FLUSHALL")
    site.run(4101)
    site.is_right("and comes back when Redis is lost after that")


def former_shares(site):
    """A node that has left a share, as a restored one does, has what it counted under all."""
    kept = site.folder + "/kept"
    shutil.copytree(site.node.state, kept)
    site.run(4301)
    redis = site.server.connect()
    before = int(redis("HGET", "tg:{@mx1}:total", "messages"))
    shutil.rmtree(site.node.state)
    os.rename(kept, site.node.state)
    said = site.run(4201)
    tap.ok("counting continues under a new share" in said, "another share", said[-800:])
    want = before + sum(map(is_message, range(4102, 4202))) + 5  # of a hundred, five are released
    shown = lambda: int(site.server.connect()("HGET", "tg:{@mx1}:total", "messages"))
    tap.same(shown(), want, "both histories count")
    cut_off_push(site, 4901)
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 0 and "lost" not in out, "the ledger of a node with two shares", out, said)
    site.run(4902)
    want += sum(map(is_message, range(4202, 4903))) + len(
        [n for n in range(4202, 4903) if n % 40 in (7, 27)])
    tap.same(shown(), want, "each record counts once")
    redis("FLUSHALL")
    site.run(4903)
    tap.same(shown(), want + is_message(4903), "also under the share that was left")


def hash_lost(site):
    """Where the node's hash is gone, the rows of its one share say as much."""
    site.server.connect()("DEL", "tg:{@mx1}:node")
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 0 and re.search("made again of [1-9][0-9]* rows in redis", out) and
           "does not know" not in out, "without its hash the node is known by its rows", out, said)
    site.run(1500)
    site.is_right("all is counted, once")


def hash_lost_of_several(site):
    redis = site.server.connect()
    was = redis.hash("tg:{@mx1}:node")
    redis("DEL", "tg:{@mx1}:node")
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 69 and "under several shares" in said and
           not glob.glob(site.node.state + "/ledger.db"),
           "rows of several shares do not tell which goes on", code, out, said)
    for field, value in was.items():
        redis("HSET", "tg:{@mx1}:node", field, value)
    code, out, said = site.repair()
    tap.ok(code == 0, "the hash does", out, said)


def base36(number):
    text = ""
    while number or not text:
        text = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36] + text
        number //= 36
    return text


def digest(text):
    number = 0
    for byte in text.encode():
        number = (number * 131 + byte) % 2147483647
    return base36(number).rjust(6, "0")


def seal(redis, key):
    """The row's share goes into a seal (share.lua), with an empty one of another node."""
    row = redis.hash(key)
    share = next(field for field in row if field.startswith("_mx1."))
    number, codes = re.fullmatch("=([0-9]+)([A-Z]+)", row[share]).groups()
    names = {code: name for name, code in re.findall(
        r"(\w+) = '([A-Z]+)'", proc.read_text(proc.SOURCE + "/lib/ledger/share.lua"))}
    text = "".join(sorted(digest(name) + base36(through) + "." for name, through in
                          ((share, int(number)), ("_mx2.0a0b0c0d", 1))))
    text += "".join(code + base36(int(row[names[code]]))
                    for code in re.findall("[W-Z]?[A-Z]", codes))
    text = "#" + digest(text) + text
    redis("HDEL", key, share)
    for piece in range(0, len(text), 64):
        field = "_sealed.0" + (":%d" % (piece // 64) if piece else "")
        redis("HSET", key, field, text[piece:piece + 64])


def sealed(site):
    """Of sealed rows it is told how many they are, and they stay as they are."""
    redis = site.server.connect()
    keys = redis("KEYS", "tg:{d*.example}:day:*")
    for key in keys:
        seal(redis, key)
    before = [redis.hash(key) for key in sorted(keys)]
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 0 and "of %d rows only redis has the sums" % len(keys) in out and
           "lost" not in out, "rows that are sealed are told of", out, said)
    site.run(1501)
    after = [redis.hash(key) for key in sorted(keys)]
    same = [field for a, b in zip(before, after) for field in a if field.startswith("_sealed") and
            a[field] != b.get(field)]
    tap.ok(len(same) <= 3, "and left as they are, but for what is new", *same)
    site.is_right("all is counted, once")


def redis_lost_too(site):
    site.lose_ledger()
    site.server.connect()("FLUSHALL")
    code, out, said = site.repair()
    tap.ok(code == 0 and "redis does not know this node" in out and "lost" not in out,
           "with Redis gone, too, the journal has it", out, said)
    site.run(1601)
    site.is_right("from its first record on")


def journal_short(site):
    """What the ledger had counted and the journal has no more comes from Redis."""
    site.lose_ledger()
    first = site.node.segments()[0]
    os.unlink(os.path.join(site.node.journal(), first))
    code, out, said = site.repair()
    tap.ok(code == 0 and "lost" not in out, "the journal begins later, and Redis has the rest", out,
           said)
    told_by_number(site)
    within_second(site)
    site.run(1701)
    site.is_right("nothing is missing")


def told_by_number(site):
    """Where times do not tell: the journal may begin in the second in which the last push ended."""
    redis, node = site.server.connect(), "tg:{@mx1}:node"
    redis("HSET", node, "counted_through", "1000", "pushed_through", "1000")
    for field, other in (("_stopped", "0"), ("dirty_rows", "1"), ("journal_records", "1"),
                         ("pushed_through", "999"), ("_number", "2")):
        was = redis("HGET", node, field)
        redis("HSET", node, field, other)
        site.lose_ledger()
        code, out, said = site.repair()
        tap.ok(code == 0 and "is lost, but for what redis had" in out,
               "with %s %s nothing says that Redis has the rest" % (field, other), out, said)
        redis("HSET", node, field, was)
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 0 and "lost" not in out, "the number of a node that ended in order does", out,
           said)


def within_second(site):
    """After a kill nothing tells whether Redis has what came before in that second."""
    redis, node = site.server.connect(), "tg:{@mx1}:node"
    was = {field: redis("HGET", node, field) for field in ("_stopped", "pushed_through")}
    with open(os.path.join(site.node.journal(), site.node.segments()[0]), "rb") as f:
        second = int.from_bytes(f.read(24)[16:], "big") // 1000
    redis("HSET", node, "_stopped", "0")
    for through, what in ((second + 1, ""), (second, "may be lost"), (second - 1, "is lost")):
        redis("HSET", node, "pushed_through", str(through))
        site.lose_ledger()
        code, out, said = site.repair()
        tap.ok(code == 0 and re.findall("(?:may be|is) lost", out) == ([what] if what else []),
               "%+d s: %s" % (through - second, what or "nothing"), out, said)
    for field, value in was.items():
        redis("HSET", node, field, value)
    site.lose_ledger()
    site.repair()


def both_short(site):
    site.server.connect()("FLUSHALL")
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 0 and re.search("counted before record [0-9]+ is lost", out),
           "what nobody has is told", out, said)
    shutil.rmtree(site.node.state)


def damaged(site):
    """A flipped bit in the middle of what is not counted yet."""
    site.run(100)
    site.run(1100, "append")
    path = os.path.join(site.node.journal(), site.node.segments()[-1])
    for record in (500, 502):
        with open(path, "r+b") as f:
            data = f.read()
            mark = b"Q%d" % record
            at = data.find(mark)
            f.seek(at)
            f.write(b"X" if is_message(record) else b"Q")
    code, said = site.node.run(1100)
    tap.ok(code != 0 or "damaged" in said, "damage in the middle is told", said[-600:])
    code, out, said = site.repair()
    tap.ok(code == 0 and re.search("journal: 2 damaged .* between 500 and 502", out),
           "it is given up", out, said)
    tap.ok(glob.glob(site.node.journal() + "/*.damaged"), "the damaged file is kept")
    site.run(1201)
    site.is_right("all but those two are counted, once", (500, 502))
    code, out, said = site.repair()
    tap.ok(code == 0 and "nothing to repair" in out, "then there is nothing to repair", out, said)


def refused(site):
    site.server.kill()
    site.lose_ledger()
    code, out, said = site.repair()
    tap.ok(code == 69 and not glob.glob(site.node.state + "/ledger.db"),
           "without Redis nothing is made again", code, out, said)
    site.server.start()
    text = proc.read_text(site.conf)
    proc.write_text(site.conf, re.sub(r'url = "[^"]*"', 'url = "cluster://127.0.0.1:1"', text))
    code, out, said = site.repair()
    tap.ok(code == 69 and "cluster" in said, "nor of a cluster, whose keys cannot be listed", said)
    proc.write_text(site.conf, text)
    empty = os.path.join(site.folder, "empty")
    text = proc.read_text(site.conf).replace(site.node.state, empty)
    proc.write_text(site.conf, text)
    code, out, said = site.repair()
    tap.ok(code == 0 and "nothing has counted" in out, "a new node has nothing to repair", out,
           said)


def main():
    tap.need("redis-server")
    os.environ["TG_SEGMENT_BYTES"] = "100000"
    os.environ["TG_KEEP_JOURNAL"] = "yes"
    site = Site("repair")
    for test in (ledger_lost, former_shares, hash_lost_of_several):
        tap.note(test.__name__)
        test(site)
    site = Site("repair")
    site.run(1500)
    for test in (hash_lost, sealed, redis_lost_too, journal_short, both_short):
        tap.note(test.__name__)
        test(site)
    os.environ["TG_SEGMENT_BYTES"] = "100000000"
    site = Site("mend")
    for test in (damaged, refused):
        tap.note(test.__name__)
        test(site)


tap.run(main)
