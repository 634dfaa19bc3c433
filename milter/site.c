#include "milter/site.h"

#include <stdlib.h>
#include <sysexits.h>

struct site_settings *site_settings_new(struct settings *settings, struct err *err)
{
    struct site_settings *s = calloc(1, sizeof *s);

    if (s == NULL) {
        settings_free(settings);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    atomic_init(&s->holders, 1);
    s->settings = settings;
    s->rules = rules_new(settings, err);
    if (s->rules != NULL)
        return s;
    site_settings_drop(s);
    return NULL;
}

struct site_settings *site_settings_hold(struct site_settings *s)
{
    (void)atomic_fetch_add(&s->holders, 1);
    return s;
}

void site_settings_drop(struct site_settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    rules_free(s->rules);
    settings_free(s->settings);
    free(s);
}

static void release(struct site_settings *shared, struct resolver *resolver, struct world *world)
{
    world_free(world);
    resolver_free(resolver);
    site_settings_drop(shared);
}

struct site *site_new(struct site_settings *shared, struct resolver *resolver, struct world *world)
{
    struct site *s = calloc(1, sizeof *s);

    if (s == NULL) {
        release(shared, resolver, world);
        return NULL;
    }
    atomic_init(&s->holders, 1);
    s->shared = shared;
    s->settings = shared->settings;
    s->rules = shared->rules;
    s->resolver = resolver;
    s->world = world;
    return s;
}

struct site *site_hold(struct site *s)
{
    (void)atomic_fetch_add(&s->holders, 1);
    return s;
}

void site_drop(struct site *s)
{
    if (s == NULL || atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    release(s->shared, s->resolver, s->world);
    free(s);
}
