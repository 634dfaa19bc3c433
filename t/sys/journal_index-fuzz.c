/* The bytes of an index: what is taken for one holds together. */
#include "lib/core/contract.h"
#include "lib/core/crc32c.h"
#include "lib/sys/journal_index.h"

#define SEGMENT_NUMBER 7
#define SEGMENT_BYTES  1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With its right sum, so that what is behind it is reached. */
static void summed(struct slice s, struct buf *out)
{
    buf_init(out, (size_t)1 << 24);
    buf_add(out, s);
    buf_add_u32(out, crc32c(0, s));
}

static void blocks_check(const struct journal_index *index)
{
    uint64_t at = 0;

    for (size_t i = 0; i < index->count; i++) {
        const struct journal_block *b = &index->blocks[i];

        TG_ASSERT(b->offset == at && b->bytes > 0);
        TG_ASSERT(b->keys.len % 4 == 0);
        (void)journal_block_has(b, journal_key(JOURNAL_KEY_ACCOUNT, SLICE("example.com")));
        at = b->offset + b->bytes;
    }
    TG_ASSERT(at == SEGMENT_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = {(const char *)data, size};
    struct journal_index *index;
    struct buf file;

    summed(s, &file);
    index = journal_index_parse(buf_slice(&file), SEGMENT_NUMBER, SEGMENT_BYTES);
    if (index != NULL)
        blocks_check(index);
    journal_index_free(index);
    buf_fini(&file);
    index = journal_index_parse(s, SEGMENT_NUMBER, SEGMENT_BYTES);
    journal_index_free(index);
    return 0;
}
