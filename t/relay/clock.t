#!/usr/bin/env python3
"""tollgate-relay where the wall clock is wrong: it stands, long ago or far ahead."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap
import tollgate

TEXT = b"Subject: x\r\nFrom: a@host.test\r\n\r\nhello\r\n"
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
FAR_AHEAD = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)


def send(r, recipient):
    c = smtp.Smtp(r.port)
    qid = c.send("a@host.test", [recipient], TEXT)
    c.quit()
    return qid


def standing(now):
    """Nothing but what is written into messages goes by the wall clock."""
    what = "a clock that stands in %d: " % now.year
    folder, port = proc.scratch("clock"), proc.free_port()
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % port}})
    r.env = tollgate.stopped_clock(folder, now)
    r.start()
    first = send(r, "first@else.test")
    r.wait_log("deferred qid=" + first)
    r.restart()
    second = send(r, "second@else.test")
    r.wait_log("deferred qid=" + second)
    tap.same(r.queued(), sorted([first, second]), what + "two messages have two ids")
    s = sink.Sink(port)
    r.wait_empty()
    tap.same(s.recipients(), ["first@else.test", "second@else.test"], what + "both are tried again")
    busy = smtp.Smtp(r.port)
    busy.envelope("a@host.test", ["drain@host.test"])
    busy.command("DATA", 354)
    r.daemon.signal(15)
    r.wait_log("notice: stopping")
    busy.socket.sendall(smtp.stuffed(TEXT))
    busy.expect(250, "the message in progress")
    tap.same(busy.reply()[0], 421, what + "a session may finish when the relay stops")
    tap.same(r.daemon.wait(30), 0, what + "and it stops")
    s.shutdown()
    s.server_close()


def set_back():
    """Messages were deferred while the clock was years ahead: they are tried again soon."""
    folder, port = proc.scratch("back"), proc.free_port()
    r = relay.Relay(folder, settings={"relay": {"next_hop": "127.0.0.1:%d" % port}})
    r.env = tollgate.stopped_clock(folder, FAR_AHEAD)
    r.start()
    qid = send(r, "back@else.test")
    r.wait_log("deferred qid=" + qid)
    r.stop()
    s = sink.Sink(port)
    r.env = {}
    r.start()
    r.wait_empty(20)
    tap.same(s.recipients(), ["back@else.test"], "no wait for a time that a wrong clock gave")
    r.stop()


def back_off():
    """The pauses between attempts double up to relay.retry_max."""
    r = relay.Relay(proc.scratch("pauses"), settings={"relay": {
        "next_hop": "127.0.0.1:%d" % proc.free_port(), "retry_first": "2s",
        "retry_max": "4s"}})
    r.start()
    qid = send(r, "x@else.test")

    def times():
        return [datetime.datetime.strptime(line[:28], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
                for line in r.log().split("\n") if "deferred qid=" + qid in line]

    proc.wait_for("four attempts", lambda: len(times()) >= 4, 60)
    got = [b - a for a, b in zip(times(), times()[1:])][:3]
    for number, (pause, least) in enumerate(zip(got, [2, 4, 4]), 1):
        tap.ok(least - 0.01 <= pause < least * 2 - 0.01, "pause %d is %.1f s" % (number, least),
               got)
    r.restart()
    before = len(times())
    proc.wait_for("one more", lambda: len(times()) >= before + 2, 30)
    pause = times()[-1] - times()[-2]
    tap.ok(3.99 <= pause < 7.99, "the pause is kept over a restart", pause)
    r.stop()


def main():
    standing(LONG_AGO)
    standing(FAR_AHEAD)
    set_back()
    back_off()


tap.run(main)
