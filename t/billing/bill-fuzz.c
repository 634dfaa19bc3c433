/* Any bytes as the file of a closed month, or as the chain: what is taken is printed again as the
 * same bytes, so that a hash is always of what was read. */
#include <stdint.h>

#include "lib/billing/bill.h"
#include "lib/billing/bill_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bill(struct slice input, struct arena *arena, struct buf *out)
{
    struct bill bill;

    if (bill_parse(input, arena, &bill, NULL) != 0)
        return;
    bill_print(&bill, out);
    TG_ASSERT(slice_equal(buf_slice(out), input));
    for (size_t i = 0; i < bill.count; i++)
        TG_ASSERT(bill_find(&bill, bill.rows[i].account) == &bill.rows[i]);
}

static void check_chain(struct slice input, struct arena *arena)
{
    struct bill_chain chain;

    if (bill_chain_parse(input, arena, &chain, NULL) != 0)
        return;
    TG_ASSERT(chain.text_bytes <= input.len);
    for (size_t i = 0; i < chain.count; i++)
        TG_ASSERT(bill_chain_find(&chain, chain.items[i].month) == &chain.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct arena arena;
    struct buf out;

    arena_init(&arena, 1 << 22);
    buf_init(&out, 1 << 20);
    check_bill(input, &arena, &out);
    check_chain(input, &arena);
    buf_fini(&out);
    arena_fini(&arena);
    return 0;
}
