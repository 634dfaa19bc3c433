#ifndef TG_COLLECT_COLLECTOR_H
#define TG_COLLECT_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/clamd.h"
#include "collect/collect_fold.h"
#include "collect/hosts.h"
#include "collect/log_reader.h"
#include "collect/pushing.h"
#include "collect/rules.h"
#include "collect/status.h"
#include "collect/story_socket.h"
#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/*
 * The collector: its parts, and its life in order: open (everything that can fail), serve (until a
 * signal requests a stop, or the logs are at their end), close.
 *
 * Threads: one, which reads, counts, writes the ledger and pushes, and that of story_socket; a
 * child journalctl for each journal. Errors: sysexits(3) codes.
 */

struct collector_options {
    bool once;        /* reads what there is, and ends */
    int64_t since_ms; /* back-fill from there (Unix); 0: no */
};

struct collector {
    const char *file;          /* the configuration's */
    struct settings *settings; /* those in force */
    struct settings *started;  /* those of the start, of which the parts keep the sources */
    struct collector_options options;
    char dir[512]; /* the ledger's */
    char node_account[80];
    struct zone *zone;
    struct log_setup log;
    struct feed_setup feeds;
    struct rules rules;
    struct hosts *hosts;
    struct collect_db *db;
    struct collect_fold fold;
    struct pushing *pushing;
    struct status status;
    struct clamd clamd;
    struct story_socket story;
    int64_t hosts_next_ms, prune_next_ms; /* monotonic */
};

/* `settings` is taken over. Signals are open, privileges are dropped, the state directory is
 * locked. */
int collector_open(struct collector *c, const char *file, struct settings *settings,
                   const struct collector_options *options, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* -1 with *err: --once could not bring all to Redis (EX_UNAVAILABLE), or read the logs. */
int collector_serve(struct collector *c, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Frees everything. */
void collector_close(struct collector *c) TG_NONNULL(1);

/* The directory of its ledger: `collect` below state_dir. */
int collector_dir(const struct settings *s, char *path, size_t size, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
