#include "lib/billing/bill_chain.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/sys/secret.h"

#define FILE_BYTES ((size_t)64 << 20)

static void add_part(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(out,
                     (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 127 ? ' ' : text.ptr[i]);
}

void bill_chain_print(const struct bill_entry *e, struct buf *out)
{
    const struct slice parts[] = {e->month, e->hash, e->closed_at, e->by, e->reason};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i > 0)
            buf_add_char(out, '\t');
        add_part(out, parts[i]);
    }
    buf_add_char(out, '\n');
}

static bool is_hash(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("0123456789abcdef", text.ptr[i], 16) == NULL)
            return false;
    }
    return text.len == BILL_HASH_TEXT - 1;
}

int bill_chain_parse_entry(struct slice line, struct bill_entry *out, struct err *err)
{
    struct slice *parts[] = {&out->month, &out->hash, &out->closed_at, &out->by, &out->reason};
    enum period_kind kind = PERIOD_TOTAL;
    struct slice rest = line;
    time_t start;

    *out = (struct bill_entry){.month = SLICE_NONE};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!slice_cut(&rest, '\t', parts[i]))
            return err_set(err, EX_DATAERR, "\"%.*s\" is no line of closed periods",
                           SLICE_FMT(slice_to(line, 60)));
    }
    if (rest.ptr != NULL || !period_parse(out->month, &kind, &start) || kind != PERIOD_MONTH ||
        !is_hash(out->hash))
        return err_set(err, EX_DATAERR, "\"%.*s\" is no line of closed periods",
                       SLICE_FMT(slice_to(line, 60)));
    return 0;
}

int bill_chain_add(struct bill_chain *chain, const struct bill_entry *e, struct arena *arena,
                   struct err *err)
{
    const struct bill_entry *last = bill_chain_last(chain);
    struct bill_entry *items;

    if (last != NULL && slice_compare(last->month, e->month) >= 0)
        return err_set(err, EX_DATAERR, "closed periods: %.*s stands behind %.*s",
                       SLICE_FMT(e->month), SLICE_FMT(last->month));
    items = arena_grow(arena, chain->items, chain->count, &chain->room, sizeof *items);
    if (items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    chain->items = items;
    items[chain->count++] = *e;
    return 0;
}

int bill_chain_parse(struct slice text, struct arena *arena, struct bill_chain *out,
                     struct err *err)
{
    ptrdiff_t end;

    *out = (struct bill_chain){.count = 0};
    while ((end = slice_find(slice_from(text, out->text_bytes), '\n')) >= 0) {
        struct slice line = slice_to(slice_from(text, out->text_bytes), (size_t)end);
        struct bill_entry e;

        if (bill_chain_parse_entry(line, &e, err) != 0 || bill_chain_add(out, &e, arena, err) != 0)
            return -1;
        out->text_bytes += (size_t)end + 1;
    }
    return 0;
}

const struct bill_entry *bill_chain_find(const struct bill_chain *chain, struct slice month)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (slice_equal(chain->items[i].month, month))
            return &chain->items[i];
    }
    return NULL;
}

const struct bill_entry *bill_chain_last(const struct bill_chain *chain)
{
    return chain->count > 0 ? &chain->items[chain->count - 1] : NULL;
}

void bill_chain_hash(const struct bill_entry *before, struct slice file, char hash[BILL_HASH_TEXT])
{
    struct buf both;

    buf_init(&both, FILE_BYTES);
    if (before != NULL)
        buf_add(&both, before->hash);
    buf_add(&both, file);
    TG_ASSERT(!both.failed);
    secret_digest(buf_slice(&both), hash);
    buf_fini(&both);
}

bool bill_chain_matches(const struct bill_chain *chain, size_t i, struct slice file)
{
    char hash[BILL_HASH_TEXT];

    bill_chain_hash(i > 0 ? &chain->items[i - 1] : NULL, file, hash);
    return slice_equal(chain->items[i].hash, slice_str(hash));
}
