#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/text.h"
#include "lib/read/read_list.h"
#include "lib/read/read_usage_rows.h"
#include "lib/read/read_violations_table.h"
#include "lib/sys/json.h"
#include "web/api.h"
#include "web/figures.h"
#include "web/figures_data.h"

static const char *const no_parameters[] = {NULL};

static void set(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

static void set_text(json_t *object, const char *name, struct slice text)
{
    set(object, name, text.len > 0 ? json_text(text) : json_null());
}

/* --- reports --------------------------------------------------------------------------------- */

static json_t *report_of(const struct report_kind *kind)
{
    json_t *report = json_object(), *columns = json_array();

    for (size_t c = 0; c < kind->column_count; c++)
        (void)json_array_append_new(columns, json_string(kind->columns[c].name));
    set(report, "name", json_string(kind->name));
    set(report, "title", json_string(kind->title));
    set(report, "columns", columns);
    return report;
}

static json_t *list_of(const struct list_kind *kind)
{
    json_t *list = json_object();

    set(list, "name", json_string(kind->name));
    set(list, "title", json_string(kind->title));
    set(list, "columns", json_null());
    return list;
}

int api_reports(struct exchange *x, struct err *err)
{
    json_t *answer, *reports;
    struct scope scope;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        scope_choose(x, SLICE_NONE, SLICE_NONE, &scope, err) != 0)
        return -1;
    answer = json_object();
    reports = json_array();
    for (size_t i = 0; report_at(i) != NULL; i++) {
        if (figures_exists(report_at(i), &scope))
            (void)json_array_append_new(reports, report_of(report_at(i)));
    }
    for (size_t i = 0; scope.level != SCOPE_USER && read_list_at(i) != NULL; i++)
        (void)json_array_append_new(reports, list_of(read_list_at(i)));
    set(answer, "reports", reports);
    return api_answer(x, answer, err);
}

/* --- domains --------------------------------------------------------------------------------- */

int api_domains(struct exchange *x, struct err *err)
{
    struct figures_data_accounts accounts;
    json_t *answer, *domains;

    if (figures_data_accounts(x, &accounts, err) != 0)
        return -1;
    answer = json_object();
    domains = json_array();
    for (size_t i = 0; i < accounts.list.count; i++)
        (void)json_array_append_new(domains, json_text(accounts.list.items[i]));
    set(answer, "domains", domains);
    set_text(answer, "next",
             accounts.has_more ? accounts.list.items[accounts.list.count - 1] : SLICE_NONE);
    return api_answer(x, answer, err);
}

/* --- usage ----------------------------------------------------------------------------------- */

int api_usage(struct exchange *x, struct err *err)
{
    struct figures_data_usage found;
    struct usage_rows *used = &found.usage.rows;
    struct table rows;
    json_t *answer;

    if (figures_data_usage(x, x->request.segments[3], &found, err) != 0)
        return -1;
    table_init(&rows, read_usage_columns, read_usage_column_count, &x->arena);
    for (size_t i = 0; i < used->count; i++)
        read_usage_add_row(&rows, &used->list[i], used->now_ms, false);
    if (rows.failed)
        return err_set(err, EX_OSERR, "out of memory");
    answer = json_object();
    set_text(answer, "account", found.scope.account);
    set_text(answer, "user", found.scope.user);
    set(answer, "mode", json_string(found.usage.is_observed ? "observe" : "enforce"));
    set(answer, "exempt", json_boolean(found.usage.is_exempt));
    set(answer, "limits", table_json(&rows));
    return api_answer(x, answer, err);
}

/* --- violations ------------------------------------------------------------------------------ */

static json_t *id_of(struct stream_id id)
{
    char text[READ_STREAM_ID_TEXT];

    read_stream_id_text(id, text);
    return json_string(text);
}

int api_violations(struct exchange *x, struct err *err)
{
    struct figures_data_violations found;
    json_t *answer, *violations;
    struct table rows;

    if (figures_data_violations(x, &found, err) != 0)
        return -1;
    table_init(&rows, read_violations_columns, read_violations_column_count, &x->arena);
    for (size_t i = 0; i < found.list.count; i++)
        read_violations_add_row(&rows, &found.list.items[i].v);
    if (rows.failed)
        return err_set(err, EX_OSERR, "out of memory");
    violations = table_json(&rows);
    for (size_t i = 0; i < json_array_size(violations); i++)
        set(json_array_get(violations, i), "id", id_of(found.list.items[i].id));
    answer = json_object();
    set(answer, "violations", violations);
    set(answer, "next", id_of(found.last));
    return api_answer(x, answer, err);
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* null: it does not say. */
static void set_time(json_t *object, const char *name, int64_t unix_s)
{
    struct buf text;

    if (unix_s <= 0) {
        set(object, name, json_null());
        return;
    }
    buf_init(&text, 64);
    text_time_exact(&text, unix_s);
    set(object, name, json_text(buf_slice(&text)));
    buf_fini(&text);
}

static json_t *collector_of(const struct collector_info *c)
{
    json_t *collector;

    if (!c->log.is_there)
        return json_null();
    collector = json_object();
    set_text(collector, "version", c->version);
    set_time(collector, "started", c->started);
    set_time(collector, "seen", c->seen);
    set_time(collector, "log_through", c->log_through);
    set_time(collector, "pushed_through", c->log.through_s);
    set(collector, "lines", json_integer((json_int_t)c->lines));
    set(collector, "gaps", json_integer((json_int_t)c->gaps));
    set_text(collector, "sources", c->sources);
    return collector;
}

static json_t *node_of(const struct node_info *n, const struct collector_info *c)
{
    json_t *node = json_object();

    set_text(node, "name", n->name);
    set_text(node, "version", n->version);
    set_time(node, "started", n->started);
    set_time(node, "seen", n->seen);
    set_time(node, "counted_through", n->counted_through);
    set_time(node, "pushed_through", n->pushed_through);
    set(node, "journal_records", json_integer(n->journal_records));
    set(node, "dirty_rows", json_integer(n->dirty_rows));
    set(node, "renamed", json_boolean(n->is_renamed));
    set(node, "retired", json_boolean(n->is_retired));
    set(node, "rivals", json_boolean(n->rival.len > 0));
    set(node, "collector", collector_of(c));
    return node;
}

int api_nodes(struct exchange *x, struct err *err)
{
    json_t *answer, *nodes;
    struct coverage_nodes found;
    struct scope scope;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        scope_choose(x, SLICE_NONE, SLICE_NONE, &scope, err) != 0 ||
        figures_nodes(x, &scope, &found, err) != 0)
        return -1;
    answer = json_object();
    nodes = json_array();
    for (size_t i = 0; i < found.nodes.count; i++)
        (void)json_array_append_new(nodes, node_of(&found.nodes.items[i], &found.collectors[i]));
    set(answer, "nodes", nodes);
    return api_answer(x, answer, err);
}
