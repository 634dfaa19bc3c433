#!/usr/bin/env python3
"""tollgate-collect: refusals and anomalies reach the streams once each, whatever happens to Redis;
an anomaly is logged, told to the notify program, and limited where that is asked for."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milterclient
import proc
import redis_server
import tap
import tollgated
from collector import Collector, Logins

ALL = "tg:refusals", "tg:anomalies"
WRITTEN = "tg:written:{tg:refusals}"
LIMITS = "tg:{example.com}:limits"
NOTIFY = """\
#!/bin/sh
echo "$* $TOLLGATE_USER $TOLLGATE_VALUE $TOLLGATE_USUAL $TOLLGATE_THRESHOLD $TOLLGATE_ACTION" >>%s
test ! -e %s.slow || sleep 120
"""
WATCH = {"anomaly_learn": "0ms", "anomaly_connections": 5, "anomaly_clients": 0,
         "anomaly_recipients": 3}


class Log:
    """A mail log, line by line. Where it has a time, it is that of all lines: what comes in an
    hour does so then, when the hour turns in the middle of the test, too."""

    def __init__(self, path, at_s=None):
        self.at_s = at_s
        self.file = open(path, "ab", buffering=0)
        self.count = self.messages = 0

    def line(self, text):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(self.at_s or time.time()))
        self.file.write(("%s mx %s\n" % (stamp, text)).encode())

    def queued(self, user, recipients):
        """The queue id of a message of that user."""
        self.messages += 1
        queue_id = "%X" % (0xB1C2D30000 + self.messages)
        self.line("postfix/smtpd[77]: %s: client=x[192.0.2.4], sasl_method=PLAIN, "
                  "sasl_username=%s" % (queue_id, user))
        self.line("postfix/qmgr[78]: %s: from=<%s>, size=500, nrcpt=%d (queue active)"
                  % (queue_id, user, recipients))
        return queue_id

    def refusals(self, count):
        """Each process goes on with another message, so that the one before is over."""
        for _ in range(count):
            self.count += 1
            self.line("postfix/smtp[79]: %s: to=<a@far.test>, relay=mx.far.test[192.0.2.9]:25, "
                      "delay=1, delays=0/0/1/0, dsn=4.7.1, status=deferred (host "
                      "mx.far.test[192.0.2.9] refused to talk to me: 554 5.7.1 number %d)"
                      % (self.queued("u1@example.com", 1), self.count))
            self.line("postfix/smtp[79]: %s: to=<b@far.test>, relay=mx.far.test[192.0.2.9]:25, "
                      "delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)"
                      % self.queued("u2@example.com", 1))


def entries(redis, key):
    return [dict(zip(fields[::2], fields[1::2])) for _, fields in redis("XRANGE", key, "-", "+")]


def numbers(redis, node="mx1"):
    return [int(e["text"].split()[-1]) for e in entries(redis, ALL[0]) if e["node"] == node]


def until_written(c, redis, count):
    """Settled: the count, and nothing more is to be written."""
    mark = lambda: redis("HVALS", WRITTEN)
    c.daemon.until("%d refusals" % count, lambda: len(numbers(redis)) >= count and
                   redis("HGET", "tg:{@mx1}:collect", "dirty_rows") == "0" and mark() != [])


def test_streams(folder):
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    c = Collector(folder, server.url, {"store": {"timeout": "1s"}})
    log = Log(c.log_path)
    log.line("nothing")
    c.start()
    log.refusals(250)
    until_written(c, redis, 250)
    tap.same(numbers(redis), list(range(1, 251)), "each refusal is in the stream, in order")
    first = entries(redis, ALL[0])[0]
    tap.ok(first["provider"] == "far.test" and first["relay"].startswith("mx.far.test") and
           first["greeting"] == "1" and first["domain"] == "example.com" and
           "5.7.1 number 1" in first["text"] and
           abs(int(first["time_ms"]) - time.time() * 1000) < 60000 and "list" not in first,
           "with its fields; an empty one is left out", str(first))

    c.kill()
    log.refusals(10)
    c.start()
    until_written(c, redis, 260)
    tap.same(numbers(redis), list(range(1, 261)), "a kill doubles and loses none")
    server.kill()
    log.refusals(20)
    c.daemon.until("a problem", lambda: "redis cannot be written" in c.log())
    server.start()
    redis = server.connect()
    until_written(c, redis, 280)
    tap.same(numbers(redis), list(range(1, 281)), "Redis was away and comes back empty: all again")
    redis("FLUSHALL")
    log.refusals(1)
    until_written(c, redis, 281)
    tap.same(numbers(redis), list(range(1, 282)), "and after FLUSHALL")

    share = redis("HKEYS", WRITTEN)[0]
    for name, _ in redis("XREVRANGE", ALL[0], "+", "-", "COUNT", "31"):
        redis("XDEL", ALL[0], name)
    redis("HSET", WRITTEN, share, "250")
    log.refusals(1)
    until_written(c, redis, 282)
    tap.same(numbers(redis), list(range(1, 283)), "an older snapshot of Redis: what it lacks")
    return server, redis, c, log


def test_answer_lost(server, redis, c, log):
    """Redis stops between reading and answering; what was sent is written when it goes on."""
    server.freeze()
    log.refusals(5)
    c.daemon.until("a timeout", lambda: c.log().count("redis cannot be written") >= 2)
    server.thaw()
    until_written(c, redis, 287)
    log.refusals(1)
    until_written(c, redis, 288)
    tap.same(numbers(redis), list(range(1, 289)), "an answer that is lost doubles nothing")


def test_second_node(folder, server, redis, c):
    other = os.path.join(folder, "other")
    os.mkdir(other)
    d = Collector(other, server.url, {"node": "mx2"})
    more = Log(d.log_path)
    more.line("nothing")
    d.start()
    more.refusals(30)
    d.daemon.until("those of the other", lambda: len(numbers(redis, "mx2")) >= 30)
    tap.ok(numbers(redis) == list(range(1, 289)) and
           numbers(redis, "mx2") == list(range(1, 31)), "entries of both nodes, each once")
    tap.same(d.stop(), 0, "a stop")
    tap.same(d.once()[0], 0, "once more")
    tap.same(len(numbers(redis, "mx2")), 30, "adds nothing")
    tap.same(c.stop(), 0, "stop")
    server.stop()


def notify_of(folder):
    told = os.path.join(folder, "told")
    path = os.path.join(folder, "notify")
    proc.write_text(path, NOTIFY % (told, told))
    os.chmod(path, 0o755)
    return path, told


def lines(path):
    return proc.read_text(path).splitlines() if os.path.exists(path) else []


def sample_faults(folder):
    """What the mail of the sample program lacks."""
    cat = os.path.join(folder, "cat")
    proc.write_text(cat, "#!/bin/sh\ncat\n")
    os.chmod(cat, 0o755)
    code, text, err = proc.run(
        [os.path.join(os.path.abspath(proc.SOURCE), "contrib/notify/mail-admin"), "anomaly",
         "example.com", "user/recipients/hour"],
        env={"SENDMAIL": cat, "TOLLGATE_USER": "eve@example.com\nBcc: x", "TOLLGATE_VALUE": "7",
             "TOLLGATE_USUAL": "1", "TOLLGATE_METRIC": "recipients", "TOLLGATE_ACTION": "defer"})
    wanted = ("Subject: tollgate: example.com is far above the usual (7 recipients in an hour)\n",
              "eve@example.com?Bcc: x\n", "at most 1 recipient\n", "defer, for 24 hours\n",
              "tollgate report anomalies --domain example.com\n")
    return [w for w in wanted if w not in text] + ([err] if code != 0 or err else [])


def passes(node, user, recipients):
    with milterclient.Session(node.socket, client="192.0.2.4", auth=user) as s:
        done = s.deliver(user, ["a%d@far.test" % i for i in range(recipients)],
                         milterclient.message_of(["Subject: x"], 300))
    return done.accepted and len(done.recipients) == recipients


def test_alarm(folder):
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    notify, told = notify_of(folder)
    c = Collector(folder, server.url, {"collect": WATCH, "throttle": {"notify": notify}})
    log = Log(c.log_path, time.time())
    log.line("nothing")
    c.start()
    log.queued("eve@example.com", 3)
    log.queued("eve@example.com", 4)
    c.daemon.until("both are told", lambda: len(lines(told)) >= 2)
    tap.same(sorted(lines(told)),
             ["anomaly example.com domain/recipients/hour  7 0 3 ",
              "anomaly example.com user/recipients/hour eve@example.com 7 0 3 "],
             "the notify program is run for the user and for the domain")
    tap.ok("warning: anomaly domain=example.com user=eve@example.com metric=recipients value=7 "
           "usual=0 threshold=3 hour=" in c.log(), "the log has a line", c.log()[-1500:])
    c.daemon.until("the stream", lambda: redis("XLEN", ALL[1]) == 2)
    e = [e for e in entries(redis, ALL[1]) if e["kind"] == "login"][0]
    tap.ok(e["subject"] == "eve@example.com" and e["metric"] == "recipients" and
           e["value"] == "7" and e["usual"] == "0" and "factor" not in e and e["node"] == "mx1",
           "the stream has an entry; without a usual figure there is no factor", str(e))
    tap.same(redis("EXISTS", LIMITS), 0, "nothing is limited by default")
    tap.none(sample_faults(folder), "contrib/notify/mail-admin tells it")

    c.kill()
    c.start()
    log.queued("eve@example.com", 100)
    log.queued("bob@example.net", 4)
    c.daemon.until("the others", lambda: len(lines(told)) >= 4 and redis("XLEN", ALL[1]) >= 4)
    tap.ok(len(lines(told)) == 4 and redis("XLEN", ALL[1]) == 4,
           "once an hour, also over a kill", str(lines(told)))
    tap.same(c.stop(), 0, "stop")
    server.stop()


def test_limit(folder):
    """throttle.on_anomaly: tollgated defers the user's mail, and nobody else's."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    where = os.path.join(folder, "mx")
    os.mkdir(where)
    node = tollgated.Tollgated(where, server.url, "unix:%s/milter.sock" % where, {
        "throttle": {"mode": "enforce"}, "plans": [{"name": "default", "limits": [
            dict(scope="user", metric="recipients", max="1000", per="hour", action="defer")]}]})
    node.host(["example.com"])
    node.start()
    tap.ok(passes(node, "eve@example.com", 4), "before, mail passes")
    c = Collector(folder, server.url, {"collect": dict(WATCH, anomaly_connections=0),
                                       "throttle": {"on_anomaly": "defer"}})
    log = Log(c.log_path, time.time())
    log.line("nothing")
    redis("HSET", LIMITS, "user/recipients/hour", 'max=900 action=log author="root"')
    redis("HSET", LIMITS, "carol@example.com user/recipients/59min",
          'max=50000 action=log author="root"')
    c.start()
    log.queued("eve@example.com", 4)
    log.queued("carol@example.com", 5)
    c.daemon.until("a limit", lambda: "somebody else has set one" in c.log() and
                   "limit set for 24 hours" in c.log())
    limits = redis.hash(LIMITS)
    mine = limits.get("eve@example.com user/recipients/59min", "")
    tap.ok(mine.startswith("max=3 action=defer ") and 'author="tollgate-collect"' in mine and
           "4 recipients in the hour" in mine and "usual at most 0" in mine,
           "the user has a limit, with its reason", str(limits))
    until = int(mine.split("until=")[1].split()[0])
    tap.ok(abs(until - time.time() - 86400) < 120, "for 24 hours", mine)
    tap.ok(limits["user/recipients/hour"].startswith("max=900 ") and
           limits["carol@example.com user/recipients/59min"].startswith("max=50000 "),
           "what people have set stays", str(limits))
    redis("HDEL", LIMITS, "domain/recipients/59min")  # here only the user's is looked at
    proc.wait_for("the limit in tollgated", lambda: not passes(node, "eve@example.com", 4))
    tap.ok("user=eve@example.com scope=user metric=recipients limit=3/59min" in node.log() and
           "action=defer" in node.log(), "the user's mail is deferred", node.log()[-1500:])
    tap.ok(passes(node, "dave@example.com", 4), "another user's is not")

    redis("HSET", LIMITS, "dave@example.com user/recipients/59min",
          'max=2 action=defer until=%d author="tollgate-collect"' % (time.time() + 600))
    log.queued("dave@example.com", 40)
    key = "dave@example.com user/recipients/59min"
    c.daemon.until("a longer one", lambda:
                   "40 recipients" in redis("HGET", LIMITS, key))
    tap.ok(redis("HGET", LIMITS, key).startswith("max=2 "), "a lower one of its own stays",
           redis("HGET", LIMITS, key))
    c.stop()
    node.stop()
    server.stop()


def test_away(folder):
    """Without Redis the notify program runs all the same, and the limit comes later; a program
    that hangs holds nothing up."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    notify, told = notify_of(folder)
    proc.write_text(told + ".slow", "")
    c = Collector(folder, server.url, {"collect": WATCH, "throttle": {
        "notify": notify, "on_anomaly": "hold"}})
    logins = Logins(c.log_path)
    logins.write(1)
    c.start()
    server.kill()
    at_s = time.time()  # one hour for all
    for _ in range(8):
        logins.count = 0  # always the same user
        logins.write(1, at_s)
    c.daemon.until("the first program", lambda: len(lines(told)) == 1)
    tap.ok(lines(told)[0].startswith("anomaly example.com ") and " hold" in lines(told)[0],
           "without Redis, too, and with the action", str(lines(told)))
    server.start()
    redis = server.connect()
    c.daemon.until("both limits", lambda: redis("HLEN", LIMITS) == 2)
    tap.ok(all(v.startswith("max=3 action=hold ") for v in redis.hash(LIMITS).values()),
           "the limits come when Redis is back, though a program hangs", str(redis.hash(LIMITS)))
    os.unlink(told + ".slow")
    tap.same(c.stop(), 0, "it stops in time")
    server.stop()


def test_old(folder):
    """A log that is filled back is no reason to wake anybody."""
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    notify, told = notify_of(folder)
    c = Collector(folder, server.url, {"collect": WATCH, "throttle": {
        "notify": notify, "on_anomaly": "reject"}})
    logins = Logins(c.log_path)
    at_s = time.time()
    for _ in range(8):
        logins.count = 0
        logins.write(1, at_s - 5 * 3600)
    code, _, err = c.once()
    tap.ok(code == 0 and err.count("notice: anomaly domain=") == 2 and "action=" not in err,
           "an old anomaly is logged", err)
    tap.ok(redis("XLEN", ALL[1]) == 2 and lines(told) == [] and redis("EXISTS", LIMITS) == 0,
           "and listed, no more")
    for _ in range(50):
        logins.count = 0
        logins.write(1, at_s)
    tap.same(c.once()[0], 0, "a new one")
    tap.ok(len(lines(told)) == 2 and redis("HLEN", LIMITS) == 2,
           "--once ends when all is told and limited", str(lines(told)))
    server.stop()


def main():
    tap.need("redis-server")
    folder = proc.scratch("streams")
    site = test_streams(folder)
    test_answer_lost(*site)
    test_second_node(folder, *site[:3])
    for test in (test_alarm, test_limit, test_away, test_old):
        tap.note(test.__name__)
        test(proc.scratch("alarm"))


tap.run(main)
