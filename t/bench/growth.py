"""How tollgated grows: its memory, and its speed by connections, domains, recipients, bytes and
records that wait."""

import os
import sys
import time

import measure
import peers
import proc


def names_of(o):
    """tollgated alone, in all its forms that are chosen."""
    return {n: m for n, m in o.chosen().items() if n.startswith("tollgated")}


def sessions_open(peer, count):
    """A load that holds so many sessions, with one message each every ten seconds."""
    return proc.Daemon([peers.program("t/bench/load"), "-s", peer.socket, "-c", str(count), "-t",
                        "600", "-r", str(max(count / 10, 1)), "-p", "1000000", "-S", "-d", "1000"],
                       os.path.join(peer.folder, "load.log"))


def memory_now(peer):
    return sum(measure.memory_kb(pid) for pid in peer.pids()) / 1024


def memory(o):
    """MB by connections, by hosted domains, and by users that send."""
    found = {"connections": [], "domains": [], "users": []}
    folder = proc.scratch("memory")
    counts = (0, 64, 512) if o.quick else (0, 64, 512, 1000, 2000, 4000)
    for count in counts:
        peer = peers.Tollgated("c%d" % count, folder)
        holding = sessions_open(peer, count) if count else None
        if holding:
            connection = peer.redis.connect()
            proc.wait_for("sessions", lambda: measure.counted(connection) >= count, 120)
        found["connections"].append((count, round(memory_now(peer), 2)))
        if holding:
            holding.kill()
        peer.stop()
    for count in (1000, 10000, 100000) if o.quick else (1000, 10000, 100000, 1000000):
        peer = peers.Tollgated("d%d" % count, folder, domains=count)
        found["domains"].append((count, round(memory_now(peer), 2)))
        peer.stop()
    peer = peers.Tollgated("users", folder)
    sent = 0
    for users in (1, 10) if o.quick else (1, 10, 100):
        measure.load(peer, "-c", 8, "-m", 1000 * users - sent, "-f", sent, "-S", "-d", 1000, "-u",
                     users, "-b", 100)
        sent = 1000 * users
        measure.settle(peer)
        found["users"].append((sent, round(memory_now(peer), 2)))
    peer.stop()
    for what, points in found.items():
        o.say("memory by %s: %s" % (what, ", ".join("%d: %.1f MB" % p for p in points)))
    return found


def by(o, what, steps, options_of, peers_of):
    """Name -> [(step, messages a second, cpu us, p99 ms)]; each round takes all peers at all steps,
    so that a slow minute meets them all. peers_of: step -> name -> peer."""
    told = {}
    for _ in range(o.rounds_growth):
        for step in steps:
            for name, peer in peers_of[step].items():
                told.setdefault((name, step), []).append(measure.run(peer, *options_of(step)))
    found = {}
    for (name, step), rounds in told.items():
        m = measure.summary(rounds)
        found.setdefault(name, []).append((step, round(m["per_second"], 1), round(m["cpu_us"], 1),
                                           round(m["p99_us"] / 1e3, 2)))
    for name, points in found.items():
        o.say("%s, by %s: %s" % (name, what, ", ".join("%d: %.0f/s" % p[:2] for p in points)))
    return found


def growth(o):
    o.rounds_growth = 1 if o.quick else 3
    makers = names_of(o)
    seconds, found = o.seconds, {}
    floor = {n: m for n, m in o.chosen().items() if n in (peers.N, peers.NATIVE)}
    with o.running({**floor, **makers}) as running:
        every = {p.name: p for p in running}
        for what, steps, options_of in (
                ("connections", (1, 8, 64, 512) if o.quick else (1, 2, 4, 8, 16, 64, 256, 1000,
                                                                 4000), lambda n: ("-c", n)),
                ("recipients", (1, 10, 100) if o.quick else (1, 3, 10, 30, 100, 300, 1000),
                 lambda n: ("-c", 8, "-n", n)),
                ("body", (1, 64, 1024) if o.quick else (1, 8, 64, 512, 4096, 51200),
                 lambda n: ("-c", 8, "-b", n * 1024))):
            found[what] = by(o, what, steps,
                             lambda n, of=options_of: ("-t", seconds, *o.mail, *of(n)),
                             dict.fromkeys(steps, every))
    found.update(domains(o, makers, seconds))
    found["behind"] = behind(o, proc.scratch("growth"))
    return found


def domains(o, makers, seconds):
    """By hosted domains: of which ten send ("hosted"), and of which each does in turn."""
    folder = proc.scratch("domains")
    steps = (10, 1000, 100000) if o.quick else (10, 100, 1000, 10000, 100000, 1000000)
    peers_of = {n: {name: make("%s %d" % (name, n), folder, domains=n)
                    for name, make in makers.items()} for n in steps}
    found = {what: by(o, what, steps,
                      lambda n, of=senders: ("-t", seconds, *o.mail, "-c", 8, "-d", of(n)),
                      peers_of)
             for what, senders in (("hosted", lambda n: 10), ("domains", lambda n: n))}
    for started in peers_of.values():
        for peer in started.values():
            peer.stop()
    return found


def behind(o, folder):
    """Records that wait while Redis is away do not slow the mail down: messages a second with so
    many of them in the journal, and how long until all are counted when it is back."""
    peer = peers.makers()["tollgated"]("behind", folder)
    points, sent = [], 0
    peer.redis.daemon.signal(19)  # STOP: it answers no more
    for step in (1000, 20000) if o.quick else (1000, 10000, 100000, 1000000, 4000000):
        if step > sent:
            measure.load(peer, "-c", 8, "-m", step - sent, "-f", sent, *o.mail, "-b", 100, "-H", 1)
        told = measure.load(peer, "-c", 8, "-t", o.seconds, *o.mail)
        sent = step + told["messages"]
        points.append((step, round(told["per_second"], 1)))
        o.say("behind %d: %.0f/s" % points[-1])
    began = time.monotonic()
    peer.redis.daemon.signal(18)
    connection = peer.redis.connect()
    proc.wait_for("all in Redis", lambda: connection("HMGET", "tg:{@mx1}:node", "dirty_rows",
                                                     "journal_records") == ["0", "0"], 600)
    caught_up_s = round(time.monotonic() - began, 1)
    peer.stop()
    o.say("caught up after %.1f s" % caught_up_s)
    return {"points": points, "caught_up_s": caught_up_s}
