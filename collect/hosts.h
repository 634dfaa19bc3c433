#ifndef TG_COLLECT_HOSTS_H
#define TG_COLLECT_HOSTS_H

#include "collect/owners.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The hosted set of the collector, from the same sources as tollgated's, loaded again when one has
 * changed, and the resolver of what they cannot list. Names under a wildcard entry have accounts as
 * far as accounting.names_max allows in a month: failed logins could make up any number.
 *
 * Threads: one.  Owner: hosts_new/hosts_free; settings are borrowed.
 */

struct hosts;

void hosts_free(struct hosts *h); /* NULL is allowed */
/* `ledger`: the path of the collector's, whose names of this month have their places first; NULL:
 * none. */
struct hosts *hosts_new(const struct settings *s, const char *ledger, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Loads again with these settings, whatever has changed. -1: the former ones stay in force;
 * EX_TEMPFAIL: a source is being written, to be tried again. */
int hosts_reload(struct hosts *h, const struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Loads again if a source has changed; logs what is wrong. */
void hosts_refresh(struct hosts *h) TG_NONNULL(1);

const struct hosted *hosts_hosted(const struct hosts *h) TG_NONNULL(1);
/* Makes *o ask this set; to be called again after each load, when nothing of it is in use. */
void hosts_use(struct hosts *h, struct owners *o) TG_NONNULL(1, 2);

#endif
