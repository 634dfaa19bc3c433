#ifndef TG_BILLING_BILL_BOOK_H
#define TG_BILLING_BILL_BOOK_H

#include <stdbool.h>

#include "lib/billing/bill.h"
#include "lib/billing/bill_chain.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/sys/settings.h"

/*
 * The closed periods as this host has them, in STATE_DIR/periods: the chain in `audit`, to which
 * lines are only added, and a file a period, 2026-11.csv, that is never written again; and the same
 * in Redis (bill_mirror.h), which brings to this host what another one has closed, and gets back
 * from it what a lost Redis has lost.
 *
 * Who closes a period does it in steps, each of which may be the last one before a kill:
 *
 *     1. 2026-11.csv, durable     without a line in the chain it is a draft, which the next run
 *                                 takes as it is
 *     2. the file in Redis        nobody reads it without the line
 *     3. the line in Redis        closed, for all hosts: one line stands, whoever else tries
 *     4. the line in `audit`      the next run takes it from Redis
 *
 * Owner: bill_book_open/bill_book_close; all else is the arena's.
 * Threads: one.  Other processes: a lock on STATE_DIR/periods/lock while a book is open to write.
 * Errors: EX_DATAERR where host and Redis differ, or a file is not the one that was closed.
 */

struct bill_book {
    const struct settings *settings;
    struct reader *reader;
    struct arena *arena;
    struct bill_chain chain;
    bool may_write;
    int lock; /* -1: none */
};

int bill_book_open(struct bill_book *b, const struct settings *s, struct reader *r,
                   struct arena *arena, bool may_write, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
void bill_book_close(struct bill_book *b) TG_NONNULL(1);

/* Is the month closed, by this host's book or by Redis, which may have been emptied? What the
 * account may not read of the book is not looked at. */
int bill_book_is_closed(const struct settings *s, struct reader *r, struct slice month,
                        bool *is_closed, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);

/* The file of the i-th period, proved by its hash. */
int bill_book_file(const struct bill_book *b, size_t i, struct slice *file,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* The same, read. */
int bill_book_bill(const struct bill_book *b, size_t i, struct bill *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* A draft of the month; ptr NULL: there is none. */
int bill_book_draft(const struct bill_book *b, struct slice month, struct slice *file,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* Steps 1 to 4. 1: another host was faster; its period is in the book. */
int bill_book_add(struct bill_book *b, const struct bill_entry *e, struct slice file,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
