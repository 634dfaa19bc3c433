/* All cases of t/data through classify, record_build, the codec and leg_count. */
#include "t/tap.h"

#include "lib/core/buf.h"
#include "lib/core/record.h"
#include "t/vectors.h"

static struct vectors vectors;

static void must(bool good, const char *what)
{
    if (!good)
        OK(false, what);
}

/* What the record's legs (the account's own) make of the counters of that account. */
static struct tally tally_of(const struct record *r, struct slice account)
{
    struct tally t = {{0}};

    for (size_t i = 0; i < r->leg_count; i++) {
        if (r->legs[i].user.len == 0 && slice_equal(r->legs[i].account, account))
            record_leg_count(r, &r->legs[i], &t);
    }
    return t;
}

static bool tally_same(const struct tally *got, const struct tally *want, struct slice account)
{
    bool same = true;

    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (got->value[i] == want->value[i])
            continue;
        printf("# %.*s %s: got %" PRIu64 ", want %" PRIu64 "\n", SLICE_FMT(account),
               counter_table[i].name, got->value[i], want->value[i]);
        same = false;
    }
    return same;
}

static bool is_expected(const struct vector *x, struct slice account)
{
    for (size_t i = 0; i < x->expect_count; i++) {
        if (slice_equal(x->expect[i].account, account))
            return true;
    }
    return slice_equal(account, SLICE(ACCOUNT_NODE));
}

/* The node's counters, by the definition, from what is expected of the accounts. */
static struct tally node_want(const struct vector *x)
{
    static const enum counter summed[] = {COUNTER_IN_RECIPIENTS,
                                          COUNTER_OUT_RECIPIENTS,
                                          COUNTER_OUT_BYTES,
                                          COUNTER_FORWARD_RECIPIENTS,
                                          COUNTER_FORWARD_BYTES,
                                          COUNTER_RELAY_RECIPIENTS,
                                          COUNTER_LOCAL_SENT_RECIPIENTS,
                                          COUNTER_LOCAL_RECEIVED_RECIPIENTS};
    static const enum counter messages[][2] = {
        {COUNTER_IN_MESSAGES, COUNTER_IN_BYTES},
        {COUNTER_RELAY_MESSAGES, COUNTER_RELAY_BYTES},
        {COUNTER_LOCAL_SENT_MESSAGES, COUNTER_LOCAL_SENT_BYTES},
        {COUNTER_LOCAL_RECEIVED_MESSAGES, COUNTER_LOCAL_RECEIVED_BYTES},
        {COUNTER_OUT_MESSAGES, COUNTER_COUNT},
        {COUNTER_FORWARD_MESSAGES, COUNTER_COUNT},
        {COUNTER_BOUNCES_RECEIVED, COUNTER_COUNT},
        {COUNTER_IN_SPAM_MESSAGES, COUNTER_COUNT},
        {COUNTER_OUT_SPAM_MESSAGES, COUNTER_COUNT}};
    static const enum counter priorities[] = {
        COUNTER_PRIORITY_HIGH_MESSAGES, COUNTER_PRIORITY_NORMAL_MESSAGES,
        COUNTER_PRIORITY_LOW_MESSAGES, COUNTER_PRIORITY_BULK_MESSAGES};
    struct tally t = {{0}};

    t.value[COUNTER_MESSAGES] = 1;
    t.value[COUNTER_BYTES] = x->bytes;
    for (size_t i = 0; i < x->expect_count; i++) {
        const uint64_t *value = x->expect[i].want.value;

        for (size_t j = 0; j < sizeof summed / sizeof summed[0]; j++)
            t.value[summed[j]] += value[summed[j]];
        for (size_t j = 0; j < sizeof messages / sizeof messages[0]; j++) {
            if (value[messages[j][0]] > 0)
                t.value[messages[j][0]] = 1;
            if (value[messages[j][0]] > 0 && messages[j][1] != COUNTER_COUNT)
                t.value[messages[j][1]] = x->bytes;
        }
    }
    for (size_t i = 0; i < x->expect_count; i++) {
        for (size_t j = 0; j < 4; j++) {
            if (x->expect[i].want.value[priorities[j]] == 0)
                continue;
            t.value[priorities[j]] = t.value[COUNTER_IN_MESSAGES] + t.value[COUNTER_OUT_MESSAGES] +
                                     t.value[COUNTER_FORWARD_MESSAGES];
            t.value[priorities[j] + 1] = t.value[COUNTER_IN_BYTES] + t.value[COUNTER_OUT_BYTES] +
                                         t.value[COUNTER_FORWARD_BYTES];
        }
    }
    return t;
}

static bool record_same(const struct vector *x, const struct record *r)
{
    struct tally got = tally_of(r, SLICE(ACCOUNT_NODE)), want = node_want(x);
    bool same = tally_same(&got, &want, SLICE("node"));

    for (size_t i = 0; i < x->expect_count; i++) {
        got = tally_of(r, x->expect[i].account);
        same = tally_same(&got, &x->expect[i].want, x->expect[i].account) && same;
    }
    for (size_t i = 0; i < r->leg_count; i++) {
        if (!is_expected(x, r->legs[i].account)) {
            printf("# %.*s is charged as well\n", SLICE_FMT(r->legs[i].account));
            same = false;
        }
    }
    return same;
}

static int classify_all(const struct facts *facts, struct arena *arena, struct classified *c)
{
    struct answers answers;
    struct err err;
    int result;

    answers_init(&answers, arena);
    while ((result = classify(facts, vectors.hosted, &answers, arena, c, &err)) == 1)
        vectors_answer(&vectors, &answers);
    answers_fini(&answers);
    return result;
}

static void test_vector(const struct vector *x, struct arena *arena)
{
    struct facts facts;
    struct classified c;
    struct record built, read;
    struct err err;
    struct buf body;
    char what[200];

    vector_facts(&vectors, x, arena, &facts);
    must(classify_all(&facts, arena, &c) == 0, "classify");
    must(record_build(&c, &facts, vectors.hosted->out_bytes, vectors.hosted->users,
                      SLICE("4jWnX03VvBz1cTBS"), arena, &built, &err) == 0,
         "build");
    buf_init(&body, 1 << 20);
    record_encode(&built, &body);
    must(record_decode(buf_slice(&body), arena, &read, &err) == 0, "decode");
    (void)snprintf(what, sizeof what, "%.*s", SLICE_FMT(x->name));
    OK(record_same(x, &built), what);
    OK(record_same(x, &read), "the same out of the journal");
    buf_fini(&body);
}

int main(void)
{
    struct arena arena;

    vectors_load(&vectors);
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < vectors.count; i++) {
        test_vector(&vectors.list[i], &arena);
        arena_reset(&arena);
    }
    IS_INT(vectors.count, 200, "all cases were there");
    arena_fini(&arena);
    vectors_fini(&vectors);
    return tap_done();
}
