/* throttled: which counters a message that meets limits makes, whose, and how much. */
#include "lib/core/throttled.h"

#include <sysexits.h>

#include "t/tap.h"

static struct arena arena;

/* alice sends to two recipients; another goes to a forwarder of other.example, and bounces to
 * example.org. */
#define EXAMPLE .account = SLICE("example.com")
#define ALICE   EXAMPLE, .user = SLICE("alice@example.com")
#define OTHER   .account = SLICE("other.example")
#define SALES   OTHER, .user = SLICE("sales@other.example")
#define BOUNCED .account = SLICE("example.org")
#define BOB     BOUNCED, .user = SLICE("bob@example.org")
#define THE     .account = SLICE(ACCOUNT_NODE)
#define SENT    .kind = LEG_OUT, .messages = 1, .recipients = 2, .bytes = 2000, .sends = true
#define PASSED  .kind = LEG_FORWARD, .messages = 1, .recipients = 1, .bytes = 1000
#define CAME    .kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = 1000, .bounces = 1

static struct leg legs[] = {
    {EXAMPLE, SENT}, {ALICE, SENT}, {OTHER, PASSED}, {SALES, PASSED},
    {BOUNCED, CAME}, {BOB, CAME},   {THE, SENT},     {THE, PASSED, .sends = true},
    {THE, CAME},
};

enum {
    DOMAIN_DEFER,
    DOMAIN_LOG,
    USER_DEFER,
    FORWARDER_DEFER,
    FORWARDER_ALSO,
    BOUNCES_REJECT,
    SERVER_DEFER,
    CUSTOMER_DEFER,
    TESTS
};

static const struct limit limits[TESTS] = {
    [DOMAIN_DEFER] = {.action = ACTION_DEFER},
    [DOMAIN_LOG] = {.action = ACTION_LOG},
    [USER_DEFER] = {.action = ACTION_HOLD},
    [FORWARDER_DEFER] = {.action = ACTION_DEFER},
    [FORWARDER_ALSO] = {.action = ACTION_DEFER, .forwards = true},
    [BOUNCES_REJECT] = {.action = ACTION_REJECT},
    [SERVER_DEFER] = {.action = ACTION_DEFER},
    [CUSTOMER_DEFER] = {.action = ACTION_DEFER},
};
static const struct limit *tests[TESTS];

static struct slice member_list[] = {SLICE("example.com"), SLICE("other.example")};
static const struct limit_members members = {.list = member_list, .count = 2};

static struct limit_check list[] = {
    {LIMIT_DOMAIN, METRIC_RECIPIENTS, .holder = SLICE("example.com"), .stops = true,
     .tests = &tests[DOMAIN_DEFER], .test_count = 2},
    {LIMIT_USER, METRIC_MESSAGES, .holder = SLICE("example.com"),
     .subject = SLICE("alice@example.com"), .stops = true, .tests = &tests[USER_DEFER],
     .test_count = 1},
    {LIMIT_DOMAIN, METRIC_BYTES, .holder = SLICE("other.example"), .tests = &tests[FORWARDER_DEFER],
     .test_count = 2},
    {LIMIT_DOMAIN, METRIC_BOUNCES, .holder = SLICE("example.org"), .stops = true,
     .tests = &tests[BOUNCES_REJECT], .test_count = 1},
    {LIMIT_SERVER, METRIC_MESSAGES, .holder = SLICE(HOLDER_SERVER), .stops = true,
     .tests = &tests[SERVER_DEFER], .test_count = 1},
    {LIMIT_CUSTOMER, METRIC_MESSAGES, .holder = SLICE(HOLDER_CUSTOMER "4711"), .members = &members,
     .stops = true, .tests = &tests[CUSTOMER_DEFER], .test_count = 1},
};
static const struct limit_checks checks = {.list = list,
                                           .count = 6,
                                           .test_count = TESTS,
                                           .legs = legs,
                                           .leg_count = sizeof legs / sizeof legs[0]};

#define BIT(test) (1U << (test))

#define ALICE_AND_DOMAIN(measure)                                                                  \
    "example.com " measure "_recipients 2\n"                                                       \
    "example.com " measure "_messages 1\n"                                                         \
    "example.com " measure "_bytes 2000\n"                                                         \
    "alice@example.com " measure "_recipients 2\n"                                                 \
    "alice@example.com " measure "_messages 1\n"                                                   \
    "alice@example.com " measure "_bytes 2000\n"
#define FORWARDER(measure)                                                                         \
    "other.example " measure "_recipients 1\n"                                                     \
    "other.example " measure "_messages 1\n"                                                       \
    "other.example " measure "_bytes 1000\n"                                                       \
    "sales@other.example " measure "_recipients 1\n"                                               \
    "sales@other.example " measure "_messages 1\n"                                                 \
    "sales@other.example " measure "_bytes 1000\n"
#define BOUNCE(measure)                                                                            \
    "example.org " measure "_bounces 1\n"                                                          \
    "bob@example.org " measure "_bounces 1\n"
#define NODE(measure)                                                                              \
    "@ " measure "_recipients 3\n"                                                                 \
    "@ " measure "_messages 2\n"                                                                   \
    "@ " measure "_bytes 3000\n"                                                                   \
    "@ " measure "_bounces 1\n"

static const struct row {
    const char *what;
    unsigned over, crossing;
    bool observe;
    const char *want;
} rows[] = {
    {"all fits", 0, 0, false, ""},
    {"a domain's limit stops", BIT(DOMAIN_DEFER), 0, false,
     ALICE_AND_DOMAIN("throttled") NODE("throttled")},
    {"for the first time", BIT(DOMAIN_DEFER), BIT(DOMAIN_DEFER), false,
     "example.com violations_recipients 1\n@ violations_recipients 1\n" ALICE_AND_DOMAIN(
         "throttled") NODE("throttled")},
    {"only logs", BIT(DOMAIN_LOG), BIT(DOMAIN_LOG), false,
     "example.com violations_recipients 1\n@ violations_recipients 1\n" ALICE_AND_DOMAIN("observed")
         NODE("observed")},
    {"both: stopped counts, each crossing", BIT(DOMAIN_DEFER) | BIT(DOMAIN_LOG),
     BIT(DOMAIN_DEFER) | BIT(DOMAIN_LOG), false,
     "example.com violations_recipients 1\n@ violations_recipients 1\n"
     "example.com violations_recipients 1\n@ violations_recipients 1\n" ALICE_AND_DOMAIN(
         "throttled") NODE("throttled")},
    {"observe mode", BIT(DOMAIN_DEFER), 0, true, ALICE_AND_DOMAIN("observed") NODE("observed")},
    {"a user's limit", BIT(USER_DEFER), BIT(USER_DEFER), false,
     "example.com violations_messages 1\nalice@example.com violations_messages 1\n"
     "@ violations_messages 1\n" ALICE_AND_DOMAIN("throttled") NODE("throttled")},
    {"a forwarder stops nobody", BIT(FORWARDER_DEFER), BIT(FORWARDER_DEFER), false,
     "other.example violations_bytes 1\n@ violations_bytes 1\n"},
    {"nor is that observed", BIT(FORWARDER_DEFER), 0, true, ""},
    {"unless its limit says so", BIT(FORWARDER_ALSO), 0, false,
     FORWARDER("throttled") NODE("throttled")},
    {"then it is observed as well", BIT(FORWARDER_ALSO), 0, true,
     FORWARDER("observed") NODE("observed")},
    {"bounces", BIT(BOUNCES_REJECT), BIT(BOUNCES_REJECT), false,
     "example.org violations_bounces 1\n@ violations_bounces 1\n" BOUNCE("throttled")
         NODE("throttled")},
    {"the server's limit: the node alone", BIT(SERVER_DEFER), BIT(SERVER_DEFER), false,
     "@ violations_messages 1\n" NODE("throttled")},
    {"a customer's limit: its domains, the violation once", BIT(CUSTOMER_DEFER),
     BIT(CUSTOMER_DEFER), false,
     "example.com violations_messages 1\n@ violations_messages 1\n" ALICE_AND_DOMAIN("throttled")
         FORWARDER("throttled") NODE("throttled")},
    {"two accounts: the node once", BIT(DOMAIN_DEFER) | BIT(BOUNCES_REJECT), 0, false,
     ALICE_AND_DOMAIN("throttled") BOUNCE("throttled") NODE("throttled")},
    {"stopped by one, logged by another: stopped alone", BIT(DOMAIN_LOG) | BIT(BOUNCES_REJECT), 0,
     false, BOUNCE("throttled") NODE("throttled")},
};

static void amounts_print(const struct record *r, struct buf *b)
{
    for (size_t i = 0; i < r->amount_count; i++) {
        const struct amount *a = &r->amounts[i];
        struct slice name = a->user.len > 0 ? a->user : a->account;

        buf_addf(b, "%.*s %s %" PRIu64 "\n", SLICE_FMT(name), counter_table[a->counter].name,
                 a->value);
    }
}

static void test_rows(void)
{
    struct buf got;

    buf_init(&got, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct test_answer answers[TESTS];
        struct throttle_verdict verdict;
        struct record r = {.kind = RECORD_EVENT};

        for (unsigned t = 0; t < TESTS; t++)
            answers[t] = (struct test_answer){.over = (rows[i].over & BIT(t)) != 0,
                                              .crossing = (rows[i].crossing & BIT(t)) != 0};
        verdict = limit_checks_decide(&checks, answers, rows[i].observe);
        OK(throttled_count(&checks, answers, &verdict, &arena, &r, NULL) == 0, rows[i].what);
        buf_reset(&got);
        amounts_print(&r, &got);
        IS_SLICE(buf_slice(&got), slice_str(rows[i].want), rows[i].what);
    }
    buf_fini(&got);
}

static void test_recipients(void)
{
    struct record r = {.kind = RECORD_EVENT};
    struct buf got;

    buf_init(&got, 1 << 16);
    OK(throttled_count_recipient(METRIC_BYTES, SLICE("example.com"), SLICE("alice@example.com"),
                                 &arena, &r, NULL) == 0 &&
           throttled_count_recipient(METRIC_BOUNCES, SLICE("example.org"), SLICE_NONE, &arena, &r,
                                     NULL) == 0,
       "recipients refused at RCPT");
    amounts_print(&r, &got);
    IS_SLICE(buf_slice(&got),
             SLICE("example.com throttled_recipients 1\nalice@example.com throttled_recipients 1\n"
                   "@ throttled_recipients 1\nexample.org throttled_bounces 1\n"
                   "@ throttled_bounces 1\n"),
             "count as recipients, or bounces, alone");
    buf_fini(&got);
}

/* Wherever memory ends, that is an error and no crash. */
static void test_cap(void)
{
    struct test_answer answers[TESTS] = {{.over = true, .crossing = true}};
    struct throttle_verdict verdict = limit_checks_decide(&checks, answers, false);
    bool refused = true, fitted = false;

    for (size_t cap = 16; cap < 40000 && !fitted; cap += 16) {
        struct arena small;
        struct record r = {.kind = RECORD_EVENT};
        struct err err = {.code = 0};

        arena_init(&small, cap);
        fitted = throttled_count(&checks, answers, &verdict, &small, &r, &err) == 0;
        refused = refused && (fitted || err.code == EX_TEMPFAIL);
        arena_fini(&small);
    }
    OK(refused && fitted, "the arena's cap");
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    for (unsigned t = 0; t < TESTS; t++)
        tests[t] = &limits[t];
    test_rows();
    test_recipients();
    test_cap();
    arena_fini(&arena);
    return tap_done();
}
