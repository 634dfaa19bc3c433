#include "lib/billing/bill_verified.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/billing/bill_mirror.h"
#include "lib/core/counters.h"
#include "lib/core/hash.h"
#include "lib/read/read_reply.h"

#define LINE_BYTES 2048
#define TIME_BYTES 32

uint64_t bill_verified_part(struct slice account, enum counter id, int64_t value)
{
    uint64_t of_account = hash_add(HASH_BEGIN, account) | 1,
             of_counter = hash_add(HASH_BEGIN, slice_str(counter_table[id].name)) | 1;

    return of_account * of_counter * (uint64_t)value;
}

/* --- reading --------------------------------------------------------------------------------- */

/* False: it is of another file of that month, or no note. */
static bool note_parse(struct slice line, struct slice hash, struct bill_verified_node *out)
{
    struct slice of, sum = line;
    char *end;

    if (!slice_cut(&sum, '\t', &of) || !slice_cut(&sum, '\t', &out->at) ||
        !slice_cut(&sum, '\t', &out->by) || sum.len != 16 || !slice_equal(of, hash))
        return false;
    out->sum = strtoull(sum.ptr, &end, 16); /* a copy ends with a NUL */
    return end == sum.ptr + sum.len;
}

static const struct node_info *info_of(const struct node_infos *all, struct slice name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (slice_equal(all->items[i].name, name))
            return &all->items[i];
    }
    return NULL;
}

static int node_add(const struct bill_book *b, const struct bill_entry *e, struct slice name,
                    const struct node_info *info, struct bill_verified *out, struct err *err)
{
    struct bill_verified_node *n =
        arena_grow(b->arena, out->items, out->count, &out->room, sizeof *n);
    struct slice line;

    if (n == NULL)
        return read_no_memory(err);
    out->items = n;
    n += out->count++;
    *n = (struct bill_verified_node){.name = name, .is_retired = info != NULL && info->is_retired};
    if (bill_mirror_note(b->reader, e->month, name, b->arena, &line, err) != 0)
        return -1;
    n->is_there = line.ptr != NULL && note_parse(line, e->hash, n);
    out->there += n->is_there;
    out->sum += n->is_there ? n->sum : 0;
    return 0;
}

/* Names of a file, each with the id of its ledger behind it: "mx1 0badcafe, mx2 12345678". A node
 * that was renamed speaks for its former name. */
int bill_verified_read(const struct bill_book *b, size_t i, struct bill_verified *out,
                       struct err *err)
{
    const struct bill_entry *e = &b->chain.items[i];
    struct node_infos infos;
    struct slice rest, part, name;
    struct bill file;

    *out = (struct bill_verified){.count = 0};
    if (bill_book_bill(b, i, &file, err) != 0 ||
        read_node_infos(b->reader, b->arena, &infos, err) != 0)
        return -1;
    rest = file.nodes;
    while (slice_cut(&rest, ',', &part)) {
        const struct node_info *info;

        if (!slice_word(&part, " ", &name))
            continue;
        info = info_of(&infos, name);
        if (info != NULL && (info->is_renamed || info->is_collector_only))
            continue;
        if (node_add(b, e, name, info, out, err) != 0)
            return -1;
    }
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

int bill_verified_note(const struct bill_book *b, size_t i, struct slice by, time_t now,
                       uint64_t sum, struct err *err)
{
    const struct bill_entry *e = &b->chain.items[i];
    char at[TIME_BYTES];
    struct buf line;
    struct tm tm;
    int result;

    (void)gmtime_r(&now, &tm);
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_init(&line, LINE_BYTES);
    buf_addf(&line, "%.*s\t%s\t", SLICE_FMT(e->hash), at);
    for (size_t k = 0; k < by.len; k++)
        buf_add_char(&line, (unsigned char)by.ptr[k] < ' ' ? ' ' : by.ptr[k]);
    buf_addf(&line, "\t%016" PRIx64, sum);
    result = bill_mirror_set_note(b->reader, e->month, slice_str(b->settings->node),
                                  buf_slice(&line), err);
    buf_fini(&line);
    return result;
}
