#!/usr/bin/env python3
"""The bench's load client, in a short form: each message that it tells of is counted, with its
recipients and bytes, over many connections and sessions; and a policy service is asked as Postfix
would ask it."""

import json
import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
import tollgated

LOAD = os.path.join(proc.BUILD, "t/bench/load")
HEADER = len("X-Header-0: a value of some length, as a header field has it\r\n")
BODY = 70000  # more than a packet of the milter protocol holds
PLAN = {"name": "default", "limits": [{"scope": "domain", "metric": "messages", "max": "3",
                                       "per": "day", "action": "reject"}]}


def load(*args):
    code, out, err = proc.run([LOAD] + [str(a) for a in args])
    return code, json.loads(out) if out else err


def counters(connection, key):
    flat = connection("HGETALL", key)
    return {k: int(v) for k, v in zip(flat[::2], flat[1::2]) if not k.startswith("_")}


class Site:
    def __init__(self, plans=None):
        self.folder = proc.scratch("load")
        self.redis = redis_server.RedisServer(self.folder)
        self.daemon = tollgated.Tollgated(self.folder, self.redis.url,
                                          "unix:%s/milter.sock" % self.folder, plans)
        self.daemon.host("d%d.test" % i for i in range(1, 6))
        self.daemon.start()

    def stop(self):
        code = self.daemon.stop()
        self.redis.stop()
        return code


def messages():
    site = Site()
    code, told = load("-s", site.daemon.socket, "-c", 7, "-m", 50, "-p", 3, "-n", 4, "-H", 2, "-b",
                      BODY, "-d", 5)
    tap.same((code, told["messages"], told["accepted"]), (0, 50, 50), "all are accepted")
    tap.ok(0 < told["latency_us"]["p50"] <= told["latency_us"]["p99"] <= told["latency_us"]["max"],
           "times are told", told)
    connection = site.redis.connect()
    tollgated.wait_counted(connection, 50)
    found = [counters(connection, "tg:{d%d.test}:total" % i) for i in range(1, 6)]
    tap.same([(c["in_messages"], c["in_recipients"], c["in_bytes"]) for c in found],
             [(10, 40, 10 * (2 * HEADER + 2 + BODY))] * 5, "each domain has its part")
    code, told = load("-s", site.daemon.socket, "-c", 2, "-m", 20, "-r", 400, "-S", "-d", 5, "-u",
                      2, "-f", 5)
    tap.same((code, told["accepted"]), (0, 20), "mail of users with a login, at a rate")
    tap.ok(told["seconds"] >= 19 / 400, "no message begins before its time", told["seconds"])
    tollgated.wait_counted(connection, 70)
    users = counters(connection, "tg:{d3.test}:users:" + month(connection))
    tap.same({k: v for k, v in users.items() if k.endswith(" out_messages")},
             {"u1@d3.test out_messages": 2, "u2@d3.test out_messages": 2}, "users take turns")
    tap.same(site.stop(), 0, "a clean end")


def month(connection):
    keys = connection("KEYS", "tg:{d3.test}:users:month:*")
    return keys[0].split(":users:")[1]


def refusals():
    site = Site({"plans": [PLAN], "throttle": {"mode": "enforce"}})
    code, told = load("-s", site.daemon.socket, "-c", 2, "-m", 10, "-S", "-d", 1)
    tap.same((code, told["accepted"], told["refused"]), (75, 3, 7), "refusals are told")
    tap.same(site.stop(), 0, "a clean end")


class Policy(socketserver.StreamRequestHandler):
    def handle(self):
        request = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                request[name] = value
                continue
            self.server.seen.append(request)
            odd = len(self.server.seen) % 2
            self.wfile.write(b"action=DUNNO\n\n" if odd else b"action=DEFER_IF_PERMIT wait\n\n")
            request = {}


class PolicyServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    seen = []


def policy():
    path = os.path.join(proc.scratch("policy"), "sock")
    with PolicyServer(path, Policy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, told = load("-s", "unix:" + path, "-P", "-m", 6, "-p", 2, "-S", "-d", 3)
        tap.same((code, told["accepted"], told["deferred"]), (75, 3, 3), "answers are understood")
        tap.same([r["sasl_username"] for r in server.seen],
                 ["u1@d%d.test" % i for i in (1, 2, 3, 1, 2, 3)], "who sends is in the request")
        server.shutdown()


def nothing():
    """The engine alone, which everything is compared with."""
    path = os.path.join(proc.scratch("nothing"), "sock")
    daemon = proc.Daemon([os.path.join(proc.BUILD, "t/bench/nullnative"), "unix:" + path],
                         path + ".log")
    daemon.until("nullnative", lambda: proc.can_connect(path))
    code, told = load("-s", "unix:" + path, "-c", 3, "-m", 40, "-p", 4, "-n", 2)
    tap.same((code, told["accepted"]), (0, 40), "the filter that does nothing accepts all")
    daemon.kill()


def main():
    tap.need("redis-server")
    messages()
    refusals()
    policy()
    nothing()
    code, told = load("-s", "unix:/nonexistent", "-m", 1)
    tap.same((code, "cannot connect" in told), (69, True), "no server")
    tap.same(load("-m", "0")[0], 64, "wrong arguments")


tap.run(main)
