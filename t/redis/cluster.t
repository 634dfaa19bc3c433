#!/usr/bin/env python3
"""A store in a cluster: commands go where their keys are, through moves of slots, the loss of a
master and the loss of scripts, and nothing waits longer than it may."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_fleet
import tap

SLACK_MS = 10000  # what a loaded machine may add
KEYS = ["tg:{d%d.example}:total" % i for i in range(60)]


def check_commands(cluster, store):
    tap.same(store(*["SET %s %d" % (k, i) for i, k in enumerate(KEYS)]), ["OK"] * len(KEYS),
             "a pipeline for all servers")
    counts = [m.do("DBSIZE") for m in cluster.masters]
    tap.ok(sum(counts) == len(KEYS) and min(counts) > 0, "each has its part", counts)
    tap.same(store(*["GET " + k for k in KEYS]), [str(i) for i in range(len(KEYS))],
             "replies in the order of the commands")
    tap.same(store("GET " + KEYS[0], "PING", "GET " + KEYS[1]), ["0", "PONG", "1"],
             "with commands without a key among them")
    tap.same(store.last["generation"], 1, "all that is one connection")
    tap.ok("CROSSSLOT" in store("EXISTS %s %s" % (KEYS[0], KEYS[1]))[0], "keys of two slots")
    one = redis_fleet.Store("cluster://%s" % cluster.masters[1].name)
    tap.same(one(*["GET " + k for k in KEYS])[7], "7", "one server names the others")
    one.close()
    plain = redis_fleet.Store("redis://%s" % cluster.masters[0].name)
    cluster_url = redis_fleet.Store("cluster://%s" % redis_fleet.Server(proc.scratch("alone")).name)
    tap.ok("redis://" in cluster_url.error("PING"), "a server without a cluster", cluster_url.last)
    plain.close()
    cluster_url.close()


def check_scripts(cluster, store):
    keys = ["{%s}n" % k for k in range(30)]
    tap.same(store(*["script %s 2" % k for k in keys]), [2] * 30, "a script on all servers")
    for master in cluster.masters:
        tap.ok(store("script {0}n 0") == [2], "alone, too")
        master.do("SCRIPT", "FLUSH")
    tap.same(store(*["script %s 3" % k for k in keys]), [5] * 30, "once more, after a flush")
    for master in cluster.masters:
        master.do("SCRIPT", "FLUSH")
    tap.same([store("script %s 1" % k)[0] for k in keys], [6] * 30, "one by one, after a flush")


def check_flow(store):
    store(*["SET f%d %d" % (i, i) for i in range(60)])
    tap.same(store.try_("flow f 60 5000").get("taken"), 5000,
             "a flow of several batches, in the order of its commands")


def check_moves(cluster, store):
    slot = cluster.slot(KEYS[0])
    source = cluster.owner(slot)
    target = [m for m in cluster.masters if m is not source][0]
    tag = KEYS[0].split("}")[0] + "}"
    store("SET %sx 1" % tag, "SET %sy 2" % tag)
    cluster.begin_move(slot, source, target)
    cluster.move_keys(slot, source, target, 1)
    tap.same(store("GET %s" % KEYS[0], "GET %sx" % tag, "GET %sy" % tag, "SET %snew 3" % tag),
             ["0", "1", "2", "OK"], "half of a slot has moved (ASK)")
    tap.same(store("script %sn 4" % tag, "script %sn 4" % tag), [4, 8], "scripts, too")
    generation = store.last["generation"]
    tap.ok("no answer" in store.error("EXISTS %sx %sy %snew" % (tag, tag, tag), timeout_ms=60) or
           "without end" in store.last.get("error", ""),
           "keys on both sides: it waits (TRYAGAIN), and not for ever", store.last)
    while cluster.move_keys(slot, source, target):
        pass
    cluster.end_move(slot, target)
    tap.same(store.good("EXISTS %sx %sy %snew" % (tag, tag, tag)), [3], "and then they are there")
    tap.same(store("GET %sx" % tag, "script %sn 0" % tag), ["1", 8], "the slot has moved (MOVED)")
    tap.same(store.last["generation"], generation, "nothing is lost by a move")
    cluster.move(slot, target, source)
    tap.same(store(*["GET " + k for k in KEYS])[0], "0", "and back")


def keys_of(cluster, server):
    return [k for k in KEYS if cluster.owner(cluster.slot(k)) is server]


def is_not_waited_for(store, command):
    """In the pause of a server, which begins with 50 ms and grows with each failure: on a slow
    machine the first ones may be over by the next call."""
    tap.ok(proc.wait_for("a call in the pause", lambda: "unreachable" in store.error(
        command, timeout_ms=250) and store.last["ms"] < 100), "in its pause it is not waited for")


def check_hang(cluster, store):
    """A master that stalls: its keys cost the time of a call, once; the others' nothing."""
    master = cluster.masters[1]
    theirs, others = keys_of(cluster, master)[0], keys_of(cluster, cluster.masters[0])[0]
    store("GET " + theirs, "GET " + others)
    master.freeze()
    tap.ok("no answer in time" in store.error("GET " + theirs, timeout_ms=250), "it stalls",
           store.last)
    tap.ok(master.name in store.last["error"], "and is named", store.last)
    tap.ok(store.last["ms"] < 250 + SLACK_MS, "at the end of its time", store.last)
    slow = []
    for _ in range(20):
        said = store.try_("GET " + others, timeout_ms=2 * SLACK_MS)
        if "error" in said or said["ms"] > SLACK_MS:
            slow.append(said)
    tap.none(slow, "other keys do not wait")
    is_not_waited_for(store, "GET " + theirs)
    master.thaw()
    tap.same(store.good("GET " + theirs), [str(KEYS.index(theirs))], "it is back")


def check_loss(cluster, store):
    master, replica = cluster.masters[0], cluster.replicas[0]
    theirs, others = keys_of(cluster, master)[0], keys_of(cluster, cluster.masters[1])[0]
    store("GET " + theirs)
    generation = store.last["generation"]
    cluster.kill(master)
    tap.ok(store.error("SET %s 1" % theirs, timeout_ms=250) != "", "a master is gone", store.last)
    tap.same(store.good("GET " + others), [str(KEYS.index(others))], "the others answer")
    cluster.wait_master(replica)
    tap.same(store.good("SET %s 77" % theirs), ["OK"], "its replica has its slots")
    tap.ok(store.last["generation"] > generation, "what was sent may be lost", store.last)
    tap.same(replica.do("GET", theirs), "77", "written there")
    master.start()
    proc.wait_for("a replica", lambda: master.role() == "slave", 60)
    proc.wait_for("in step", lambda: "state=online" in replica.do("INFO", "replication"), 60)
    generation = store.last["generation"]
    cluster.fail_over(master)
    tap.same(store.good("SET %s 78" % theirs), ["OK"], "back at the old one")
    store.good("GET " + theirs)
    proc.wait_for("word of the change", lambda: store.try_("GET " + theirs)["generation"] >
                  generation)
    tap.ok(True, "a server that lost its slots may have lost more")


def check_end(store, cluster):
    for server in cluster.servers:
        server.kill()
    tap.ok(store.error("PING", timeout_ms=250) != "", "nobody is there", store.last)
    is_not_waited_for(store, "PING")


def main():
    tap.need("redis-server", "openssl")
    cluster = redis_fleet.Cluster(proc.scratch("cluster"))
    store = redis_fleet.Store(cluster.url)
    check_commands(cluster, store)
    check_scripts(cluster, store)
    check_flow(store)
    check_moves(cluster, store)
    check_hang(cluster, store)
    check_loss(cluster, store)
    check_end(store, cluster)
    tap.same(store.close(), 0, "an orderly end")
    folder = proc.scratch("cluster-tls")
    tls = redis_fleet.Tls(folder)
    cluster = redis_fleet.Cluster(folder, tls=tls, replicas=False)
    store = redis_fleet.Store(cluster.url, tls=tls.words())
    tap.same(store(*["SET %s 1" % k for k in KEYS]), ["OK"] * len(KEYS), "a cluster over TLS")
    tap.same(store(*["script {%s}n 1" % k for k in range(30)]), [1] * 30, "scripts, too")
    store.close()
    cluster.stop()


tap.run(main)
