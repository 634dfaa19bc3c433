#include "lib/billing/bill_late.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_read.h"
#include "lib/read/read_adjustments.h"
#include "lib/read/read_reply.h"
#include "lib/throttle/account_change.h"

#define ID_BYTES       64
#define EVIDENCE_BYTES 4096
#define EVIDENCE_MAX   500

int64_t bill_late_amount(const struct bill_late *late, size_t counter)
{
    return late->now[counter] - late->before[counter] - late->carried[counter];
}

bool bill_late_is_open(const struct bill_late *late)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (bill_late_amount(late, i) != 0)
            return true;
    }
    return false;
}

void bill_late_text(const struct bill_late *late, struct buf *out)
{
    const char *apart = "";

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (bill_late_amount(late, i) == 0)
            continue;
        buf_addf(out, "%s%s %" PRId64 " -> %" PRId64, apart, counter_table[i].name,
                 late->before[i] + late->carried[i], late->now[i]);
        apart = ", ";
    }
}

/* --- finding --------------------------------------------------------------------------------- */

/* Both bills have the same columns. NULL: no row. */
struct pair {
    const struct bill *bill;
    const struct bill_row *before, *now;
};

static bool pair_differs(const struct pair *p)
{
    for (size_t i = 0; i < p->bill->column_count; i++) {
        if ((p->before != NULL ? bill_billed(p->before, i) : 0) !=
            (p->now != NULL ? bill_billed(p->now, i) : 0))
            return true;
    }
    return false;
}

static struct bill_late *add_late(struct bill_late_list *out, struct slice account,
                                  struct arena *arena)
{
    struct bill_late *items = arena_grow(arena, out->items, out->count, &out->room, sizeof *items);

    if (items == NULL)
        return NULL;
    out->items = items;
    memset(&items[out->count], 0, sizeof *items);
    items[out->count].account = account;
    return &items[out->count++];
}

static int take_pair(const struct pair *p, struct bill_late_list *out, struct arena *arena,
                     struct err *err)
{
    struct bill_late *late =
        add_late(out, (p->before != NULL ? p->before : p->now)->account, arena);

    if (late == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < p->bill->column_count; i++) {
        late->before[p->bill->columns[i]] = p->before != NULL ? bill_billed(p->before, i) : 0;
        late->now[p->bill->columns[i]] = p->now != NULL ? bill_billed(p->now, i) : 0;
    }
    return 0;
}

/* Adjustments of an account that were carried over from the period, apart from the others. */
static bool is_carried(const struct adjustment_entry *e, struct slice month)
{
    struct slice id = e->adjustment.id;

    return slice_starts(id, SLICE("late/")) && slice_starts(slice_from(id, 5), month) &&
           id.len > 5 + month.len && id.ptr[5 + month.len] == '/';
}

static bool has_carried(const struct adjustment_list *all, struct slice account, struct slice month)
{
    for (size_t i = 0; i < all->count; i++) {
        if (slice_equal(all->items[i].account, account) && is_carried(&all->items[i], month))
            return true;
    }
    return false;
}

static void add_carried(const struct adjustment_list *all, const struct bill *bill,
                        struct bill_late *late)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct adjustment_entry *e = &all->items[i];

        if (!slice_equal(e->account, late->account) || !is_carried(e, bill->month))
            continue;
        late->carried_count++;
        for (size_t c = 0; c < bill->column_count; c++)
            late->carried[bill->columns[c]] += e->adjustment.amounts[bill->columns[c]];
    }
}

/* Both are in order. */
static int compare(const struct bill *file, const struct bill *now,
                   const struct adjustment_list *all, struct bill_late_list *out,
                   struct arena *arena, struct err *err)
{
    size_t i = 0, j = 0;

    while (i < file->count || j < now->count) {
        int order = i == file->count  ? 1
                    : j == now->count ? -1
                                      : slice_compare(file->rows[i].account, now->rows[j].account);
        struct pair p = {file, order <= 0 ? &file->rows[i++] : NULL,
                         order >= 0 ? &now->rows[j++] : NULL};
        struct slice account = (p.before != NULL ? p.before : p.now)->account;

        if (!pair_differs(&p) && !has_carried(all, account, file->month))
            continue;
        if (take_pair(&p, out, arena, err) != 0)
            return -1;
        add_carried(all, file, &out->items[out->count - 1]);
    }
    return 0;
}

/* Only those that were carried over are kept: they are few. */
static int read_carried(const struct bill_book *b, struct adjustment_list *all, struct err *err)
{
    struct name_list accounts;
    size_t kept = 0;

    if (read_accounts(b->reader, b->arena, &accounts, err) != 0 ||
        read_adjustments(b->reader, &accounts, SLICE_NONE, b->arena, all, err) != 0)
        return -1;
    for (size_t i = 0; i < all->count; i++) {
        if (slice_starts(all->items[i].adjustment.id, SLICE("late/")))
            all->items[kept++] = all->items[i];
    }
    all->count = kept;
    return 0;
}

static int find(const struct bill_book *b, size_t i, time_t now, const struct adjustment_list *all,
                struct bill_late_list *out, struct err *err)
{
    struct bill_month month;
    struct bill file, there;

    *out = (struct bill_late_list){.count = 0};
    if (bill_book_bill(b, i, &file, err) != 0 ||
        bill_month_parse(b->chain.items[i].month, now, &month, err) != 0)
        return -1;
    if (!slice_equal(file.timezone, slice_str(b->settings->timezone)))
        return err_set(err, EX_CONFIG, "%s was closed with timezone = \"%.*s\": use that again",
                       month.name, SLICE_FMT(file.timezone));
    there = (struct bill){.column_count = file.column_count};
    memcpy(there.columns, file.columns, sizeof there.columns);
    if (bill_read(b->reader, b->settings, &month, now, b->arena, &there, err) != 0)
        return -1;
    return compare(&file, &there, all, out, b->arena, err);
}

int bill_late_find(const struct bill_book *b, size_t i, time_t now, struct bill_late_list *out,
                   struct err *err)
{
    struct adjustment_list all;

    if (read_carried(b, &all, err) != 0)
        return -1;
    return find(b, i, now, &all, out, err);
}

/* --- carrying over --------------------------------------------------------------------------- */

/* Cut behind a whole figure. */
static struct slice evidence_cut(struct buf *text)
{
    struct slice s = buf_slice(text);
    ptrdiff_t comma;

    if (s.len <= EVIDENCE_MAX)
        return s;
    comma = slice_find_last(slice_to(s, EVIDENCE_MAX - 4), ',');
    return slice_to(s, comma > 0 ? (size_t)comma : EVIDENCE_MAX - 4);
}

static int carry(const struct bill_book *b, const struct bill_entry *e,
                 const struct bill_late *late, struct adjustment *a, struct err *err)
{
    struct account_change change = {.store = b->reader->store,
                                    .prefix = b->reader->prefix,
                                    .holder = late->account,
                                    .timeout_ms = READ_TIMEOUT_MS};
    char id[ID_BYTES];
    struct buf evidence;
    int result;

    (void)snprintf(id, sizeof id, "late/%.*s/%zu", SLICE_FMT(e->month), late->carried_count + 1);
    buf_init(&evidence, EVIDENCE_BYTES);
    buf_addf(&evidence, "closed %.*s, %.16s: ", SLICE_FMT(e->closed_at), e->hash.ptr);
    bill_late_text(late, &evidence);
    a->id = slice_str(id);
    a->evidence = evidence_cut(&evidence);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        a->amounts[i] = bill_late_amount(late, i);
    result = account_change_adjustment_add(&change, a, err);
    buf_fini(&evidence);
    return result;
}

static int carry_period(const struct bill_book *b, size_t i, const struct adjustment_list *all,
                        struct adjustment *a, size_t *count, struct err *err)
{
    const struct bill_entry *e = &b->chain.items[i];
    struct bill_late_list list;
    char reason[ID_BYTES];

    if (find(b, i, (time_t)a->at_s, all, &list, err) != 0)
        return -1;
    (void)snprintf(reason, sizeof reason, "%.*s changed after it was closed", SLICE_FMT(e->month));
    a->reason = slice_str(reason);
    for (size_t l = 0; l < list.count; l++) {
        if (!bill_late_is_open(&list.items[l]))
            continue;
        if (carry(b, e, &list.items[l], a, err) != 0)
            return -1;
        ++*count;
    }
    return 0;
}

int bill_late_carry(const struct bill_book *b, struct slice into, struct slice author, time_t now,
                    size_t *count, struct err *err)
{
    size_t first = b->chain.count > BILL_LATE_PERIODS ? b->chain.count - BILL_LATE_PERIODS : 0;
    struct adjustment a = {.period = into, .by = author, .at_s = (int64_t)now};
    struct adjustment_list all;

    *count = 0;
    if (b->chain.count == 0)
        return 0;
    /* Carrying a period over changes the next one only where that is open: none of the closed. */
    if (read_carried(b, &all, err) != 0)
        return -1;
    for (size_t i = first; i < b->chain.count; i++) {
        if (carry_period(b, i, &all, &a, count, err) != 0)
            return -1;
    }
    return 0;
}
