#!/usr/bin/env python3
"""bench.py [--quick] [--part NAME]... [--shape TEXT]... [--peer TEXT]... [--without TEXT]...
    [--rounds NUMBER] [--seconds NUMBER] [--out FILE]

Tollgate measured against filters that do nothing and against other programs, interleaved, medians
of several rounds; then how it grows. Writes the figures as JSON (--out, else standard output) and
says on the way what it has found; t/bench/charts.py makes doc/performance of the file.

Parts: speed, rate, postfix, memory, growth. Peers: those whose names hold TEXT, and the filter on
libmilter that does nothing; --without: not those. Shapes of the speed: those whose names hold TEXT.
--quick: one round of few messages, small steps; ratios are rough. --rounds, --seconds: of each
measurement, where a part has to fit into a time."""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import growth
import measure
import peers
import postfix_bench
import proc
import tollgated

SHAPES = {"8 connections": ("-c", 8), "1 connection": ("-c", 1), "64 connections": ("-c", 64),
          "10 recipients": ("-c", 8, "-n", 10)}
MAIL = ("-S", "-d", 1000, "-H", 9, "-b", 2000, "-p", 10)  # of users of 1,000 domains


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine():
    cpu = [line.split(":")[1].strip() for line in proc.read_text("/proc/cpuinfo").split("\n")
           if line.startswith("model name")]
    memory = proc.read_text("/proc/meminfo").split()[1]
    return {"processors": "%d x %s" % (len(cpu), cpu[0]), "memory_gb": round(int(memory) / 1048576),
            "kernel": os.uname().release, "date": datetime.date.today().isoformat(),
            "load_at_begin": os.getloadavg()[0], "versions": versions()}


def versions():
    found = {"tollgated": proc.run([peers.program("tollgated"), "-V"])[1].split("\n")[0]}
    for package in ("libmilter1.0.1", "postfix", "redis-server", "rspamd", "policyd-rate-limit",
                    "postfwd", "libsqlite3-0"):
        code, out, _ = proc.run(["dpkg-query", "-W", "-f", "${Version}", package])
        if code == 0:
            found[package] = out
    return found


def chosen(texts, without):
    return {name: make for name, make in peers.makers().items()
            if name == peers.N or not any(t in name for t in without) and
            (not texts or any(t in name for t in texts))}


class Running:
    """All peers at once, each waiting for its turn."""

    def __init__(self, makers):
        self.folder = proc.scratch("bench")
        self.all = []
        for name, make in makers.items():
            self.all.append(make(name, self.folder))

    def __enter__(self):
        return self.all

    def __exit__(self, *_):
        for peer in self.all:
            peer.stop()


def row(name, figures, floor):
    of_floor = figures["per_second"] / floor["per_second"] if floor else 0
    return "  %-36s %8.0f/s %6.2f x  cpu %7.1f us  redis %6.1f us  p50 %7.2f ms  p99 %7.2f ms" % (
        name, figures["per_second"], of_floor, figures["cpu_us"], figures["redis_us"],
        figures["p50_us"] / 1e3, figures["p99_us"] / 1e3)


def tell(what, figures):
    say(what)
    for name, found in figures.items():
        say(row(name, found, figures.get(peers.N)))


def warm(running):
    """Each domain sends a few messages: what is learned of it is known from then on."""
    for peer in running:
        measure.load(peer, "-m", 3000, "-c", 8, *MAIL)
        measure.settle(peer)


def speed(o):
    found = {}
    with Running(o.chosen()) as running:
        warm(running)
        for shape, options in SHAPES.items():
            if o.shape and not any(text in shape for text in o.shape):
                continue
            found[shape] = measure.interleaved(running, o.rounds, "-t", o.seconds, *MAIL, *options)
            tell(shape, found[shape])
    return found


def rate(o):
    """An open loop of 300 messages a second: how long each takes where the machine has time."""
    with Running({n: m for n, m in o.chosen().items() if n != "postfwd"}) as running:
        warm(running)
        found = measure.interleaved(running, o.rounds, "-r", 300, "-t", o.seconds * 2, "-c", 64,
                                    *MAIL)
    tell("300 messages a second", found)
    return found


def wanted(results):
    """(what, wanted, found, is it so) of the goals that were measured."""
    goals = []

    def goal(what, least, found, most=None):
        good = found >= least if most is None else found <= most
        goals.append({"what": what, "wanted": (">= %g" % least) if most is None else "<= %g" % most,
                      "found": round(found, 2), "good": good})

    for shape, names in results.get("speed", {}).items():
        n = names[peers.N]["per_second"]
        plain, limits = names.get("tollgated"), names.get("tollgated, limits")
        if plain:
            goal(shape + ": without limits, of libmilter doing nothing", 5, plain["per_second"] / n)
            if peers.NATIVE in names:
                goal(shape + ": without limits, of the native engine doing nothing", .7,
                     plain["per_second"] / names[peers.NATIVE]["per_second"])
            goal(shape + ": processor time a message without limits, us", 0, plain["cpu_us"], 35)
            goal(shape + ": redis-server a message without limits, us", 0, plain["redis_us"], 3)
        if limits:
            goal(shape + ": with limits, of libmilter doing nothing", 2.5, limits["per_second"] / n)
            goal(shape + ": processor time a message with limits, us", 0, limits["cpu_us"], 60)
            goal(shape + ": redis-server a message with limits, us", 0, limits["redis_us"], 45)
            if shape == "64 connections":
                goal(shape + ": p99 with limits, ms", 0, limits["p99_us"] / 1e3, 6)
        leases = names.get("tollgated, leases")
        if leases:
            goal(shape + ": with leases, of libmilter doing nothing", 4, leases["per_second"] / n)
            goal(shape + ": redis-server a message with leases, us", 0, leases["redis_us"], 5)
        if "rspamd, ratelimit" in names:
            for text, ours in (("limits", limits), ("leases", leases)):
                if ours:
                    goal(shape + ": with %s, of rspamd" % text, 5,
                         ours["per_second"] / names["rspamd, ratelimit"]["per_second"])
    rate_of = results.get("rate", {})
    for name in ("tollgated, limits", "tollgated, leases"):
        if name in rate_of:
            goal("300 messages a second: p99 of %s, of libmilter doing nothing" % name, 0,
                 rate_of[name]["p99_us"] / rate_of[peers.N]["p99_us"], 1)
    through = results.get("postfix", {})
    if "tollgated, limits" in through:
        ours = through["tollgated, limits"]["per_second"]
        for name, least in ((peers.NATIVE, .95), (peers.N, 1.35), ("rspamd, ratelimit", 1.5)):
            if name in through:
                goal("through Postfix with limits, of " + name, least,
                     ours / through[name]["per_second"])
    grown_wanted(results, goal)
    return goals


def grown_wanted(results, goal):
    memory = results.get("memory", {})
    for what, text, most in (("connections", "memory of a session, kB", 6),
                             ("domains", "memory of a hosted domain, kB", .1)):
        if what in memory:
            (least, begin), (count, end) = memory[what][0], memory[what][-1]
            goal(text, 0, (end - begin) * 1024 / (count - least), most)
    if "connections" in memory:
        goal("memory without sessions, MB", 0, memory["connections"][0][1], 10)
    for what, text in (("hosted", "%d hosted domains, of %d, ten send"),
                       ("domains", "%d hosted domains, of %d, all send")):
        points = results.get("growth", {}).get(what, {}).get("tollgated")
        if points:
            goal(text % (points[-1][0], points[0][0]), .9, points[-1][1] / points[0][1])


PARTS = {"speed": speed, "rate": rate, "postfix": postfix_bench.run, "memory": growth.memory,
         "growth": growth.growth}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", action="append", choices=PARTS, default=[])
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--shape", action="append", default=[])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--out")
    o = parser.parse_args()
    o.rounds, o.seconds = o.rounds or (1 if o.quick else 5), o.seconds or (2 if o.quick else 5)
    o.say, o.tell, o.running, o.mail = say, tell, Running, MAIL
    o.chosen = lambda: chosen(o.peer, o.without)
    results = {"machine": machine(), "quick": o.quick}
    for part in o.part or PARTS:
        began = time.monotonic()
        results[part] = PARTS[part](o)
        say("%s: %.0f s" % (part, time.monotonic() - began))
    results["machine"]["load_at_end"] = os.getloadavg()[0]
    results["goals"] = wanted(results)
    for goal in results["goals"]:
        say("%-70s %8s %8s %s" % (goal["what"], goal["wanted"], goal["found"],
                                  "" if goal["good"] else "MISSED"))
    text = json.dumps(results, indent=1) + "\n"
    if o.out:
        proc.write_text(o.out, text)
    else:
        print(text)


main()
