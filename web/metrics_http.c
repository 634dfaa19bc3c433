#include "web/metrics_http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sys/mutex.h"

MUTEX_NAME(metrics_http_lock)

static const struct bucket {
    int64_t most_ms;
    const char *le; /* the same in seconds */
} buckets[] = {{5, "0.005"},  {10, "0.01"}, {25, "0.025"}, {50, "0.05"},  {100, "0.1"},
               {250, "0.25"}, {500, "0.5"}, {1000, "1.0"}, {2500, "2.5"}, {10000, "10.0"}};
#define BUCKETS (sizeof buckets / sizeof buckets[0])

struct route_times {
    const char *route;
    uint64_t at_most[BUCKETS], count;
    uint64_t sum_ms;
};

struct metrics_http {
    struct mutex lock;
    struct route_times routes[METRICS_HTTP_ROUTES] MUTEX_GUARDS(metrics_http_lock);
    size_t count MUTEX_GUARDS(metrics_http_lock);
};

void metrics_http_free(struct metrics_http *m)
{
    if (m == NULL)
        return;
    mutex_fini(&m->lock);
    free(m);
}

struct metrics_http *metrics_http_new(void)
{
    struct metrics_http *m = calloc(1, sizeof *m);

    if (m != NULL)
        mutex_init(&m->lock);
    return m;
}

/* NULL: too many routes. */
static struct route_times *find(struct metrics_http *m, const char *route)
    TG_REQUIRES(metrics_http_lock)
{
    size_t i = 0;

    while (i < m->count && strcmp(m->routes[i].route, route) != 0)
        i++;
    if (i == METRICS_HTTP_ROUTES)
        return NULL;
    if (i == m->count)
        m->routes[m->count++].route = route;
    return &m->routes[i];
}

void metrics_http_note(struct metrics_http *m, const char *route, int64_t took_ms)
{
    struct route_times *r;

    if (took_ms < 0)
        took_ms = 0;
    metrics_http_lock_take(&m->lock);
    r = find(m, route);
    if (r != NULL) {
        for (size_t i = 0; i < BUCKETS; i++)
            r->at_most[i] += took_ms <= buckets[i].most_ms;
        r->count++;
        r->sum_ms += (uint64_t)took_ms;
    }
    metrics_http_lock_give(&m->lock);
}

static void write_route(struct metrics_text *t, const struct route_times *r)
{
    struct metrics_label labels[] = {{"route", slice_str(r->route)}, {"le", SLICE("+Inf")}};
    char seconds[40];

    for (size_t i = 0; i < BUCKETS; i++) {
        labels[1].value = slice_str(buckets[i].le);
        metrics_text_sample(t, "_bucket", labels, 2, r->at_most[i]);
    }
    labels[1].value = SLICE("+Inf");
    metrics_text_sample(t, "_bucket", labels, 2, r->count);
    (void)snprintf(seconds, sizeof seconds, "%" PRIu64 ".%03u", r->sum_ms / 1000,
                   (unsigned)(r->sum_ms % 1000));
    metrics_text_sample_as(t, "_sum", labels, 1, seconds);
    metrics_text_sample(t, "_count", labels, 1, r->count);
}

void metrics_http_write(struct metrics_http *m, struct metrics_text *t)
{
    metrics_text_family(t, "tollgate_http_request_duration_seconds", METRICS_HISTOGRAM,
                        "Time that tollgate-web took for an answer, by route.");
    metrics_http_lock_take(&m->lock);
    for (size_t i = 0; i < m->count; i++)
        write_route(t, &m->routes[i]);
    metrics_http_lock_give(&m->lock);
}
