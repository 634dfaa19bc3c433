#ifndef TG_READ_READ_LISTS_H
#define TG_READ_READ_LISTS_H

#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * What the collectors list in streams: refusals by other servers (tg:refusals) and figures far
 * above the usual (tg:anomalies). Entries without the fields that make one are ignored, unknown
 * fields too.
 *
 * Owner: an entry lives until the function that was given it returns.
 * Errors: EX_UNAVAILABLE, EX_DATAERR for a key of another type.
 */

struct refusal_entry {
    int64_t time_ms; /* Unix */
    struct slice node;
    struct slice provider; /* domain of the recipient */
    struct slice relay;    /* host that refused */
    struct slice list;     /* DNS list that the text names; empty: none */
    struct slice domain;   /* hosted domain whose mail it was; empty: nobody's */
    struct slice text;
    bool is_greeting; /* the connection was refused, not a message */
};

struct anomaly_entry {
    int64_t time_ms;
    struct slice node, kind, subject, metric;
    uint64_t value;
    struct slice usual, factor; /* decimal numbers */
};

typedef int read_refusal_row(void *context, const struct refusal_entry *entry, struct err *err);
typedef int read_anomaly_row(void *context, const struct anomaly_entry *entry, struct err *err);

/* Those of [from_ms, to_ms), in the order in which they were written. */
int read_lists_refusals(struct reader *r, int64_t from_ms, int64_t to_ms, read_refusal_row *row,
                        void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);
int read_lists_anomalies(struct reader *r, int64_t from_ms, int64_t to_ms, read_anomaly_row *row,
                         void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

#endif
