"""Through a real, private Postfix: smtp-source -> Postfix with the filter -> smtp-sink."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import measure
import postfix_server
import proc

SESSIONS, MESSAGES, MESSAGES_QUICK, BYTES = 20, 2000, 300, 2000
NONE = "no filter"


class Sink:
    def __init__(self, folder):
        self.port = proc.free_port()
        self.daemon = proc.Daemon(["smtp-sink", "-u", "nobody", "127.0.0.1:%d" % self.port, "1000"],
                                  os.path.join(folder, "sink.log"))
        self.daemon.until("smtp-sink", lambda: proc.can_connect(("127.0.0.1", self.port)))


def send(postfix, messages):
    """Messages accepted a second, as smtp-source is done."""
    began = time.monotonic()
    code, out, err = proc.run(
        ["smtp-source", "-s", str(SESSIONS), "-m", str(messages), "-l", str(BYTES), "-d", "-f",
         "u1@d1.test", "-t", "bob@elsewhere.test", "127.0.0.1:%d" % postfix.smtp], timeout_s=600)
    if code != 0:
        raise RuntimeError("smtp-source: " + err + out)
    return messages / (time.monotonic() - began)


def queue_is_empty(postfix):
    return not any(files for name in ("incoming", "active", "deferred")
                   for _, _, files in os.walk(os.path.join(postfix.dir, "queue", name)))


def use(postfix, peer):
    if peer is None:
        postfix.use_milter("", "accept")
    else:
        for folder in (os.path.dirname(peer.folder), peer.folder):
            os.chmod(folder, 0o755)
        if os.path.exists(peer.path):
            os.chmod(peer.path, 0o666)
        postfix.use_milter(peer.socket, "tempfail")
    postfix.reload()


def run(o):
    messages = MESSAGES_QUICK if o.quick else MESSAGES
    folder = proc.scratch("postfix")
    sink = Sink(folder)
    postfix = postfix_server.Postfix(folder, "d1.test", sink_port=sink.port)
    postfix.start()
    makers = {n: m for n, m in o.chosen().items() if n not in ("postfwd",
                                                                     "policyd-rate-limit")}
    got = {}
    with o.running(makers) as running:
        for _ in range(o.rounds):
            for peer in [None] + running:
                name = peer.name if peer else NONE
                use(postfix, peer)
                send(postfix, 40)  # the daemons of Postfix begin
                costs = measure.Costs(peer) if peer else None
                per_second = send(postfix, messages)
                spent = costs.spent_us() if costs else (0, 0)
                proc.wait_for("an empty queue", lambda: queue_is_empty(postfix), 120)
                got.setdefault(name, []).append((per_second, spent[0] / messages))
    postfix.stop()
    sink.daemon.stop()
    found = {}
    for name, runs in got.items():
        middle = len(runs) // 2
        found[name] = {"per_second": sorted(r[0] for r in runs)[middle],
                       "cpu_us": sorted(r[1] for r in runs)[middle], "rounds": len(runs)}
        o.say("  %-36s %8.0f/s through Postfix, cpu %.1f us" % (
            name, found[name]["per_second"], found[name]["cpu_us"]))
    return found
