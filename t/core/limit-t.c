/* limit: windows, maxima, names, overrides, and which limits hold. */
#include "lib/core/limit.h"

#include "t/tap.h"

static struct arena arena;

static void test_per(const char *text, int64_t ms, const char *normal)
{
    struct slice per = SLICE_NONE;
    int64_t got = -1;
    struct err err = {0};

    if (normal == NULL) {
        OK(limit_parse_per(slice_str(text), &arena, &got, &per, &err) != 0 && err.text[0] != '\0',
           text);
        return;
    }
    OK(limit_parse_per(slice_str(text), &arena, &got, &per, &err) == 0, text);
    IS_INT(got, ms, text);
    IS_SLICE(per, slice_str(normal), text);
}

static void test_max(const char *text, enum limit_metric metric, bool good, uint64_t want)
{
    uint64_t max = 0;
    struct err err = {0};

    IS_INT(limit_parse_max(slice_str(text), metric, &max, &err), good ? 0 : -1, text);
    if (good)
        OK(max == want, text);
}

static void test_override(void)
{
    struct limit l, again;
    struct buf b;
    struct err err = {0};

    buf_init(&b, 1000);
    OK(limit_parse_override(SLICE("domain/bytes/1day"),
                            SLICE("max=10GB action=hold soft=80 forwards=yes until=1793000000 "
                                  "author=root reason=\"black \\\"friday\\\"\""),
                            &arena, &l, &err) == 0,
       "an override is read");
    OK(l.max == UINT64_C(10) << 30 && l.action == ACTION_HOLD && l.soft_percent == 80 &&
           l.forwards && l.until_s == 1793000000 && l.window_ms == 86400000,
       "all of it");
    IS_SLICE(l.reason, SLICE("black \"friday\""), "quotes in it");
    limit_print_override(&l, &b);
    OK(limit_parse_override(SLICE("domain/bytes/day"), buf_slice(&b), &arena, &again, &err) == 0 &&
           again.max == l.max && slice_equal(again.reason, l.reason) &&
           slice_equal(again.author, SLICE("root")) && limit_same_name(&l, &again),
       "printed and read again it is the same");
    OK(limit_parse_override(SLICE("domain/bytes"), SLICE("max=1"), &arena, &l, &err) != 0,
       "a name of two parts");
    OK(limit_parse_override(SLICE("domain/bytes/day"), SLICE("maximum=1"), &arena, &l, &err) != 0,
       "an unknown word");
    OK(limit_parse_override(SLICE("domain/bytes/day"), SLICE("reason=\"open"), &arena, &l, &err) !=
           0,
       "a quote left open");
    OK(limit_parse_override(SLICE("domain/bytes/day"), SLICE("soft=100"), &arena, &l, &err) != 0,
       "soft is below 100");
    buf_fini(&b);
}

static struct limit limit_of(const char *name, uint64_t max)
{
    struct limit l = {.max = max};

    OK(limit_parse_name(slice_str(name), &arena, &l, NULL) == 0, name);
    return l;
}

static void test_merge(void)
{
    struct limit planned[] = {limit_of("domain/recipients/hour", 500),
                              limit_of("domain/recipients/hour", 600),
                              limit_of("user/messages/day", 100)};
    struct plan plan = {.name = SLICE("p"), .limits = planned, .count = 3};
    struct limit over[] = {limit_of("domain/recipients/60min", 900),
                           limit_of("domain/bounces/hour", 50),
                           limit_of("user/messages/day", LIMIT_UNLIMITED)};
    struct limit *got;
    size_t count;

    over[1].until_s = 1000;
    OK(limits_merge(&plan, over, 3, 999, &arena, &got, &count) == 0 && count == 2 &&
           got[0].max == 900 && got[1].max == 50,
       "overrides replace all of their name, lift, and add");
    OK(limits_merge(&plan, over, 3, 1000, &arena, &got, &count) == 0 && count == 1,
       "an ended one is left out");
    OK(limits_merge(&plan, NULL, 0, 0, &arena, &got, &count) == 0 && count == 3, "the plan alone");
    planned[2].max = LIMIT_UNLIMITED;
    OK(limits_merge(&plan, NULL, 0, 0, &arena, &got, &count) == 0 && count == 2,
       "unlimited in a plan is no limit");
    OK(limits_merge(NULL, NULL, 0, 0, &arena, &got, &count) == 0 && count == 0, "nothing");
}

static void test_field(const char *text, const char *subject, const char *name)
{
    struct limit l = {.max = 1};
    struct buf b;

    buf_init(&b, 1024);
    OK((limit_parse_field(slice_str(text), &arena, &l, NULL) == 0) == (name != NULL), text);
    if (name != NULL) {
        IS_SLICE(l.subject, slice_str(subject), "of whom");
        limit_name(&l, &b);
        IS_SLICE(buf_slice(&b), slice_str(name), "its name");
        buf_reset(&b);
        limit_field(&l, &b);
        IS_SLICE(buf_slice(&b), slice_str(text), "and back");
    }
    buf_fini(&b);
}

static void test_single(void)
{
    struct limit planned[] = {limit_of("user/messages/day", 100),
                              limit_of("user/messages/day", 200)};
    struct plan plan = {.name = SLICE("p"), .limits = planned, .count = 2};
    struct limit over[] = {limit_of("user/messages/day", LIMIT_UNLIMITED),
                           limit_of("user/messages/day", 7)};
    const struct slice alice = SLICE("alice@example.com"), bob = SLICE("bob@example.com"),
                       carol = SLICE("carol@example.com");
    struct limit *got;
    size_t count;

    over[0].subject = alice;
    over[1].subject = bob;
    OK(limits_merge(&plan, over, 2, 0, &arena, &got, &count) == 0 && count == 4,
       "overrides of one user stand beside the limits of all");
    for (size_t i = 0; i < count; i++) {
        OK(!limit_is_for(got, count, &got[i], alice), "unlimited for one");
        OK(limit_is_for(got, count, &got[i], bob) == (got[i].max == 7), "another number for one");
        OK(limit_is_for(got, count, &got[i], carol) == (got[i].subject.len == 0),
           "as planned for others");
    }
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    test_per("hour", 3600000, "hour");
    test_per("1hour", 3600000, "hour");
    test_per("60min", 3600000, "hour");
    test_per("24hours", 86400000, "day");
    test_per("60s", 60000, "min");
    test_per("10min", 600000, "10min");
    test_per("7days", INT64_C(604800000), "7days");
    test_per("90s", 90000, "90s");
    test_per("s", 1000, "1s");
    test_per("month", LIMIT_WINDOW_MONTH, "month");
    test_per("2months", 0, NULL);
    test_per("0s", 0, NULL);
    test_per("367days", 0, NULL);
    test_per("week", INT64_C(604800000), "7days");
    test_per("2weeks", INT64_C(1209600000), "14days");
    test_per("99999999999999999999s", 0, NULL);
    test_per("", 0, NULL);
    test_max("600", METRIC_RECIPIENTS, true, 600);
    test_max("10GB", METRIC_BYTES, true, UINT64_C(10) << 30);
    test_max("10 GB", METRIC_BYTES, true, UINT64_C(10) << 30);
    test_max("1.5GB", METRIC_BYTES, true, UINT64_C(3) << 29);
    test_max("0.5KB", METRIC_BYTES, true, 512);
    test_max("1.5", METRIC_BYTES, false, 0);
    test_max("1.5", METRIC_MESSAGES, false, 0);
    test_max("1.GB", METRIC_BYTES, false, 0);
    test_max(".5GB", METRIC_BYTES, false, 0);
    test_max("1.55555GB", METRIC_BYTES, false, 0);
    test_max("10GB", METRIC_MESSAGES, false, 0);
    test_max("unlimited", METRIC_BOUNCES, true, LIMIT_UNLIMITED);
    test_max("-1", METRIC_BYTES, false, 0);
    test_max("", METRIC_BYTES, false, 0);
    test_max("9007199254740992", METRIC_RECIPIENTS, false, 0);
    test_override();
    test_merge();
    test_field("user/messages/hour", "", "user/messages/hour");
    test_field("alice@example.com user/messages/hour", "alice@example.com", "user/messages/hour");
    test_field("\"a b\"@example.com user/bytes/month", "\"a b\"@example.com", "user/bytes/month");
    test_field("192.0.2.1 client/messages/hour", "192.0.2.1", "client/messages/hour");
    test_field("alice@example.com domain/messages/hour", "", NULL);
    test_field(" user/messages/hour", "", NULL);
    test_field("alice@example.com", "", NULL);
    test_single();
    arena_fini(&arena);
    return tap_done();
}
