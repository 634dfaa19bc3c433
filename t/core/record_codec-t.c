/* Records of every kind as bytes: the same when read back, torn ones refused. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/core/record.h"
#include "t/random.h"

static struct arena arena;

static bool legs_same(const struct leg *a, size_t a_count, const struct leg *b, size_t b_count)
{
    bool same = a_count == b_count;

    for (size_t i = 0; same && i < a_count; i++) {
        const struct leg *x = &a[i], *y = &b[i];

        same = x->kind == y->kind && slice_equal(x->account, y->account) &&
               slice_equal(x->user, y->user) && x->messages == y->messages &&
               x->recipients == y->recipients && x->bytes == y->bytes && x->bounces == y->bounces &&
               x->sends == y->sends && x->opens == y->opens;
    }
    return same;
}

static bool amounts_same(const struct record *a, const struct record *b)
{
    bool same = a->amount_count == b->amount_count;

    for (size_t i = 0; same && i < a->amount_count; i++) {
        const struct amount *x = &a->amounts[i], *y = &b->amounts[i];

        same = x->counter == y->counter && x->value == y->value &&
               slice_equal(x->account, y->account) && slice_equal(x->user, y->user);
    }
    return same;
}

static bool record_same(const struct record *a, const struct record *b)
{
    return a->kind == b->kind && slice_equal(a->queue_id, b->queue_id) && a->bytes == b->bytes &&
           a->priority == b->priority && a->spam == b->spam && amounts_same(a, b) &&
           legs_same(a->legs, a->leg_count, b->legs, b->leg_count) &&
           legs_same(a->wanted, a->wanted_count, b->wanted, b->wanted_count) &&
           slice_equal(a->held_by, b->held_by) && slice_equal(a->client_ip, b->client_ip) &&
           a->held_number == b->held_number;
}

/* No prefix of a record is a record, nor is it with something behind. */
static bool torn_refused(struct slice body)
{
    struct record read;
    struct err err;
    bool refused = true;

    for (size_t len = 0; len < body.len; len++) {
        err.code = 0;
        refused = refused && record_decode(slice_to(body, len), &arena, &read, &err) == -1 &&
                  err.code == EX_DATAERR;
    }
    return refused;
}

static bool codec_right(const struct record *r, bool tear)
{
    struct buf b;
    struct record read = {.number = 7, .time_ms = 8};
    bool right;

    buf_init(&b, 1 << 20);
    record_encode(r, &b);
    right = record_decode(buf_slice(&b), &arena, &read, NULL) == 0 && record_same(r, &read) &&
            read.number == 7;
    if (tear) {
        right = right && torn_refused(buf_slice(&b));
        buf_add_char(&b, 0);
        right = right && record_decode(buf_slice(&b), &arena, &read, NULL) == -1;
    }
    buf_fini(&b);
    return right;
}

/* --- random records --- */

static struct slice any(struct random_source *r, const char *prefix, const char *behind)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%s%u%s", prefix, (unsigned)random_below(r, 3), behind);

    return arena_copy(&arena, (struct slice){text, (size_t)len});
}

static struct slice any_account(struct random_source *r)
{
    return random_below(r, 4) == 0 ? SLICE(ACCOUNT_NODE) : any(r, "a", ".test");
}

static struct slice any_user(struct random_source *r)
{
    return random_below(r, 3) == 0 ? SLICE_NONE : any(r, "u", "@a.test");
}

/* Of every length as a varint. */
static uint64_t any_number(struct random_source *r)
{
    return UINT64_MAX >> random_below(r, 64);
}

static struct leg *any_legs(struct random_source *r, bool wanted, size_t *count)
{
    struct leg *legs;

    *count = random_below(r, 12);
    legs = arena_array(&arena, *count, sizeof *legs);
    for (size_t i = 0; i < *count; i++)
        legs[i] = (struct leg){.kind = (enum leg_kind)random_below(r, LEG_KINDS),
                               .account = any_account(r),
                               .user = any_user(r),
                               .messages = any_number(r),
                               .recipients = any_number(r),
                               .bytes = any_number(r),
                               .bounces = random_below(r, 2),
                               .sends = wanted && random_below(r, 2) == 0,
                               .opens = !wanted && random_below(r, 2) == 0};
    return legs;
}

static struct record any_record(struct random_source *r)
{
    struct record record = {.kind = (enum record_kind)random_below(r, RECORD_KINDS),
                            .queue_id = random_below(r, 5) == 0 ? SLICE_NONE : any(r, "Q", "")};
    enum record_kind kind = record.kind;

    if (kind == RECORD_MESSAGE || kind == RECORD_HELD) {
        record.bytes = any_number(r);
        record.priority = (enum priority)random_below(r, 4);
        record.spam = random_below(r, 2) == 0;
        record.legs = any_legs(r, false, &record.leg_count);
    }
    for (uint32_t i = kind == RECORD_FORGET || kind == RECORD_PLACE ? 0 : random_below(r, 12);
         i > 0; i--)
        TG_IGNORE(record_amount_add(&record, &arena, any_account(r), any_user(r),
                                    (enum counter)random_below(r, COUNTER_COUNT), any_number(r),
                                    NULL));
    if (kind == RECORD_HELD) {
        record.held_by = any_account(r);
        record.client_ip = any(r, "2001:db8::", "");
        record.wanted = any_legs(r, true, &record.wanted_count);
    }
    if (kind == RECORD_RELEASE || kind == RECORD_FORGET || kind == RECORD_PLACE)
        record.held_number = any_number(r);
    if (kind == RECORD_PLACE)
        record.place = any(r, "/etc/postfix", "");
    return record;
}

static void test_random(void)
{
    struct random_source r = {4};
    size_t coded = 0;

    for (int i = 0; i < 5000; i++) {
        struct record record = any_record(&r);

        coded += codec_right(&record, i < 200);
        arena_reset(&arena);
    }
    IS_INT(coded, 5000, "the same after encoding and decoding; torn ones are refused");
}

/* --- bodies by hand --- */

static void bad_body(const char *bytes, size_t len, const char *what)
{
    struct record read;
    struct err err = {.code = 0};

    OK(record_decode((struct slice){bytes, len}, &arena, &read, &err) == -1 &&
           err.code == EX_DATAERR && strstr(err.text, "not a record") != NULL,
       what);
}

#define BAD(bytes, what) bad_body(bytes, sizeof(bytes) - 1, what)

static void test_codec(void)
{
    struct leg legs[] = {
        {.kind = LEG_IN, .account = SLICE("a.test"), .messages = 1, .bytes = UINT64_MAX},
        {.kind = LEG_MESSAGE, .account = SLICE(ACCOUNT_NODE), .messages = 1, .bytes = UINT64_MAX}};
    struct record r = {.queue_id = SLICE(""), .bytes = UINT64_MAX, .legs = legs, .leg_count = 2},
                  read;
    struct arena small;
    struct err err = {.code = 0};
    struct buf b;

    OK(codec_right(&r, true), "no queue id, the largest numbers");
    /* version, queue id, bytes, flags, count, then legs: kind with flags, account, messages,
     * recipients, bytes */
    BAD("", "nothing");
    BAD("\3\0\0\5\0\0", "a version of the future");
    BAD("\1\0\5\4\1\27\1a\1\1\5", "a kind that does not exist");
    BAD("\1\0\5\0\1\0\1\1\5", "a first leg without account");
    BAD("\1\0\5\10\1\20\1a\1\1\5", "a priority that does not exist");
    BAD("\1\0\5\0\377\377\377\377\17\20\1a\1\1\5", "more legs than bytes");
    BAD("\1\377\377\377\377\377\377\377\377\377\1", "a queue id of 2^64 bytes");
    /* version, kind, queue id, then for an event: count, then flags, account, name, value */
    BAD("\2\5\0\0", "a kind of record that does not exist");
    BAD("\2\1\0\1\20\1a\10no_bytes\5", "a counter that does not exist");
    BAD("\2\1\0\1\0\10in_bytes\5", "a first amount without account");
    BAD("\2\1\0\1\120\1a\10in_bytes\5", "an amount with a flag of legs");
    BAD("\2\1\0\377\377\377\377\17\20\1a\10in_bytes\5", "more amounts than bytes");
    BAD("\2\3\0\0", "a release of nothing");
    buf_init(&b, 1000);
    record_encode(&r, &b);
    arena_init(&small, 16);
    OK(record_decode(buf_slice(&b), &small, &read, &err) == -1 && err.code == EX_OSERR,
       "no room is another error");
    arena_fini(&small);
    buf_fini(&b);
}

/* Journals outlive the release that wrote them. */
static void test_version_1(void)
{
    struct record r;

    OK(record_decode(SLICE("\1\2Q1\350\7\4\2\20\6a.test\1\3\350\7\126\1@\1\0\350\7\1"), &arena, &r,
                     NULL) == 0,
       "version 1");
    OK(r.kind == RECORD_MESSAGE && r.bytes == 1000 && r.spam && r.leg_count == 2 &&
           r.amount_count == 0,
       "is a message without amounts");
    IS_SLICE(r.legs[0].account, SLICE("a.test"), "with its legs");
    IS_INT(r.legs[1].bounces, 1, "as they were");
}

int main(void)
{
    arena_init(&arena, 8 << 20);
    test_random();
    test_codec();
    test_version_1();
    arena_fini(&arena);
    return tap_done();
}
