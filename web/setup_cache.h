#ifndef TG_WEB_SETUP_CACHE_H
#define TG_WEB_SETUP_CACHE_H

#include "lib/admin/setup.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sources/source.h"
#include "web/site_settings.h"

/*
 * Hosted domains, plans and exemptions, for pages that show or change limits: loaded by the main
 * thread, again when a source or the configuration has changed; what is in force is immutable and
 * counted. What cannot be loaded is logged, and tried again; the old one stays in force.
 *
 * Threads: setup_cache_refresh by one, the others by all; no lock is held while sources are read.
 */

struct setup_held {
    struct setup setup;                   /* without a store */
    const struct site_settings *settings; /* held */
    unsigned holders;                     /* guarded by the cache's lock */
};

struct setup_cache;

void setup_cache_free(struct setup_cache *c);          /* NULL is a no-op */
struct setup_cache *setup_cache_new(void) TG_MUST_USE; /* NULL: out of memory */

/* To be called every second: cheap where nothing has changed. */
void setup_cache_refresh(struct setup_cache *c, const struct site_settings *in_force)
    TG_NONNULL(1, 2);

/* NULL with *err (EX_CONFIG): nothing could be loaded so far. */
const struct setup_held *setup_cache_take(struct setup_cache *c, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void setup_cache_give(struct setup_cache *c, const struct setup_held *held) TG_NONNULL(1, 2);

#endif
