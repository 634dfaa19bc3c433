#!/usr/bin/env python3
"""tollgate classify: all classification cases through the command, in words and as JSON; with Redis
away, and with sources that are."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
from redis_server import RedisServer
from tollgate import Tollgate, golden

DATA = os.path.join(proc.SOURCE, "t", "data")
GOLDEN = os.path.join(DATA, "cli")


def make(folder, url):
    """The site of t/data/world.json."""
    with open(os.path.join(DATA, "world.json"), encoding="utf-8") as f:
        world = json.load(f)
    lists = {"domains": "".join("%s %s\n" % (name, owner or "")
                                for name, owner in world["hosted"].items()),
             "forwards": "".join("%s %s\n" % (address, ",".join(targets))
                                 for address, targets in world["forwards"].items()),
             "logins": "".join("%s %s\n" % pair for pair in world["logins"].items())}
    for name in ("forwards", "logins"):
        proc.write_text(os.path.join(folder, name), lists[name])
    networks = "networks: { host = %s; customers = %s; };" % (
        json.dumps(world["host"]), json.dumps(world["customers"]))
    tollgate = Tollgate(folder, url, domains=lists["domains"], more=networks)
    text = proc.read_text(tollgate.conf).replace("store: {", 'store: { timeout = "5s";')
    proc.write_text(tollgate.conf, text.replace('/domains"]; };', (
        '/domains"]; forwards = ["file:%s/forwards"]; logins = ["file:%s/logins"]; };'
        % (folder, folder))))
    return tollgate, world


def arguments(case):
    args = ["classify", "--from", case["from"] or "<>", "--bytes", str(case["bytes"])]
    args += ["--client", case["client"]] if case["client"] else ["--non-smtp"]
    if case["auth"]:
        args += ["--auth", case["auth"]]
    for recipient in case["to"]:
        args += ["--to", recipient]
    for header in case["headers"]:
        args += ["--header", header]
    return args


def cases(tollgate):
    with open(os.path.join(DATA, "classify.jsonl"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    wrong = []
    for case in lines:
        out = json.loads(tollgate.good(*arguments(case), "--format", "json"))
        got = {c["account"]: c["counters"] for c in out["counted"]
               if c["account"] and not c["user"]}
        if got != case["expect"]:
            wrong.append((case["name"], got, case["expect"]))
        if {d["recipient"] for d in out["decisions"]} == set():
            wrong.append((case["name"], "no decisions"))
    tap.ok(len(lines) > 100, "%d cases" % len(lines))
    tap.none(wrong, "the command counts as they say")


def texts(tollgate):
    for name, args in (
            ("inbound", ["--client", "203.0.113.9", "--from", "x@gmail.test", "--to",
                         "alice@example.com", "--to", "team@example.com", "--to", "z@else.test"]),
            ("submission", ["--client", "203.0.113.9", "--auth", "jdoe", "--from", "a@b.test",
                            "--to", "x@gmail.test", "--to", "y@yahoo.test", "--to",
                            "carol@example.org", "--header", "List-Id: <l.example.com>",
                            "--bytes", "2000000"]),
            ("bounce", ["--non-smtp", "--from", "<>", "--to", "alice@example.com"]),
            ("popauth", ["--client", "192.0.2.77", "--from", "pop@example.org", "--to",
                         "x@gmail.test"])):
        got = tollgate.good("classify", *args)
        path = os.path.join(GOLDEN, "classify-%s.txt" % name)
        if os.environ.get("TG_GOLDEN") == "write":
            proc.write_text(path, got)
        tap.same(got, proc.read_text(path), "as in t/data/cli/classify-%s.txt" % name)
        got = tollgate.good("classify", *args, env={"COLUMNS": "50"})
        tap.none([line for line in got.splitlines() if len(line) > 50], "and at 50 columns")


def copies(tollgate, folder):
    """What Postfix's bcc maps add has its own lines."""
    text = proc.read_text(tollgate.conf)
    os.mkdir(os.path.join(folder, "postfix"))
    proc.write_text(os.path.join(folder, "postfix", "master.cf"), "")
    proc.write_text(os.path.join(folder, "postfix", "main.cf"), (
        "compatibility_level = 3.6\nmydestination =\nvirtual_alias_maps =\n"
        "recipient_bcc_maps = inline:{alice@example.com=copy@partner.test}\n"
        "sender_bcc_maps = inline:{carol@example.org=archive@partner.test}\n"))
    proc.write_text(tollgate.conf, text.replace('forwards = [', 'forwards = ["postfix:%s/postfix", '
                                                % folder))
    args = ["classify", "--client", "203.0.113.9", "--auth", "carol@example.org", "--from",
            "carol@example.org", "--to", "alice@example.com", "--to", "x@gmail.test"]
    golden("classify-copies.txt", tollgate.good(*args))
    data = json.loads(tollgate.good(*args, "--format", "json"))
    got = [(d["recipient"], d["target"], d["class"], d["account"]) for d in data["decisions"]]
    tap.same(got, [("alice@example.com", None, "local", "example.org"),
                   ("alice@example.com", "copy@partner.test", "forward", "example.com"),
                   ("x@gmail.test", None, "out", "example.org"),
                   (None, "archive@partner.test", "out", "example.org")], "decisions as JSON")
    proc.write_text(tollgate.conf, text)


WRONG = (
    (64, "give --client or --non-smtp", ["--from", "a@b.test", "--to", "c@d.test"]),
    (64, "not an IP address", ["--client", "example.com", "--from", "<>"]),
    (64, "--non-smtp excludes",
     ["--non-smtp", "--client", "192.0.2.1", "--from", "a@b.test", "--to", "c@d.test"]),
    (64, "give --from", ["--client", "192.0.2.1", "--to", "c@d.test"]),
    (64, "give --to", ["--client", "192.0.2.1", "--from", "<>"]),
    (64, "--to <>: not an address",
     ["--non-smtp", "--from", "<>", "--to", "<>"]),
    (64, "--from <a@b", ["--non-smtp", "--from", "<a@b", "--to", "c@d.test"]),
    (64, "--bytes many: expected a number", ["--bytes", "many"]),
    (64, "expected 'Name: value'",
     ["--non-smtp", "--from", "<>", "--to", "c@d.test", "--header", "nonsense"]),
    (64, 'unexpected argument "a@b.test"', ["a@b.test"]),
    (64, 'unknown value of --format "csv"', ["--format", "csv"]),
    (64, "--from is given twice", ["--from", "<>", "--from", "a@b.test"]),
    (64, "did you mean --client?", ["--cleint", "192.0.2.1"]),
)


def wrong_calls(tollgate):
    for code, text, args in WRONG:
        got, out, err = tollgate("classify", *args)
        tap.ok(got == code and text in err and out == "",
               "%d: classify %s" % (code, " ".join(args)), got, out, err)


def away(tollgate, server, folder):
    """Redis away: POP-before-SMTP is unknown, the rest is known."""
    stranger = ["--client", "192.0.2.77", "--from", "pop@example.org", "--to", "alice@example.com"]
    sender = ["--client", "192.0.2.77", "--auth", "alice@example.com", "--from", "<>", "--to",
              "a@b.test"]
    server.kill()
    code, out, err = tollgate("classify", *stranger)
    tap.ok(code == 0 and "POP-before-SMTP is unknown" in out and server.path in out,
           "said of a stranger", code, out, err)
    data = json.loads(tollgate.good("classify", *stranger, "--format", "json"))
    tap.ok(data["origin"] == "outside" and server.path in data["popauth_unknown"], "in JSON too",
           data)
    tap.ok("POP" not in tollgate.good("classify", *sender), "not where it does not matter")
    text = proc.read_text(tollgate.conf)
    proc.write_text(tollgate.conf, text.replace(
        'domains = [', 'domains = ["socketmap:unix:%s/nobody:domains", ' % folder))
    code, out, err = tollgate("classify", *sender)
    tap.ok(code == 69 and "would be deferred" in err and "nobody" in err and out == "",
           "a map that does not answer", code, out, err)
    proc.write_text(tollgate.conf, text)
    os.unlink(os.path.join(folder, "logins"))
    code, out, err = tollgate("classify", *sender)
    tap.ok(code == 66 and folder + "/logins" in err and out == "", "a file that is missing", code,
           out, err)


def main():
    tap.need("postconf", "redis-server")
    folder = proc.scratch("classify")
    server = RedisServer(folder)
    redis = server.connect()
    tollgate, world = make(folder, server.url)
    for ip, login in world["popauth"].items():
        redis("SET", "tg:popauth:{%s}" % ip, login)
    cases(tollgate)
    texts(tollgate)
    copies(tollgate, folder)
    wrong_calls(tollgate)
    away(tollgate, server, folder)


tap.run(main)
