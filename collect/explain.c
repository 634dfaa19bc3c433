#include "collect/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "collect/follow.h"
#include "collect/hosts.h"
#include "collect/log_reader.h"
#include "collect/machines.h"
#include "collect/rules.h"
#include "collect/samples.h"
#include "collect/shapes.h"
#include "collect/zone_load.h"
#include "lib/sys/clock.h"

#define TEXT_BYTES   ((size_t)1 << 20)
#define OWNERS_LINES 1000 /* between two times that look-ups are forgotten */

/* The collector without ledger and Redis: lines go through the machines, and a sink of its own
 * takes what they find. */
struct explain {
    FILE *out;       /* NULL: what is found is not told */
    struct buf text; /* what was found of this line */
    struct zone *zone;
    struct log_setup log;
    struct rules rules;
    struct hosts *hosts;
    struct owners owners;
    struct sink sink;
    struct machine machine;
    struct log_reader reader;
    struct shapes shapes;
    struct samples samples;
    unsigned found; /* of this line */
};

/* --- a sink that tells ------------------------------------------------------------------------
 */

/* Is what was found to be told? */
static bool found(struct explain *e)
{
    e->found++;
    return e->out != NULL;
}

static void tell_count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                       uint64_t amount)
{
    struct explain *e = to;
    bool is_of_node = counter_filler(id, true) == FILLER_COLLECTOR;

    (void)time_ms;
    if (!found(e))
        return;
    buf_addf(&e->text, "  counts  %s %" PRIu64 " for%s", counter_table[id].name, amount,
             is_of_node ? " the node" : "");
    if (payer->domain.len > 0 && counter_filler(id, false) == FILLER_COLLECTOR) {
        buf_addf(&e->text, "%s %.*s", is_of_node ? "," : "", SLICE_FMT(payer->domain));
        if (payer->user.len > 0 && counter_is_of_users(id))
            buf_addf(&e->text, ", %.*s", SLICE_FMT(payer->user));
    }
    buf_add_char(&e->text, '\n');
}

static void tell_gap(void *to, const struct gap *gap)
{
    struct explain *e = to;

    if (found(e))
        buf_addf(&e->text, "  gap     %.*s\n", SLICE_FMT(gap->reason));
}

static void tell_refusal(void *to, const struct refusal *r)
{
    struct explain *e = to;

    if (found(e))
        buf_addf(&e->text, "  refusal of %s by %.*s%s%.*s\n",
                 r->is_greeting ? "the connection" : "mail", SLICE_FMT(r->relay),
                 r->list.len > 0 ? ", which names " : "", SLICE_FMT(r->list));
}

static void tell_message(void *to, struct slice queue_id, int64_t first_ms, int64_t last_ms,
                         struct slice trace)
{
    struct explain *e = to;

    (void)first_ms;
    (void)last_ms;
    (void)trace;
    if (found(e))
        buf_addf(&e->text, "  message %.*s is complete\n", SLICE_FMT(queue_id));
}

static void tell_anomaly(void *to, const struct anomaly *a)
{
    struct explain *e = to;

    if (found(e))
        buf_addf(&e->text, "  anomaly of %.*s\n",
                 SLICE_FMT(a->subject.user.len > 0 ? a->subject.user : a->subject.domain));
}

/* --- one to make -------------------------------------------------------------------------------
 */

static void close_all(struct explain *e)
{
    open_free(e->machine.open);
    buf_fini(&e->text);
    log_reader_fini(&e->reader);
    if (e->owners.hosted != NULL)
        owners_fini(&e->owners);
    hosts_free(e->hosts);
    rules_fini(&e->rules);
    zone_free(e->zone);
    free(e);
}

static int open_all(struct explain *e, const struct settings *s, struct err *err)
{
    e->log = (struct log_setup){&e->rules.names, NULL};
    log_reader_init(&e->reader, &e->log, 0);
    if (clock_zone_set(s->timezone, err) < 0 || zone_load(s->collect.timezone, &e->zone, err) < 0 ||
        rules_init(&e->rules, s, err) < 0)
        return -1;
    e->log.zone = e->zone;
    e->hosts = hosts_new(s, NULL, err);
    if (e->hosts == NULL)
        return -1;
    owners_init(&e->owners, hosts_hosted(e->hosts));
    hosts_use(e->hosts, &e->owners);
    e->sink = (struct sink){e, tell_count, tell_gap, tell_refusal, tell_message, tell_anomaly};
    e->machine = (struct machine){
        .rules = &e->rules.machine, .owners = &e->owners, .sink = &e->sink, .open = open_new()};
    if (e->machine.open == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    machines_types(&e->machine);
    return 0;
}

static struct explain *explain_new(const struct settings *s, FILE *out, struct err *err)
{
    struct explain *e = calloc(1, sizeof *e);

    if (e == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    e->out = out;
    buf_init(&e->text, TEXT_BYTES);
    if (open_all(e, s, err) == 0)
        return e;
    close_all(e);
    return NULL;
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* The reading and shape of a line that says something. False: it says nothing, or has no form. */
static bool line_read(struct explain *e, struct slice bytes, struct log_reading *reading,
                      const struct shape **shape)
{
    int64_t now_ms = clock_unix_ms();
    struct read_time_bounds bounds = {.now_ms = now_ms, .end_ms = now_ms};

    *shape = NULL;
    if (!log_reader_read(&e->reader, bytes, &bounds, reading)) {
        *reading = (struct log_reading){.form = LOG_FORM_NONE};
        shapes_add_formless(&e->shapes);
        return false;
    }
    if (reading->is_silent) {
        shapes_add_silent(&e->shapes);
        return false;
    }
    *shape = machines_line(&e->machine, &reading->line);
    shapes_add(&e->shapes, &reading->line, *shape);
    if (e->shapes.lines % OWNERS_LINES == 0)
        owners_reset(&e->owners);
    return true;
}

static void time_print(FILE *out, int64_t time_ms)
{
    time_t t = (time_t)(time_ms / 1000);
    char text[32];
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fputs(text, out);
}

static void reading_print(FILE *out, const struct log_reading *r)
{
    (void)fputs("  reads   ", out);
    time_print(out, r->line.time_ms);
    if (r->line.host.len > 0)
        (void)fprintf(out, ", host %.*s", SLICE_FMT(r->line.host));
    (void)fprintf(out, ", %.*s", SLICE_FMT(r->line.tag));
    if (r->line.pid >= 0)
        (void)fprintf(out, "[%" PRId64 "]", r->line.pid);
    (void)fprintf(out, " (%s), a line of form %s\n", shapes_daemon_name(r->line.daemon),
                  log_form_name(r->form));
    if (r->is_hole)
        (void)fprintf(out, "  gap     before it: %.*s\n", SLICE_FMT(r->reason));
}

static void shape_print(struct explain *e, const struct shape *shape)
{
    if (shape == NULL)
        (void)fputs("  shape   unknown; the line is skipped\n", e->out);
    else
        (void)fprintf(e->out, "  shape   %s\n", shape->name);
    if (e->owners.failed)
        (void)fprintf(e->out, "  error   %s\n", e->owners.err.text);
    (void)fprintf(e->out, "%.*s", SLICE_FMT(buf_slice(&e->text)));
    if (shape != NULL && e->found == 0)
        (void)fputs(shape->is_used
                        ? "  counts  nothing by itself; it matters to other lines, or its session "
                          "does not count\n"
                        : "  counts  nothing; lines of this shape are not needed\n",
                    e->out);
    e->owners.failed = false;
}

static void line_explain(struct explain *e, struct slice bytes)
{
    const struct shape *shape;
    struct log_reading reading;
    FILE *out = e->out;

    (void)fprintf(out, "%.*s\n", SLICE_FMT(bytes));
    e->found = 0;
    buf_reset(&e->text);
    if (line_read(e, bytes, &reading, &shape)) {
        reading_print(out, &reading);
        shape_print(e, shape);
    } else if (reading.form == LOG_FORM_NONE) {
        (void)fputs("  reads   not a line of a log, in any form that is known; it is skipped\n",
                    out);
    } else {
        (void)fputs("  reads   a line that says nothing\n", out);
    }
}

int explain_lines(const struct settings *s, FILE *in, FILE *out, struct err *err)
{
    struct explain *e = explain_new(s, out, err);
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (e == NULL)
        return -1;
    while ((len = getline(&line, &room, in)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        line_explain(e, (struct slice){line, (size_t)len});
    }
    free(line);
    close_all(e);
    return 0;
}

/* --- coverage ----------------------------------------------------------------------------------
 */

static void share_print(FILE *out, uint64_t lines, uint64_t of, const char *what)
{
    (void)fprintf(out, "%10" PRIu64 "  %5.1f %%  %s\n", lines,
                  of > 0 ? 100.0 * (double)lines / (double)of : 0.0, what);
}

static void coverage_print(struct explain *e, FILE *out)
{
    struct shapes *s = &e->shapes;

    share_print(out, s->lines, s->lines, "lines");
    share_print(out, s->lines - s->unknown - s->formless, s->lines, "understood, of the shapes:");
    shapes_sort(s);
    for (size_t i = 0; i < s->count; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "  %s%s", s->list[i].shape->name,
                       s->list[i].shape->is_used ? "" : " (not needed)");
        share_print(out, s->list[i].lines, s->lines, text);
    }
    if (s->silent > 0)
        share_print(out, s->silent, s->lines, "  marks and empty lines");
    share_print(out, s->formless, s->lines, "not a line of a log, in any form that is known");
    share_print(out, s->unknown, s->lines, "of unknown shapes, names and numbers left out:");
    samples_sort(&e->samples);
    for (size_t i = 0; i < e->samples.count; i++) {
        char text[SAMPLES_BYTES + 8];

        (void)snprintf(text, sizeof text, "  %s", e->samples.list[i].text);
        share_print(out, e->samples.list[i].lines, s->lines, text);
    }
}

static int read_through(struct explain *e, struct follow *f, struct err *err)
{
    const struct shape *shape;
    struct log_reading reading;
    enum follow_result result;
    struct slice line;
    struct gap gap;

    while ((result = follow_next(f, clock_monotonic_ms(), &line, &gap, err)) != FOLLOW_END) {
        if (result == FOLLOW_ERROR)
            return -1;
        if (result == FOLLOW_LINE && line_read(e, line, &reading, &shape) && shape == NULL)
            samples_add(&e->samples, &reading.line);
    }
    return 0;
}

int explain_coverage(const struct settings *s, const char *path, FILE *out, struct err *err)
{
    struct follow_options options = {.mode = FOLLOW_WHOLE, .from = FOLLOW_FROM_START};
    struct explain *e = explain_new(s, NULL, err);
    struct follow *f;
    int rc;

    if (e == NULL)
        return -1;
    f = follow_open(path, &options, NULL, err);
    rc = f == NULL ? -1 : read_through(e, f, err);
    if (rc == 0)
        coverage_print(e, out);
    follow_close(f);
    close_all(e);
    return rc;
}
