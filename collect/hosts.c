#include "collect/hosts.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/hosted_guard.h"
#include "lib/ledger/month_names.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/name_quota.h"

struct hosts {
    const struct settings *settings;
    struct source_watch *watch;
    struct hosted_guard guard;
    struct hosted *hosted;
    struct resolver *resolver;
    struct name_quota names;
};

void hosts_free(struct hosts *h)
{
    if (h == NULL)
        return;
    hosted_free(h->hosted);
    resolver_free(h->resolver);
    source_watch_free(h->watch);
    name_quota_fini(&h->names);
    free(h);
}

/* --- names under wildcards ---------------------------------------------------------------------
 */

static void account_seed(void *context, struct slice account)
{
    struct hosts *h = context;

    name_quota_restore(&h->names, h->hosted, account, clock_unix_ms() / 1000);
}

static void names_seed(struct hosts *h, const char *ledger)
{
    struct month_names_visitor v = {account_seed, NULL, h};
    struct err err = {0};

    if (ledger != NULL &&
        month_names_read(ledger, (time_t)(clock_unix_ms() / 1000), &v, &err) != 0 &&
        err.code != EX_NOINPUT)
        log_event(LOG_WARNING, "names of this month not read: their bound begins anew",
                  LOG_ERROR("error", &err));
}

/* --- loading ------------------------------------------------------------------------------------
 */

/* Everything that can fail comes before anything is in force. */
static int load(struct hosts *h, const struct settings *s, struct source_watch *watch,
                bool is_asked_for, struct err *err)
{
    struct hosted *hosted = source_load(s, NULL, err);
    struct resolver *resolver = hosted == NULL ? NULL : resolver_new(s, err);

    if (resolver == NULL || source_watch_still(watch, err) != 0 ||
        hosted_guard_check(&h->guard, h->hosted, hosted, is_asked_for, err) != 0) {
        hosted_free(hosted);
        resolver_free(resolver);
        return -1;
    }
    if (h->resolver != NULL)
        resolver_inherit(resolver, h->resolver);
    hosted_free(h->hosted);
    resolver_free(h->resolver);
    h->hosted = hosted;
    h->resolver = resolver;
    h->settings = s;
    name_quota_attach(&h->names, hosted);
    name_quota_set(&h->names, (uint64_t)s->accounting.names_max);
    return 0;
}

int hosts_reload(struct hosts *h, const struct settings *s, struct err *err)
{
    struct source_watch *watch;

    if (h->watch != NULL && source_watch_look(h->watch) == SOURCES_WRITTEN)
        return err_set(err, EX_TEMPFAIL, "a source is being written");
    watch = source_watch_new(s, h->watch, err);
    if (watch == NULL || load(h, s, watch, true, err) < 0) {
        source_watch_free(watch);
        return -1;
    }
    source_watch_free(h->watch);
    h->watch = watch;
    return 0;
}

struct hosts *hosts_new(const struct settings *s, const char *ledger, struct err *err)
{
    struct hosts *h = calloc(1, sizeof *h);

    if (h == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    name_quota_init(&h->names, 0);
    if (hosts_reload(h, s, err) == 0) {
        names_seed(h, ledger);
        return h;
    }
    hosts_free(h);
    return NULL;
}

void hosts_refresh(struct hosts *h)
{
    struct err err;

    if (source_watch_look(h->watch) != SOURCES_CHANGED)
        return;
    if (load(h, h->settings, h->watch, false, &err) == 0)
        log_plain(LOG_INFO, "sources reloaded");
    else
        log_event(LOG_WARNING, "sources not reloaded; the old ones stay in force",
                  LOG_ERROR("error", &err));
}

const struct hosted *hosts_hosted(const struct hosts *h)
{
    return h->hosted;
}

static int resolve(void *context, struct answers *answers, struct err *err)
{
    struct hosts *h = context;

    return resolver_answer(h->resolver, answers, err);
}

void hosts_use(struct hosts *h, struct owners *o)
{
    o->hosted = h->hosted;
    o->resolve = resolve;
    o->context = h;
    owners_reset(o);
}
