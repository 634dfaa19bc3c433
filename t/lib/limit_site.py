"""Nodes that limit mail, on one Redis: for tests of limits through the running daemon."""

import os

import milterclient
import proc
import redis_server
import tap
import tollgated

SIZE = 300
MESSAGE = milterclient.message_of(["Subject: hi"], SIZE)


def limit(name, maximum, action="defer", **more):
    scope, metric, per = name.split("/")
    return dict(scope=scope, metric=metric, max=str(maximum), per=per, action=action, **more)


def settings(*limits, mode="enforce", throttle=None, accounting=None, billing=None, **store):
    return {"throttle": dict({"mode": mode}, **(throttle or {})), "store": store,
            "accounting": accounting or {}, "billing": billing or {},
            "plans": [{"name": "default", "limits": list(limits)}]}


class Site:
    """One Redis and a tollgated for each node."""

    def __init__(self, name, *limits, nodes=1, domains=("example.com", "example.org"),
                 engines=(), **more):
        self.folder = proc.scratch(name)
        os.mkdir(self.folder + "/redis")
        self.server = redis_server.RedisServer(self.folder + "/redis")
        self.redis = self.server.connect()
        self.nodes = []
        for number in range(1, nodes + 1):
            folder = "%s/mx%d" % (self.folder, number)
            os.mkdir(folder)
            node = tollgated.Tollgated(folder, self.server.url, "unix:%s/milter.sock" % folder,
                                       settings(*limits, **more))
            node.write_settings(node="mx%d" % number)
            if engines:
                node.write_settings(milter={"engine": engines[number - 1]})
            node.host(domains)
            node.start()
            self.nodes.append(node)

    def send(self, sender, recipients, auth="", client="203.0.113.9", node=0):
        with milterclient.Session(self.nodes[node].socket, client=client, auth=auth) as s:
            return s.deliver(sender, recipients, MESSAGE)

    def counter(self, name, account="example.com"):
        return int(self.redis("HGET", "tg:{%s}:total" % account, name) or 0)

    def wait_counter(self, name, value, account="example.com"):
        try:
            proc.wait_for(name, lambda: self.counter(name, account) >= value)
        except TimeoutError:
            pass
        return self.counter(name, account)

    def stop(self):
        for node in self.nodes:
            node.stop()
            tap.same(node.complaints(), [], "%s says nothing of bugs" % node.folder[-3:])
        self.redis.close()
        self.server.stop()
