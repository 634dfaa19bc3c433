/* Legs and their counters. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "lib/core/record.h"
#include "t/random.h"

static struct arena arena;
static struct hosted *w;

/* --- legs against a slow obvious reference --- */

/* A decision seen from one leg's side. */
struct part {
    enum leg_kind kind;
    struct slice account, user, destination;
};

/* The sides of a decision: one, or two for local. */
static size_t parts_of(const struct decision *d, struct part parts[2])
{
    static const enum leg_kind kinds[] = {LEG_IN, LEG_LOCAL_SENT, LEG_OUT, LEG_FORWARD, LEG_RELAY};

    parts[0] = (struct part){kinds[d->class_], d->account, d->user, d->destination};
    parts[1] = (struct part){LEG_LOCAL_RECEIVED, d->received_account, d->received_user, SLICE_NONE};
    return d->class_ == CLASS_LOCAL ? 2 : 1;
}

/* All parts of the message, one after the other. */
static size_t parts_all(const struct classified *c, struct part *parts)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        struct part two[2];
        size_t n = parts_of(&c->decisions[i], two);

        for (size_t j = 0; j < n; j++)
            parts[count++] = two[j];
    }
    return count;
}

static bool is_of(const struct part *p, const struct leg *leg)
{
    return p->kind == leg->kind && slice_equal(p->account, leg->account) &&
           (leg->user.len == 0 || slice_equal(p->user, leg->user));
}

/* How often the message goes over the wire for that leg. */
static uint64_t factor_of(const struct part *parts, size_t count, const struct leg *leg)
{
    uint64_t copies = 0, recipients = 0;

    if (leg->kind != LEG_OUT && leg->kind != LEG_FORWARD)
        return 1;
    for (size_t i = 0; i < count; i++) {
        bool first = true;

        if (!is_of(&parts[i], leg))
            continue;
        recipients++;
        for (size_t j = 0; j < i; j++)
            first = first && !(is_of(&parts[j], leg) &&
                               slice_equal(parts[j].destination, parts[i].destination));
        copies += first;
    }
    return w->out_bytes == OUT_BYTES_DESTINATION ? copies
           : w->out_bytes == OUT_BYTES_RECIPIENT ? recipients
                                                 : 1;
}

static bool leg_right(const struct classified *c, const struct part *parts, size_t count,
                      const struct leg *leg)
{
    uint64_t recipients = 0;
    bool receives = leg->kind == LEG_IN || leg->kind == LEG_LOCAL_RECEIVED;

    for (size_t i = 0; i < count; i++)
        recipients += is_of(&parts[i], leg);
    return recipients > 0 && leg->messages == 1 && leg->recipients == recipients &&
           leg->bytes == c->bytes * factor_of(parts, count, leg) &&
           leg->bounces == (c->is_bounce && receives);
}

/* The node: over the accounts' legs, which have been looked at before. */
static bool node_right(const struct classified *c, const struct record *r, const struct leg *node)
{
    uint64_t recipients = 0, bytes = 0;
    bool sums = node->kind == LEG_OUT || node->kind == LEG_FORWARD;
    bool receives = node->kind == LEG_IN || node->kind == LEG_LOCAL_RECEIVED;

    if (node->kind == LEG_MESSAGE)
        return node->messages == 1 && node->bytes == c->bytes && node->recipients == 0 &&
               node->bounces == 0;
    for (size_t i = 0; i < r->leg_count; i++) {
        const struct leg *leg = &r->legs[i];

        if (leg->kind != node->kind || leg->user.len > 0 ||
            slice_equal(leg->account, node->account))
            continue;
        recipients += leg->recipients;
        bytes += leg->bytes;
    }
    return node->messages == 1 && node->recipients == recipients &&
           node->bytes == (sums ? bytes : c->bytes) && node->bounces == (c->is_bounce && receives);
}

/* Each part has exactly one leg for the account, and one for the user where there is one and users
 * count. */
static bool parts_covered(const struct record *r, const struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t own = 0, users = 0, node = 0;

        for (size_t j = 0; j < r->leg_count; j++) {
            const struct leg *leg = &r->legs[j];

            own += leg->user.len == 0 && is_of(&parts[i], leg);
            users += leg->user.len > 0 && is_of(&parts[i], leg);
            node += leg->kind == parts[i].kind && slice_equal(leg->account, SLICE(ACCOUNT_NODE));
        }
        if (own != 1 || node != 1 || users != (parts[i].user.len > 0 && w->users))
            return false;
    }
    return true;
}

static bool record_right(const struct classified *c, const struct record *r)
{
    static struct part parts[256];
    size_t count = parts_all(c, parts), messages = 0;
    bool right = parts_covered(r, parts, count);

    for (size_t i = 0; i < r->leg_count; i++) {
        const struct leg *leg = &r->legs[i];
        bool node = slice_equal(leg->account, SLICE(ACCOUNT_NODE));

        right = right && (node ? node_right(c, r, leg) : leg_right(c, parts, count, leg));
        messages += leg->kind == LEG_MESSAGE;
    }
    return right && messages == 1;
}

static struct slice any(struct random_source *r, const char *prefix, uint32_t below)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%s%u.test", prefix, (unsigned)random_below(r, below));

    return arena_copy(&arena, (struct slice){text, (size_t)len});
}

/* A user of an account: its name leads to the account, as with addresses. */
static struct slice any_user(struct random_source *r, struct slice account)
{
    char text[64];
    int len =
        snprintf(text, sizeof text, "u%u@%.*s", (unsigned)random_below(r, 3), SLICE_FMT(account));

    return random_below(r, 4) == 0 ? SLICE_NONE
                                   : arena_copy(&arena, (struct slice){text, (size_t)len});
}

static struct decision any_decision(struct random_source *r)
{
    struct decision d = {.class_ = (enum mail_class)random_below(r, 5), .account = any(r, "a", 3)};

    d.user = any_user(r, d.account);
    if (d.class_ == CLASS_LOCAL) {
        d.received_account = any(r, "b", 3);
        d.received_user = any_user(r, d.received_account);
    }
    if (d.class_ != CLASS_LOCAL && d.class_ != CLASS_IN)
        d.destination = any(r, "d", 4);
    return d;
}

static struct classified any_classified(struct random_source *r)
{
    struct classified c = {.bytes = random_below(r, 100000), .count = random_below(r, 40)};

    c.is_bounce = random_below(r, 4) == 0;
    c.spam = random_below(r, 4) == 0;
    c.priority = (enum priority)random_below(r, 4);
    c.decisions = arena_array(&arena, c.count, sizeof *c.decisions);
    for (size_t i = 0; i < c.count; i++)
        c.decisions[i] = any_decision(r);
    return c;
}

static void test_random(void)
{
    struct random_source r = {4};
    size_t built = 0;

    for (int i = 0; i < 3000; i++) {
        struct classified c = any_classified(&r);
        struct facts f = {.bytes = c.bytes};
        struct record record;

        w->out_bytes = (enum out_bytes)random_below(&r, 3);
        w->users = random_below(&r, 4) > 0;
        if (record_build(&c, &f, w->out_bytes, w->users, any(&r, "Q", 1000), &arena, &record,
                         NULL) != 0)
            break;
        built += record_right(&c, &record);
        arena_reset(&arena);
    }
    IS_INT(built, 3000, "legs as a slow reference has them");
    w->out_bytes = OUT_BYTES_DESTINATION;
    w->users = true;
}

/* --- amounts --- */

static void test_amounts(void)
{
    struct record r = {.kind = RECORD_EVENT};
    struct arena small;
    struct err err = {.code = 0};
    size_t fitted = 0;

    arena_init(&small, 2000);
    OK(record_amount_add(&r, &small, SLICE("a.test"), SLICE_NONE, COUNTER_THROTTLED_BYTES, 0,
                         NULL) == 0 &&
           r.amount_count == 0,
       "no amount of nothing");
    while (fitted < 1000 && record_amount_add(&r, &small, SLICE("a.test"), SLICE_NONE,
                                              COUNTER_THROTTLED_BYTES, 7, &err) == 0)
        fitted++;
    OK(fitted > 0 && fitted == r.amount_count && err.code == EX_TEMPFAIL, "the arena's cap");
    OK(r.amounts[fitted - 1].value == 7 && r.amounts[0].counter == COUNTER_THROTTLED_BYTES,
       "what fitted is there");
    arena_fini(&small);
}

/* --- counters --- */

static void test_counts(void)
{
    struct record r = {.bytes = 10, .priority = PRIORITY_HIGH, .spam = true};
    struct leg in = {.kind = LEG_IN,
                     .account = SLICE("a.test"),
                     .messages = 1,
                     .recipients = 3,
                     .bytes = 10,
                     .bounces = 1};
    struct leg out = {
        .kind = LEG_OUT, .account = SLICE("a.test"), .messages = 1, .recipients = 2, .bytes = 20};
    struct leg user = {.kind = LEG_OUT,
                       .account = SLICE("a.test"),
                       .user = SLICE("u@a.test"),
                       .messages = 1,
                       .recipients = 2,
                       .bytes = 20};
    struct leg relay = {.kind = LEG_RELAY,
                        .account = SLICE("_unattributed"),
                        .messages = 1,
                        .recipients = 1,
                        .bytes = 10};
    struct tally t = {{0}}, u = {{0}}, x = {{0}};
    uint64_t sum = 0;

    record_leg_count(&r, &in, &t);
    record_leg_count(&r, &out, &t);
    OK(t.value[COUNTER_IN_MESSAGES] == 1 && t.value[COUNTER_IN_RECIPIENTS] == 3 &&
           t.value[COUNTER_IN_BYTES] == 10,
       "in");
    OK(t.value[COUNTER_OUT_MESSAGES] == 1 && t.value[COUNTER_OUT_RECIPIENTS] == 2 &&
           t.value[COUNTER_OUT_BYTES] == 20,
       "out");
    OK(t.value[COUNTER_PRIORITY_HIGH_MESSAGES] == 2 && t.value[COUNTER_PRIORITY_HIGH_BYTES] == 30,
       "priority of both");
    OK(t.value[COUNTER_IN_SPAM_MESSAGES] == 1 && t.value[COUNTER_OUT_SPAM_MESSAGES] == 1,
       "spam of both");
    IS_INT(t.value[COUNTER_BOUNCES_RECEIVED], 1, "a bounce");
    record_leg_count(&r, &user, &u);
    for (int i = 0; i < COUNTER_COUNT; i++)
        sum += u.value[i];
    OK(u.value[COUNTER_OUT_MESSAGES] == 1 && sum == 1 + 2 + 20, "users have traffic only");
    OK(counter_is_of_users(COUNTER_OUT_BYTES) && counter_is_of_users(COUNTER_THROTTLED_BYTES) &&
           !counter_is_of_users(COUNTER_OUT_SPAM_MESSAGES) && !counter_is_of_users(COUNTER_BYTES),
       "and what limits stopped");
    record_leg_count(&r, &relay, &x);
    OK(x.value[COUNTER_RELAY_MESSAGES] == 1 && x.value[COUNTER_PRIORITY_HIGH_MESSAGES] == 0,
       "relay has no priority");
}

/* --- size --- */

static struct classified huge(enum mail_class class_, size_t count, struct arena *a)
{
    struct classified c = {.bytes = 1000, .count = count};
    char text[64];

    c.decisions = arena_array(a, count, sizeof *c.decisions);
    for (size_t i = 0; c.decisions != NULL && i < count; i++) {
        int len = snprintf(text, sizeof text, "user@domain-%zu.example", i);
        struct slice user = arena_copy(a, (struct slice){text, (size_t)len});

        c.decisions[i] = (struct decision){.class_ = class_,
                                           .account = SLICE("owner.example"),
                                           .user = SLICE("me@owner.example"),
                                           .destination = slice_from(user, 5)};
        if (class_ == CLASS_IN)
            c.decisions[i] =
                (struct decision){.class_ = class_, .account = slice_from(user, 5), .user = user};
    }
    return c;
}

static void test_huge(enum mail_class class_, size_t want_legs, const char *what)
{
    struct arena big;
    struct classified c;
    struct facts f = {.bytes = 1000};
    struct record r;
    clock_t start;

    arena_init(&big, (size_t)32 << 20);
    c = huge(class_, 50000, &big);
    start = clock();
    OK(record_build(&c, &f, w->out_bytes, w->users, SLICE_NONE, &big, &r, NULL) == 0 &&
           r.leg_count == want_legs,
       what);
    printf("# %.0f ms, %zu bytes\n", (double)(clock() - start) * 1000 / CLOCKS_PER_SEC,
           big.used_bytes);
    OK(clock() - start < 3 * CLOCKS_PER_SEC, "in no quadratic time");
    arena_fini(&big);
}

static void test_overflow(void)
{
    struct arena a;
    struct classified c;
    struct facts f = {.bytes = UINT64_MAX};
    struct record r;

    arena_init(&a, 1 << 20);
    c = huge(CLASS_OUT, 3, &a);
    c.bytes = UINT64_MAX / 2;
    OK(record_build(&c, &f, OUT_BYTES_DESTINATION, false, SLICE_NONE, &a, &r, NULL) == 0, "three");
    OK(r.legs[0].bytes == UINT64_MAX, "bytes beyond 2^64 stay at the largest number");
    arena_fini(&a);
}

static void test_cap(void)
{
    struct arena a, small;
    struct classified c;
    struct facts f = {.bytes = 1000, .recipient_count = 1000};
    struct record r;
    struct err err = {.code = 0};

    arena_init(&a, 8 << 20);
    c = huge(CLASS_IN, 1000, &a);
    arena_init(&small, 50000);
    OK(record_build(&c, &f, w->out_bytes, w->users, SLICE_NONE, &small, &r, &err) == -1 &&
           err.code == EX_TEMPFAIL,
       "the cap, with legs");
    arena_fini(&small);
    c = huge(CLASS_OUT, 1000, &a);
    arena_init(&small, 20000);
    err.code = 0;
    OK(record_build(&c, &f, w->out_bytes, w->users, SLICE_NONE, &small, &r, &err) == -1 &&
           err.code == EX_TEMPFAIL,
       "the cap, with destinations");
    arena_fini(&small);
    arena_fini(&a);
}

/* A user without a domain is one in each account, with few legs and with many. */
static void test_same_user(void)
{
    static const size_t counts[] = {2, 40};
    struct facts f = {.bytes = 1000};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct classified c = {.bytes = 1000, .count = counts[i]};
        struct arena a;
        struct record r;

        arena_init(&a, 8 << 20);
        c.decisions = arena_array(&a, c.count, sizeof *c.decisions);
        for (size_t d = 0; d < c.count; d++) {
            char name[32];
            int len = snprintf(name, sizeof name, "d%zu.test", d);

            c.decisions[d] =
                (struct decision){.class_ = CLASS_IN,
                                  .account = arena_copy(&a, (struct slice){name, (size_t)len}),
                                  .user = SLICE(USER_SRS)};
        }
        OK(record_build(&c, &f, OUT_BYTES_DESTINATION, true, SLICE_NONE, &a, &r, NULL) == 0 &&
               r.leg_count == 2 * c.count + 2,
           "_srs of several accounts");
        arena_fini(&a);
    }
}

int main(void)
{
    arena_init(&arena, 8 << 20);
    w = hosted_new(1 << 20);
    test_random();
    test_amounts();
    test_counts();
    test_huge(CLASS_IN, 100002, "50,000 domains and their users receive");
    test_huge(CLASS_OUT, 4, "one user sends to 50,000 domains");
    test_overflow();
    test_cap();
    test_same_user();
    hosted_free(w);
    arena_fini(&arena);
    return tap_done();
}
