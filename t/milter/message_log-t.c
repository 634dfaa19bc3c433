/* The log line of a message that is accepted: what is in it, and that it is bounded. */
#include "t/tap.h"

#include "lib/core/arena.h"
#include "milter/message_log.h"

#define MANY 40

static void line_is(const struct record *r, const char *want, const char *what)
{
    struct message_log m;
    struct buf b;

    message_log_make(&m, r);
    buf_init(&b, LOG_LINE_BYTES);
    log_format(&b, "message accepted", m.fields, m.count);
    IS_STR(b.data, want, what);
    buf_fini(&b);
}

static void test_parts(void)
{
    struct leg legs[] = {
        {.kind = LEG_IN, .account = SLICE("example.com"), .recipients = 2, .bytes = 1234},
        {.kind = LEG_IN,
         .account = SLICE("example.com"),
         .user = SLICE("alice@example.com"),
         .recipients = 1,
         .bytes = 1234},
        {.kind = LEG_FORWARD, .account = SLICE("example.com"), .recipients = 3, .bytes = 2468},
        {.kind = LEG_RELAY, .account = SLICE("_unattributed"), .recipients = 1, .bytes = 1234},
        {.kind = LEG_LOCAL_SENT, .account = SLICE("a.test"), .recipients = 1, .bytes = 1234},
        {.kind = LEG_LOCAL_RECEIVED, .account = SLICE("b.test"), .recipients = 1, .bytes = 1234},
        {.kind = LEG_OUT, .account = SLICE("a.test"), .recipients = 1, .bytes = UINT64_MAX},
        {.kind = LEG_MESSAGE, .account = SLICE(ACCOUNT_NODE), .bytes = 1234},
        {.kind = LEG_IN, .account = SLICE(ACCOUNT_NODE), .recipients = 2, .bytes = 1234}};
    struct record r = {.queue_id = SLICE("4jWnX03VvBz1cTBS"),
                       .bytes = 1234,
                       .legs = legs,
                       .leg_count = sizeof legs / sizeof legs[0]};

    line_is(&r,
            "message accepted qid=4jWnX03VvBz1cTBS size=1234 in=example.com:2:1234 "
            "forward=example.com:3:2468 relay=_unattributed:1:1234 local_sent=a.test:1:1234 "
            "local_received=b.test:1:1234 out=a.test:1:18446744073709551615",
            "each class and account; neither users nor the node");
    r.leg_count = 0;
    r.queue_id = SLICE_NONE;
    line_is(&r, "message accepted qid=\"\" size=1234", "no legs, no queue id");
    legs[0].account = SLICE("evil\nmessage accepted");
    r.leg_count = 1;
    line_is(&r, "message accepted qid=\"\" size=1234 in=\"evil\\x0amessage accepted:2:1234\"",
            "a name cannot forge a line");
}

static void test_bounded(void)
{
    static char names[MANY][DOMAIN_MAX_BYTES + 100];
    struct leg legs[MANY];
    struct record r = {.queue_id = SLICE("Q"), .legs = legs, .leg_count = MANY};
    struct message_log m;
    struct buf b;

    for (size_t i = 0; i < MANY; i++) {
        memset(names[i], 'a' + (int)(i % 26), sizeof names[i] - 1);
        legs[i] = (struct leg){.kind = LEG_IN,
                               .account = slice_str(names[i]),
                               .recipients = UINT64_MAX,
                               .bytes = UINT64_MAX};
    }
    message_log_make(&m, &r);
    IS_INT(m.count, 2 + MESSAGE_LOG_LEGS + 1, "so many fields");
    IS_STR(m.fields[m.count - 1].key, "more", "the last says");
    IS_INT(m.fields[m.count - 1].number, MANY - MESSAGE_LOG_LEGS, "how many are left out");
    buf_init(&b, LOG_LINE_BYTES);
    log_format(&b, "message accepted", m.fields, m.count);
    OK(!b.failed && b.len < LOG_LINE_BYTES && strstr(b.data, "cut=yes") == NULL,
       "with the longest names it is a whole line");
    buf_fini(&b);
}

int main(void)
{
    test_parts();
    test_bounded();
    return tap_done();
}
