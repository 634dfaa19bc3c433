#!/usr/bin/env python3
"""tollgated over a Redis Cluster: slots move, a master dies and comes back, all under load and over
TLS, with a user of its own; no total is wrong and no message waits long."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fleet_site
import proc
import redis_fleet
import tap

# As tollgate-keys(7) has them.
USERS = {"mail": ["+@all", "-@dangerous", "+info", "+config|get"],
         "reader": ["+@read", "+@connection", "-@dangerous", "+time", "+cluster|slots"]}


def set_users(server):
    for name, rights in USERS.items():
        server.do("ACL", "SETUSER", name, "on", ">s3cret", "~tg:*", *rights)


def move_slots(cluster, site):
    """The slots of six domains, each while mail for it comes in; half of each slot first."""
    for domain in fleet_site.DOMAINS[:6]:
        slot = cluster.slot("{%s}" % domain)
        source = cluster.owner(slot)
        target = [m for m in cluster.masters if m is not source][0]
        cluster.begin_move(slot, source, target)
        cluster.move_keys(slot, source, target, 2)
        site.more(5)
        while cluster.move_keys(slot, source, target):
            pass
        cluster.end_move(slot, target)
    site.more()


def lose_master(cluster, site):
    master, replica = cluster.masters[0], cluster.replicas[0]
    cluster.kill(master)
    site.more()
    cluster.wait_master(replica)
    site.more()
    master.start()
    set_users(master)
    proc.wait_for("a replica", lambda: master.role() == "slave", 60)


def stall_master(cluster, site):
    """Shorter than the cluster takes for dead."""
    cluster.masters[1].freeze()
    site.more(20)
    cluster.masters[1].thaw()
    site.more()


def check_doctor(cluster, site):
    _, out, err = site.daemon.command("doctor")
    tap.ok("the cluster serves all slots, by 3 masters" in out, "doctor: the cluster", out, err)
    masters = [s for s in cluster.servers if s.role() == "master"]
    tap.none([m.name for m in masters if not tells_version(out, m.name)], "each of its masters")
    masters[2].do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    _, out, _ = site.daemon.command("doctor")
    tap.ok(any(masters[2].name in line and "allkeys-lru" in line for line in out.split("\n")),
           "one that evicts keys", out)
    masters[2].do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    url = site.daemon.settings["store"]["url"]
    site.daemon.write_settings(store={"url": "rediss://" + masters[0].name})
    _, out, _ = site.daemon.command("doctor")
    tap.ok("belongs to a Redis Cluster" in out, "one of them as a server of its own", out)
    site.daemon.write_settings(store={"url": url})


def tells_version(out, name):
    return re.search(r"store %s: (Redis|Valkey) \d" % re.escape(name), out) is not None


def main():
    tap.need("redis-server", "openssl")
    folder = proc.scratch("cluster")
    tls = redis_fleet.Tls(folder)
    cluster = redis_fleet.Cluster(folder, tls=tls)
    for server in cluster.servers:
        set_users(server)
    secret = os.path.join(folder, "secret")
    proc.write_text(secret, "s3cret\n")
    site = fleet_site.FleetSite("site", cluster.url, tls, username="mail", password_file=secret)
    site.start()
    site.more()
    for fault in (move_slots, stall_master, lose_master):
        fault(cluster, site)
        tap.same(site.refused, [], fault.__name__ + ": nothing is refused")
    site.end()
    tap.note("%d messages, the longest %.3f s" % (site.total(), site.longest_s))
    tap.ok(site.longest_s < fleet_site.TIMEOUT_MS / 1000 + fleet_site.SLACK_S, "none waits long",
           site.longest_s)
    tap.same(site.wait_counted(), site.accepted, "every total is right")
    for words in (("report", "smtp"), ("usage", fleet_site.DOMAINS[0]), ("top", "--once"),
                  ("limit", "show", fleet_site.DOMAINS[1]), ("node", "list"), ("violations",)):
        code, out, err = site.daemon.command(*words)
        tap.ok(code == 0 and "CROSSSLOT" not in out + err, "tollgate " + " ".join(words), out, err)
    code, out, _ = site.daemon.command("limit", "set", fleet_site.DOMAINS[2],
                                       "domain/recipients/day", "5", "--reason", "r")
    tap.ok(code == 0, "a limit is set", out)
    site.daemon.write_settings(store={"username": "reader"})
    tap.same(site.report(), site.accepted, "a user who may only read")
    site.daemon.write_settings(store={"username": "mail"})
    check_doctor(cluster, site)
    lines = [line for line in site.daemon.log().split("\n") if "CROSSSLOT" in line or
             "MOVED" in line]
    tap.none(lines, "nothing of the cluster's ways in the log")
    tap.same(site.daemon.complaints(), [], "no complaint")
    tap.same(site.daemon.stop(), 0, "an orderly end")
    cluster.stop()


tap.run(main)
