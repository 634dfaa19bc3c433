#!/usr/bin/env python3
"""tollgate-relay queue: list, flush, hold, release, delete; retries and expiry."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import relay
import sink
import smtp
import tap
from fake_milter import FakeMilter, packet

TEXT = b"Subject: x\r\nFrom: a@x.test\r\n\r\nhello\r\n"


def send(r, recipient, sender="a@host.test"):
    c = smtp.Smtp(r.port)
    qid = c.send(sender, [recipient], TEXT)
    c.quit()
    return qid


def command(r, *arguments):
    code, out, err = r.command("queue", *arguments)
    return code, out.strip() or err.strip()


def with_daemon(r, port):
    first, second = send(r, "one@else.test"), send(r, "two@else.test")
    r.wait_log("deferred qid=" + first)
    r.wait_log("deferred qid=" + second)
    code, out = command(r, "list")
    tap.same(code, 0, "list")
    tap.ok(first + "  queued" in out and "one@else.test  (4.4.2 127.0.0.1: cannot " in out and
           "from <a@host.test>" in out, "shows both, and why they wait", out)
    tap.ok(out.endswith("2 messages, %d bytes" % bytes_of(out)), "and the sum", out)
    shown = [json.loads(line) for line in command(r, "list", "-j")[1].split("\n")]
    tap.same([(m["queue_name"], m["queue_id"], m["sender"], m["recipients"][0]["address"])
              for m in shown], [("active", first, "a@host.test", "one@else.test"),
                                ("active", second, "a@host.test", "two@else.test")], "list -j")
    proc.wait_for("hold", lambda: command(r, "hold", first) == (0, "1 held"))
    tap.same((r.queued(), r.queued("hold")), ([second], [first]), "it lies in hold")
    tap.ok("%s  held" % first in command(r, "list")[1], "and is shown so")
    proc.wait_for("deletion", lambda: command(r, "delete", second) == (0, "1 deleted"))
    tap.same(r.queued(), [], "gone")
    s = sink.Sink(port)
    tap.same(command(r, "flush"), (0, "0 to be tried now"), "flush passes over what is held")
    tap.same(command(r, "release", first), (0, "1 released"), "release")
    proc.wait_for("delivery", s.count)
    tap.same(s.recipients(), ["one@else.test"], "released: delivered")
    r.wait_empty()
    for wrong in (("hold", first), ("delete", "NOSUCH"), ("flush", "NOSUCH")):
        code, out = command(r, *wrong)
        tap.ok(code == 69 and out, "not there: " + wrong[0], out)
    for wrong in ((), ("hold",), ("list", "x"), ("nonsense",), ("hold", "../lock"),
                  ("hold", "a", "b")):
        tap.same(command(r, *wrong)[0], 64, "usage: %r" % (wrong,))
    s.shutdown()
    s.server_close()


def bytes_of(out):
    return sum(int(line.split()[2]) for line in out.split("\n") if " bytes  age " in line)


def flush(r, port):
    """What would wait for long goes at once."""
    qid = send(r, "flush@else.test")
    r.wait_log("deferred qid=" + qid)
    s = sink.Sink(port)
    tap.same(command(r, "flush", qid), (0, "1 to be tried now"), "flush one")
    proc.wait_for("delivery", s.count)
    r.wait_empty()
    s.shutdown()
    s.server_close()


def without_daemon(r, port):
    first, second = send(r, "a@else.test"), send(r, "b@else.test")
    r.wait_log("deferred qid=" + second)
    r.stop()
    tap.same(command(r, "hold", first), (0, "1 held"), "hold without a daemon")
    tap.same(command(r, "release", "all"), (0, "1 released"), "release all")
    tap.same(command(r, "hold", "all"), (0, "2 held"), "hold all")
    tap.same(command(r, "delete", first), (0, "1 deleted"), "delete one that is held")
    code, out = command(r, "flush")
    tap.ok(code == 69 and "does not run" in out, "flush needs the daemon", out)
    tap.ok(command(r, "list")[1].startswith(second + "  held"), "list needs none")
    s = sink.Sink(port)
    r.start()
    tap.same(command(r, "release", second), (0, "1 released"), "released")
    proc.wait_for("delivery", s.count)
    tap.same(s.recipients(), ["b@else.test"], "what was deleted is not delivered")
    r.wait_empty()
    s.shutdown()
    s.server_close()


def quarantined(r, port):
    """What a milter quarantines waits in hold, over a restart too."""
    m = FakeMilter({"eom": packet("q", "odd\0") + packet("c")})
    r.write_settings(relay={"milters": [m.where]})
    r.restart()
    qid = send(r, "held@else.test")
    r.restart()
    tap.same(r.queued("hold"), [qid], "held, also after a restart")
    s = sink.Sink(port)
    command(r, "release", qid)
    proc.wait_for("delivery", s.count)
    tap.same(s.recipients(), ["held@else.test"], "delivered when released")
    r.write_settings(relay={"milters": []})
    s.shutdown()
    s.server_close()


def expiry(r):
    r.write_settings(relay={"retry_first": "50ms", "retry_max": "1s", "expire": "4s"})
    r.restart()
    qid = send(r, "nobody@else.test", "told@host.test")
    got = r.wait_mail("told@host.test").decode()
    tap.ok("Final-Recipient: rfc822; nobody@else.test" in got, "returned when it is too old", got)
    tap.ok("Status: 5.4.2" in got and "cannot connect" in got, "with the last reason")
    r.wait_empty()
    tries = r.log().count("deferred qid=" + qid)
    tap.ok(2 <= tries <= 12, "after several tries at growing intervals", tries)


def damaged(r):
    """A damaged file stops nothing else."""
    proc.write_text(os.path.join(r.settings["relay"]["queue_dir"], "mail", "BROKEN"), "nonsense\n")
    r.restart()
    r.wait_log("message cannot be read qid=BROKEN")
    send(r, "fine@host.test")
    r.wait_mail("fine@host.test")
    tap.ok("BROKEN  damaged: " in command(r, "list")[1], "list says so")
    tap.same(command(r, "delete", "BROKEN"), (0, "1 deleted"), "it can be deleted")


def second_daemon(r):
    """Another with the same queue waits a while for the first to end, then gives up."""
    other = relay.Relay(proc.scratch("second"), settings={"relay": {
        "queue_dir": r.settings["relay"]["queue_dir"]}})
    other.launch()
    code = other.daemon.wait(60)
    tap.ok(code == 75 and "in use" in other.log(), "one daemon a queue", code, other.log())


def main():
    port = proc.free_port()
    r = relay.Relay(proc.scratch("queue"), settings={"relay": {
        "next_hop": "127.0.0.1:%d" % port, "retry_first": "1h", "retry_max": "1h"}})
    r.start()
    with_daemon(r, port)
    second_daemon(r)
    flush(r, port)
    without_daemon(r, port)
    quarantined(r, port)
    expiry(r)
    damaged(r)
    tap.same(r.stop(), 0, "stopped")
    tap.none(r.complaints(), "no complaints in the log")


tap.run(main)
