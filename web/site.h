#ifndef TG_WEB_SITE_H
#define TG_WEB_SITE_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/pool.h"
#include "web/attempts.h"
#include "web/figures_cache.h"
#include "web/metrics_cache.h"
#include "web/metrics_http.h"
#include "web/setup_cache.h"
#include "web/site_settings.h"

/*
 * What all requests share: the settings in force, connections to the store, failed sign-ins,
 * metrics, figures.
 *
 * Settings change at a reload; a request keeps those that it began with (site_take, site_give).
 * Owner: main.  Threads: all.
 */

struct site;

void site_free(struct site *site);
/* Takes the settings over, also where it fails. */
struct site *site_new(struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Puts new settings in force, which it takes over. -1: the old ones stay. */
int site_reload(struct site *site, struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

const struct site_settings *site_take(struct site *site) TG_NONNULL(1);
void site_give(struct site *site, const struct site_settings *held) TG_NONNULL(1, 2);

struct pool *site_pool(struct site *site) TG_NONNULL(1);
struct attempts *site_attempts(struct site *site) TG_NONNULL(1);
struct metrics_cache *site_metrics(struct site *site) TG_NONNULL(1);
struct figures_cache *site_figures(struct site *site) TG_NONNULL(1);
struct metrics_http *site_http(struct site *site) TG_NONNULL(1);
struct setup_cache *site_setups(struct site *site) TG_NONNULL(1);
/* A hash that no password of ours has: what an unknown name's is compared with. */
const char *site_dummy_hash(struct site *site) TG_NONNULL(1);

#endif
