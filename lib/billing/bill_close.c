#include "lib/billing/bill_close.h"

#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_late.h"

#define TIME_BYTES 32

/* --- may it be closed? ----------------------------------------------------------------------- */

static int check_turn(const struct bill_book *b, const struct bill_closing *c, struct err *err)
{
    const struct bill_entry *last = bill_chain_last(&b->chain);
    struct bill_month before, next;

    if (last == NULL)
        return 0;
    if (bill_month_parse(last->month, c->now, &before, err) != 0)
        return -1;
    bill_month_next(&before, &next);
    if (strcmp(next.name, c->month->name) == 0)
        return 0;
    return err_set(err, EX_USAGE, "%s: the last closed month is %s, so close %s first",
                   c->month->name, before.name, next.name);
}

static int check_time(const struct bill_closing *c, struct err *err)
{
    if (c->month->end <= c->now)
        return 0;
    return err_set(err, EX_TEMPFAIL, "%s is not over yet: close it after its end", c->month->name);
}

static int check_complete(struct bill_book *b, struct bill_closing *c, struct err *err)
{
    struct bill columns;

    bill_read_columns(b->settings, &columns);
    if (bill_read_missing(b->reader, b->settings, c->month, &columns, b->arena, &c->missing, err) !=
        0)
        return -1;
    if (c->missing.count == 0 || c->reason.len > 0)
        return 0;
    return err_set(err, EX_TEMPFAIL,
                   "%s is not complete: start the programs named above and wait until they have "
                   "reported, retire a node that never comes back (tollgate node retire), or give "
                   "--force with a reason",
                   c->month->name);
}

/* --- the file -------------------------------------------------------------------------------- */

/* A draft that a kill left is taken as it is: its run had found the month complete. One of another
 * time zone is none. */
static bool is_draft_good(const struct bill_book *b, const struct bill_closing *c,
                          struct slice file)
{
    struct bill bill;
    struct err ignored;

    return file.ptr != NULL && bill_parse(file, b->arena, &bill, &ignored) == 0 &&
           slice_equal(bill.month, slice_str(c->month->name)) &&
           slice_equal(bill.timezone, slice_str(b->settings->timezone));
}

static int make_file(struct bill_book *b, struct bill_closing *c, struct slice *file,
                     struct err *err)
{
    struct bill bill;
    struct buf text;
    int result = 0;

    bill_read_columns(b->settings, &bill);
    if (bill_late_carry(b, slice_str(c->month->name), c->by, c->now, &c->carried, err) != 0 ||
        bill_read(b->reader, b->settings, c->month, c->now, b->arena, &bill, err) != 0 ||
        bill_read_customers(b->settings, b->arena, &bill, err) != 0)
        return -1;
    buf_init(&text, BILL_BYTES);
    bill_print(&bill, &text);
    *file = arena_copy(b->arena, buf_slice(&text));
    if (text.failed || file->ptr == NULL)
        result =
            err_set(err, EX_OSERR, "out of memory: the bill of %s is too large", c->month->name);
    buf_fini(&text);
    return result;
}

static int make_entry(const struct bill_book *b, const struct bill_closing *c, struct slice file,
                      struct bill_entry *e, struct err *err)
{
    char hash[BILL_HASH_TEXT], at[TIME_BYTES];
    struct tm tm;

    (void)gmtime_r(&c->now, &tm);
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    bill_chain_hash(bill_chain_last(&b->chain), file, hash);
    *e = (struct bill_entry){.month = arena_copy(b->arena, slice_str(c->month->name)),
                             .hash = arena_copy(b->arena, slice_str(hash)),
                             .closed_at = arena_copy(b->arena, slice_str(at)),
                             .by = arena_copy(b->arena, c->by),
                             .reason = c->missing.count > 0 ? arena_copy(b->arena, c->reason)
                                                            : SLICE("")};
    return e->month.ptr != NULL && e->hash.ptr != NULL && e->closed_at.ptr != NULL &&
                   e->by.ptr != NULL && e->reason.ptr != NULL
               ? 0
               : err_set(err, EX_OSERR, "out of memory");
}

/* --------------------------------------------------------------------------------------------- */

int bill_close(struct bill_book *b, struct bill_closing *c, struct err *err)
{
    struct slice month = slice_str(c->month->name), file;
    struct bill_entry e;
    int result;

    c->entry = bill_chain_find(&b->chain, month);
    c->was_closed = c->entry != NULL;
    if (c->was_closed)
        return 0;
    if (check_turn(b, c, err) != 0 || check_time(c, err) != 0 || check_complete(b, c, err) != 0 ||
        bill_book_draft(b, month, &file, err) != 0)
        return -1;
    if (!is_draft_good(b, c, file) && make_file(b, c, &file, err) != 0)
        return -1;
    if (make_entry(b, c, file, &e, err) != 0)
        return -1;
    result = bill_book_add(b, &e, file, err);
    c->was_closed = result == 1;
    c->entry = bill_chain_find(&b->chain, month);
    return result < 0 ? -1 : 0;
}
