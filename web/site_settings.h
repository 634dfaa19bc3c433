#ifndef TG_WEB_SITE_SETTINGS_H
#define TG_WEB_SITE_SETTINGS_H

#include <stdatomic.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/networks.h"
#include "lib/sys/settings.h"

/* The settings with what is taken apart of them; immutable, counted, freed by the last holder.
 * Threads: all. */

struct site_settings {
    struct settings *settings;
    struct networks trusted, metrics_from;
    struct slice delimiters; /* that begin the extension of a user */
    atomic_uint holders;
};

/* Takes the settings over, also where it fails (NULL with *err). */
const struct site_settings *site_settings_new(struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The same, held once more. */
const struct site_settings *site_settings_hold(const struct site_settings *held) TG_MUST_USE
    TG_NONNULL(1);
void site_settings_drop(const struct site_settings *held) TG_NONNULL(1);

#endif
