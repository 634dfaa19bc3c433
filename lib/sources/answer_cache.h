#ifndef TG_SOURCES_ANSWER_CACHE_H
#define TG_SOURCES_ANSWER_CACHE_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/hosted.h"

/*
 * What sources that can only be asked have answered: used while it is fresh, kept as the last word
 * for when the source is down. Two halves: new answers go into the young one, and when that is full
 * the old one is dropped and the young one becomes the old; so it is bounded and forgets at most
 * what was not used for long.
 *
 * Units: times of clock_monotonic_ms.  Owner: counted references, shared by the resolvers of two
 * reloads. Threads: all (one lock around the tables, never across I/O). Limits: 2 x 50,000 answers,
 * 2 x 32 MB; a longer answer than 64 kB is not kept.
 */

struct answer_cache;

void answer_cache_free(struct answer_cache *c);
struct answer_cache *answer_cache_new(void)
    TG_FREED_BY(answer_cache_free); /* NULL: out of memory */
struct answer_cache *answer_cache_share(struct answer_cache *c) TG_NONNULL(1);

enum cached { CACHED_NOT, CACHED_STALE, CACHED_FRESH };

/* *found says whether the source knew it; its value is added to *value then. */
enum cached answer_cache_get(struct answer_cache *c, enum question_kind kind, struct slice key,
                             int64_t now_ms, bool *found, struct buf *value) TG_NONNULL(1);
void answer_cache_put(struct answer_cache *c, enum question_kind kind, struct slice key, bool found,
                      struct slice value, int64_t fresh_until_ms) TG_NONNULL(1);

#endif
