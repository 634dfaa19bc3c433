#!/usr/bin/env python3
"""tollgated over a master that sentinels watch: it dies, its replica takes over with less than was
pushed, and every total is right in the end."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fleet_site
import proc
import redis_fleet
import tap


def set_user(server):
    """As tollgate-keys(7) has it, with sentinels."""
    server.do("ACL", "SETUSER", "mail", "on", ">s3cret", "~tg:*", "+@all", "-@dangerous", "+info",
              "+config|get", "+role")


def main():
    tap.need("redis-server", "openssl")
    folder = proc.scratch("sentinel")
    tls = redis_fleet.Tls(folder)
    watched = redis_fleet.Watched(folder, tls)
    secret = os.path.join(folder, "secret")
    proc.write_text(secret, "s3cret\n")
    set_user(watched.master)
    set_user(watched.replica)
    site = fleet_site.FleetSite("site", watched.url, tls, username="mail", password_file=secret)
    site.start()
    site.more()
    # What is pushed from now on reaches the master alone: the replica is late.
    watched.replica.freeze()
    site.more()
    watched.kill(watched.master)
    watched.replica.thaw()
    site.more(20)
    watched.wait_master(watched.replica)
    site.more()
    watched.master.start()
    set_user(watched.master)
    watched.rejoin(watched.master, watched.replica)
    watched.fail_over(watched.replica, watched.master)
    site.more()
    site.end()
    tap.same(site.refused, [], "nothing is refused")
    tap.note("%d messages, the longest %.3f s" % (site.total(), site.longest_s))
    tap.ok(site.longest_s < fleet_site.TIMEOUT_MS / 1000 + fleet_site.SLACK_S, "none waits long",
           site.longest_s)
    tap.same(site.wait_counted(), site.accepted, "every total is right")
    _, out, err = site.daemon.command("doctor")
    tap.ok("at " + watched.master.name in out, "doctor names the master", out, err)
    site.daemon.write_settings(store={"url": "rediss://" + watched.replica.name})
    _, out, _ = site.daemon.command("doctor")
    tap.ok("is a replica" in out, "and knows a replica", out)
    tap.same(site.daemon.complaints(), [], "no complaint")
    tap.same(site.daemon.stop(), 0, "an orderly end")
    watched.stop()


tap.run(main)
