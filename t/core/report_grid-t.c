/* Large grids: steps that are sorted as they come, and the width of columns. */
#include "t/core/grid_fixture.h"

#include "lib/core/buf.h"
#include "lib/core/render.h"

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
