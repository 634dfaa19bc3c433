#!/usr/bin/env python3
"""tollgated and redis-server are killed and Redis is flushed while mail flows; in the end the
totals are what the clients were told, and each message of which nobody could know is named in the
log.

TG_CHAOS=full is the long form (make chaos): 20,000 messages, 50 kills. TG_CHAOS_SEED changes when
things happen.
"""

import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import chaos
import milterclient
import postfix_server
import proc
import redis_server
import smtp
import tap
import tollgated

FULL = os.environ.get("TG_CHAOS") == "full"
SEED = int(os.environ.get("TG_CHAOS_SEED", "1"))


class Site:
    def __init__(self, socket=None, **milter):
        self.folder = proc.scratch("chaos")
        self.redis_server = redis_server.RedisServer(self.folder)
        socket = socket or os.path.join(self.folder, "milter.sock")
        self.tollgated = tollgated.Tollgated(self.folder, self.redis_server.url, "unix:" + socket, {
            "milter": milter, "accounting": {"users_max": 100000},
            # A kill finds more messages between the journal and the answer.
            "ledger": {"sync": "always"}, "store": {"timeout": "1s"}})
        self.tollgated.host(chaos.DOMAINS)
        self.tollgated.start()

    def lose_redis(self):
        self.redis_server.kill()
        self.redis_server.start()

    def flush_redis(self):
        self.redis_server.connect()("FLUSHALL")

    def stall_redis(self):
        self.redis_server.freeze()
        time.sleep(1.2)
        self.redis_server.thaw()

    def play(self, name, book, client, clients, kills, losses):
        """Runs it all; clients are threads of client(book, index)."""
        hand = chaos.Hand(book, SEED)
        hand.at_random(kills - 1, lambda: chaos.kill_and_start(self.tollgated, hand))
        for action in (self.lose_redis, self.flush_redis, self.stall_redis):
            hand.at_random(losses, action)
        # After a flush a new connection finds out at once; without one a slow scrub would.
        hand.last(lambda: chaos.kill_and_start(self.tollgated, hand))
        began = time.monotonic()
        hand.run(chaos.in_threads(clients, lambda i: client(self, book, i)))
        tap.note("%s: %d messages accepted in %.1f s, %d kills" % (
            name, book.told_count, time.monotonic() - began, kills))

    def finish(self):
        tap.same(self.tollgated.stop(), 0, "tollgated ends well", self.tollgated.log()[-2000:])
        tap.none(self.tollgated.complaints(), "nothing broke inside")


def milter_client(site, book, index):
    """One session after another with tollgated, as an MTA holds them."""
    choice = random.Random(SEED * 1000 + index)
    session = None
    while (number := book.take()) is not None:
        try:
            session = session or milterclient.Session(site.tollgated.socket)
            deliver(session, book, number, choice.randrange(200, 5000))
            if choice.random() < 0.05:
                session = session.close()
        except (OSError, milterclient.Lost):
            session = None
            time.sleep(0.002)
    if session:
        session.close()


def deliver(session, book, number, size):
    session.queue_id = "q%dX%d" % (os.getpid(), number)
    message = milterclient.message_of(["Subject: %d" % number], size)
    fields, body = milterclient.split_message(message)
    session.mail("x@gmail.test")
    session.rcpt(book.recipient(number))
    for field in fields:
        session.milter.header(*field)
    session.milter.eoh()
    session.milter.body(body)
    session.macros(b"E")
    book.ending(number, size, session.queue_id)
    if session.milter.eom().accepted:
        book.told(number)
    else:
        book.refused(number)
    session.milter.abort()


def months():
    return sorted({time.strftime("%Y-%m", time.gmtime(t)) for t in (START, time.time())})


def raw_milter():
    goal, kills, losses = (20000, 50, 5) if FULL else (1500, 6, 1)
    site, book = Site(), chaos.Book(goal)
    site.play("milter", book, milter_client, 24, kills, losses)
    number_of = {q: n for n, q in book.queue_id.items()}
    doubtful = site.tollgated.doubtful()
    tap.none([q for q in doubtful if q not in number_of], "every doubtful message was sent")
    chaos.reckon("milter", book, site.redis_server.connect(),
                 {number_of[q]: counted for q, counted in doubtful.items()}, months())
    site.finish()


def smtp_client(site, book, index):
    choice = random.Random(SEED * 1000 + index)
    session = None
    while (number := book.take()) is not None:
        data = (b"Message-Id: <%d@chaos.test>\r\nFrom: x@gmail.test\r\n"
                b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n" % number)
        data += b"x" * choice.randrange(1, 900) + b"\r\n"
        try:
            session = session or smtp.Smtp(site.postfix.smtp)
            book.ending(number, len(data))
            book.told(number, session.send("x@gmail.test", [book.recipient(number)], data))
        except smtp.Refused:
            book.refused(number)
            session = session.close()
        except OSError:
            session = None
    if session:
        session.close()


def through_postfix():
    goal, kills, losses = (2000, 12, 1) if FULL else (150, 3, 0)
    folder = proc.scratch("chaos-postfix")
    postfix = postfix_server.Postfix(folder, " ".join(chaos.DOMAINS),
                                     more="mynetworks =\nsmtpd_delay_reject = yes")
    site, book = Site(postfix.milter_socket(), mode="0660", group="postfix"), chaos.Book(goal)
    site.tollgated.write_settings(networks={"host": []})
    site.tollgated.restart()
    site.postfix = postfix
    postfix.use_milter("unix:" + site.tollgated.address())
    postfix.start()
    site.play("postfix", book, smtp_client, 8, kills, losses)
    number_of = {q: int(n) for q, n in re.findall(r"cleanup\[\d+\]: (\w+): message-id=<(\d+)@chaos",
                                                  postfix.log())}
    doubtful = site.tollgated.doubtful()
    tap.none([q for q in doubtful if q not in number_of], "every doubtful id is in Postfix's log")
    chaos.reckon("postfix", book, site.redis_server.connect(),
                 {number_of[q]: counted for q, counted in doubtful.items()}, months())
    postfix.stop()
    site.finish()


START = time.time()


def main():
    tap.need("postfix", "redis-server", root=True)
    raw_milter()
    through_postfix()


tap.run(main)
