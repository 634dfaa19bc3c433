#ifndef TG_MILTER_SITE_H
#define TG_MILTER_SITE_H

#include <stdatomic.h>

#include "lib/core/world.h"
#include "lib/sources/source.h"
#include "lib/sys/settings.h"
#include "lib/throttle/limit_rules.h"

/*
 * A snapshot of what is configured and what is known of the site, held by everyone who uses it and
 * freed by the last. Nothing in it changes; a reload makes another. Where only a source has
 * changed, the new snapshot shares its settings with the old one.
 *
 * Threads: holding and dropping from any.
 */

struct site_settings {
    atomic_uint holders;
    struct settings *settings;
    struct limit_rules *rules; /* of throttling, out of them */
};

struct site {
    atomic_uint holders;
    struct site_settings *shared;
    const struct settings *settings; /* shared->settings */
    const struct limit_rules *rules; /* shared->rules */
    struct resolver *resolver;
    struct world *world; /* NULL: not loaded yet */
};

/* Takes over what it is given (also where it fails: NULL then); held once for the caller. */
struct site_settings *site_settings_new(struct settings *settings, struct err *err);
struct site_settings *site_settings_hold(struct site_settings *s);
void site_settings_drop(struct site_settings *s); /* NULL is let pass */

/* Takes over all that it is given (also when memory is out: NULL then); held once for the caller.
 */
struct site *site_new(struct site_settings *shared, struct resolver *resolver, struct world *world);
struct site *site_hold(struct site *s);
void site_drop(struct site *s); /* NULL is let pass */

#endif
