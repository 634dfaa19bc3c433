/* Messages by queue id: their story, who pays for their deliveries, and when they are gone. */
#include "t/collect/samples_fixture.h"

#include "collect/mail.h"
#include "lib/core/mail_trace.h"

static struct fixture f;

#define LINE(time, tag, text) "Nov 28 " time " mx postfix/" tag ": " text "\n"
#define ID                    "4jcCwf1Fxqz1d2nC"
#define OTHER                 "4jcCwf1Fxqz1d2nD"
#define ACTIVE(id, from)                                                                           \
    LINE("10:00:01", "qmgr[2]", id ": from=<" from ">, size=500, nrcpt=1 (queue active)")
#define OUT(id)                                                                                    \
    LINE("10:00:02", "smtp[7]",                                                                    \
         id ": to=<x@b.test>, relay=mx[192.0.2.7]:25, delays=0/0/0/0, dsn=2.0.0, status=sent "     \
            "(250 ok)")
#define REMOVED(id) LINE("10:00:03", "qmgr[2]", id ": removed")
#define LATER       LINE("10:09:00", "anvil[3]", "statistics: max cache size 1")

/* --- the story -------------------------------------------------------------------------------- */

static void add_text(struct buf *b, const char *name, struct slice value)
{
    if (value.len > 0)
        buf_addf(b, " %s=%.*s", name, SLICE_FMT(value));
}

static void add_event(struct buf *b, const struct mail_event *e)
{
    buf_addf(b, "  %s", mail_trace_kind_name(e->kind));
    add_text(b, "client", e->client);
    add_text(b, "login", e->login);
    add_text(b, "sender", e->sender);
    if (e->size > 0)
        buf_addf(b, " size=%d nrcpt=%d", (int)e->size, (int)e->nrcpt);
    if (e->uid > 0)
        buf_addf(b, " uid=%d", (int)e->uid);
    add_text(b, "recipient", e->recipient);
    add_text(b, "orig_to", e->orig_to);
    add_text(b, "relay", e->relay);
    add_text(b, "dsn", e->dsn);
    add_text(b, "status", e->status);
    add_text(b, "other", e->other_id);
    add_text(b, "text", e->text);
    buf_add_char(b, '\n');
}

static void take_message(void *to, struct slice queue_id, int64_t first_ms, int64_t last_ms,
                         struct slice trace)
{
    struct fixture *fixture = to;
    struct mail_trace_reader r;
    struct mail_trace_head head;
    struct mail_event e;

    TG_ASSERT(first_ms <= last_ms && mail_trace_open(&r, trace, &head, NULL) == 0);
    buf_addf(&fixture->events, "%.*s %.*s %.*s\n", SLICE_FMT(queue_id), SLICE_FMT(head.instance),
             SLICE_FMT(head.user));
    while (mail_trace_next(&r, &e, NULL) == 1)
        add_event(&fixture->events, &e);
}

/* What the sink got, whole and cut into folds. */
static void story(const char *log, const char *want, const char *what)
{
    for (int way = FIXTURE_WHOLE; way <= FIXTURE_FOLDS; way++) {
        fixture_init(&f, &samples_part);
        f.sink.message = take_message;
        fixture_run(&f, (enum fixture_way)way, slice_str(log));
        IS_SLICE(buf_slice(&f.events), slice_str(want), what);
        fixture_fini(&f);
    }
}

static void test_stories(void)
{
    story(LINE("10:00:00", "smtpd[1]", "connect from c[192.0.2.9]")
              LINE("10:00:00", "smtpd[1]",
                   ID ": client=c[192.0.2.9], sasl_method=PLAIN, sasl_username=joe")
                  LINE("10:00:00", "cleanup[4]", ID ": message-id=<a@b>") ACTIVE(ID, "u@host.test")
                      OUT(ID) REMOVED(ID) LATER,
          ID " postfix joe@host.test\n  client client=192.0.2.9 login=joe\n"
             "  message-id text=<a@b>\n  queued sender=u@host.test size=500 nrcpt=1\n"
             "  delivery recipient=x@b.test relay=mx[192.0.2.7]:25 dsn=2.0.0 status=sent text=250 "
             "ok\n  removed\n",
          "from the client to the end");
    story(LINE("10:00:00", "pickup[1]", ID ": uid=33 from=<u@host.test>") ACTIVE(ID, "u@host.test")
              ACTIVE(ID, "u@host.test")
                  LINE("10:00:05", "qmgr[2]",
                       ID ": from=<u@host.test>, status=expired, returned to sender")
                      LINE("10:00:06", "bounce[2]", ID ": sender non-delivery notification: " OTHER)
                          LINE("10:00:06", "qmgr[2]", ID ": removed") LATER,
          ID " postfix u@host.test\n  submitted sender=u@host.test uid=33\n"
             "  queued sender=u@host.test size=500 nrcpt=1\n  retried\n  expired text=from=<u@host."
             "test>, status=expired, returned to sender\n"
             "  notification other=" OTHER " text=sender non-delivery notification: " OTHER
             "\n  removed\n",
          "expired");
    story(LINE("10:00:00", "pickup[1]", ID ": uid=33 from=<u@host.test>") ACTIVE(ID, "u@host.test")
              LINE("10:00:02", "postsuper[5]", ID ": placed on hold")
                  LINE("10:00:03", "postsuper[5]", ID ": released from hold")
                      LINE("10:00:03", "postsuper[5]", ID ": expired")
                          LINE("10:00:03", "postsuper[5]", ID ": some other word")
                              LINE("10:00:04", "postsuper[5]", ID ": requeued")
                                  LINE("10:00:05", "pickup[1]",
                                       OTHER ": uid=103 from=<u@host.test> orig_id=" ID)
                                      LINE("10:00:06", "postsuper[5]", OTHER ": removed") LATER,
          ID " postfix u@host.test\n  submitted sender=u@host.test uid=33\n"
             "  queued sender=u@host.test size=500 nrcpt=1\n  held\n  released\n  expired\n  "
             "requeued\n" OTHER
             " postfix u@host.test\n  submitted sender=u@host.test uid=103 other=" ID
             "\n  made-of other=" ID "\n  deleted\n",
          "held, released, requeued and deleted");
}

static void test_not_queued(void)
{
    story(LINE("10:00:00", "cleanup[4]", ID ": message-id=<a@b>")
              LINE("10:00:00", "pickup[1]", ID ": uid=33 from=<u@host.test>") REMOVED(ID) LATER,
          ID
          " postfix u@host.test\n  message-id text=<a@b>\n  submitted sender=u@host.test uid=33\n"
          "  removed\n",
          "lines in another order");
    story(LINE("10:00:00", "smtpd[1]", ID ": client=c[192.0.2.9]")
              LINE("10:00:01", "cleanup[4]", ID ": message-id=<a@b>")
                  LINE("10:00:02", "smtpd[1]", "disconnect from c[192.0.2.9] data=0/1 commands=3/4")
                      LATER,
          ID " postfix \n  client client=192.0.2.9\n  message-id text=<a@b>\n  unfinished\n",
          "the session ended before it was queued");
    story(LINE("10:00:00", "smtpd[1]", ID ": client=c[192.0.2.9]")
              LINE("10:00:00", "smtpd[1]", "disconnect from c[192.0.2.9] data=1 commands=4")
                  ACTIVE(ID, "a@b.test") REMOVED(ID) LATER,
          ID " postfix \n  client client=192.0.2.9\n  queued sender=a@b.test size=500 nrcpt=1\n"
             "  removed\n",
          "qmgr speaks after smtpd");
    story(LINE("10:00:00", "smtpd[1]", ID ": client=c[192.0.2.9]")
              LINE("10:00:01", "cleanup[4]",
                   ID ": milter-reject: END-OF-MESSAGE from c[192.0.2.9]: 5.7.1 no; from=<a@b>")
                  LATER,
          ID " postfix \n  client client=192.0.2.9\n  rejected text=milter-reject: END-OF-MESSAGE "
             "from c[192.0.2.9]: 5.7.1 no; from=<a@b>\n",
          "rejected at the end of the message");
    story(LINE("10:00:00", "smtpd[1]", "NOQUEUE: hold: RCPT from c[192.0.2.9]: <h@host.test>: x")
              LINE("10:00:00", "smtpd[1]", ID ": client=c[192.0.2.9]")
                  LINE("10:00:02", "smtpd[1]", "disconnect from c[192.0.2.9] data=1 commands=4")
                      LATER,
          "", "held: it stays");
    story(LINE("10:00:00", "smtpd[1]", ID ": client=c[192.0.2.9]")
              LINE("10:00:01", "cleanup[4]", ID ": removed (canceled)") LATER,
          ID " postfix \n  client client=192.0.2.9\n  canceled text=removed (canceled)\n",
          "canceled");
}

/* Short ids come back. */
static void test_reuse(void)
{
    story(LINE("10:00:00", "pickup[1]", "ABCDEF012: uid=1 from=<u@host.test>")
              ACTIVE("ABCDEF012", "u@host.test") REMOVED("ABCDEF012")
                  LINE("10:00:04", "pickup[1]", "ABCDEF012: uid=2 from=<v@host.test>")
                      LINE("10:00:05", "qmgr[2]", "ABCDEF012: removed")
                          LINE("10:00:06", "pickup[1]", "ABCDEF012: uid=3 from=<w@host.test>")
                              LINE("10:00:07", "pickup[1]", "ABCDEF012: uid=4 from=<x@host.test>")
                                  LINE("10:00:08", "qmgr[2]", "ABCDEF012: removed") LATER,
          "ABCDEF012 postfix u@host.test\n  submitted sender=u@host.test uid=1\n"
          "  queued sender=u@host.test size=500 nrcpt=1\n  removed\n"
          "ABCDEF012 postfix w@host.test\n  submitted sender=w@host.test uid=3\n  lost-sight\n"
          "ABCDEF012 postfix v@host.test\n  submitted sender=v@host.test uid=2\n  removed\n"
          "ABCDEF012 postfix x@host.test\n  submitted sender=x@host.test uid=4\n  removed\n",
          "four messages with one id");
    story(LINE("10:00:00", "pickup[1]",
               ID ": uid=1 from=<u@host.test>") "Nov 28 10:00:00 mx "
                                                "postfix-out/pickup[1]: " ID
                                                ": uid=2 from=<>\n" REMOVED(ID) LATER,
          ID " postfix u@host.test\n  submitted sender=u@host.test uid=1\n  removed\n",
          "the same id in two instances");
}

/* --- who pays --------------------------------------------------------------------------------- */

/* The user that the only delivery is charged to; "-": nobody. */
static void pays(const char *log, const char *want, const char *what)
{
    static struct slice internal[] = {{"postfix/smtpd", 13}, {"postfix/10025/smtpd", 19}};
    bool is_nobodys = strcmp(want, "-") == 0;

    for (int way = FIXTURE_WHOLE; way <= FIXTURE_FOLDS; way++) {
        fixture_init(&f, &samples_part);
        f.rules.internal = (struct machine_list){internal, 2}; /* SMTP in is not looked at */
        fixture_run(&f, (enum fixture_way)way, slice_str(log));
        IS_INT(fixture_sum(&f, "node", COUNTER_SMTP_OUT_CONNECTIONS), 1, "one connection");
        IS_INT(fixture_sum(&f, "node", COUNTER_SMTP_OUT_SENT_BYTES), 500, "of that size");
        IS_INT(fixture_sum(&f, "host.test", COUNTER_SMTP_OUT_CONNECTIONS), !is_nobodys, what);
        IS_INT(fixture_sum(&f, is_nobodys ? "_unattributed" : want, COUNTER_SMTP_OUT_SENT_BYTES),
               500, what);
        IS_INT(f.row_count, is_nobodys ? 4 : 6, "to nobody else");
        fixture_fini(&f);
    }
}

#define SMTPD(id, words) LINE("10:00:00", "smtpd[1]", id ": client=" words)
#define C                "c[192.0.2.9]"

static void test_owners(void)
{
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "x@vmbox.test") OUT(ID) REMOVED(ID) LATER,
         "joe@host.test", "the login before the sender");
    pays(SMTPD(ID, C ", sasl_username=stranger") ACTIVE(ID, "u@host.test") OUT(ID) REMOVED(ID)
             LATER,
         "u@host.test", "the sender, of a login that is not known");
    pays(SMTPD(ID, C) ACTIVE(ID, "u@host.test") OUT(ID) REMOVED(ID) LATER, "-",
         "never the sender of a client from outside");
    pays(SMTPD(ID, "l[127.0.0.1]") ACTIVE(ID, "u@host.test") OUT(ID) REMOVED(ID) LATER,
         "u@host.test", "the sender from this host");
    pays(ACTIVE(ID, "u@host.test") OUT(ID) REMOVED(ID) LATER, "-", "an unknown origin");
    pays(SMTPD(ID, C) ACTIVE(ID, "a@b.test")
             LINE("10:00:02", "smtp[7]",
                  ID ": to=<x@b.test>, orig_to=<fwd@host.test>, relay=mx[192.0.2.7]:25, "
                     "delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)") REMOVED(ID) LATER,
         "fwd@host.test", "an alias that leads out");
}

#define BOUNCED                                                                                    \
    LINE("10:00:01", "local[4]",                                                                   \
         ID ": to=<nobody@host.test>, relay=local, delays=0/0/0/0, dsn=5.1.1, status=bounced (x)")
#define NOTICE LINE("10:00:02", "bounce[5]", ID ": sender non-delivery notification: " OTHER)

/* The process of the delivery goes on to another: the delivery has ended. */
#define INSIDE                                                                                     \
    LINE("10:00:03", "smtp[7]",                                                                    \
         "4jcCwf1Fxqz1d2nF: to=<x@host.test>, relay=l[127.0.0.1]:24, delays=0/0/0/0, dsn=2.0.0, "  \
         "status=sent (ok)")

static void test_made(void)
{
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "u@host.test") BOUNCED ACTIVE(OTHER, "")
             NOTICE OUT(OTHER) REMOVED(OTHER) REMOVED(ID) LATER,
         "joe@host.test", "a bounce: the original's owner");
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "u@host.test")
             BOUNCED NOTICE ACTIVE(OTHER, "") OUT(OTHER) REMOVED(ID) REMOVED(OTHER) LATER,
         "joe@host.test", "told before its first line (3.11)");
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "u@host.test") BOUNCED ACTIVE(OTHER, "")
             OUT(OTHER) REMOVED(OTHER) INSIDE REMOVED(ID)
                 LINE("10:00:06", "bounce[5]", ID ": sender non-delivery notification: " OTHER)
                     LATER,
         "joe@host.test", "told after it was delivered");
    pays(SMTPD(ID, C) ACTIVE(ID, "a@b.test") BOUNCED ACTIVE(OTHER, "") NOTICE OUT(OTHER)
             REMOVED(OTHER) REMOVED(ID) LATER,
         "nobody@host.test", "of mail from outside: the recipient that failed");
    pays(SMTPD(ID, C) ACTIVE(ID, "a@b.test") ACTIVE(OTHER, "a@b.test")
             LINE("10:00:02", "local[4]",
                  ID ": to=<bob@host.test>, relay=local, delays=0/0/0/0, dsn=2.0.0, status=sent "
                     "(forwarded as " OTHER ")") OUT(OTHER) REMOVED(OTHER) REMOVED(ID) LATER,
         "bob@host.test", "a .forward: whose it is");
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "u@vmbox.test")
             SMTPD(OTHER, "l[127.0.0.1], orig_queue_id=" ID ", orig_client=" C)
                 ACTIVE(OTHER, "u@vmbox.test") OUT(OTHER) REMOVED(OTHER) REMOVED(ID) LATER,
         "joe@host.test", "back from a filter that tells the id");
    pays(SMTPD(ID, C ", sasl_username=joe") ACTIVE(ID, "u@vmbox.test")
             SMTPD(OTHER, "l[127.0.0.1], orig_client=" C) ACTIVE(OTHER, "u@vmbox.test") OUT(OTHER)
                 INSIDE LINE(
                     "10:00:03", "smtp[8]",
                     ID ": to=<x@b.test>, relay=127.0.0.1[127.0.0.1]:10024, delays=0/0/0/1, "
                        "dsn=2.0.0, status=sent (250 2.0.0 from MTA: 250 2.0.0 Ok: queued as " OTHER
                        ")") REMOVED(OTHER) REMOVED(ID) LATER,
         "joe@host.test", "back from a filter, told by its reply");
    pays(LINE("10:00:00", "smtpd[1]", "NOQUEUE: client=" C ", sasl_method=PLAIN, sasl_username=joe")
             LINE("10:00:01", "10025/smtpd[2]",
                  ID ": client=l[127.0.0.1], orig_client=" C) ACTIVE(ID, "u@vmbox.test") OUT(ID)
                 LINE("10:00:02", "smtpd[1]",
                      "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as " ID
                      "; from=<u@vmbox.test> to=<x@b.test> proto=ESMTP helo=<x>") REMOVED(ID) LATER,
         "joe@host.test", "through a filter before the queue: the login there");
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void test_lost_sight(void)
{
    static const char log[] = LINE("10:00:00", "pickup[1]", ID ": uid=1 from=<u@host.test>");

    fixture_init(&f, &samples_part);
    f.sink.message = take_message;
    fixture_run(&f, FIXTURE_WHOLE, slice_str(log));
    f.part->tick(&f.m, f.reached_ms + MAIL_LOST_MS - 1000);
    IS_INT(f.events.len, 0, "eight days but a second: in the queue");
    f.part->tick(&f.m, f.reached_ms + MAIL_LOST_MS);
    IS_SLICE(buf_slice(&f.events),
             SLICE(ID " postfix u@host.test\n  submitted sender=u@host.test uid=1\n  lost-sight\n"),
             "eight days without a line");
    IS_INT(open_count(f.m.open, OPEN_MAIL), 0, "forgotten");
    fixture_fini(&f);
}

static void test_many(void)
{
    struct log_line line = {.instance = SLICE("postfix"),
                            .tag = SLICE("postfix/pickup"),
                            .daemon = DAEMON_PICKUP,
                            .pid = 1,
                            .times = 1};
    unsigned unknown = 0;
    char text[100];

    fixture_init(&f, &samples_part);
    f.sink.message = take_message;
    for (unsigned i = 0; i < MAIL_MAX + 3; i++) {
        (void)snprintf(text, sizeof text, "AB%07X: uid=1 from=<u@host.test>", i);
        line.text = slice_str(text);
        line.time_ms = INT64_C(1795877650000);
        unknown += mail_machines_line(&f.m, &line) == NULL;
        open_saved(f.m.open);
    }
    IS_INT(unknown, 0, "all are read");
    IS_INT(open_count(f.m.open, OPEN_MAIL), MAIL_MAX, "no more than that");
    OK(memcmp(f.events.data, "AB0000000 ", 10) == 0, "the oldest has gone first");
    fixture_fini(&f);
}

int main(void)
{
    test_stories();
    test_not_queued();
    test_reuse();
    test_owners();
    test_made();
    test_lost_sight();
    test_many();
    return tap_done();
}
