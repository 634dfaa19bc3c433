/* Any bytes as the body of a journal record: refused, or the same record once encoded and decoded
 * again. */
#include <stdint.h>

#include "lib/core/err.h"
#include "lib/core/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void legs_check(const struct record *r, const struct leg *a, const struct leg *b,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct leg *x = &a[i], *y = &b[i];
        struct tally t = {{0}};

        TG_ASSERT(x->kind == y->kind && slice_equal(x->account, y->account) &&
                  slice_equal(x->user, y->user));
        TG_ASSERT(x->messages == y->messages && x->recipients == y->recipients);
        TG_ASSERT(x->bytes == y->bytes && x->bounces == y->bounces && x->sends == y->sends);
        TG_ASSERT(x->opens == y->opens);
        record_leg_count(r, x, &t);
    }
}

static void amounts_check(const struct record *a, const struct record *b)
{
    TG_ASSERT(a->amount_count == b->amount_count);
    for (size_t i = 0; i < a->amount_count; i++) {
        const struct amount *x = &a->amounts[i], *y = &b->amounts[i];

        TG_ASSERT(x->counter == y->counter && x->counter < COUNTER_COUNT && x->value == y->value);
        TG_ASSERT(slice_equal(x->account, y->account) && slice_equal(x->user, y->user));
    }
}

static void record_check(const struct record *a, const struct record *b)
{
    TG_ASSERT(a->kind == b->kind && a->bytes == b->bytes && a->spam == b->spam);
    TG_ASSERT(slice_equal(a->queue_id, b->queue_id) && a->priority == b->priority);
    TG_ASSERT(slice_equal(a->held_by, b->held_by) && slice_equal(a->client_ip, b->client_ip));
    TG_ASSERT(a->held_number == b->held_number);
    TG_ASSERT(a->leg_count == b->leg_count && a->wanted_count == b->wanted_count);
    legs_check(a, a->legs, b->legs, a->leg_count);
    legs_check(a, a->wanted, b->wanted, a->wanted_count);
    amounts_check(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct record first = {.number = 0}, second = {.number = 0};
    struct buf b;

    arena_init(&arena, 64 * size + 4096);
    buf_init(&b, 4 * size + 4096);
    if (record_decode((struct slice){(const char *)data, size}, &arena, &first, NULL) == 0) {
        record_encode(&first, &b);
        TG_ASSERT(!b.failed && record_decode(buf_slice(&b), &arena, &second, NULL) == 0);
        record_check(&first, &second);
    }
    buf_fini(&b);
    arena_fini(&arena);
    return 0;
}
