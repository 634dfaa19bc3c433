/* Any bytes as the body of a journal record: refused, or the same record once encoded and decoded
 * again. */
#include <stdint.h>

#include "lib/core/err.h"
#include "lib/core/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void legs_check(const struct record *a, const struct record *b)
{
    TG_ASSERT(a->leg_count == b->leg_count);
    for (size_t i = 0; i < a->leg_count; i++) {
        const struct leg *x = &a->legs[i], *y = &b->legs[i];
        struct tally t = {{0}};

        TG_ASSERT(x->kind == y->kind && slice_equal(x->account, y->account) &&
                  slice_equal(x->user, y->user));
        TG_ASSERT(x->messages == y->messages && x->recipients == y->recipients);
        TG_ASSERT(x->bytes == y->bytes && x->bounces == y->bounces);
        leg_count(a, x, &t);
    }
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
        TG_ASSERT(slice_equal(first.queue_id, second.queue_id) && first.bytes == second.bytes);
        TG_ASSERT(first.priority == second.priority && first.spam == second.spam);
        legs_check(&first, &second);
    }
    buf_fini(&b);
    arena_fini(&arena);
    return 0;
}
