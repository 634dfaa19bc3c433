/* The exposition, from figures to text: every counter once, both forms, escapes, what is unknown.
 */
#include "t/tap.h"

#include <stdlib.h>

#include "web/metrics.h"
#include "web/metrics_counter.h"
#include "web/metrics_http.h"

static struct buf out;

static const char *write_fleet(enum metrics_form form, struct fleet_node *nodes, size_t count)
{
    const struct fleet fleet = {.items = nodes, .count = count};
    struct metrics_text t = {.out = &out, .form = form};

    buf_reset(&out);
    metrics_write(&t, &fleet, 2000);
    metrics_text_end(&t);
    return out.data;
}

static struct fleet_node full_node(const char *name)
{
    struct fleet_node node = {
        .info = {.name = slice_str(name),
                 .started = 100,
                 .seen = 1900,
                 .counted_through = 1890,
                 .pushed_through = 1880,
                 .journal_records = 0,
                 .dirty_rows = 2},
        .has_collector = true,
        .collector = {
            .seen = 1900, .log_through = 1700, .lines = 12, .gaps = 1, .log = {.through_s = 1699}}};

    for (int i = 0; i < COUNTER_COUNT; i++)
        node.total.value[i] = 1000;
    return node;
}

static void has(const char *text, const char *line)
{
    char with[512];

    (void)snprintf(with, sizeof with, "\n%s\n", line);
    OK(strstr(text, with) != NULL, line);
}

static void lacks(const char *text, const char *part)
{
    char what[128];

    (void)snprintf(what, sizeof what, "no %s", part);
    OK(strstr(text, part) == NULL, what);
}

/* What newer programs tell. */
static void test_told(void)
{
    struct fleet_node node = full_node("mx1");
    const char *text;

    node.info.disk_free = 5000;
    node.info.disk_min = 4000;
    node.collector.sources_through =
        SLICE("1990 file:/var/log/mail.log\nnonsense\n1600 journal: a b\n2100 file:ahead\n");
    node.collector.has_queue = true;
    node.collector.reconcile_at = 1500;
    node.collector.reconcile_counted = 10;
    node.collector.reconcile_found[FINDING_MISSED] = 3;
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    has(text, "tollgate_disk_free_bytes{node=\"mx1\"} 5000");
    has(text, "tollgate_disk_min_bytes{node=\"mx1\"} 4000");
    has(text, "tollgate_collect_lag_seconds{node=\"mx1\",source=\"file:/var/log/mail.log\"} 10");
    has(text, "tollgate_collect_lag_seconds{node=\"mx1\",source=\"journal: a b\"} 400");
    has(text, "tollgate_collect_lag_seconds{node=\"mx1\",source=\"file:ahead\"} 0");
    lacks(text, "tollgate_collect_lag_seconds{node=\"mx1\"}");
    has(text, "tollgate_queue_messages{node=\"mx1\"} 0");
    has(text, "tollgate_reconcile_timestamp_seconds{node=\"mx1\"} 1500");
    has(text, "tollgate_reconcile_messages{node=\"mx1\",finding=\"counted\"} 10");
    has(text, "tollgate_reconcile_messages{node=\"mx1\",finding=\"missed\"} 3");
    has(text, "tollgate_reconcile_messages{node=\"mx1\",finding=\"not-queued\"} 0");
}

/* --- counters -------------------------------------------------------------------------------- */

static void test_every_counter_once(void)
{
    struct fleet_node node = full_node("mx1");
    const char *text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    struct slice rest = slice_str(text), line, head;
    size_t samples = 0, doubled = 0;

    while (slice_cut(&rest, '\n', &line)) {
        char name[256];

        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        (void)slice_cut(&line, ' ', &head);
        (void)snprintf(name, sizeof name, "\n%.*s ", SLICE_FMT(head));
        samples += strstr(name, "_total{") != NULL;
        doubled += strstr(strstr(text, name) + 1, name) != NULL;
    }
    IS_INT(samples, COUNTER_COUNT + 2, "each counter is one sample, and the collector's two");
    IS_INT(doubled, 0, "no two of the same name and labels");
}

/* A rule that takes a counter of another group for its own shows by the label. */
static void test_labels(void)
{
    static const char *const labels[] = {
        [GROUP_TRAFFIC] = "class",    [GROUP_SPAM] = "class",       [GROUP_PRIORITY] = "priority",
        [GROUP_THROTTLE] = "mode",    [GROUP_NODE] = "protocol",    [GROUP_SESSIONS] = "protocol",
        [GROUP_SMTP_IN] = "protocol", [GROUP_FILTERS] = "protocol", [GROUP_STATUS] = NULL};
    static const char protocols[] = " smtp_in smtp_out pop imap spamd clamd milter ";

    for (int i = 0; i < COUNTER_COUNT; i++) {
        struct metrics_counter c = metrics_counter((enum counter)i);
        const struct metrics_family *family = metrics_counter_family(c.family);
        const char *want = labels[counter_table[i].group];
        char value[64];

        (void)snprintf(value, sizeof value, " %.*s ", SLICE_FMT(c.value));
        if (family->label != NULL && strcmp(family->label, "metric") != 0)
            IS_STR(family->label, want, counter_table[i].name);
        if (family->label != NULL && strcmp(family->label, "protocol") == 0)
            OK(strstr(protocols, value) != NULL, value);
        OK((family->label != NULL) == (c.value.len > 0) && (family->sub != NULL) == (c.sub != NULL),
           "values for its labels");
    }
}

static void test_values(void)
{
    struct fleet_node node = full_node("mx1");
    const char *text;

    node.total.value[COUNTER_OUT_BYTES] = 1234567890123;
    node.total.value[COUNTER_SMTP_IN_AUTH_FAILED] = 7;
    node.total.value[COUNTER_THROTTLED_RECIPIENTS] = 8;
    node.total.value[COUNTER_OBSERVED_RECIPIENTS] = 9;
    node.total.value[COUNTER_STATUS_CPU_MS] = 1050;
    node.total.value[COUNTER_STATUS_MEMORY_MIB_SECONDS] = 3;
    node.total.value[COUNTER_MILTER_SESSION_SECONDS] = 11;
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    has(text, "tollgate_message_bytes_total{node=\"mx1\",class=\"out\"} 1234567890123");
    has(text,
        "tollgate_session_errors_total{node=\"mx1\",protocol=\"smtp_in\",kind=\"auth_failed\"} "
        "7");
    has(text, "tollgate_throttled_recipients_total{node=\"mx1\",mode=\"enforce\"} 8");
    has(text, "tollgate_throttled_recipients_total{node=\"mx1\",mode=\"observe\"} 9");
    has(text, "tollgate_status_cpu_seconds_total{node=\"mx1\"} 1.050");
    has(text, "tollgate_status_memory_byte_seconds_total{node=\"mx1\"} 3145728");
    has(text, "tollgate_session_seconds_total{node=\"mx1\",protocol=\"milter\"} 11");
    has(text, "tollgate_pushed_through_timestamp_seconds{node=\"mx1\"} 1880");
    has(text, "tollgate_journal_pending_records{node=\"mx1\"} 0");
    has(text, "tollgate_collect_lag_seconds{node=\"mx1\"} 300");
    lacks(text, "tollgate_queue_messages{");
    lacks(text, "tollgate_reconcile_");
    lacks(text, "tollgate_disk_");
    has(text, "tollgate_collect_gaps_total{node=\"mx1\"} 1");
    has(text, "tollgate_up 1");
}

/* --- what is unknown ------------------------------------------------------------------------- */

static void test_unknown(void)
{
    const struct coverage_note note = {.bound = BOUND_UNKNOWN, .counter = COUNTER_POP_BYTES};
    struct fleet_node node = full_node("mx1");
    struct metrics_text t = {.out = &out, .form = METRICS_PROMETHEUS};
    const char *text;

    node.collector.log.notes = &note;
    node.collector.log.note_count = 1;
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    lacks(text, "tollgate_session_bytes_total{node=\"mx1\",protocol=\"pop\"}");
    has(text, "tollgate_session_bytes_total{node=\"mx1\",protocol=\"imap\"} 1000");
    node.has_collector = false;
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    lacks(text, "smtp_in");
    lacks(text, "tollgate_session_errors");
    lacks(text, "tollgate_collect");
    has(text, "tollgate_sessions_total{node=\"mx1\",protocol=\"milter\"} 1000");
    node = full_node("mx1");
    node.info = (struct node_info){.name = SLICE("mx1"), .is_collector_only = true};
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    lacks(text, "tollgate_messages");
    lacks(text, "tollgate_pushed_through");
    has(text, "tollgate_collect_lines_total{node=\"mx1\"} 12");
    node = full_node("mx1");
    node.info.is_retired = true;
    text = write_fleet(METRICS_PROMETHEUS, &node, 1);
    lacks(text, "timestamp");
    has(text, "tollgate_messages_total{node=\"mx1\",class=\"in\"} 1000");
    buf_reset(&out);
    metrics_write(&t, NULL, 2000);
    has(out.data, "tollgate_up 0");
    lacks(out.data, "node=");
}

/* --- forms ----------------------------------------------------------------------------------- */

static void test_forms(void)
{
    struct fleet_node node = full_node("a\"b\\c\nd");
    const char *text = write_fleet(METRICS_PROMETHEUS, &node, 1);

    has(text, "tollgate_accepted_messages_total{node=\"a\\\"b\\\\c\\nd\"} 1000");
    has(text, "# HELP tollgate_accepted_messages_total Every accepted message, once.");
    has(text, "# TYPE tollgate_build_info gauge");
    lacks(text, "# UNIT");
    lacks(text, "# EOF");
    text = write_fleet(METRICS_OPENMETRICS, &node, 1);
    has(text, "tollgate_accepted_messages_total{node=\"a\\\"b\\\\c\\nd\"} 1000");
    has(text, "# TYPE tollgate_accepted_messages counter");
    has(text, "# TYPE tollgate_build info");
    has(text, "# UNIT tollgate_message_bytes bytes");
    OK(out.len > 7 && strcmp(text + out.len - 7, "\n# EOF\n") == 0, "OpenMetrics ends with # EOF");
    node.info.name = SLICE("mx1");
    (void)write_fleet(METRICS_OPENMETRICS, &node, 0);
    lacks(out.data, "tollgate_messages");
}

static void test_domains(void)
{
    const struct metrics_domain domains[] = {
        {SLICE("example.com"), {.value = {[COUNTER_IN_BYTES] = 5}}},
        {SLICE(METRICS_OTHER), {.value = {[COUNTER_FORWARD_BYTES] = 6, [COUNTER_POP_BYTES] = 7}}}};
    struct metrics_text t = {.out = &out, .form = METRICS_PROMETHEUS};

    buf_reset(&out);
    metrics_write_domains(&t, domains, 2);
    has(out.data, "tollgate_domain_message_bytes_total{domain=\"example.com\",class=\"in\"} 5");
    has(out.data, "tollgate_domain_message_bytes_total{domain=\"_other\",class=\"forward\"} 6");
    lacks(out.data, "pop");
}

static void test_http(void)
{
    struct metrics_http *m = metrics_http_new();
    struct metrics_text t = {.out = &out, .form = METRICS_PROMETHEUS};

    buf_reset(&out);
    buf_add_char(&out, '\n');
    metrics_http_write(m, &t);
    lacks(out.data, "#");
    metrics_http_note(m, "/r/*", 5);
    metrics_http_note(m, "/r/*", 6);
    metrics_http_note(m, "/r/*", 20000);
    metrics_http_note(m, "none", -1);
    metrics_http_write(m, &t);
#define TOOK "tollgate_http_request_duration_seconds"
    has(out.data, "# TYPE " TOOK " histogram");
    has(out.data, TOOK "_bucket{route=\"/r/*\",le=\"0.005\"} 1");
    has(out.data, TOOK "_bucket{route=\"/r/*\",le=\"0.01\"} 2");
    has(out.data, TOOK "_bucket{route=\"/r/*\",le=\"10.0\"} 2");
    has(out.data, TOOK "_bucket{route=\"/r/*\",le=\"+Inf\"} 3");
    has(out.data, TOOK "_sum{route=\"/r/*\"} 20.011");
    has(out.data, TOOK "_count{route=\"/r/*\"} 3");
    has(out.data, TOOK "_sum{route=\"none\"} 0.000");
    for (size_t i = 0; i < METRICS_HTTP_ROUTES + 5; i++) {
        static char names[METRICS_HTTP_ROUTES + 5][8];

        (void)snprintf(names[i], sizeof names[i], "/%zu", i);
        metrics_http_note(m, names[i], 1);
    }
    buf_reset(&out);
    metrics_http_write(m, &t);
    has(out.data, TOOK "_count{route=\"/61\"} 1");
    lacks(out.data, "\"/62\"");
    metrics_http_free(m);
}

static void test_accept(void)
{
    static const struct {
        const char *accept;
        enum metrics_form form;
    } rows[] = {
        {"", METRICS_PROMETHEUS},
        {"*/*", METRICS_PROMETHEUS},
        {"text/html, */*;q=0.8", METRICS_PROMETHEUS},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"application/openmetrics-text; version=1.0.0", METRICS_OPENMETRICS},
        {"Application/OpenMetrics-Text;version=1.0.0;q=0.5", METRICS_OPENMETRICS},
        {"application/openmetrics-text;version=0.0.1", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=0", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.31", METRICS_PROMETHEUS},
        {"text/plain;q=0.2, application/openmetrics-text;q=0.2", METRICS_OPENMETRICS},
        /* Prometheus 2.42 */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q="
         "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {",;=,;q,application/openmetrics-text;q=x", METRICS_OPENMETRICS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        IS_INT(metrics_text_accepted(slice_str(rows[i].accept)), rows[i].form, rows[i].accept);
}

int main(void)
{
    buf_init(&out, (size_t)1 << 20);
    test_every_counter_once();
    test_labels();
    test_values();
    test_told();
    test_unknown();
    test_forms();
    test_domains();
    test_http();
    test_accept();
    buf_fini(&out);
    return tap_done();
}
