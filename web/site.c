#include "web/site.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/mutex.h"
#include "lib/sys/secret.h"
#include "web/http_listen.h"
#include "web/http_server.h"

#define STORE_CONNECTIONS_MAX (HTTP_LISTEN_MAX * HTTP_SERVER_THREADS) /* threads that serve */

MUTEX_NAME(site_lock)

struct site {
    struct mutex lock;
    const struct site_settings *in_force MUTEX_GUARDS(site_lock);
    struct pool *pool;
    struct attempts *attempts;
    struct metrics_cache *metrics;
    struct figures_cache *figures;
    struct metrics_http *http;
    struct setup_cache *setups;
    struct buf dummy_hash;
};

/* --- settings -------------------------------------------------------------------------------- */

const struct site_settings *site_take(struct site *site)
{
    const struct site_settings *held;

    site_lock_take(&site->lock);
    held = site_settings_hold(site->in_force);
    site_lock_give(&site->lock);
    return held;
}

void site_give(struct site *site, const struct site_settings *held)
{
    (void)site;
    site_settings_drop(held);
}

int site_reload(struct site *site, struct settings *s, struct err *err)
{
    const struct site_settings *fresh, *old;
    int kept;

    site_lock_take(&site->lock);
    old = site->in_force; /* the main thread's alone to replace */
    site_lock_give(&site->lock);
    kept = settings_keep_fixed(s, old->settings, err);
    if (kept != 0) {
        settings_free(s);
        return -1;
    }
    fresh = site_settings_new(s, err);
    if (fresh == NULL)
        return -1;
    site_lock_take(&site->lock);
    site->in_force = fresh;
    site_lock_give(&site->lock);
    site_settings_drop(old);
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
    site->setups = setup_cache_new();
    buf_init(&site->dummy_hash, 1024);
    site->in_force = site_settings_new(s, err);
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
    if (site->metrics == NULL || site->figures == NULL || site->http == NULL ||
        site->setups == NULL)
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
    setup_cache_free(site->setups);
    metrics_http_free(site->http);
    figures_cache_free(site->figures);
    metrics_cache_free(site->metrics);
    attempts_free(site->attempts);
    if (site->pool != NULL)
        pool_free(site->pool);
    if (site->in_force != NULL)
        site_settings_drop(site->in_force);
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

struct setup_cache *site_setups(struct site *site)
{
    return site->setups;
}

const char *site_dummy_hash(struct site *site)
{
    return site->dummy_hash.data;
}
