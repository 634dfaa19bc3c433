#ifndef TG_COLLECT_SHAPES_H
#define TG_COLLECT_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/log_line.h"
#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * How many lines there were of each shape, and of which daemons those of none. Lines that are not
 * known are counted, never logged.
 *
 * Owner: the holder; all zeros is empty.  Threads: one.  Limits: SHAPES_MAX shapes; more are
 * counted together.
 */

#define SHAPES_MAX 512

struct shapes {
    struct shapes_count {
        const struct shape *shape;
        uint64_t lines;
    } list[SHAPES_MAX];
    size_t count;
    uint64_t lines, silent, formless, unknown, more;
    uint64_t unknown_of[DAEMON_COUNT];
};

/* `shape` NULL: not known. */
void shapes_add(struct shapes *s, const struct log_line *line, const struct shape *shape)
    TG_NONNULL(1, 2);
void shapes_add_silent(struct shapes *s) TG_NONNULL(1);
void shapes_add_formless(struct shapes *s) TG_NONNULL(1);
/* The most frequent first. */
void shapes_sort(struct shapes *s) TG_NONNULL(1);
/* "smtpd" */
const char *shapes_daemon_name(enum daemon daemon);

#endif
