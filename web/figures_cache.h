#ifndef TG_WEB_FIGURES_CACHE_H
#define TG_WEB_FIGURES_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/report_grid.h"
#include "lib/core/slice.h"
#include "lib/read/read_held.h"

/*
 * Figures that several requests share. Who asks what is being read at that moment waits for it
 * instead of reading it again; and what costs FIGURES_CACHE_COST or more (a list of thousands of
 * domains, say) is kept for FIGURES_CACHE_MS.
 *
 * A name is the whole question with its scope (figures.c writes it), so that nobody gets an answer
 * to anything but what he may ask himself.
 *
 * Owner: an entry is counted; figures_cache_give lets it go.  Threads: all; an entry that was taken
 * does not change any more.  Errors: those of the reading, which all who waited for it get; it is
 * not kept.  Limits: FIGURES_CACHE_BYTES in all entries that are kept; the oldest makes room.
 */

#define FIGURES_CACHE_MS    5000
#define FIGURES_CACHE_COST  5000
#define FIGURES_CACHE_BYTES ((size_t)24 << 20)

struct figures_cache;

/* What was read: one of both, according to the question. */
struct figures_entry {
    struct arena arena;      /* of what the grid borrows, and of `held` */
    struct report_grid grid; /* ended with the entry */
    struct held_entries held;
    size_t cost;   /* of its reading: see struct reader */
    int64_t at_ms; /* monotonic: when its reading began */
};

/* Reads what was asked into the entry, whose arena is ready. */
typedef int figures_fill(void *context, struct figures_entry *entry, struct err *err);

void figures_cache_free(struct figures_cache *c);
struct figures_cache *figures_cache_new(void) TG_FREED_BY(figures_cache_free);

/* The answer to the question of that name; `arena_bytes` limits its arena. NULL with *err. */
const struct figures_entry *figures_cache_take(struct figures_cache *c, struct slice name,
                                               size_t arena_bytes, int64_t now_ms,
                                               figures_fill *fill, void *context,
                                               struct err *err) TG_MUST_USE TG_NONNULL(1, 5, 7);
void figures_cache_give(struct figures_cache *c, const struct figures_entry *entry)
    TG_NONNULL(1, 2);

#endif
