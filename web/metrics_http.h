#ifndef TG_WEB_METRICS_HTTP_H
#define TG_WEB_METRICS_HTTP_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "web/metrics_text.h"

/*
 * How long this process takes for its answers, by route: a histogram, from its start on.
 *
 * Threads: all.  Limits: METRICS_HTTP_ROUTES routes.
 */

#define METRICS_HTTP_ROUTES 64

struct metrics_http;

void metrics_http_free(struct metrics_http *m);
struct metrics_http *metrics_http_new(void) TG_FREED_BY(metrics_http_free);

/* `route`: the path as the table of routes has it, "none" for what is none; it has to live on. */
void metrics_http_note(struct metrics_http *m, const char *route, int64_t took_ms) TG_NONNULL(1, 2);
void metrics_http_write(struct metrics_http *m, struct metrics_text *t) TG_NONNULL(1, 2);

#endif
