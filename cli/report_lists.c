#include "cli/report_lists.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "cli/report_anomalies.h"
#include "cli/report_refusals.h"
#include "cli/text.h"
#include "lib/core/format.h"
#include "lib/read/read_remarks.h"
#include "lib/sys/json.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)1 << 30)

enum { REFUSALS, ANOMALIES };

static const struct report_list lists[] = {
    [REFUSALS] = {"refusals", "Refusals by other mail servers",
                  "other servers that refuse this one's mail, and the lists they name"},
    [ANOMALIES] = {"anomalies", "Anomalies", "logins and domains far above what is usual for them"},
};
#define LISTS (sizeof lists / sizeof lists[0])

const struct report_list *report_list_at(size_t index)
{
    return index < LISTS ? &lists[index] : NULL;
}

const struct report_list *report_list_find(const char *name)
{
    for (size_t i = 0; i < LISTS; i++) {
        if (strcmp(lists[i].name, name) == 0)
            return &lists[i];
    }
    return NULL;
}

/* What is written, whichever list it is. */
struct list_output {
    const struct report_list *list;
    const struct report_list_question *q;
    const char *timezone;
    struct table *table;
    size_t more;
    struct slice texts;
    struct remark_list remarks;
};

static void add_table(const struct list_output *o, struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    buf_addf(b, "%s%s%s%.*s, %s to %s\n\n", style.colour ? "\033[1m" : "", o->list->title,
             o->q->domain.len > 0 ? ", domain " : ", server", SLICE_FMT(o->q->domain),
             o->q->range->from_text, o->q->range->to_text);
    if (style.colour)
        buf_add_str(b, "\033[0m");
    if (o->table->row_count == 0)
        buf_add_str(b, "Nothing was found.\n");
    else
        table_table(o->table, &style, true, b);
    if (o->more > 0)
        buf_addf(b, "(%zu more)\n", o->more);
    table_note_hidden(o->table, &style, b);
    if (o->texts.len > 0)
        buf_addf(b, "\n%.*s", SLICE_FMT(o->texts));
    if (o->remarks.count > 0)
        buf_add_char(b, '\n');
    for (size_t i = 0; i < o->remarks.count; i++)
        text_wrap(b, 0, false, style.width, o->remarks.items[i]);
}

static json_t *to_json(const struct list_output *o)
{
    json_t *json = json_object(), *remarks = json_array();

    for (size_t i = 0; i < o->remarks.count; i++)
        (void)json_array_append_new(remarks, json_text(o->remarks.items[i]));
    (void)json_object_set_new(json, "report", json_string(o->list->name));
    (void)json_object_set_new(json, "domain",
                              o->q->domain.len > 0 ? json_text(o->q->domain) : json_null());
    (void)json_object_set_new(json, "from", json_string(o->q->range->from_text));
    (void)json_object_set_new(json, "to", json_string(o->q->range->to_text));
    (void)json_object_set_new(json, "timezone", json_string(o->timezone));
    (void)json_object_set_new(json, "remarks", remarks);
    (void)json_object_set_new(json, "rows", table_json(o->table));
    (void)json_object_set_new(json, "more", json_integer((json_int_t)o->more));
    return json;
}

static int write_output(const struct list_output *o)
{
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    if (o->q->format == FORMAT_CSV)
        table_csv(o->table, true, &b);
    else if (o->q->format == FORMAT_JSON)
        cli_add_json(&b, to_json(o));
    else
        add_table(o, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* Lists are made of what the logs say, as reports are. */
static int read_remarks(struct cli *cli, const struct report_time *t, struct arena *arena,
                        struct remark_list *remarks, struct err *err)
{
    struct coverage_nodes nodes;

    if (read_coverage_nodes(&cli->reader, true, arena, &nodes, err) != 0)
        return -1;
    return read_remarks_logs(&nodes, NULL, t->from, t->to, t->now, arena, remarks, err);
}

int report_list_write(struct cli *cli, const struct report_list *list,
                      const struct report_list_question *q)
{
    struct list_output o = {.list = list, .q = q, .timezone = cli->settings->timezone};
    struct report_refusals refusals;
    struct report_anomalies anomalies;
    struct err err = {0};
    struct arena arena;
    int code;

    arena_init(&arena, ARENA_BYTES);
    buf_init(&refusals.texts, TEXT_BYTES);
    if (read_remarks(cli, &q->range->time, &arena, &o.remarks, &err) != 0) {
        code = -1;
    } else if (list == &lists[REFUSALS]) {
        code = report_refusals_read(cli, q, &arena, &refusals, &err);
        o.table = &refusals.table;
        o.more = refusals.more;
        o.texts = buf_slice(&refusals.texts);
    } else {
        code = report_anomalies_read(cli, q, &arena, &anomalies, &err);
        o.table = &anomalies.table;
        o.more = anomalies.more;
    }
    code = code == 0 ? write_output(&o) : cli_fail(&err);
    buf_fini(&refusals.texts);
    arena_fini(&arena);
    return code;
}
