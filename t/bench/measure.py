"""One measurement: messages through a peer, and what they cost each process."""

import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import peers
import proc

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
SETTLE_S = 15.0  # at most: what is counted and pushed behind the messages belongs to them


def cpu_us(pid):
    """Of a process with those of its children that have ended."""
    fields = proc.read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return sum(int(f) for f in fields[11:15]) * TICK_US if len(fields) > 15 else 0.0


def memory_kb(pid):
    for line in proc.read_text("/proc/%d/status" % pid).split("\n"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Costs:
    """Processor time of a peer, and of its Redis, since it was made."""

    def __init__(self, peer):
        self.peer, self.began = peer, self.now(peer)

    @staticmethod
    def now(peer):
        pids = {pid: cpu_us(pid) for pid in peer.pids()}
        return pids, cpu_us(peer.redis.daemon.pid) if peer.redis else 0.0

    def spent_us(self):
        """(peer, Redis)"""
        before, now = self.began, self.now(self.peer)
        return (sum(us - before[0].get(pid, 0.0) for pid, us in now[0].items()),
                now[1] - before[1])


def settle(peer):
    """Until all that came is counted and in Redis."""
    if not isinstance(peer, peers.Tollgated):
        return
    connection = peer.redis.connect()
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        # the node's own figures are of its last push, which may be of before these messages
        if counted(connection) >= peer.sent and \
                connection("HGET", "tg:{@mx1}:node", "dirty_rows") == "0":
            break
        time.sleep(0.1)
    connection.close()


def counted(connection):
    """Messages that are in Redis."""
    return int(connection("HGET", "tg:{@mx1}:total", "messages") or 0)


def load(peer, *options):
    argv = [peers.program("t/bench/load"), "-s", peer.socket] + [str(o) for o in options]
    code, out, err = proc.run(argv + (["-P"] if peer.is_policy else []), timeout_s=900)
    if code != 0:
        raise RuntimeError("%s: %s%s" % (peer.name, err, out))
    told = json.loads(out)
    peer.sent += told["messages"]
    return told


def run(peer, *options):
    """What load says, and cpu_us and redis_us a message."""
    costs = Costs(peer)
    told = load(peer, *options)
    settle(peer)
    spent = costs.spent_us()
    told["cpu_us"], told["redis_us"] = (us / told["messages"] for us in spent)
    return told


def summary(rounds):
    """Medians of several runs."""
    keys = ("per_second", "cpu_us", "redis_us", "client_cpu_us")
    found = {k: statistics.median(r[k] for r in rounds) for k in keys}
    for part in ("p50", "p99"):
        found[part + "_us"] = statistics.median(r["latency_us"][part] for r in rounds)
    found["rounds"] = len(rounds)
    return found


def interleaved(all_peers, rounds, *options):
    """Name -> summary; each round takes every peer once, so that a slow minute meets them all."""
    got = {p.name: [] for p in all_peers}
    for _ in range(rounds):
        for peer in all_peers:
            got[peer.name].append(run(peer, *options))
    return {name: summary(runs) for name, runs in got.items()}
