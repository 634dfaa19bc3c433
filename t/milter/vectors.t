#!/usr/bin/env python3
"""All classification cases through the running daemon, over its socket; what Redis holds then."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated
import vectors


def send(daemon, case, mta):
    """One message as the case has it; its delivery."""
    message = milterclient.message_of(case["headers"], case["bytes"])
    with milterclient.Session(daemon.socket, client=case["client"], auth=case["auth"],
                              mta=mta) as s:
        return s.deliver(case["from"], case["to"], message)


def accounts(redis):
    """What is counted, without the node."""
    return {k: v for k, v in tollgated.counted(redis).items() if not k.startswith("@")}


def one_by_one(daemon, redis, cases, sent):
    """The named cases, each looked at by itself."""
    for case in cases:
        before = accounts(redis)
        delivery = send(daemon, case, "postfix")
        sent += 1
        tollgated.wait_counted(redis, sent)
        tap.same((delivery.accepted, tollgated.difference(before, accounts(redis))),
                 (True, case["expect"]), case["name"])
    return sent


def all_at_once(daemon, redis, cases, sent, mta):
    """All cases, over some connections at a time; the sums."""
    before = accounts(redis)
    node = tollgated.counted(redis)["@" + tollgated.NODE]
    threads = 6

    def work(which):
        return [send(daemon, case, mta) for case in cases[which::threads]]

    deliveries = sum(milterclient.in_parallel(threads, work), [])
    tap.ok(all(d.accepted for d in deliveries), "%s: all are let through" % mta,
           *[d for d in deliveries if not d.accepted])
    sent += len(cases)
    tollgated.wait_counted(redis, sent)
    want = {}
    for case in cases:
        vectors.add(want, case["expect"])
    got = tollgated.difference(before, accounts(redis))
    for account in sorted(set(want) | set(got)):
        tap.same(got.get(account), want.get(account), "%s: %s" % (mta, account))
    after = tollgated.counted(redis)["@" + tollgated.NODE]
    tap.same(after["bytes"] - node["bytes"], sum(c["bytes"] for c in cases),
             "%s: the node's bytes" % mta)
    tap.same(after["messages"], sent, "%s: the node's messages" % mta)
    return sent


def main():
    folder = proc.scratch("vectors")
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    daemon = tollgated.Tollgated(folder, server.url, "unix:%s/milter.sock" % folder,
                                 vectors.write_site(folder, redis))
    daemon.start()
    cases = vectors.cases()
    tap.ok(len(cases) >= 200, "the cases are there", len(cases))
    sent = one_by_one(daemon, redis, [c for c in cases if not c["name"].startswith("random")], 0)
    sent = all_at_once(daemon, redis, cases, sent, "postfix")
    all_at_once(daemon, redis, [c for c in cases if c["client"] is not None], sent, "sendmail")
    tap.same(daemon.stop(), 0, "a clean end")
    tap.none(daemon.complaints(), "nothing was complained about")


tap.run(main)
