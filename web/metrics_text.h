#ifndef TG_WEB_METRICS_TEXT_H
#define TG_WEB_METRICS_TEXT_H

#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"

/*
 * The two text forms of metrics: Prometheus text format 0.0.4 and OpenMetrics 1.0. They differ in
 * the names of metadata (OpenMetrics: without _total and _info), in # UNIT, and in # EOF.
 *
 * The samples of a family follow its metrics_text_family; one without any is not named.  Pure.
 */

enum metrics_form { METRICS_PROMETHEUS, METRICS_OPENMETRICS };
#define METRICS_FORMS (METRICS_OPENMETRICS + 1)

/* An info's name ends with _info, a counter's gets _total, and a histogram's _bucket, _sum and
 * _count. */
enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_INFO, METRICS_HISTOGRAM };

struct metrics_text {
    struct buf *out;
    enum metrics_form form;
    /* The family at which it is; help NULL: its metadata is written. */
    const char *name, *help;
    enum metrics_type type;
};

/* The value of the header Content-Type. */
const char *metrics_text_type(enum metrics_form form);
/* The form that a header Accept prefers; Prometheus text where it says nothing of either. */
enum metrics_form metrics_text_accepted(struct slice accept);

void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_type type,
                         const char *help) TG_NONNULL(1, 2, 4);

struct metrics_label {
    const char *name;
    struct slice value;
};
/* `suffix` is of a histogram's samples, else NULL; a value of UTF-8. */
void metrics_text_sample(struct metrics_text *t, const char *suffix,
                         const struct metrics_label *labels, size_t label_count, uint64_t value)
    TG_NONNULL(1);
/* A number that is written as it is. */
void metrics_text_sample_as(struct metrics_text *t, const char *suffix,
                            const struct metrics_label *labels, size_t label_count,
                            const char *value) TG_NONNULL(1, 5);
void metrics_text_end(struct metrics_text *t) TG_NONNULL(1);

#endif
