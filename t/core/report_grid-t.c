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

/* Steps that come again, or in another order, and rows that are cut while they come. */
static void test_mixed_steps(void)
{
    static const char *const want[][2] = {{"1d 1a 1b 2c 2e 3a 3f", "1b 1a 1d 2c 2e 3f 3a"},
                                          {"1d 1a 2c 2e 3a 3f", "1b 1a 2c 2e 3f 3a"}};

    for (size_t i = 0; i < 4; i++) {
        struct report_grid g;

        grid_start(&g, "day", "domain", "in_messages", i % 2 == 1, i / 2 * 2);
        grid_put(&g, "2", "e", 5, 0, 0);
        grid_put(&g, "2", "c", 5, 0, 0);
        grid_put(&g, "1", "a", 7, 0, 0);
        grid_put(&g, "3", "f", 1, 0, 0);
        grid_put(&g, "3", "a", 2, 0, 0);
        grid_put(&g, "1", "d", 9, 0, 0);
        grid_put(&g, "1", "b", 6, 0, 0);
        report_grid_finish(&g);
        is_order(&g, want[i / 2][i % 2]);
        report_grid_fini(&g);
    }
}

/* Figures of all magnitudes: the larger first, or last; equal ones by name. */
static void test_magnitudes(bool reverse)
{
    struct report_grid g;
    size_t good = 0;
    bool added = true;

    grid_start(&g, "day", "domain", "in_messages", reverse, 0);
    for (uint64_t i = 0; added && i < 3000; i++) {
        uint64_t n = (i % 1000) * UINT64_C(0x9e3779b97f4a7c15) >> (4 + i % 1000 % 60);
        struct tally t = {{0}};
        char name[32];

        t.value[COUNTER_IN_MESSAGES] = n;
        (void)snprintf(name, sizeof name, "d%04" PRIu64, i * 7 % 3000);
        added = report_grid_add_sums(&g, SLICE("1"), slice_str(name), &t, &error) == 0;
    }
    report_grid_finish(&g);
    for (size_t i = 1; i < g.count; i++) {
        const struct report_grid_row *a = &g.rows[i - 1], *b = &g.rows[i];
        bool falls = reverse ? a->values[0] < b->values[0] : a->values[0] > b->values[0];

        good += falls || (a->values[0] == b->values[0] &&
                          slice_compare(a->label[GRID_BY], b->label[GRID_BY]) < 0);
    }
    OK(added && g.count == 3000 && good == 2999, "figures of all magnitudes are in order");
    report_grid_fini(&g);
}

/* A grid takes no more memory than it may, and its rows stay as they are. */
static void test_cap(void)
{
    struct report_grid g;
    struct tally t = {{0}};
    size_t rows = 0;

    OK(report_grid_init(&g, report_find(SLICE("smtp")), NULL, "domain", 100000, &error) == 0,
       "a small grid");
    while (rows < 10000 &&
           report_grid_add_sums(&g, SLICE_NONE, SLICE("example.com"), &t, &error) == 0)
        rows++;
    OK(rows > 100 && g.count == rows, "it is full at some time");
    OK(g.room * sizeof *g.rows + g.arena.used_bytes <= 100000, "of the memory that it was given");
    OK(strstr(error.text, "too many rows") != NULL, "and it says so");
    report_grid_fini(&g);
}

/* Names that outlive the grid are not copied, also where rows are dropped. */
static void test_borrowed(void)
{
    static const char names[] = "abcdefghij";
    struct report_grid g;
    bool good = true;

    grid_start(&g, "day", "domain", "in_messages", false, 2);
    g.borrows_by = true;
    for (uint64_t i = 0; i < 40000; i++) {
        struct tally t = tally_of(i, 0, 0);

        good = good && report_grid_add_sums(&g, SLICE("1"), (struct slice){names + i % 10, 1}, &t,
                                            &error) == 0;
    }
    report_grid_finish(&g);
    OK(good, "many rows");
    is_order(&g, "1j 1i");
    OK(g.rows[0].label[GRID_BY].ptr == names + 9, "with names that are not copied");
    report_grid_fini(&g);
}

struct collected {
    struct buf text;
    size_t parts, most, parts_left;
};

static bool collect(void *context, struct slice text)
{
    struct collected *c = context;

    buf_add(&c->text, text);
    c->parts++;
    c->most = text.len > c->most ? text.len : c->most;
    return c->parts_left-- > 0;
}

static void render_into(const struct report_grid *g, bool csv, struct buf *b)
{
    static const struct render_style style = {.width = 0};

    if (csv)
        render_csv(g, b);
    else
        render_table(g, &style, b);
}

/* A long text goes away in parts, which are the whole; what fails to go is a failure. */
static void test_drained(bool csv)
{
    struct collected c = {.parts_left = 1000};
    struct report_grid g;
    struct buf whole, parts;
    bool good = true;

    grid_start(&g, NULL, "domain", "in_messages", false, 0);
    for (uint64_t i = 0; good && i < 20000; i++) {
        struct tally t = tally_of(i, i, i);

        good = report_grid_add_sums(&g, SLICE_NONE, SLICE("example.com"), &t, &error) == 0;
    }
    OK(good, "many rows");
    report_grid_finish(&g);
    buf_init(&whole, (size_t)1 << 24);
    buf_init(&parts, (size_t)1 << 24);
    buf_init(&c.text, (size_t)1 << 24);
    parts.sink = collect;
    parts.sink_context = &c;
    render_into(&g, csv, &whole);
    render_into(&g, csv, &parts);
    buf_add(&c.text, buf_slice(&parts));
    OK(c.parts > 5 && c.most < 2 * BUF_DRAIN_BYTES, "a long text goes in parts");
    OK(!parts.failed && slice_equal(buf_slice(&c.text), buf_slice(&whole)), "all of it");
    c.parts_left = 3;
    c.parts = 0;
    buf_reset(&parts);
    render_into(&g, csv, &parts);
    OK(parts.failed && c.parts == 4, "after a failure nothing more goes");
    buf_fini(&whole);
    buf_fini(&parts);
    buf_fini(&c.text);
    report_grid_fini(&g);
}

int main(void)
{
    order_by_steps(4, 0, "1d3 1d2 1d1 1d0 2d3 2d2 2d1 2d0 3d3 3d2 3d1 3d0");
    order_by_steps(4, 1, "1d3 2d3 3d3");
    order_by_steps(10000, 2, "1d9999 1d9998 2d9999 2d9998 3d9999 3d9998");
    test_widths();
    test_mixed_steps();
    test_magnitudes(false);
    test_magnitudes(true);
    test_cap();
    test_borrowed();
    test_drained(false);
    test_drained(true);
    return tap_done();
}
