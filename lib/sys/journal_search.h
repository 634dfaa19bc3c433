#ifndef TG_SYS_JOURNAL_SEARCH_H
#define TG_SYS_JOURNAL_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/record.h"
#include "lib/sys/journal_index.h"

/*
 * What is in the journal, for those who ask: its records between two times, and of those only the
 * blocks that may hold what is looked for (lib/sys/journal_index). It reads beside the tollgated
 * that writes, and sees what has been appended by then, counted already or not.
 *
 * A held message counts when it is released: then its release is given, with the record that was
 * held. Said to be released twice, or after it was forgotten, it counts once or not at all, as in
 * the ledger.
 *
 * Units: ms.  Threads: one.
 * Errors: EX_IOERR, EX_OSERR; EX_DATAERR for damage before the newest segment's end.
 */

struct journal_found {
    const struct record *record; /* as it is in the journal */
    const struct record *held;   /* of a release: the held message; NULL: it is not kept any more */
    bool counts;                 /* its message is counted, at the record's time */
};

/* 0, 1 to end the search, or -1 with *err. What is found lives until it returns. */
typedef int journal_search_take(void *context, const struct journal_found *found, struct err *err);

struct journal_search {
    int64_t from_ms, to_ms; /* [from, to) */
    uint32_t keys[2];       /* only blocks that may have all of them are read; see below */
    size_t key_count;
    journal_search_take *take;
    void *context;
};

/* Gives at least all records between the times that have the keys, in their order, and may give
 * others that lie between the times: `take` looks again. 0, or -1. */
int journal_search_run(const char *dir, const struct journal_search *search,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* The oldest record that is kept; number 0: there is none. */
struct journal_oldest {
    uint64_t number; /* 1: all that there ever were */
    int64_t time_ms;
};
int journal_search_oldest(const char *dir, struct journal_oldest *oldest,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
