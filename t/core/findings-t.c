/* Two witnesses: each way a message can end, with lines in any order. */
#include "t/tap.h"

#include "lib/core/findings.h"
#include "lib/core/mail_trace.h"

#define HOUR 3600000
#define NOON 43200000

static bool is_hosted(void *context, struct slice domain)
{
    (void)context;
    return slice_equal_nocase(domain, SLICE("here.example"));
}

static void begin(struct findings *f)
{
    findings_init(f);
    f->is_hosted = is_hosted;
    f->log_from_ms = f->journal_from_ms = 0;
    f->log_to_ms = f->journal_to_ms = 2 * NOON;
}

static void record(struct findings *f, uint64_t number, int64_t time_ms, const char *id)
{
    struct findings_record r = {
        .number = number, .time_ms = time_ms, .queue_id = slice_str(id), .bytes = 1000 + number};
    struct err err;

    if (findings_add_record(f, &r, &err) != 0)
        OK(false, err.text);
}

static void trace_of(struct findings *f, const char *instance, const char *id,
                     const struct mail_event *events, size_t count)
{
    struct mail_trace_head head = {.instance = slice_str(instance)};
    struct mail_trace t;
    struct buf bytes;
    struct err err;

    mail_trace_init(&t);
    buf_init(&bytes, 65536);
    for (size_t i = 0; i < count; i++)
        mail_trace_add(&t, &events[i]);
    mail_trace_encode(&t, &head, &bytes);
    if (findings_add_trace(f, slice_str(id), slice_str(instance), buf_slice(&bytes), &err) != 0)
        OK(false, err.text);
    buf_fini(&bytes);
    mail_trace_fini(&t);
}

#define TRACE(f, id, ...)                                                                          \
    do {                                                                                           \
        const struct mail_event list_[] = {__VA_ARGS__};                                           \
        trace_of((f), "postfix", (id), list_, sizeof list_ / sizeof list_[0]);                     \
    } while (0)

#define CLIENT(at)                                                                                 \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_CLIENT, .client = SLICE("192.0.2.1")                         \
    }
#define SUBMITTED(at)                                                                              \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_SUBMITTED, .uid = 1000                                       \
    }
#define ID(at, text_)                                                                              \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_MESSAGE_ID, .text = SLICE(text_)                             \
    }
#define QUEUED(at)                                                                                 \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_QUEUED, .sender = SLICE("a@x"), .size = 500                  \
    }
#define EVENT(at, k)                                                                               \
    {                                                                                              \
        .time_ms = (at), .kind = (k)                                                               \
    }
#define SAYS(at, k, text_)                                                                         \
    {                                                                                              \
        .time_ms = (at), .kind = (k), .text = SLICE(text_)                                         \
    }
#define OTHER(at, k, id)                                                                           \
    {                                                                                              \
        .time_ms = (at), .kind = (k), .other_id = SLICE(id)                                        \
    }
#define TO(at, rcpt, relay_)                                                                       \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_DELIVERY, .recipient = SLICE(rcpt), .relay = SLICE(relay_),  \
        .status = SLICE("sent")                                                                    \
    }
#define ON(at, rcpt, id)                                                                           \
    {                                                                                              \
        .time_ms = (at), .kind = MAIL_DELIVERY, .recipient = SLICE(rcpt), .relay = SLICE("local"), \
        .status = SLICE("sent"), .other_id = SLICE(id)                                             \
    }

static void compare(struct findings *f)
{
    struct err err;

    if (findings_compare(f, &err) != 0)
        OK(false, err.text);
}

static void is_only(struct findings *f, enum finding_kind kind, const char *id, const char *what)
{
    compare(f);
    IS_INT(f->count, 1, what);
    if (f->count > 0) {
        IS_STR(finding_kind_name(f->list[0].kind), finding_kind_name(kind), what);
        IS_SLICE(f->list[0].queue_id, slice_str(id), what);
    }
}

static void test_agreed(void)
{
    struct findings f;

    begin(&f);
    record(&f, 1, NOON + 500, "A");
    TRACE(&f, "A", CLIENT(NOON), QUEUED(NOON), TO(NOON, "x@far.example", "m[192.0.2.9]:25"),
          EVENT(NOON + 1000, MAIL_REMOVED));
    record(&f, 2, NOON + 700, "B");
    TRACE(&f, "B", SUBMITTED(NOON), QUEUED(NOON + 9000));
    TRACE(&f, "N", QUEUED(NOON), OTHER(NOON, MAIL_MADE_OF, "A"));
    TRACE(&f, "M", QUEUED(NOON));
    compare(&f);
    IS_INT(f.count, 0,
           "messages that agree, a notification, one whose beginning is not in the log");
    OK(f.counted == 2 && f.agreed == 2 && f.unjudged == 0, "are counted only");
    findings_fini(&f);
}

static void test_not_queued(void)
{
    static const struct {
        struct mail_event end;
        const char *what;
    } ends[] = {
        {SAYS(NOON, MAIL_REJECTED, "milter-reject: END-OF-MESSAGE"), "a later milter"},
        {SAYS(NOON, MAIL_DISCARDED, "by a header check"), "discarded"},
        {EVENT(NOON, MAIL_CANCELED), "canceled"},
        {EVENT(NOON, MAIL_UNFINISHED), "the connection was lost"},
        {EVENT(NOON, MAIL_MESSAGE_ID), "cleanup's line proves nothing"},
    };
    struct findings f;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        begin(&f);
        record(&f, 7, NOON, "A");
        TRACE(&f, "A", CLIENT(NOON), ends[i].end);
        is_only(&f, FINDING_NOT_QUEUED, "A", ends[i].what);
        OK(f.count > 0 && f.list[0].number == 7 && f.list[0].bytes == 1007 &&
               f.list[0].evidence.len > 0,
           "with its record and evidence");
        findings_fini(&f);
    }
    begin(&f);
    record(&f, 7, NOON, "A");
    is_only(&f, FINDING_NOT_QUEUED, "A", "no line at all");
    findings_fini(&f);
}

static void test_unjudged(void)
{
    struct findings f;
    struct err err;

    begin(&f);
    record(&f, 1, NOON, "A");
    OK(findings_add_gap(&f, &(struct findings_gap){NOON + HOUR / 2, NOON + HOUR / 2}, &err) == 0,
       "a gap");
    compare(&f);
    OK(f.count == 0 && f.unjudged == 1, "in a gap nothing is missed");
    findings_fini(&f);

    begin(&f);
    f.log_to_ms = NOON + HOUR - 1;
    record(&f, 1, NOON, "A");
    record(&f, 2, NOON, "");
    compare(&f);
    OK(f.count == 0 && f.unjudged == 2, "nor before an hour has passed, nor without a queue id");
    findings_fini(&f);

    begin(&f);
    f.log_from_ms = NOON;
    record(&f, 1, NOON - HOUR, "A");
    compare(&f);
    OK(f.count == 0 && f.unjudged == 1, "nor before the log begins");
    findings_fini(&f);

    begin(&f);
    record(&f, 1, NOON, "A");
    TRACE(&f, "A", CLIENT(NOON), SAYS(NOON, MAIL_HELD, "by a header check"));
    record(&f, 2, NOON, "B");
    TRACE(&f, "B", CLIENT(NOON), EVENT(NOON, MAIL_HELD), EVENT(NOON + HOUR, MAIL_RELEASED),
          QUEUED(NOON + HOUR));
    compare(&f);
    OK(f.count == 0 && f.waiting == 1 && f.agreed == 1, "what is on hold waits");
    findings_fini(&f);
}

static void test_doubt(void)
{
    struct findings_record r = {
        .number = 1, .time_ms = NOON, .queue_id = SLICE("A"), .in_doubt = true};
    struct findings f;
    struct err err;

    begin(&f);
    OK(findings_add_record(&f, &r, &err) == 0, "in doubt");
    TRACE(&f, "A", CLIENT(NOON), QUEUED(NOON));
    is_only(&f, FINDING_DOUBT_QUEUED, "A", "it was queued");
    findings_fini(&f);

    begin(&f);
    OK(findings_add_record(&f, &r, &err) == 0, "in doubt");
    TRACE(&f, "A", CLIENT(NOON), EVENT(NOON, MAIL_UNFINISHED));
    is_only(&f, FINDING_DOUBT_LOST, "A", "it was not");
    findings_fini(&f);
}

static void test_missed(void)
{
    struct findings_record held = {
        .number = 1, .time_ms = NOON, .queue_id = SLICE("H"), .is_held = true};
    struct findings f;
    struct err err;

    begin(&f);
    f.journal_from_ms = NOON - HOUR;
    TRACE(&f, "A", CLIENT(NOON), QUEUED(NOON));
    TRACE(&f, "B", CLIENT(NOON - 2 * HOUR), QUEUED(NOON - 2 * HOUR));
    TRACE(&f, "F", {.time_ms = NOON, .kind = MAIL_CLIENT, .other_id = SLICE("filter")},
          QUEUED(NOON));
    OK(findings_add_record(&f, &held, &err) == 0, "a held one");
    TRACE(&f, "H", CLIENT(NOON), EVENT(NOON, MAIL_HELD), QUEUED(NOON + 1000));
    record(&f, 2, NOON, "P");
    TRACE(&f, "P", CLIENT(NOON), QUEUED(NOON),
          {.time_ms = NOON,
           .kind = MAIL_DELIVERY,
           .recipient = SLICE("u@here.example"),
           .relay = SLICE("127.0.0.1[127.0.0.1]:10024"),
           .status = SLICE("sent"),
           .text = SLICE("(250 2.0.0 from MTA: 250 2.0.0 Ok: queued as Q)")});
    TRACE(&f, "Q", CLIENT(NOON), QUEUED(NOON), TO(NOON, "u@here.example", "local"));
    TRACE(&f, "R", SUBMITTED(NOON), QUEUED(NOON), OTHER(NOON, MAIL_REQUEUED, "S"));
    TRACE(&f, "S", {.time_ms = NOON, .kind = MAIL_SUBMITTED, .other_id = SLICE("R")}, QUEUED(NOON));
    record(&f, 3, NOON, "R");
    is_only(&f, FINDING_MISSED, "A",
            "not: before the journal, from a filter (both ways), held, requeued");
    OK(f.count == 1 && f.list[0].bytes == 500 && slice_equal(f.list[0].sender, SLICE("a@x")),
       "with sender and size");
    findings_fini(&f);
}

static void test_forward(void)
{
    struct findings f;

    begin(&f);
    record(&f, 9, NOON, "A");
    TRACE(&f, "C", QUEUED(NOON), TO(NOON, "x@far.example", "m[192.0.2.9]:25"),
          TO(NOON, "y@far.example", "m[192.0.2.9]:25"), TO(NOON, "y@far.example", "none"),
          TO(NOON, "z@Other.example", "none"), TO(NOON, "u@here.example", "m[192.0.2.9]:25"));
    TRACE(&f, "L", QUEUED(NOON), TO(NOON, "u@here.example", "local"));
    TRACE(&f, "A", CLIENT(NOON), QUEUED(NOON), ON(NOON, "ann@here.example", "B"),
          ON(NOON, "ann@here.example", "L"));
    TRACE(&f, "B", QUEUED(NOON), ON(NOON, "bob@here.example", "C"));
    is_only(&f, FINDING_FORWARD, "A", "a forward of a forward, written before what it was made of");
    if (f.count == 1) {
        IS_SLICE(f.list[0].other_id, SLICE("C"), "the message that went out");
        IS_SLICE(f.list[0].recipient, SLICE("ann@here.example"), "for whom it came");
        OK(f.list[0].recipients == 3 && f.list[0].destinations == 2 && f.list[0].bytes == 1009 &&
               f.list[0].number == 9,
           "targets elsewhere, each once; the bytes that came in");
    }
    findings_fini(&f);
}

static void test_passed_on(void)
{
    struct findings f;

    begin(&f);
    record(&f, 1, NOON, "A");
    record(&f, 2, NOON + 2000, "B");
    TRACE(&f, "A", CLIENT(NOON), ID(NOON, "m@x"), QUEUED(NOON),
          TO(NOON, "u@here.example", "dovecot"));
    TRACE(&f, "B", SUBMITTED(NOON + 1000), ID(NOON + 1000, "m@x"), QUEUED(NOON + 2000));
    TRACE(&f, "D", SUBMITTED(NOON + 1000), ID(NOON + 1000, "other@x"), QUEUED(NOON + 2000));
    TRACE(&f, "E", CLIENT(NOON + 1000), ID(NOON + 1000, "m@x"), QUEUED(NOON + 2000));
    record(&f, 4, NOON + 2000, "E");
    record(&f, 3, NOON + 2000, "D");
    is_only(&f, FINDING_PASSED_ON, "A", "delivered, then submitted again");
    IS_SLICE(f.count > 0 ? f.list[0].other_id : SLICE_NONE, SLICE("B"), "as");
    OK(f.agreed == 4, "all of them are counted, also one that came twice from outside");
    findings_fini(&f);

    begin(&f);
    record(&f, 1, NOON, "A");
    record(&f, 2, NOON + 2000, "B");
    TRACE(&f, "A", CLIENT(NOON), ID(NOON, "m@x"), QUEUED(NOON),
          TO(NOON, "u@here.example", "dovecot"));
    TRACE(&f, "B", {.time_ms = NOON + 1000, .kind = MAIL_CLIENT, .client = SLICE("127.0.0.1")},
          ID(NOON + 1000, "m@x"), QUEUED(NOON + 2000));
    is_only(&f, FINDING_PASSED_ON, "A", "also by SMTP from this host");
    findings_fini(&f);
}

/* Short queue ids come again within minutes. */
static void test_reuse(void)
{
    struct findings f;
    struct finding *found;

    begin(&f);
    for (int i = 0; i < 20; i++) {
        record(&f, (uint64_t)i + 1, NOON + i * 60000 + 300, "ABC123");
        if (i == 13)
            TRACE(&f, "ABC123", CLIENT(NOON + i * 60000), EVENT(NOON + i * 60000, MAIL_UNFINISHED));
        else
            TRACE(&f, "ABC123", CLIENT(NOON + i * 60000), QUEUED(NOON + i * 60000));
    }
    is_only(&f, FINDING_NOT_QUEUED, "ABC123", "one of twenty with the same id");
    found = &f.list[0];
    OK(f.count == 1 && found->number == 14 && f.agreed == 19, "the right one");
    findings_fini(&f);
}

static void test_sendmail(void)
{
    static const struct mail_event dropped[] = {QUEUED(NOON)},
                                   sent[] = {QUEUED(NOON), TO(NOON, "x@far.example", "m")};
    struct findings f;

    begin(&f);
    record(&f, 1, NOON, "A");
    record(&f, 2, NOON, "B");
    trace_of(&f, "sm-mta", "A", dropped, 1);
    trace_of(&f, "sm-mta", "B", sent, 2);
    is_only(&f, FINDING_NOT_QUEUED, "A", "of Sendmail, from= is no proof, to= is");
    findings_fini(&f);
}

static void test_damaged(void)
{
    struct findings f;
    struct err err;

    begin(&f);
    OK(findings_add_trace(&f, SLICE("A"), SLICE("postfix"), SLICE("\377\377"), &err) == -1,
       "no story is refused");
    compare(&f);
    IS_INT(f.count, 0, "and left out");
    findings_fini(&f);
}

int main(void)
{
    test_agreed();
    test_not_queued();
    test_unjudged();
    test_doubt();
    test_missed();
    test_forward();
    test_passed_on();
    test_reuse();
    test_sendmail();
    test_damaged();
    return tap_done();
}
