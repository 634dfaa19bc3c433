/* report, grid, suggest and the renderers of table, chart and CSV. */
#include "t/core/grid_fixture.h"

#include <stdlib.h>

#include "lib/core/buf.h"
#include "lib/core/format.h"
#include "lib/core/render.h"
#include "lib/core/suggest.h"

static size_t traffic_counters(void)
{
    size_t count = 0;

    for (int i = 0; i < COUNTER_COUNT; i++)
        count += counter_table[i].group < GROUP_NODE;
    return count;
}

static void test_fillers(void)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        enum counter_filler node = counter_filler((enum counter)i, true),
                            domain = counter_filler((enum counter)i, false);

        OK(node != FILLER_NONE &&
               (domain != FILLER_NONE) == (counter_table[i].group < GROUP_NODE ||
                                           counter_table[i].group == GROUP_SESSIONS ||
                                           counter_table[i].group == GROUP_SMTP_IN),
           counter_table[i].name);
    }
    OK(counter_filler(COUNTER_SMTP_IN_CONNECTIONS, true) == FILLER_COLLECTOR &&
           counter_filler(COUNTER_SMTP_IN_CONNECTIONS, false) == FILLER_MILTER,
       "SMTP sessions: the log knows the node's, the milter whose mail they carried");
}

static void test_kinds(void)
{
    const struct report_kind *kind;
    struct counter_list list;

    for (size_t i = 0; (kind = report_at(i)) != NULL; i++) {
        OK(report_find(slice_str(kind->name)) == kind, kind->name);
        for (size_t c = 0; c < kind->column_count; c++) {
            const struct report_column *column = &kind->columns[c];
            bool sum = strncmp(column->name, "total_", 6) == 0;
            bool same_unit = true;

            if (column->kind != COLUMN_SUM) {
                OK(counter_find(slice_str(column->name)) < 0 && column->counter_count == 1,
                   "a quotient has a name of its own");
                OK((column->kind == COLUMN_MEAN) == (column->divisor > 0), "a mean has a divisor");
                continue;
            }
            for (size_t k = 0; k < column->counter_count; k++)
                same_unit = same_unit && counter_table[column->counters[k]].unit == column->unit;
            OK(same_unit, "a column's counters are of its unit");
            OK(sum ? column->counter_count > 1
                   : counter_find(slice_str(column->name)) == (int)column->counters[0],
               column->name);
        }
        OK(!kind->columns[kind->column_count - 1].raw, "the main column is shown");
    }
    OK(report_find(SLICE("smt")) == NULL && report_find(SLICE("totals")) == NULL, "no such report");

    report_counters(report_find(SLICE("smtp")), &list);
    IS_INT(list.count, 6, "smtp is made of six counters");
    report_counters(report_totals(), &list);
    IS_INT(report_totals()->column_count, list.count, "totals has a column a counter");
    IS_INT(list.count, traffic_counters(), "those of mail and limits, of accounts");
}

/* Which accounts have which reports. */
static void test_subjects(void)
{
    static const char *const of_nodes[] = {"spamassassin", "clamav", "server-status"};
    static const char *const of_users[] = {"smtp", "smtp-in-usage", "smtp-out-sessions",
                                           "imap-errors"};
    struct report_fillers fillers;

    for (size_t i = 0; i < 3; i++) {
        const struct report_kind *kind = report_find(slice_str(of_nodes[i]));

        OK(!report_fillers(kind, true).nobody && report_fillers(kind, false).nobody, of_nodes[i]);
        OK(!report_is_of_users(kind), "users have no such report");
    }
    for (size_t i = 0; i < 4; i++) {
        const struct report_kind *kind = report_find(slice_str(of_users[i]));

        OK(!report_fillers(kind, true).nobody && !report_fillers(kind, false).nobody &&
               report_is_of_users(kind),
           of_users[i]);
    }
    OK(!report_is_of_users(report_find(SLICE("traffic-by-priority"))), "priorities: no users");
    fillers = report_fillers(report_find(SLICE("smtp-in-usage")), true);
    OK(fillers.milter && fillers.collector, "the log and the milter fill the node's SMTP in");
    fillers = report_fillers(report_find(SLICE("smtp-in-usage")), false);
    OK(fillers.milter && !fillers.collector, "that of a domain is the milter's alone");
}

static void test_nearest(void)
{
    static const char *const names[] = {"report", "totals", "classify", "doctor", "smtp"};

    IS_STR(suggest_name(SLICE("reprot"), names, 5), "report", "swapped letters");
    IS_STR(suggest_name(SLICE("total"), names, 5), "totals", "one missing");
    IS_STR(suggest_name(SLICE("clasify"), names, 5), "classify", "one missing within");
    IS_STR(suggest_name(SLICE("smpt"), names, 5), "smtp", "a short one");
    OK(suggest_name(SLICE("violations"), names, 5) == NULL, "nothing near");
    OK(suggest_name(SLICE(""), names, 5) == NULL, "nothing near nothing");
    OK(suggest_name((struct slice){(const char *)names, 64}, names, 5) == NULL, "too long");
}

static void order_by_domain(const char *sort, bool reverse, size_t top, const char *want)
{
    struct report_grid g;

    grid_start(&g, NULL, "domain", sort, reverse, top);
    grid_put(&g, "", "b", 1, 5, 0);
    grid_put(&g, "", "a", 1, 5, 0);
    grid_put(&g, "", "c", 9, 0, 0);
    grid_put(&g, "", "d", 0, 1, 1);
    report_grid_finish(&g);
    is_order(&g, want);
    report_grid_fini(&g);
}

static void order_by_day(const char *sort, bool reverse, bool over_time, const char *want)
{
    struct report_grid g;

    grid_start(&g, "day", NULL, sort, reverse, 0);
    g.over_time = over_time;
    grid_put(&g, "2", "", 1, 7, 0);
    grid_put(&g, "3", "", 1, 5, 0);
    grid_put(&g, "1", "", 1, 6, 0);
    report_grid_finish(&g);
    is_order(&g, want);
    report_grid_fini(&g);
}

static void order_by_both(const char *sort, bool reverse, size_t top, const char *want)
{
    struct report_grid g;

    grid_start(&g, "day", "domain", sort, reverse, top);
    grid_put(&g, "2", "a", 5, 1, 0);
    grid_put(&g, "1", "b", 1, 0, 0);
    grid_put(&g, "2", "b", 1, 2, 0);
    grid_put(&g, "1", "c", 2, 0, 0);
    grid_put(&g, "1", "a", 3, 0, 0);
    report_grid_finish(&g);
    is_order(&g, want);
    report_grid_fini(&g);
}

static void test_order(void)
{
    struct report_grid g;

    order_by_domain("", false, 0, "c a b d");
    order_by_domain("", true, 0, "d a b c");
    order_by_domain("out_bytes", false, 0, "a b d c");
    order_by_domain("forward_messages", false, 2, "d a");
    order_by_domain("domain", false, 0, "a b c d");
    order_by_domain("domain", true, 3, "d c b");
    order_by_day("", false, false, "1 2 3");
    order_by_day("day", true, false, "3 2 1");
    order_by_day("out_bytes", false, false, "2 1 3");
    order_by_day("out_bytes", true, false, "3 1 2");
    order_by_day("out_bytes", false, true, "1 2 3");
    order_by_both("", false, 0, "1a 1c 1b 2a 2b");
    order_by_both("out_messages", false, 1, "1a 2b");
    order_by_both("day", true, 0, "2a 2b 1a 1b 1c");
    order_by_both("domain", true, 0, "1c 1b 1a 2b 2a");

    OK(report_grid_init(&g, report_find(SLICE("smtp")), NULL, "domain", 10000, &error) == 0,
       "a grid");
    IS_INT(report_grid_order(&g, SLICE("outbytes"), false, 0, &error), -1, "no such column");
    IS_STR(error.text,
           "the report smtp has no column \"outbytes\" to sort by; it has domain in_messages "
           "in_bytes out_messages out_bytes forward_messages forward_bytes total_messages "
           "total_bytes",
           "the error names those there are");
    report_grid_fini(&g);
}

/* A hundred thousand rows with --top 3 in little memory give what sorting all of them gives. */
static void test_prune(void)
{
    struct report_grid g;
    bool good = true;
    uint64_t sum = 0;

    OK(report_grid_init(&g, report_find(SLICE("smtp")), NULL, "user", (size_t)4 << 20, &error) == 0,
       "a small grid");
    OK(report_grid_order(&g, SLICE("in_messages"), false, 3, &error) == 0, "its order");
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t n = i * 48271 % 100003;
        struct tally t = tally_of(n, 0, 0);
        char name[32];

        (void)snprintf(name, sizeof name, "user%" PRIu64, n);
        good = good && report_grid_add_sums(&g, SLICE_NONE, slice_str(name), &t, &error) == 0;
        sum += n;
    }
    report_grid_finish(&g);
    OK(good, "all rows were taken");
    is_order(&g, "user100002 user100001 user100000");
    IS_INT(g.total[0], sum, "the total is that of all");
    IS_INT(g.others[0], sum - 100002 - 100001 - 100000, "the others are the rest");
    IS_INT(g.others_count, 99997, "and counted");
    report_grid_fini(&g);

    OK(report_grid_init(&g, report_find(SLICE("smtp")), NULL, "user", 10000, &error) == 0,
       "a tiny grid");
    for (int i = 0; good && i < 1000; i++) {
        struct tally t = tally_of(1, 1, 1);

        good = report_grid_add_sums(&g, SLICE_NONE, SLICE("user"), &t, &error) == 0;
    }
    OK(!good && strstr(error.text, "--top") != NULL, "the cap is an error that says what to do");
    report_grid_fini(&g);
}

static void is_rendered(const struct report_grid *g, unsigned width, bool utf8, bool chart,
                        const char *want)
{
    const struct render_style style = {.width = width, .utf8 = utf8};
    struct buf b;

    buf_init(&b, 100000);
    if (chart)
        render_chart(g, &style, &b);
    else
        render_table(g, &style, &b);
    IS_SLICE(buf_slice(&b), slice_str(want), "rendered as wanted");
    buf_fini(&b);
}

static void fill_domains(struct report_grid *g, size_t top)
{
    grid_start(g, NULL, "domain", "", false, top);
    grid_put(g, "", "example.com", 123456, 5, 0);
    grid_put(g, "",
             "b\xc3\xbc"
             "cher.example",
             12, 0, 0);
    grid_put(g, "", "x.example", 1, 0, 0);
    grid_put(g, "", "y.example", 1, 0, 0);
    report_grid_finish(g);
}

static void test_table(void)
{
    struct report_grid g;

    fill_domains(&g, 2);
    g.note = SLICE("So far.");
    is_rendered(&g, 0, false, false,

                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n"
                "\n"
                "                ------ in -------  --- out ----  - forward -  ----- total -----\n"
                "domain             msgs     bytes  msgs   bytes  msgs  bytes     msgs     bytes\n"
                "-------------------------------------------------------------------------------\n"
                "example.com     123,456  117.7 MB     5  4.9 KB     0   0  B  123,461  117.7 MB\n"
                "bücher.example       12   11.7 KB     0    0  B     0   0  B       12   11.7 KB\n"
                "(2 more)              2    2.0 KB     0    0  B     0   0  B        2    2.0 KB\n"
                "-------------------------------------------------------------------------------\n"
                "total           123,470  117.8 MB     5  4.9 KB     0   0  B  123,475  117.8 MB\n"
                "\n"
                "So far.\n");
    is_rendered(&g, 50, true, false,
                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n"
                "\n"
                "                      in     out  forward     total\n"
                "domain             bytes   bytes  bytes     bytes\n"
                "─────────────────────────────────────────────────\n"
                "example.com     117.7 MB  4.9 KB   0  B  117.7 MB\n"
                "bücher.example   11.7 KB    0  B   0  B   11.7 KB\n"
                "(2 more)          2.0 KB    0  B   0  B    2.0 KB\n"
                "─────────────────────────────────────────────────\n"
                "total           117.8 MB  4.9 KB   0  B  117.8 MB\n"
                "\n"
                "Not shown for lack of room: in_messages\n"
                "out_messages forward_messages total_messages\n"
                "\n"
                "So far.\n");
    report_grid_fini(&g);

    grid_start(&g, NULL, NULL, "", false, 0);
    grid_put(&g, "", "", 1, 2, 3);
    report_grid_finish(&g);
    g.to = g.from;
    is_rendered(&g, 0, false, false,
                "SMTP traffic, server, 2026-11-01\n"
                "\n"
                "---- in ----  --- out ----  - forward --  -- total ---\n"
                "msgs   bytes  msgs   bytes  msgs   bytes  msgs   bytes\n"
                "------------------------------------------------------\n"
                "   1  1.0 KB     2  2.0 KB     3  2.9 KB     6  5.9 KB\n");
    report_grid_fini(&g);

    grid_start(&g, NULL, "user", "", false, 0);
    report_grid_finish(&g);
    is_rendered(&g, 0, false, false,
                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n\nNothing was counted.\n");
    report_grid_fini(&g);
}

/* A terminal too narrow: shorter counts, then fewer columns, then cut labels. */
static void test_squeeze(void)
{
    struct render_style style = {.utf8 = true};
    struct report_grid g;
    struct buf b;
    bool good = true;

    buf_init(&b, 100000);
    grid_start(&g, "day", "domain", "", false, 0);
    grid_put(&g, "2026-11-01", "a-rather-long-name.of-a-domain.of-a-customer.example.com", 99999,
             1234567, 7654321);
    grid_put(&g, "2026-11-01", "b.example", 99999, 1234567, 7654321);
    report_grid_finish(&g);
    for (style.width = 80; style.width < 200; style.width++) {
        struct slice rest, line;
        size_t widest = 0;

        buf_reset(&b);
        render_table(&g, &style, &b);
        rest = buf_slice(&b);
        while (slice_cut(&rest, '\n', &line))
            widest = format_width(line) > widest ? format_width(line) : widest;
        good = good && widest <= style.width;
    }
    OK(good, "fits every terminal from 80 columns on");
    buf_fini(&b);
    report_grid_fini(&g);
}

static void test_csv(void)
{
    struct report_grid g;
    struct buf b;

    buf_init(&b, 10000);
    grid_start(&g, "day", "user", "", false, 0);
    grid_put(&g, "2026-11-01", "\"a,b\"@example.com", 1, 2, 3);
    grid_put(&g, "2026-11-01", "c@example.com", UINT64_MAX / 1000, 0, 0);
    grid_put(&g, "2026-11-02", "d\"e@example.com", 0, 0, 0);
    report_grid_finish(&g);
    render_csv(&g, &b);
    IS_SLICE(buf_slice(&b),
             SLICE("day,user,in_messages,in_bytes,out_messages,out_bytes,forward_messages,"
                   "forward_bytes,total_messages,total_bytes\r\n"
                   "2026-11-01,c@example.com,18446744073709551,18446744073709551000,0,0,0,0,"
                   "18446744073709551,18446744073709551000\r\n"
                   "2026-11-01,\"\"\"a,b\"\"@example.com\",1,1000,2,2000,3,3000,6,6000\r\n"
                   "2026-11-02,\"d\"\"e@example.com\",0,0,0,0,0,0,0,0\r\n"),
             "CSV with what needs quoting");
    buf_fini(&b);
    report_grid_fini(&g);
}

static void test_chart(void)
{
    struct report_grid g;

    fill_domains(&g, 2);
    is_rendered(&g, 60, true, true,
                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n"
                "\n"
                "total_bytes\n"
                "\n"
                "example.com     ██████████████████████████████████  117.7 MB\n"
                "bücher.example  ▏                                    11.7 KB\n"
                "(2 more)        ▏                                     2.0 KB\n");
    is_rendered(&g, 60, false, true,
                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n"
                "\n"
                "total_bytes\n"
                "\n"
                "example.com     ##################################  117.7 MB\n"
                "bücher.example  #                                    11.7 KB\n"
                "(2 more)        #                                     2.0 KB\n");
    report_grid_fini(&g);

    grid_start(&g, NULL, NULL, "out_messages", false, 0);
    grid_put(&g, "", "", 1, 2, 3);
    report_grid_finish(&g);
    is_rendered(&g, 50, true, true,
                "SMTP traffic, server, 2026-11-01 to 2026-11-21\n"
                "\n"
                "in       ██████▍                                 1\n"
                "out      ████████████▋                           2\n"
                "forward  ███████████████████                     3\n"
                "total    ██████████████████████████████████████  6\n");
    report_grid_fini(&g);
}

int main(void)
{
    test_fillers();
    test_kinds();
    test_subjects();
    test_nearest();
    test_order();
    test_prune();
    test_table();
    test_squeeze();
    test_csv();
    test_chart();
    return tap_done();
}
