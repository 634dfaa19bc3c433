/* Large grids: steps that are sorted as they come, and the width of columns. */
#include "t/tap.h"

#include "lib/core/buf.h"
#include "lib/core/render.h"
#include "lib/core/report_grid.h"

static struct err error;

static struct tally tally_of(uint64_t in, uint64_t out, uint64_t forward)
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

static void grid_start(struct report_grid *g, const char *step, const char *by, const char *sort,
                       bool reverse, size_t top)
{
    OK(report_grid_init(g, report_find(SLICE("smtp")), step, by, (size_t)1 << 26, &error) == 0,
       "a grid");
    OK(report_grid_order(g, slice_str(sort), reverse, top, &error) == 0, "its order");
    g->scope = "server";
    g->from = SLICE("2026-11-01");
    g->to = SLICE("2026-11-21");
}

static void grid_put(struct report_grid *g, const char *step, const char *by, uint64_t in,
                     uint64_t out, uint64_t forward)
{
    struct tally t = tally_of(in, out, forward);

    OK(report_grid_add_sums(g, slice_str(step), slice_str(by), &t, &error) == 0, "a row");
}

/* The labels in the order they stand, blank-separated. */
static void is_order(const struct report_grid *g, const char *want)
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

/* Steps as a report reads them, one after the other, each sorted when the next begins. */
static void order_by_steps(size_t rows, size_t top, const char *want)
{
    struct report_grid g;
    bool good = true;

    grid_start(&g, "day", "domain", "in_messages", false, top);
    for (uint64_t i = 0; good && i < 3 * rows; i++) {
        const char step[] = {(char)('1' + i / rows), '\0'};
        uint64_t n = i % rows * 7919 % rows;
        struct tally t = tally_of(n, 0, 0);
        char name[32];

        (void)snprintf(name, sizeof name, "d%" PRIu64, n);
        good = report_grid_add_sums(&g, slice_str(step), slice_str(name), &t, &error) == 0;
    }
    OK(good, "rows of three steps");
    report_grid_finish(&g);
    is_order(&g, want);
    IS_INT(g.total[0], 3 * (rows * (rows - 1) / 2), "all in the total");
    report_grid_fini(&g);
}

/* Every line of a table is as long as the others, whichever row has the widest figure. */
static void test_widths(void)
{
    static const uint64_t figures[] = {
        0, 5, 1023897, 999, 1000, UINT64_C(5) << 30, 12345, 7, 1023998, UINT64_C(123456789012)};
    const struct render_style style = {.width = 0};

    for (size_t first = 0; first < sizeof figures / sizeof figures[0]; first++) {
        struct report_grid g;
        struct buf b;
        struct slice rest, line;
        size_t width = 0, lines = 0, good = 0;

        grid_start(&g, NULL, "domain", "domain", false, 0);
        for (size_t i = 0; i < 4; i++) {
            const char name[] = {(char)('a' + i), '\0'};
            uint64_t n = figures[(first + i) % (sizeof figures / sizeof figures[0])];

            grid_put(&g, "", name, n, n, 0);
        }
        report_grid_finish(&g);
        buf_init(&b, 100000);
        render_table(&g, &style, &b);
        rest = buf_slice(&b);
        while (slice_cut(&rest, '\n', &line)) {
            bool is_row = line.len > 8 && line.ptr[1] == ' ' && line.ptr[0] >= 'a';

            width = is_row && width == 0 ? line.len : width;
            lines += is_row;
            good += is_row && line.len == width;
        }
        OK(lines == 4 && good == 4, "a table's rows end at one place");
        buf_fini(&b);
        report_grid_fini(&g);
    }
}

int main(void)
{
    order_by_steps(4, 0, "1d3 1d2 1d1 1d0 2d3 2d2 2d1 2d0 3d3 3d2 3d1 3d0");
    order_by_steps(4, 1, "1d3 2d3 3d3");
    order_by_steps(10000, 2, "1d9999 1d9998 2d9999 2d9998 3d9999 3d9998");
    test_widths();
    return tap_done();
}
