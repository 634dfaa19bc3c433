#ifndef TG_MILTER_KEEPER_H
#define TG_MILTER_KEEPER_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/core/err.h"
#include "lib/ledger/accountant.h"
#include "lib/redis/own_server.h"
#include "lib/sys/journal.h"
#include "milter/gate.h"
#include "milter/site.h"

/*
 * What tollgated does besides serving: reloads, on a signal and when a source has changed, and the
 * regular care of the journal and the private store. Reloading may wait for Redis or a map, the
 * journal must not: each has its thread.
 *
 * A reload makes a new site and swaps it in; what is wrong with it leaves the old one in force and
 * goes to the log. Settings that cannot change while tollgated runs keep their value and are named.
 *
 * Threads: keeper_reload from any; the rest from the main thread. The lock guards the wishes.
 */

struct keeper {
    struct gate *gate;
    struct journal *journal;
    struct accountant *accountant;
    struct private_redis *redis; /* NULL: none of our own */
    struct throttle *throttle;
    struct violation_log *violations;
    const char *file; /* the configuration's */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool reload_wanted, stop_wanted;

    bool has_threads;
    pthread_t reloader, ticker;
    struct source_watch *watch; /* the reloader's, for the site in force; made before that was */
    bool world_is_due;          /* a source has changed, or none could be read yet */
};

/* The site of these settings (taken over), made from scratch or, with `before`, going on with what
 * its resolver knew. Logs bad lines of sources. NULL with *err: a source cannot be read. */
struct site *site_load(struct site_settings *shared, const struct site *before, struct err *err);

/* Fill in the first seven fields, `watch` (taken over) and `world_is_due` (the gate's site has no
 * world yet) first. */
int keeper_start(struct keeper *k, struct err *err);
void keeper_reload(struct keeper *k);
/* Waits for a reload under way. */
void keeper_stop(struct keeper *k);

/* What the journal needs of the settings; `dir` is the journal's. */
struct journal_config keeper_journal_config(const struct settings *s, const char *dir);

#endif
