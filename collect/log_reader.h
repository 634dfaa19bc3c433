#ifndef TG_COLLECT_LOG_READER_H
#define TG_COLLECT_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/log_form.h"
#include "collect/machine.h"
#include "collect/read_time.h"
#include "collect/zone.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Takes the lines of a log apart, whatever form it has. One reader a source. Each line is read in
 * the form that it has itself, so a log whose form changes (a new logger's template, two writers)
 * loses nothing.
 *
 * Owner: the holder; the line's slices live until the next call, and the bytes read from as
 * long.  Threads: one.  Limits: lines of 64 KiB; what is beyond is cut off.
 */

#define LOG_READER_LINE_BYTES ((size_t)64 << 10)

/* The same for all sources; borrowed. */
struct log_setup {
    const struct machine_list *names; /* collect.names */
    const struct zone *zone;          /* collect.timezone */
};

struct log_reader {
    const struct log_setup *setup;
    unsigned source;
    struct read_time time;
    bool warned_future;    /* lines of the future have been reported */
    struct buf text, json; /* what had to be copied */
};

void log_reader_init(struct log_reader *r, const struct log_setup *setup, unsigned source)
    TG_NONNULL(1, 2);
void log_reader_fini(struct log_reader *r) TG_NONNULL(1);

/* Reads a line without its newline. False: it has no form that is known. */
bool log_reader_read(struct log_reader *r, struct slice bytes,
                     const struct read_time_bounds *bounds, struct log_reading *out)
    TG_NONNULL(1, 3, 4);

/* What has to outlive the process, for collect.db. Decode: false for what is damaged; the reader is
 * as new then. */
void log_reader_encode(const struct log_reader *r, struct buf *out) TG_NONNULL(1, 2);
bool log_reader_decode(struct log_reader *r, struct slice bytes) TG_NONNULL(1);

#endif
