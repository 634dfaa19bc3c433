#ifndef TG_MILTER_SNAPSHOT_H
#define TG_MILTER_SNAPSHOT_H

#include <stdatomic.h>

#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/sys/settings.h"
#include "lib/throttle/limit_rules.h"

/*
 * A snapshot of the configuration and of the hosted domains, counted by its holders and freed by
 * the last. It never changes; a reload makes another. If only a source has changed, the new
 * snapshot shares its settings with the old one.
 *
 * Threads: holding and dropping from any.
 */

struct snapshot_settings {
    atomic_uint holders;
    struct settings *settings;
    struct limit_rules *rules; /* made from settings */
};

struct snapshot {
    atomic_uint holders;
    struct snapshot_settings *shared;
    const struct settings *settings; /* shared->settings */
    const struct limit_rules *rules; /* shared->rules */
    struct resolver *resolver;
    struct hosted *hosted; /* NULL: not loaded yet */
};

/* Takes over `settings`, also on failure (NULL); held once for the caller. */
struct snapshot_settings *snapshot_settings_new(struct settings *settings,
                                                struct err *err) TG_MUST_USE TG_NONNULL(1);
struct snapshot_settings *snapshot_settings_hold(struct snapshot_settings *s) TG_NONNULL(1);
void snapshot_settings_drop(struct snapshot_settings *s); /* NULL is a no-op */

/* Takes over its arguments, also when memory is out (NULL); held once for the caller. */
struct snapshot *snapshot_new(struct snapshot_settings *shared, struct resolver *resolver,
                              struct hosted *hosted) TG_NONNULL(1);
struct snapshot *snapshot_hold(struct snapshot *s) TG_NONNULL(1);
void snapshot_drop(struct snapshot *s); /* NULL is a no-op */

#endif
