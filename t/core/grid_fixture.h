#ifndef TG_T_CORE_GRID_FIXTURE_H
#define TG_T_CORE_GRID_FIXTURE_H

#include "t/tap.h"

#include "lib/core/buf.h"
#include "lib/core/report_grid.h"

/* Grids of the report smtp, and the order of their rows. */

static struct err error;

/* in, out, forward: bytes = 1000 times the messages. */
static inline struct tally tally_of(uint64_t in, uint64_t out, uint64_t forward)
{
    struct tally t = {{0}};

    t.value[COUNTER_IN_MESSAGES] = in;
    t.value[COUNTER_IN_BYTES] = in * 1000;
    t.value[COUNTER_OUT_MESSAGES] = out;
    t.value[COUNTER_OUT_BYTES] = out * 1000;
    t.value[COUNTER_FORWARD_MESSAGES] = forward;
    t.value[COUNTER_FORWARD_BYTES] = forward * 1000;
    return t;
}

static inline void grid_start(struct report_grid *g, const char *step, const char *by,
                              const char *sort, bool reverse, size_t top)
{
    OK(report_grid_init(g, report_find(SLICE("smtp")), step, by, (size_t)1 << 26, &error) == 0,
       "a grid");
    OK(report_grid_order(g, slice_str(sort), reverse, top, &error) == 0, "its order");
    g->scope = "server";
    g->from = SLICE("2026-11-01");
    g->to = SLICE("2026-11-21");
}

static inline void grid_put(struct report_grid *g, const char *step, const char *by, uint64_t in,
                            uint64_t out, uint64_t forward)
{
    struct tally t = tally_of(in, out, forward);

    OK(report_grid_add_sums(g, slice_str(step), slice_str(by), &t, &error) == 0, "a row");
}

/* The labels in the order they stand, blank-separated. */
static inline void is_order(const struct report_grid *g, const char *want)
{
    struct buf b;

    buf_init(&b, 10000);
    for (size_t i = 0; i < g->count; i++) {
        if (i > 0)
            buf_add_char(&b, ' ');
        buf_add(&b, g->rows[i].label[GRID_STEP]);
        buf_add(&b, g->rows[i].label[GRID_BY]);
    }
    IS_SLICE(buf_slice(&b), slice_str(want), want);
    buf_fini(&b);
}

#endif
