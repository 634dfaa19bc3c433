#ifndef TG_COLLECT_SINK_H
#define TG_COLLECT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/slice.h"

/*
 * Where the machines (sessions and messages read from a log) put what they find: amounts, gaps, the
 * story of a message, refusals. The machines know nothing of who takes it: the collector's ledger,
 * `--explain`, or a test.
 *
 * Owner: all slices are borrowed for the call.  Errors: none here; whoever takes it notes its own,
 * and the collector does not commit what was read meanwhile.
 */

/* Who is charged besides the node. Names are canonical; a domain is a hosted one or empty. */
struct payer {
    struct slice domain;
    struct slice user; /* empty without a domain */
};
#define PAYER_NONE ((struct payer){SLICE_NONE, SLICE_NONE})

/* A hole in what a log tells. */
struct gap {
    unsigned source;
    int64_t from_ms, to_ms; /* Unix; equal: a point */
    uint64_t lost;          /* lines, where that is told; 0: not known */
    struct slice reason;    /* "copytruncate: the copy was not found" */
};

/* Another server refused us: the greeting, EHLO, or a policy reply to a message. */
struct refusal {
    int64_t time_ms;
    struct slice provider; /* domain of the recipient */
    struct slice relay;    /* host that said it */
    struct slice list;     /* DNS list that the text names; empty: none */
    struct slice text;     /* "554 5.7.1 ..." */
    struct slice domain;   /* hosted domain whose mail it was; empty: nobody's */
    bool is_greeting;      /* the connection was refused, not a message */
};

enum activity_metric { ACTIVITY_CONNECTIONS, ACTIVITY_RECIPIENTS, ACTIVITY_CLIENTS };
#define ACTIVITY_METRICS (ACTIVITY_CLIENTS + 1)

/* A user or domain does far more in an hour than in any of its last weeks. */
struct anomaly {
    int64_t time_ms;      /* of the line that crossed the threshold */
    int64_t hour_ms;      /* when the hour began */
    struct payer subject; /* user empty: the domain */
    enum activity_metric metric;
    uint64_t value, usual; /* so far in this hour; in the busiest one of the last weeks */
    uint64_t threshold;
    uint64_t recipients; /* the threshold of recipients, whichever the metric */
};

struct sink {
    void *to;
    /* `amount` of a counter at that time: to the node, and to the payer, to each where the
     * collector fills that counter (counter_filler). */
    void (*count)(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount);
    void (*gap)(void *to, const struct gap *gap);
    void (*refusal)(void *to, const struct refusal *refusal);
    /* The story of a message that left the queue (lib/core/mail_trace.h, encoded). */
    void (*message)(void *to, struct slice queue_id, int64_t first_ms, int64_t last_ms,
                    struct slice trace);
    void (*anomaly)(void *to, const struct anomaly *anomaly);
};

/* The seconds between two times, each to its own quarter of an hour (no zone has days that begin
 * elsewhere). What several calls for adjoining times give adds up to what one would give. */
void sink_seconds(const struct sink *s, int64_t from_ms, int64_t to_ms, const struct payer *payer,
                  enum counter id) TG_NONNULL(1, 4);

#endif
