#ifndef TG_WEB_METRICS_CACHE_H
#define TG_WEB_METRICS_CACHE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/read/read.h"
#include "web/metrics_text.h"

/*
 * The metrics, read from the store at most once in METRICS_CACHE_MS, and those of domains, for
 * which all accounts are read, once in METRICS_DOMAINS_MS; however many scrape. One thread reads,
 * others wait for it.
 *
 * What could not be read is forgotten: no value of before is given while the store is away.
 * Threads: all.  Errors: those of lib/read.
 */

#define METRICS_CACHE_MS   5000
#define METRICS_DOMAINS_MS 60000

struct metrics_cache;

void metrics_cache_free(struct metrics_cache *c);
struct metrics_cache *metrics_cache_new(void) TG_FREED_BY(metrics_cache_free);

/* What metrics_cache_get reads with: a connection when it is needed, and given back. */
struct metrics_source {
    struct reader *(*take)(void *context, struct err *err); /* NULL: the store is away */
    void (*give)(void *context, bool good);
    void *context;
    size_t domains;                /* the largest that have a name; 0: none */
    int64_t unix_ms, monotonic_ms; /* now */
};

/* Adds the exposition to *out, without its end. -1: *err says why there is only tollgate_up 0. */
int metrics_cache_get(struct metrics_cache *c, const struct metrics_source *s,
                      enum metrics_form form, struct buf *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);

#endif
