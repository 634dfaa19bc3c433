/* coverage, and what of it is seen: quotients, unknown figures, bounds, marks and notes. */
#include "t/tap.h"

#include "lib/core/coverage.h"
#include "lib/core/render.h"

static struct err error;

/* --- coverage -------------------------------------------------------------------------------- */

static const struct coverage_gap gaps[] = {
    {100, 200, 0, {NULL, 0}}, {150, 160, 0, {NULL, 0}},  {180, 300, 5, {NULL, 0}},
    {500, 500, 7, {NULL, 0}}, {900, 1000, 0, {NULL, 0}}, {1500, 1500, 1, {NULL, 0}},
};

/* A log that is read from 50 on. */
static void is_covered(int64_t through, size_t gap_count, int64_t from, int64_t to, int64_t now,
                       uint64_t covered, const char *text, const char *marks)
{
    const struct coverage_log log = {
        .is_there = true, .from_s = 50, .through_s = through, .gaps = gaps, .gap_count = gap_count};
    struct coverage c = {.nodes = 0};
    char got[COVERAGE_MARKS];
    struct buf b;

    buf_init(&b, 1000);
    coverage_add_log(&c, &log, from, to, now);
    IS_INT(c.covered_s, covered, "seconds that are covered");
    coverage_text(&c, &b);
    IS_STR(b.data, text, "and how that is said");
    coverage_marks(&c, got);
    IS_STR(got, marks, "and marked");
    buf_fini(&b);
}

static void test_logs(void)
{
    is_covered(2000, 0, 1000, 2000, 3000, 1000, "complete", "");
    is_covered(1999, 0, 1000, 2000, 3000, 999, "incomplete", "!");
    is_covered(1999, 0, 1000, 2000, 1999, 999, "so far", "*");
    is_covered(1500, 0, 1000, 2000, 1500 + COVERAGE_LATE_S, 500, "so far", "*");
    is_covered(1500, 0, 1000, 2000, 1501 + COVERAGE_LATE_S, 500, "incomplete", "!");
    is_covered(9000, 0, 1000, 2000, 1500, 500, "so far", "*");
    is_covered(2000, 5, 50, 1000, 3000, 650, "gap 300 s 12 lines", "~");
    is_covered(2000, 6, 1400, 1600, 3000, 200, "gap 1 line", "~");
    is_covered(2000, 5, 155, 165, 3000, 0, "gap 10 s", "~");
    is_covered(2000, 5, 190, 310, 3000, 10, "gap 110 s 5 lines", "~");
    is_covered(2000, 5, 300, 500, 3000, 200, "complete", "");
    is_covered(2000, 5, 500, 900, 3000, 400, "gap 7 lines", "~");
    is_covered(950, 5, 900, 1000, 950, 0, "so far; gap 50 s", "*~");
    is_covered(2000, 0, 0, 100, 3000, 50, "gap 50 s", "~");
    is_covered(2000, 0, 0, 50, 3000, 0, "gap 50 s", "~");
    is_covered(40, 0, 0, 50, 45, 0, "so far; gap 45 s", "*~");
}

static void test_nodes(void)
{
    const struct coverage_log none = {.is_there = false},
                              log = {.is_there = true, .from_s = 0, .through_s = 500};
    struct coverage c = {.nodes = 0}, milter = {.nodes = 0};
    char marks[COVERAGE_MARKS];
    struct buf b;

    buf_init(&b, 1000);
    coverage_text(&c, &b);
    IS_STR(b.data, "incomplete", "no node: nothing is known");
    buf_reset(&b);
    coverage_add_log(&c, &none, 0, 100, 1000);
    coverage_text(&c, &b);
    IS_STR(b.data, "no collector", "no collector at all");
    buf_reset(&b);
    coverage_add_log(&c, &log, 0, 100, 1000);
    coverage_text(&c, &b);
    IS_STR(b.data, "without 1 of 2 nodes", "none on one of them");
    IS_INT(c.covered_s, 100, "whose seconds are missing");
    buf_reset(&b);
    coverage_add_node(&milter, 99, 0, 100, 1000);
    IS_INT(milter.covered_s, 99, "what tollgated has pushed");
    coverage_join(&c, &milter);
    coverage_text(&c, &b);
    IS_STR(b.data, "incomplete; without 1 of 2 nodes", "of both programs the one that is behind");
    coverage_marks(&c, marks);
    IS_STR(marks, "!?", "marks of both");
    buf_fini(&b);
}

static void test_bounds(void)
{
    const struct coverage_note notes[] = {{BOUND_LEAST, COUNTER_POP_BYTES, {NULL, 0}},
                                          {BOUND_UNKNOWN, COUNTER_IMAP_BYTES, {NULL, 0}},
                                          {BOUND_MOST, COUNTER_POP_BYTES, {NULL, 0}}};
    const struct coverage_log log = {.notes = notes, .note_count = 2},
                              both = {.notes = notes, .note_count = 3};

    OK(coverage_bound_of(&log, COUNTER_POP_BYTES) == BOUND_LEAST, "at least");
    OK(coverage_bound_of(&log, COUNTER_IMAP_BYTES) == BOUND_UNKNOWN, "unknown");
    OK(coverage_bound_of(&log, COUNTER_POP_BLOCKED) == BOUND_EXACT, "exact");
    OK(coverage_bound_of(&both, COUNTER_POP_BYTES) == BOUND_UNKNOWN, "bounds that contradict");
}

/* --- quotients ------------------------------------------------------------------------------- */

static size_t column_of(const struct report_kind *kind, const char *name)
{
    size_t c = 0;

    while (c < kind->column_count && strcmp(kind->columns[c].name, name) != 0)
        c++;
    OK(c < kind->column_count, name);
    return c;
}

static void test_average(void)
{
    const struct report_kind *kind = report_find(SLICE("imap-usage"));
    const struct report_basis half = {.is_node = true,
                                      .covered = {[FILLER_COLLECTOR] = 1800},
                                      .covered_range = {[FILLER_COLLECTOR] = 7200}},
                              nothing = {.is_node = true};
    size_t at = column_of(kind, "imap_average_active"), bytes = column_of(kind, "imap_bytes");
    struct report_cell cells[8];
    struct tally t = {{0}}, empty = {{0}};

    t.value[COUNTER_IMAP_CONNECTION_SECONDS] = 27000;
    report_cells_init(kind, cells);
    report_cells_add(kind, &empty, &nothing, cells);
    OK(cells[at].value == REPORT_UNKNOWN && cells[bytes].value == REPORT_UNKNOWN,
       "where nothing was read, nothing is known");
    report_cells_add(kind, &t, &half, cells);
    IS_INT(cells[at].value, 15000000, "15 on the average of the half hour that was read");
    IS_INT(cells[at].share, 3750000, "3.75 on that of the two hours of the report");
    IS_INT(cells[bytes].value, 0, "what was read and is not there is 0");
    report_cells_add(kind, &t, &half, cells);
    IS_INT(cells[at].value, 30000000, "averages of nodes add up");
}

static void test_mean(void)
{
    const struct report_kind *kind = report_find(SLICE("server-status"));
    const struct report_basis basis = {
        .is_node = true, .covered = {[FILLER_COLLECTOR] = 3600}, .watched_range = 7200};
    size_t cpu = column_of(kind, "status_cpu_percent"),
           memory = column_of(kind, "status_memory_mib");
    struct report_cell cells[8];
    struct tally t = {{0}};

    t.value[COUNTER_STATUS_SECONDS] = 3600;
    t.value[COUNTER_STATUS_CPU_MS] = 900000;
    t.value[COUNTER_STATUS_MEMORY_MIB_SECONDS] = 3600 * 512;
    report_cells_init(kind, cells);
    report_cells_add(kind, &t, &basis, cells);
    IS_INT(cells[cpu].value, 25000000, "900 CPU seconds in an hour are 25 %");
    IS_INT(cells[cpu].share, 12500000, "and half of that in two");
    IS_INT(cells[memory].value, 512000000, "memory is the mean");
    t.value[COUNTER_STATUS_SECONDS] = 0;
    report_cells_init(kind, cells);
    report_cells_add(kind, &t, &basis, cells);
    OK(cells[cpu].value == REPORT_UNKNOWN, "unwatched: unknown, not 0");
}

/* --- what is seen ---------------------------------------------------------------------------- */

static const struct coverage whole = {.nodes = 1, .covered_s = 86400},
                             holed = {.nodes = 1,
                                      .covered_s = 43200,
                                      .gap_s = 43200,
                                      .has_gap = true},
                             silent = {.nodes = 1, .silent = 1},
                             running = {.nodes = 1, .covered_s = 3600, .is_running = true};

static void put(struct report_grid *g, const char *day, uint64_t seconds,
                const struct coverage *coverage)
{
    const struct report_basis basis = {.is_node = true,
                                       .covered = {[FILLER_COLLECTOR] = coverage->covered_s},
                                       .covered_range = {[FILLER_COLLECTOR] = 133200},
                                       .bounds = g->bounds};
    struct report_cell cells[8];
    struct tally t = {{0}};

    t.value[COUNTER_POP_CONNECTIONS] = seconds / 10;
    t.value[COUNTER_POP_CONNECTION_SECONDS] = seconds;
    t.value[COUNTER_POP_BYTES] = seconds * 100;
    report_cells_init(g->kind, cells);
    report_cells_add(g->kind, &t, &basis, cells);
    OK(report_grid_add(g, slice_str(day), SLICE_NONE, cells, coverage, &error) == 0, "a row");
}

static void fill(struct report_grid *g, const char *sort)
{
    static const enum coverage_bound bounds[] = {BOUND_EXACT, BOUND_EXACT, BOUND_EXACT,
                                                 BOUND_LEAST};
    static const struct slice remarks[] = {{"Gap on mx1.", 11}};

    OK(report_grid_init(g, report_find(SLICE("pop-usage")), "day", NULL, (size_t)1 << 20, &error) ==
               0 &&
           report_grid_order(g, slice_str(sort), false, 0, &error) == 0,
       "a grid");
    g->scope = "server";
    g->from = SLICE("2026-11-01");
    g->to = SLICE("2026-11-04");
    g->bounds = bounds;
    g->remarks = remarks;
    g->remark_count = 1;
    g->coverage = &holed;
    put(g, "2026-11-01", 0, &silent);
    put(g, "2026-11-02", 86400, &whole);
    put(g, "2026-11-03", 86400, &holed);
    put(g, "2026-11-04", 600, &running);
    report_grid_finish(g);
}

static void test_table(void)
{
    const struct render_style ascii = {.width = 80}, utf8 = {.utf8 = true};
    struct report_grid g;
    struct buf b;

    buf_init(&b, 10000);
    fill(&g, "");
    render_table(&g, &ascii, &b);
    IS_STR(b.data,
           "POP, usage, server, 2026-11-01 to 2026-11-04\n"
           "\n"
           "day           connections  avg active  bandwidth\n"
           "------------------------------------------------\n"
           "2026-11-01 ?\n"
           "2026-11-02          8,640         1.0   >=8.2 MB\n"
           "2026-11-03 ~        8,640         2.0   >=8.2 MB\n"
           "2026-11-04 *           60         0.2  >=58.6 KB\n"
           "------------------------------------------------\n"
           "total              17,340         1.3  >=16.5 MB\n"
           "\n"
           "* so far, ~ with a gap in the log, ? without the log of a node\n"
           "Gap on mx1.\n",
           "marks, bounds, quotients, and nothing where nothing is known");
    buf_reset(&b);
    render_chart(&g, &utf8, &b);
    OK(strstr(b.data, "2026-11-03 ~") != NULL && strstr(b.data, "≥8.2 MB") != NULL &&
           strstr(b.data, "Gap on mx1.") != NULL,
       "a chart has them, too");
    buf_fini(&b);
    report_grid_fini(&g);
}

static void test_csv(void)
{
    struct report_grid g;
    struct buf b;

    buf_init(&b, 10000);
    fill(&g, "pop_average_active");
    render_csv(&g, &b);
    IS_STR(b.data,
           "day,pop_connections,pop_connection_seconds,pop_average_active,pop_bytes,coverage\r\n"
           "2026-11-03,8640,86400,2.000,8640000,gap 43200 s; at least pop_bytes\r\n"
           "2026-11-02,8640,86400,1.000,8640000,complete; at least pop_bytes\r\n"
           "2026-11-04,60,600,0.167,60000,so far; at least pop_bytes\r\n"
           "2026-11-01,,,,,no collector; at least pop_bytes\r\n",
           "exact, with the seconds; the unknown comes last");
    buf_fini(&b);
    report_grid_fini(&g);
}

int main(void)
{
    test_logs();
    test_nodes();
    test_bounds();
    test_average();
    test_mean();
    test_table();
    test_csv();
    return tap_done();
}
