#include "milter/snapshot.h"

#include <stdlib.h>
#include <sysexits.h>

struct snapshot_settings *snapshot_settings_new(struct settings *settings, struct err *err)
{
    struct snapshot_settings *s = calloc(1, sizeof *s);

    if (s == NULL) {
        settings_free(settings);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    atomic_init(&s->holders, 1);
    s->settings = settings;
    s->rules = limit_rules_new(settings, err);
    if (s->rules != NULL)
        return s;
    snapshot_settings_drop(s);
    return NULL;
}

struct snapshot_settings *snapshot_settings_hold(struct snapshot_settings *s)
{
    (void)atomic_fetch_add(&s->holders, 1);
    return s;
}

void snapshot_settings_drop(struct snapshot_settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    limit_rules_free(s->rules);
    settings_free(s->settings);
    free(s);
}

static void release(struct snapshot_settings *shared, struct resolver *resolver,
                    struct hosted *hosted)
{
    hosted_free(hosted);
    resolver_free(resolver);
    snapshot_settings_drop(shared);
}

struct snapshot *snapshot_new(struct snapshot_settings *shared, struct resolver *resolver,
                              struct hosted *hosted)
{
    struct snapshot *s = calloc(1, sizeof *s);

    if (s == NULL) {
        release(shared, resolver, hosted);
        return NULL;
    }
    atomic_init(&s->holders, 1);
    s->shared = shared;
    s->settings = shared->settings;
    s->rules = shared->rules;
    s->resolver = resolver;
    s->hosted = hosted;
    return s;
}

struct snapshot *snapshot_hold(struct snapshot *s)
{
    (void)atomic_fetch_add(&s->holders, 1);
    return s;
}

void snapshot_drop(struct snapshot *s)
{
    if (s == NULL || atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    release(s->shared, s->resolver, s->hosted);
    free(s);
}
