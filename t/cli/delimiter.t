#!/usr/bin/env python3
"""Users that are named on the command line are those that tollgated counts: the extension is what
accounting.delimiter says, or recipient_delimiter of a postfix: source."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_server
import tap
from tollgate import Tollgate

# Delimiters, what is typed, the user.
FORMS = [("+", "joe+shop@example.com", "joe@example.com"),
         ("+", "joe-shop@example.com", "joe-shop@example.com"),
         ("-", "joe-shop@example.com", "joe@example.com"),
         ("-", "joe+shop@example.com", "joe+shop@example.com"),
         ("_#", "Joe#shop@Example.COM", "joe@example.com"),
         ("_#", "joe_shop@example.com", "joe@example.com")]
MONTH = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m")
USERS = sorted({user for _, _, user in FORMS})


def fill(redis):
    """Each user has sent as many messages as its name is long."""
    redis("SET", "tg:schema", "1")
    redis("SADD", "tg:nodes", "mx1")
    redis("HSET", "tg:{example.com}:month:" + MONTH, "out_messages", "100")
    for user in USERS:
        redis("HSET", "tg:{example.com}:users:month:" + MONTH, user + " out_messages",
              str(len(user)))


def check(tollgate, redis, where, typed, user):
    name = "%s, %s: " % (where, typed)
    out = tollgate.good("report", "smtp", "--user", typed, "--from", MONTH, "--to", MONTH,
                        "--format", "csv")
    tap.ok(",%d," % len(user) in out.splitlines()[1] + ",", name + "report", out)
    code, out, err = tollgate("limit", "set", typed, "user/messages/day", "5")
    tap.same((code, err, redis("HKEYS", "tg:{example.com}:limits")),
             (0, "", [user + " user/messages/day"]), name + "limit set", out)
    tap.ok(user in tollgate.good("usage", "example.com", "--user", typed), name + "usage --user")
    tap.ok(user in tollgate.good("why", typed), name + "why")
    tollgate.good("limit", "unset", typed, "user/messages/day")


def main():
    tap.need("redis-server", "postconf")
    folder = proc.scratch("delimiter")
    server = redis_server.RedisServer(folder)
    redis = server.connect()
    fill(redis)
    postfix = os.path.join(folder, "postfix")
    os.mkdir(postfix)
    proc.write_text(postfix + "/master.cf", "")
    for delimiters, typed, user in FORMS:
        setting = 'accounting: { delimiter = "%s"; };' % delimiters
        check(Tollgate(folder, server.url, more=setting, domains="example.com\n"), redis,
              "accounting.delimiter " + delimiters, typed, user)
        proc.write_text(postfix + "/main.cf", "compatibility_level = 3.6\nmydestination =\n"
                        "recipient_delimiter = %s\nalias_maps =\n" % delimiters)
        tollgate = Tollgate(folder, server.url, domains="example.com\n")
        text = proc.read_text(tollgate.conf).replace("hosted: {", 'hosted: { forwards = '
                                                     '["postfix:%s"]; ' % postfix)
        proc.write_text(tollgate.conf, text)
        check(tollgate, redis, "recipient_delimiter " + delimiters, typed, user)
    server.stop()


tap.run(main)
