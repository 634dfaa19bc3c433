/* A trace comes back as it was written, keeps its bounds, and its last events. */
#include "t/tap.h"

#include "lib/core/mail_trace.h"

static const struct mail_trace_head head = {
    .instance = {"postfix", 7}, .domain = {"a.example", 9}, .user = {"ann@a.example", 13}};

static void event_is(const struct mail_event *got, const struct mail_event *want, const char *what)
{
    OK(got->kind == want->kind && got->time_ms == want->time_ms && got->size == want->size &&
           got->nrcpt == want->nrcpt && got->uid == want->uid,
       what);
    IS_SLICE(got->client, want->client, "client");
    IS_SLICE(got->login, want->login, "login");
    IS_SLICE(got->sender, want->sender, "sender");
    IS_SLICE(got->recipient, want->recipient, "recipient");
    IS_SLICE(got->orig_to, want->orig_to, "orig_to");
    IS_SLICE(got->relay, want->relay, "relay");
    IS_SLICE(got->dsn, want->dsn, "dsn");
    IS_SLICE(got->status, want->status, "status");
    IS_SLICE(got->text, want->text, "text");
    IS_SLICE(got->other_id, want->other_id, "other id");
}

static void test_round_trip(void)
{
    static const struct mail_event events[] = {
        {.time_ms = 1795878503048,
         .kind = MAIL_CLIENT,
         .client = {"192.0.2.1", 9},
         .login = {"ann", 3},
         .other_id = {"ABCDEF1", 7}},
        {.time_ms = 1795878503047, .kind = MAIL_QUEUED, .size = 377, .nrcpt = 2, .uid = 33},
        {.time_ms = 1795964903048,
         .kind = MAIL_DELIVERY,
         .sender = {"s@x", 3},
         .recipient = {"r@x", 3},
         .orig_to = {"o@x", 3},
         .relay = {"mx[192.0.2.9]:25", 16},
         .dsn = {"2.0.0", 5},
         .status = {"sent", 4},
         .text = {"250 ok", 6}},
    };
    struct mail_trace t, more;
    struct mail_trace_reader r;
    struct mail_trace_head got;
    struct mail_event e;
    struct buf b;

    mail_trace_init(&t);
    mail_trace_init(&more);
    buf_init(&b, 100000);
    mail_trace_add(&t, &events[0]);
    mail_trace_add(&t, &events[1]);
    mail_trace_encode(&t, &head, &b);
    IS_INT(mail_trace_continue(&more, buf_slice(&b), NULL), 0, "taken up again");
    buf_reset(&b);
    mail_trace_add(&more, &events[2]);
    mail_trace_encode(&more, &head, &b);
    IS_INT(mail_trace_open(&r, buf_slice(&b), &got, NULL), 0, "opened");
    IS_SLICE(got.instance, head.instance, "instance");
    IS_SLICE(got.domain, head.domain, "domain");
    IS_SLICE(got.user, head.user, "user");
    IS_INT(got.count, 3, "three events");
    for (int i = 0; i < 3; i++) {
        OK(mail_trace_next(&r, &e, NULL) == 1, "an event");
        event_is(&e, &events[i], mail_trace_kind_name(events[i].kind));
    }
    IS_INT(mail_trace_next(&r, &e, NULL), 0, "the end");
    buf_fini(&b);
    mail_trace_fini(&t);
    mail_trace_fini(&more);
}

static void test_bounds(void)
{
    static char text[1000];
    struct mail_trace t;
    struct mail_trace_reader r;
    struct mail_trace_head got;
    struct mail_event e = {.kind = MAIL_DELIVERY, .text = {text, sizeof text}};
    struct buf b;

    memset(text, 'x', sizeof text);
    memcpy(text + MAIL_TRACE_TEXT - 1, "\xc3\xbc", 2);
    mail_trace_init(&t);
    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++) {
        e.recipient = (struct slice){text, (size_t)(i % 7) * 100};
        mail_trace_add(&t, &e);
    }
    e.recipient = SLICE_NONE;
    e.kind = MAIL_REMOVED;
    mail_trace_add(&t, &e);
    mail_trace_encode(&t, &head, &b);
    OK(buf_slice(&b).len <= MAIL_TRACE_BYTES + 600, "bounded");
    IS_INT(mail_trace_open(&r, buf_slice(&b), &got, NULL), 0, "opened");
    IS_INT(got.count + got.left_out, 1001, "all are counted");
    OK(got.count <= MAIL_TRACE_EVENTS, "as many as allowed");
    while (mail_trace_next(&r, &e, NULL) == 1)
        ;
    IS_INT(e.kind, 0, "read to the end");
    IS_INT(mail_trace_open(&r, buf_slice(&b), &got, NULL), 0, "again");
    for (uint64_t i = 0; i < got.count; i++)
        OK(mail_trace_next(&r, &e, NULL) == 1 && e.recipient.len <= MAIL_TRACE_NAME, "a name");
    IS_INT(e.kind, MAIL_REMOVED, "the end of the message is there");
    IS_INT(e.text.len, MAIL_TRACE_TEXT - 1, "a text is cut before half a character");
    buf_fini(&b);
    mail_trace_fini(&t);
}

static int opened(struct slice bytes)
{
    struct mail_trace_reader r;
    struct mail_trace_head got;
    struct mail_event e;
    int rc = mail_trace_open(&r, bytes, &got, NULL);

    while (rc >= 0 && (rc = mail_trace_next(&r, &e, NULL)) == 1)
        ;
    return rc;
}

static void test_foreign(void)
{
    OK(opened(SLICE_NONE) < 0 && opened(SLICE("\2\0\0\0\0\0")) < 0, "empty; another version");
    IS_INT(opened(SLICE("\1\0\0\0\0\0")), 0, "no event");
    IS_INT(opened(SLICE("\1\0\0\0\0\1\x11\0\x1e\2zz\x3e\5\0")), 0, "unknown fields are skipped");
    OK(opened(SLICE("\1\0\0\0\0\1\x11\0\x01\2z")) < 0, "torn");
    OK(opened(SLICE("\1\0\0\0\0\0\0")) < 0, "bytes behind the end");
    OK(mail_trace_kind_name(0) == NULL && mail_trace_kind_name(MAIL_EVENT_KINDS) == NULL,
       "no such kind");
}

int main(void)
{
    test_round_trip();
    test_bounds();
    test_foreign();
    return tap_done();
}
