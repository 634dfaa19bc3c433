/* limit_reply: what a sender reads of each form of a limit. */
#include "lib/core/limit_reply.h"

#include "t/tap.h"

static struct arena arena;

struct row {
    const char *holder, *subject, *name;
    uint64_t max, used, wanted;
    enum limit_action action;
    int64_t retry_ms;
    const char *more, *text;
};

static const struct row rows[] = {
    {"example.com", "", "domain/recipients/hour", 600, 600, 3, ACTION_DEFER, 720000, "",
     "example.com: limit of 600 recipients per hour reached (600 used, 3 more wanted), try again "
     "in "
     "12 minutes"},
    {"example.com", "alice@example.com", "user/messages/day", 1, 1, 1, ACTION_DEFER, 1, "",
     "alice@example.com: limit of 1 message per day reached (1 used, 1 more wanted), try again in "
     "1 second"},
    {"@server", "", "server/bytes/10min", 1000, 999, 2, ACTION_HOLD, 119001, "",
     "this server: limit of 1000 bytes per 10min reached (999 used, 2 more wanted), try again in "
     "2 minutes"},
    {"@client:192.0.2.1", "", "client/messages/hour", 5, 5, 1, ACTION_REJECT, 7200001, "",
     "client 192.0.2.1: limit of 5 messages per hour reached (5 used, 1 more wanted), more is "
     "accepted in 3 hours"},
    {"@customer:4711", "", "customer/bytes/hour", 7, 6, 2, ACTION_DEFER, 60000, "",
     "customer 4711: limit of 7 bytes per hour reached (6 used, 2 more wanted), try again in 60 "
     "seconds"},
    {"example.com", "", "domain/bounces/hour", 0, 0, 1, ACTION_DEFER, -1, "",
     "example.com: limit of 0 bounces per hour: none is accepted"},
    {"example.com", "", "domain/recipients/hour", 5, 0, 7, ACTION_REJECT, -1, "",
     "example.com: limit of 5 recipients per hour: a message with 7 recipients never fits"},
    {"example.com", "", "domain/bytes/month", 1, 0, 2, ACTION_DEFER, -1, "",
     "example.com: limit of 1 byte per month: a message with 2 bytes never fits"},
    {"example.com", "100%n@example.com", "user/messages/hour", 1, 1, 1, ACTION_DEFER, 2000,
     "See https://help.example/limits",
     "100%n@example.com: limit of 1 message per hour reached (1 used, 1 more wanted), try again in "
     "2 seconds; See https://help.example/limits"},
    {"example.com", "\"a b\"\x80@example.com", "user/messages/hour", 1, 1, 1, ACTION_DEFER, 0, "",
     "\"a?b\"?@example.com: limit of 1 message per hour reached (1 used, 1 more wanted), try again "
     "in 1 second"},
};

static void test_row(const struct row *r)
{
    struct limit l = {.max = r->max, .action = r->action};
    struct limit_check check = {
        .holder = slice_str(r->holder), .subject = slice_str(r->subject), .amount = r->wanted};
    struct test_answer answer = {.used = r->used, .over = true, .retry_after_ms = r->retry_ms};
    struct throttle_verdict v = {
        .action = r->action, .check = &check, .limit = &l, .answer = &answer, .wanted = r->action};

    OK(limit_parse_name(slice_str(r->name), &arena, &l, NULL) == 0, "a limit");
    check.scope = l.scope;
    check.metric = l.metric;
    check.per = l.per;
    IS_SLICE(limit_reply(&v, slice_str(r->more), &arena), slice_str(r->text), r->text);
    OK(limit_reply_is(slice_str(r->text)), "is known for one");
}

/* The longest of all still fits an SMTP reply, without the provider's words. */
static void test_long(void)
{
    char user[400];
    struct row r = {"example.com",
                    user,
                    "user/recipients/366days",
                    UINT64_C(1) << 52,
                    UINT64_MAX,
                    UINT64_MAX,
                    ACTION_DEFER,
                    INT64_C(366) * 86400000,
                    "",
                    ""};
    struct limit l = {.max = r.max};
    struct test_answer answer = {.used = r.used, .retry_after_ms = r.retry_ms};
    struct limit_check check = {.amount = r.wanted};
    struct throttle_verdict v = {.check = &check, .limit = &l, .answer = &answer};
    struct slice text;

    memset(user, 'u', sizeof user);
    check.subject = (struct slice){user, sizeof user};
    TG_IGNORE(limit_parse_name(slice_str(r.name), &arena, &l, NULL));
    text = limit_reply(&v, (struct slice){user, 240}, &arena);
    OK(text.len > 0 && text.len <= LIMIT_REPLY_MAX_BYTES, "no reply is longer than its cap");
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        test_row(&rows[i]);
    test_long();
    arena_fini(&arena);
    return tap_done();
}
