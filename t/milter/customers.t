#!/usr/bin/env python3
"""Limits of customers: one ceiling over all domains of a customer, on two nodes (one of each
engine) and in each way that a limit is tested; what a reload changes; what commands say of it."""

import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import tap
from limit_site import MESSAGE, Site, limit

CONNECTIONS, EACH, LIMIT = 64, 6, 150
WAYS = ("store", "leases", "local")
FAR = "x@far.test"
ENGINES = ("libmilter", "native")


def domains_of(customer):
    return ["%s%d.example" % (customer, n) for n in range(1, 5)] + ["sub.%s.example" % customer]


def customer_lines():
    """The fifth domain of each is under a wildcard."""
    for customer in WAYS:
        for domain in domains_of(customer)[:4]:
            yield "%s %s" % (domain, customer)
        yield ".%s.example %s" % (customer, customer)


class Customers(Site):
    def __init__(self, name, *limits, **more):
        self.list = os.path.join(proc.scratch(name + "-list"), "customers")
        self.write(["alone.example solo"] + list(customer_lines()))
        super().__init__(name, *limits, nodes=2, engines=ENGINES,
                         domains=["alone.example", "nobody.example"] +
                         [d for c in WAYS for d in domains_of(c)],
                         billing={"customers": ["file:" + self.list]}, **more)

    def write(self, lines):
        proc.write_text(self.list + ".new", "".join(line + "\n" for line in lines))
        os.rename(self.list + ".new", self.list)

    def reload(self, **changes):
        for node in self.nodes:
            node.write_settings(**changes)
            before = node.log().count("configuration reloaded")
            node.reload()
            node.daemon.until("reload", lambda n=node, b=before:
                              n.log().count("configuration reloaded") > b)

    def one(self, domain, node=0):
        user = "u@" + domain
        return self.send(user, [FAR], auth=user, node=node)

    def sum(self, name, customer):
        return sum(self.counter(name, d) for d in domains_of(customer))

    def wait_sum(self, name, customer, value):
        try:
            proc.wait_for(name, lambda: self.sum(name, customer) >= value)
        except TimeoutError:
            pass
        return self.sum(name, customer)


class Racer(threading.Thread):
    """One connection to one of the nodes, for one of the five domains."""

    def __init__(self, site, customer, number):
        super().__init__()
        self.socket = site.nodes[number % 2].socket
        self.user = "u@" + domains_of(customer)[number % 5]
        self.customer, self.passed, self.lost, self.faults = customer, 0, 0, []
        self.stages = set()

    def run(self):
        try:
            with milterclient.Session(self.socket, auth=self.user) as s:
                for _ in range(EACH):
                    self.message(s)
        except Exception as e:  # pylint: disable=broad-except
            self.faults.append(repr(e))

    def message(self, session):
        result = session.deliver(self.user, [FAR], MESSAGE)
        if result.accepted:
            self.passed += 1
        elif "customer %s: limit of " % self.customer in result.text:
            self.stages.add(result.stage)
        elif "Sending limits cannot be checked now" in result.text:
            self.lost += 1
        else:
            self.faults.append(repr(result))


def race(site, customer):
    """How many passed, where the others were refused, and of how many the store did not answer in
    time, on a machine with much else to do: these may have been counted all the same."""
    racers = [Racer(site, customer, n) for n in range(CONNECTIONS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    tap.none([f for r in racers for f in r.faults][:5], customer + ": each passes or is refused")
    return (sum(r.passed for r in racers), set().union(*(r.stages for r in racers)),
            sum(r.lost for r in racers))


def leased_rest(site, passed, lost):
    """What a node has leased and not used comes back within a slice."""

    def rest():
        for n, domain in enumerate(domains_of("leases")):
            rest.passed += site.one(domain, n % 2).accepted
        return rest.passed >= LIMIT - lost

    rest.passed = passed
    proc.wait_for("room that was leased", rest, 45)
    rest()
    return rest.passed


def test_ceiling():
    """A node alone has half of each limit, so the last way adds up to the limit as well."""
    site = Customers("ceiling", limit("customer/recipients/5min", LIMIT),
                     limit("domain/recipients/5min", LIMIT), timeout="10s", on_failure="defer",
                     throttle={"leases": False})
    passed, stages, lost = race(site, "store")
    tap.ok(LIMIT - lost <= passed <= LIMIT,
           "two nodes, 64 connections, five domains: exactly what fits", passed, lost)
    tap.ok("rcpt" in stages, "a full window is known without a trip", stages)
    tap.same(site.wait_sum("out_recipients", "store", passed), passed, "the domains were counted")
    stopped = CONNECTIONS * EACH - passed - lost
    tap.same(site.wait_sum("throttled_recipients", "store", stopped), stopped,
             "what was stopped counts for the domains whose mail it was")
    tap.ok(site.sum("violations_recipients", "store") >= 1, "and the violation for one of them")
    tap.ok(site.one("alone.example").accepted and site.one("nobody.example").accepted,
           "another customer, and a domain without one, go on")
    site.reload(throttle={"leases": True}, store={"nodes": 2})
    passed, _, lost = race(site, "leases")
    tap.ok(passed <= LIMIT, "leases: never over the limit", passed)
    tap.ok(LIMIT - lost <= leased_rest(site, passed, lost) <= LIMIT,
           "and in the end exactly what fits")
    site.reload(store={"on_failure": "local"})
    site.server.kill()
    passed, _, _ = race(site, "local")
    tap.same(passed, LIMIT, "without the store: half of the limit on each of two nodes")
    site.server.start()
    site.redis = site.server.connect()
    tap.same(site.wait_sum("out_recipients", "local", LIMIT), LIMIT, "as is counted in the end")
    site.stop()


def test_commands():
    site = Customers("commands", limit("customer/recipients/hour", 3),
                     limit("domain/bounces/day", 9), limit("customer/bounces/day", 3))
    node = site.nodes[0]
    sent = lambda domain: site.one(domain, 1).accepted
    tap.same([sent(d) for d in domains_of("store")], [True] * 3 + [False] * 2, "three of five")
    tap.same([site.send("<>", ["u@" + d for d in domains_of("store")[:count]]).accepted
              for count in (2, 2, 1)], [True, False, True],
             "a message of two domains wants the sum of both, or nothing")
    _, out, _ = node.command("limit", "show", "store1.example")
    tap.ok("store, whose limits apply, too" in out, "limit show of a domain has its customer", out)
    _, out, _ = node.command("usage", "@customer:store", "--format", "csv")
    tap.ok(re.search(r"customer/recipients/hour,defer,3,3,", out), "usage of the customer", out)
    _, out, _ = node.command("usage", "nobody.example", "--format", "csv")
    tap.ok("customer/" not in out, "no usage of a customer where there is none", out)
    _, out, _ = node.command("usage", "store1.example", "--format", "csv")
    tap.ok("customer/recipients/hour,defer,3,3," in out, "it is that of each of its domains", out)
    _, out, _ = node.command("why", "u@store1.example")
    tap.ok("customer/recipients/hour is full (3 of 3)" in " ".join(out.split()),
           "why says that it stops mail", out)
    seen = lambda: [(r["account"], r["limit"], r["user"]) for r in map(json.loads, node.command(
        "violations", "@customer:store", "--format", "json")[1].split("\n")[:-1])]
    proc.wait_for("violations of the customer", lambda: (
        "@customer:store", "customer/recipients/hour", "u@store4.example") in seen())
    code, _, err = node.command("limit", "set", "store1.example", "customer/recipients/hour", "9")
    tap.ok(code == 64 and "domain or user" in err, "no limit of a customer for a domain", err)
    code, _, err = node.command("limit", "set", "@customer:nobody", "customer/recipients/hour", "9")
    tap.ok(code != 0 and "billing.customers" in err, "no limit for a customer without domains", err)
    code, out, err = node.command("limit", "set", "@customer:store", "customer/recipients/hour",
                                  "4")
    tap.same(code, 0, "more for one customer", out, err)
    proc.wait_for("override", lambda: sent("store1.example"))
    tap.ok(not sent("store2.example"), "to its limit")
    code, out, _ = node.command("limit", "show", "--all", "--format", "csv")
    tap.ok("@customer:store,override,customer/recipients/hour" in out, "it is listed", out)
    key = "tg:{@customer:store}:limits"
    was = site.redis("HGETALL", key)
    site.redis("FLUSHALL")
    proc.wait_for("what was set comes back after a loss", lambda: site.redis("HGETALL", key) == was)
    node.write_settings(billing={"customers": []})
    _, _, err = proc.run([os.path.join(proc.BUILD, "tollgated"), "-t", "-c", node.conf])
    tap.ok("warning: plans: " in err and "billing.customers" in err,
           "-t warns of a limit of customers where there are none", err)
    site.stop()


def release(site, node, message):
    return site.nodes[node].ask(cmd="release", id=message["id"], number=message["number"])


def let_go(site, held):
    """Releases them, once there is room."""
    left = list(held)

    def gone():
        left[:] = [(node, m) for node, m in left if not release(site, node, m).get("ok")]
        return not left

    proc.wait_for("room", gone, 60)


def test_held():
    """Mail of five domains that their customer's limit holds, on two nodes: let go as the one
    window has room, and counted once, for the domain whose it is."""
    site = Customers("held", limit("customer/messages/20s", 3, "hold"),
                     throttle={"leases": False}, timeout="10s")
    senders = domains_of("store") + domains_of("store")[:1]
    sent = [site.one(domain, n % 2) for n, domain in enumerate(senders)]
    tap.ok(all(r.accepted for r in sent), "all are taken", sent)
    tap.same([bool(r.held) for r in sent], [False] * 3 + [True] * 3, "three into the hold queue")
    tap.ok("customer store: limit of 3 messages per 20s" in sent[3].held, "with the reason",
           sent[3].held)
    tap.ok(not site.one("alone.example").held, "another customer's go on")
    held = [(n, m) for n, node in enumerate(site.nodes) for m in node.ask(cmd="held")["held"]]
    tap.same(sorted((n, m["id"], m["account"]) for n, m in held),
             sorted((n % 2, sent[n].queue_id, senders[n]) for n in (3, 4, 5)),
             "each node has its own, for their domains")
    waits = [release(site, n, m) for n, m in held]
    tap.ok(all(a.get("limit") == "customer/messages/20s" and 0 < a["wait_s"] <= 21 for a in waits),
           "there is no room for them now", waits)
    tap.same((site.wait_sum("throttled_messages", "store", 3), site.sum("out_messages", "store")),
             (3, 3), "they count as stopped, and not as sent")
    site.nodes[1].kill()
    site.nodes[1].start()
    let_go(site, held)
    tap.ok(site.one("store1.example").held, "what was let go has consumed the room of all")
    tap.same(site.wait_sum("out_messages", "store", 6), 6, "all were sent")
    let_go(site, held)
    for node in site.nodes:
        node.restart()
    tap.same((site.sum("out_messages", "store"), site.wait_sum("throttled_messages", "store", 4)),
             (6, 4), "once, also if they are released twice, and over a restart")
    tap.same([site.counter("out_messages", d) for d in domains_of("store")], [2, 1, 1, 1, 1],
             "for the domain whose mail it was")
    site.stop()


def test_moved():
    """What was consumed stays where it was consumed; a plan is the customer's."""
    site = Customers("moved", limit("customer/recipients/hour", 2))
    assign = site.list + ".plans"
    proc.write_text(assign, "@customer:leases large\n@customer: large\n")
    sent = lambda domain: site.one(domain).accepted
    tap.same([sent(d) for d in domains_of("store")[:3]], [True, True, False], "two fit")
    site.write(["store3.example leases", "store4.example b{d"] +
               [x for x in customer_lines() if x[:7] not in ("store3.", "store4.")])
    plans = [dict(name="default", limits=[limit("customer/recipients/hour", 2)]),
             dict(name="large", limits=[limit("customer/recipients/hour", 4)])]
    site.reload(throttle={"assign": ["file:" + assign]}, plans=plans)
    log = site.nodes[0].log()
    tap.ok("plans:2:" in log, "a name that is none is reported", log[-800:])
    tap.ok("customers:2: customer 'b{d'" in log, "in either file")
    tap.ok(not sent("store1.example"), "the customer it came from has used its room")
    tap.same([sent("store3.example") for _ in range(5)], [True] * 4 + [False],
             "the moved domain counts for the other one, who has a plan of its own")
    tap.ok(all(sent("store4.example") for _ in range(3)),
           "a domain without a customer has no such limit")
    site.stop()


def main():
    test_ceiling()
    test_commands()
    test_held()
    test_moved()


tap.run(main)
