"""Two nodes and their Redis, and all that can happen to them: one function for each fault."""

import atexit
import os
import shutil
import signal
import subprocess
import time

import proc
import redis_server
import tollgated

TORN = b"\x00\x00\x00\x90\x12\x34\x56\x78" + b"x" * 30
STOPPED_S = 5.2


def fill(file, size):
    """Until there is no room for so many bytes."""
    try:
        while file.write(b"x" * size):
            pass
    except OSError:
        pass


class Node(tollgated.Tollgated):
    """A tollgated with its state on a small disk of its own."""

    def __init__(self, folder, name, redis, domains, disk_mb):
        os.mkdir(folder)
        super().__init__(folder, redis.url, "unix:%s/milter.sock" % folder, {
            "node": name, "log": {"level": "notice"}, "store": {"timeout": "1s"},
            "ledger": {"sync": "1s", "push": "50ms", "min_free": "0B"}})
        self.name, self.book = name, os.path.join(folder, "book")
        self.host("d%d.test" % i for i in range(domains))
        os.mkdir(self.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=%dm" % disk_mb, "none",
                        self.state], check=True)
        atexit.register(self.unmount)
        self.start()

    def unmount(self):
        subprocess.run(["umount", "-l", self.state], check=False)

    def tear(self):
        """Half a record at the journal's end, as a power failure leaves it."""
        journal = os.path.join(self.state, "journal")
        newest = max(n for n in os.listdir(journal) if n.endswith(".journal"))
        with open(os.path.join(journal, newest), "ab") as f:
            f.write(TORN)


class Site:
    def __init__(self, folder, domains, disk_mb, random):
        self.folder, self.random, self.domains = folder, random, domains
        self.redis = redis_server.RedisServer(folder)
        self.dump = os.path.join(folder, "old.rdb")
        self.by_hand = set()  # accounts whose figures were raised
        self.nodes = [Node(os.path.join(folder, name), name, self.redis, domains, disk_mb)
                      for name in ("mx1", "mx2")]

    def node(self):
        return self.random.choice(self.nodes)

    def account(self):
        return "d%d.test" % self.random.randrange(self.domains)

    # --- a node

    def kill(self):
        node = self.node()
        node.kill()
        node.start()

    def torn_tails(self):
        """Twice in a row: the second time while it starts."""
        node = self.node()
        node.kill()
        node.tear()
        node.launch()
        time.sleep(self.random.uniform(0, 0.2))
        node.kill()
        node.tear()
        node.start()

    def stopped(self):
        node = self.node()
        node.daemon.signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        node.daemon.signal(signal.SIGCONT)

    def broken_reload(self):
        node = self.node()
        good = proc.read_text(node.conf)
        broken = ("nonsense\n", good[:-30], "", "node = 7;\n")
        proc.write_text(node.conf, self.random.choice(broken))
        node.reload()
        time.sleep(0.1)
        proc.write_text(node.conf, good)
        node.reload()

    def full_disk(self):
        node = self.node()
        ballast = os.path.join(node.state, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            for size in (1 << 20, 1 << 12):
                fill(f, size)
            time.sleep(self.random.uniform(0.1, 0.8))
            fill(f, 1 << 12)
        time.sleep(self.random.uniform(0.1, 0.4))
        os.unlink(ballast)

    # --- Redis

    def flush(self):
        self.redis.connect()("FLUSHALL")

    def delete(self):
        redis = self.redis.connect()
        keys = redis("KEYS", "tg:{%s}:*" % self.account()) + ["tg:{@mx1}:node", "tg:{@mx2}:total"]
        redis("DEL", *self.random.sample(keys, min(len(keys), 3)))

    def by_hand_edit(self):
        account = self.account()
        if self.random.random() < 0.5:
            self.by_hand.add(account)
            value = "99999999999"
        else:
            value = "1"
        self.redis.connect()("HSET", "tg:{%s}:total" % account, "in_bytes", value)

    def killed_redis(self):
        self.redis.kill()
        self.redis.start()

    def stale_replica(self):
        """A copy of some time ago takes over."""
        redis = self.redis.connect()
        redis("SAVE")
        shutil.copy(os.path.join(self.folder, "dump.rdb"), self.dump)
        time.sleep(self.random.uniform(0.2, 1))
        self.redis.kill()
        shutil.copy(self.dump, os.path.join(self.folder, "dump.rdb"))
        self.redis.start()
        os.unlink(os.path.join(self.folder, "dump.rdb"))

    def stalled_redis(self):
        self.redis.freeze()
        time.sleep(self.random.uniform(0.5, 2))
        self.redis.thaw()

    def no_memory(self):
        redis = self.redis.connect()
        redis("CONFIG", "SET", "maxmemory", "1mb")
        time.sleep(self.random.uniform(0.2, 1))
        redis("CONFIG", "SET", "maxmemory", "0")

    def all(self):
        return [self.kill, self.torn_tails, self.stopped, self.broken_reload, self.full_disk,
                self.flush, self.delete, self.by_hand_edit, self.killed_redis, self.stale_replica,
                self.stalled_redis, self.no_memory]

    def finish(self):
        codes = [node.stop() for node in self.nodes]
        self.redis.stop()
        return codes
