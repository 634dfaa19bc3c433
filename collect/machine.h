#ifndef TG_COLLECT_MACHINE_H
#define TG_COLLECT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "collect/log_line.h"
#include "collect/open.h"
#include "collect/owners.h"
#include "collect/sink.h"
#include "lib/core/contract.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"

/*
 * What the machines have in common. A machine reads the lines of some daemons, keeps what is open
 * in the book and tells the sink what it found. It does no I/O, reads no clock (time comes with the
 * lines), and gives the same for the same lines however they were cut into folds.
 *
 * Each machine is a pair of functions:
 *   const struct shape *NAME_line(struct machine *m, const struct log_line *line);
 *   void NAME_tick(struct machine *m, int64_t now_ms);   -- where sessions accrue or expire
 * The tick comes before each fold's commit with the log time reached.
 */

/* What a line is, as `--explain` and `--coverage` name it. */
struct shape {
    const char *name; /* "smtpd: connect" */
    bool is_used;     /* false: known, and nothing is counted from it */
};

struct machine_list {
    const struct slice *list;
    size_t count;
};

/* When activity is told (collect/activity.h): at more than `factor` times the usual, and more than
 * `least`. */
struct activity_rules {
    uint64_t factor;                  /* 0: never */
    uint64_t least[ACTIVITY_METRICS]; /* 0: that metric is never told */
    int64_t learn_ms;                 /* for so long the collector only learns what is usual */
};

/* From the settings of `collect`. */
struct machine_rules {
    struct activity_rules activity;
    struct machine_list internal; /* tags whose sessions do not count: "postfix/10025/smtpd" */
    struct machine_list internal_relays; /* relays that are not other servers */
    struct networks ignore_clients;
    enum spam_service spam_service;
    bool dovecot_proxy; /* count sessions that were proxied, too */
};

#define MACHINE_CLOCKS 64

struct machine {
    const struct machine_rules *rules;
    struct owners *owners;
    const struct sink *sink;
    struct open_book *open;
    /* The second of the log that mail_machines has reached in each source (modulo), and in all. */
    int64_t source_s[MACHINE_CLOCKS], all_s;
    /* Sessions that were given up without a line of their end, to be taken by the holder. */
    uint64_t lost_ends;
};

bool machine_list_has(const struct machine_list *list, struct slice name) TG_NONNULL(1);

#endif
