#ifndef TG_COLLECT_TWINS_H
#define TG_COLLECT_TWINS_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/log_line.h"
#include "lib/core/contract.h"

/*
 * Does the same line (host, tag, pid, second, text) come from two sources? A file and the journal
 * that have the same mail log count everything twice; that is the commonest mistake of a
 * configuration.
 *
 * A line has one place in a table, by its hash, and the newest there is remembered: of many twins
 * some are found.
 *
 * Owner: the holder; all zeros is empty.  Threads: one.
 */

#define TWINS_PLACES 16384

struct twins {
    struct twins_seen {
        uint64_t hash; /* 0: none */
        unsigned source;
    } seen[TWINS_PLACES];
};

/* True: another source has said the same; *source is that one. Else the line is noted. */
bool twins_find(struct twins *t, const struct log_line *line, unsigned *source) TG_NONNULL(1, 2, 3);

#endif
