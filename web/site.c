#include "web/site.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sources/source.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"
#include "lib/sys/secret.h"
#include "web/http_listen.h"
#include "web/http_server.h"

#define STORE_CONNECTIONS_MAX (HTTP_LISTEN_MAX * HTTP_SERVER_THREADS) /* threads that serve */

MUTEX_NAME(site_lock)

struct site {
    struct mutex lock;
    struct site_settings *in_force MUTEX_GUARDS(site_lock);
    struct pool *pool;
    struct attempts *attempts;
    struct metrics_cache *metrics;
    struct figures_cache *figures;
    struct metrics_http *http;
    struct buf dummy_hash;
};

/* --- settings -------------------------------------------------------------------------------- */

static void free_settings(struct site_settings *held)
{
    if (held == NULL)
        return;
    settings_free(held->settings);
    free(held);
}

static int parse_networks(const struct string_list *list, struct arena *arena, struct networks *out,
                          struct err *err)
{
    out->list = arena_array(arena, list->count + 1, sizeof *out->list);
    if (out->list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        if (network_parse(slice_str(list->items[i]), &out->list[i], err) != 0)
            return -1;
        out->count++;
    }
    return 0;
}

/* Where Postfix cannot be asked, those of the configuration do: no page needs more. */
static void find_delimiters(struct site_settings *held)
{
    struct settings *s = held->settings;
    struct err err = {0};

    if (source_user_delimiters(s, &s->arena, &held->delimiters, &err) == 0)
        return;
    held->delimiters = slice_str(s->accounting.delimiter);
    log_event(LOG_WARNING, "accounting.delimiter is used", LOG_ERROR("error", &err));
}

static struct site_settings *hold(struct settings *s, struct err *err)
{
    struct site_settings *held = calloc(1, sizeof *held);

    if (held == NULL) {
        settings_free(s);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    held->settings = s;
    held->holders = 1;
    if (parse_networks(&s->web.trusted, &s->arena, &held->trusted, err) != 0 ||
        parse_networks(&s->web.metrics_from, &s->arena, &held->metrics_from, err) != 0) {
        free_settings(held);
        return NULL;
    }
    find_delimiters(held);
    return held;
}

const struct site_settings *site_take(struct site *site)
{
    struct site_settings *held;

    site_lock_take(&site->lock);
    held = site->in_force;
    held->holders++;
    site_lock_give(&site->lock);
    return held;
}

void site_give(struct site *site, const struct site_settings *held)
{
    struct site_settings *mine = (struct site_settings *)(uintptr_t)held;
    bool last;

    site_lock_take(&site->lock);
    last = --mine->holders == 0;
    site_lock_give(&site->lock);
    if (last)
        free_settings(mine);
}

int site_reload(struct site *site, struct settings *s, struct err *err)
{
    struct site_settings *fresh, *old;
    int kept;

    site_lock_take(&site->lock);
    old = site->in_force; /* the main thread's alone to replace */
    site_lock_give(&site->lock);
    kept = settings_keep_fixed(s, old->settings, err);
    if (kept != 0) {
        settings_free(s);
        return -1;
    }
    fresh = hold(s, err);
    if (fresh == NULL)
        return -1;
    site_lock_take(&site->lock);
    site->in_force = fresh;
    site_lock_give(&site->lock);
    site_give(site, old);
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static struct site *allocate(struct settings *s, struct err *err) TG_NO_THREAD_SAFETY
{
    struct site *site = calloc(1, sizeof *site);

    if (site == NULL) {
        settings_free(s);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&site->lock);
    site->metrics = metrics_cache_new();
    site->figures = figures_cache_new();
    site->http = metrics_http_new();
    buf_init(&site->dummy_hash, 1024);
    site->in_force = hold(s, err);
    return site;
}

/* At the start and the end no other thread has it. */
struct site *site_new(struct settings *s, struct err *err) TG_NO_THREAD_SAFETY
{
    struct site *site = allocate(s, err);

    if (site == NULL)
        return NULL;
    if (site->in_force != NULL) {
        site->pool = pool_new(site->in_force->settings, STORE_CONNECTIONS_MAX, err);
        site->attempts = site->pool != NULL ? attempts_new(err) : NULL;
    }
    if (site->metrics == NULL || site->figures == NULL || site->http == NULL)
        (void)err_set(err, EX_OSERR, "out of memory");
    else if (site->attempts != NULL &&
             secret_password_hash("nobody's", &site->dummy_hash, err) == 0)
        return site;
    site_free(site);
    return NULL;
}

void site_free(struct site *site) TG_NO_THREAD_SAFETY
{
    if (site == NULL)
        return;
    metrics_http_free(site->http);
    figures_cache_free(site->figures);
    metrics_cache_free(site->metrics);
    attempts_free(site->attempts);
    if (site->pool != NULL)
        pool_free(site->pool);
    free_settings(site->in_force);
    buf_fini(&site->dummy_hash);
    mutex_fini(&site->lock);
    free(site);
}

struct pool *site_pool(struct site *site)
{
    return site->pool;
}

struct attempts *site_attempts(struct site *site)
{
    return site->attempts;
}

struct metrics_cache *site_metrics(struct site *site)
{
    return site->metrics;
}

struct figures_cache *site_figures(struct site *site)
{
    return site->figures;
}

struct metrics_http *site_http(struct site *site)
{
    return site->http;
}

const char *site_dummy_hash(struct site *site)
{
    return site->dummy_hash.data;
}
