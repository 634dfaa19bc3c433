#!/usr/bin/env python3
"""A store whose master is named by sentinels: any of them will do, a server that is no master is
not written to, and a failover is followed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_fleet
import tap


def check_choice(watched):
    last = watched.sentinels[2].name
    dead = "127.0.0.1:%d" % proc.free_port()
    store = redis_fleet.Store("sentinel://%s,%s/mail" % (dead, last))
    tap.same(store("SET k v", "script n 1"), ["OK", 1], "one sentinel of two answers")
    tap.ok(watched.master.name in store.last["where"], "the master's address", store.last)
    store.close()
    store = redis_fleet.Store("sentinel://%s/other" % last)
    tap.ok('no master named "other"' in store.error("PING"), "an unknown name", store.last)
    store.close()
    store = redis_fleet.Store("sentinel://%s/mail" % watched.master.name)
    tap.ok("not answer as a sentinel" in store.error("PING"), "no sentinel", store.last)
    store.close()
    watched.sentinels[0].freeze()
    store = redis_fleet.Store(watched.url)
    tap.same(store("PING", timeout_ms=9000), ["PONG"], "the first sentinel hangs")
    tap.ok(store.last["ms"] < 9000, "within the time of the call", store.last)
    store.close()
    watched.sentinels[0].thaw()


def check_role(watched):
    """A sentinel that was cut off names a server that is no master any more."""
    liar = redis_fleet.Sentinel(proc.scratch("liar"), watched.replica)
    store = redis_fleet.Store("sentinel://%s,%s/mail" % (liar.name, watched.sentinels[1].name))
    proc.wait_for("the liar's word", lambda: liar.master_port() == watched.replica.port)
    tap.same(store("SET k w"), ["OK"], "the next sentinel is asked")
    store.close()
    liar.stop()


def check_failover(watched, store):
    tap.same(store("SET k 1"), ["OK"], "before the failover")
    generation = store.last["generation"]
    watched.kill(watched.master)
    tap.ok(store.error("SET k 2", timeout_ms=250) != "", "the master is gone", store.last)
    watched.wait_master(watched.replica)
    tap.same(store.good("SET k 3"), ["OK"], "the replica is the master now")
    tap.ok(watched.replica.name in store.last["where"], "and named", store.last)
    tap.ok(store.last["generation"] > generation, "what was sent may be lost", store.last)


def check_demotion(watched, store):
    """The master becomes a replica under an open connection."""
    old, new = watched.replica, watched.master
    new.start()
    watched.rejoin(new, old)
    proc.wait_for("in step", lambda: "state=online" in old.do("INFO", "replication"), 60)
    tap.same(store.good("SET k 4"), ["OK"], "still the new one")
    watched.fail_over(old, new)
    tap.same(store.good("SET k 5"), ["OK"], "back at the old one")
    tap.same(new.do("GET", "k"), "5", "it was written there")
    plain = redis_fleet.Store("redis://%s" % old.name)
    tap.ok("READONLY" in plain("SET k 6")[0], "a replica by its own address", plain.last)
    plain.close()


def main():
    tap.need("redis-server", "openssl")
    watched = redis_fleet.Watched(proc.scratch("sentinel"))
    check_choice(watched)
    check_role(watched)
    store = redis_fleet.Store(watched.url)
    check_failover(watched, store)
    check_demotion(watched, store)
    tap.same(store.close(), 0, "an orderly end")
    watched.stop()
    folder = proc.scratch("sentinel-tls")
    tls = redis_fleet.Tls(folder)
    watched = redis_fleet.Watched(folder, tls)
    store = redis_fleet.Store(watched.url, tls=tls.words())
    tap.same(store("SET k v", "GET k"), ["OK", "v"], "sentinels and master over TLS")
    store.close()
    watched.stop()


tap.run(main)
