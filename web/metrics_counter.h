#ifndef TG_WEB_METRICS_COUNTER_H
#define TG_WEB_METRICS_COUNTER_H

#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/slice.h"

/*
 * The counters as metrics: one table of families, and one of rules that say by a counter's name to
 * which family it belongs, and with which labels. Each counter has exactly one.  Pure.
 */

struct metrics_family {
    const char *name;        /* without _total */
    const char *label, *sub; /* the names of its labels, besides the node's; NULL: none */
    const char *help;        /* NULL: that of its only counter */
};
/* NULL after the last. */
const struct metrics_family *metrics_counter_family(size_t index);

/* What a value is multiplied by, so that metrics have base units. */
enum metrics_scale { METRICS_AS_IS, METRICS_MILLI, METRICS_MEBI };

struct metrics_counter {
    size_t family;
    struct slice value; /* of the family's label; empty: it has none */
    const char *sub;    /* of its second one */
    enum metrics_scale scale;
};
/* Aborts for a counter that no rule names. */
struct metrics_counter metrics_counter(enum counter id);

#define METRICS_VALUE_TEXT 40
void metrics_counter_value(const struct metrics_counter *c, uint64_t amount,
                           char text[METRICS_VALUE_TEXT]) TG_NONNULL(1);

#endif
