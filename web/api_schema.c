#include "web/api_schema.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/report.h"
#include "lib/read/read_list.h"

#define REPORT      "Report"
#define NAME_BYTES  128
#define TOTALS_NAME "Totals"

/* --- properties of an object ----------------------------------------------------------------- */

enum { NULLABLE = 1, OPTIONAL = 2, LIST = 4 };

/* `type` is one of JSON Schema, or the name of a schema of ours; NULL: a text or a whole number. */
struct property {
    const char *name, *type;
    unsigned flags;
    const char *help; /* NULL: the name says it */
};

static void set(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

static bool is_ours(const char *type)
{
    return type[0] >= 'A' && type[0] <= 'Z';
}

/* A type that may be null, too. */
static json_t *or_null(const char *type)
{
    return json_pack("[s, s]", type, "null");
}

static json_t *place_of(const char *name)
{
    char text[NAME_BYTES];

    (void)snprintf(text, sizeof text, "#/components/schemas/%s", name);
    return json_string(text);
}

json_t *api_schema_ref(const char *name)
{
    char text[NAME_BYTES];
    json_t *choice;

    if (strcmp(name, REPORT) != 0)
        return json_pack("{s: o}", "$ref", place_of(name));
    choice = json_array();
    for (size_t i = 0; report_at(i) != NULL; i++) {
        (void)snprintf(text, sizeof text, REPORT ".%s", report_at(i)->name);
        (void)json_array_append_new(choice, api_schema_ref(text));
    }
    for (size_t i = 0; read_list_at(i) != NULL; i++) {
        (void)snprintf(text, sizeof text, REPORT ".%s", read_list_at(i)->name);
        (void)json_array_append_new(choice, api_schema_ref(text));
    }
    return json_pack("{s: o}", "oneOf", choice);
}

static json_t *type_of(const struct property *p)
{
    bool is_nullable = (p->flags & (NULLABLE | LIST)) == NULLABLE;
    json_t *one = json_object();

    if (p->type == NULL)
        set(one, "type", json_pack("[s, s]", "string", "integer"));
    else if (is_ours(p->type) && is_nullable)
        set(one, "oneOf", json_pack("[o, {s: s}]", api_schema_ref(p->type), "type", "null"));
    else if (is_ours(p->type))
        set(one, "$ref", place_of(p->type));
    else
        set(one, "type", is_nullable ? or_null(p->type) : json_string(p->type));
    return one;
}

static json_t *property_of(const struct property *p)
{
    json_t *one = type_of(p);

    if ((p->flags & LIST) != 0)
        one = json_pack("{s: o, s: o}", "type",
                        (p->flags & NULLABLE) != 0 ? or_null("array") : json_string("array"),
                        "items", one);
    if (p->help != NULL)
        set(one, "description", json_string(p->help));
    return one;
}

/* An object of these properties alone. */
static json_t *object_of(const struct property *list)
{
    json_t *properties = json_object(), *required = json_array();

    for (; list->name != NULL; list++) {
        set(properties, list->name, property_of(list));
        if ((list->flags & OPTIONAL) == 0)
            (void)json_array_append_new(required, json_string(list->name));
    }
    return json_pack("{s: s, s: o, s: o, s: b}", "type", "object", "properties", properties,
                     "required", required, "additionalProperties", 0);
}

/* --- reports --------------------------------------------------------------------------------- */

static const struct property report_properties[] = {
    {"report", "string", 0, NULL},
    {"scope", "string", 0,
     "What it is about: server, domain, user, customer or "
     "accounts."},
    {"name", "string", NULLABLE, "Of the domain or user."},
    {"from", "string", 0, "The first day or hour, within."},
    {"to", "string", 0, "The last one, within."},
    {"timezone", "string", 0, "Of days and longer; hours are UTC."},
    {"step", "string", NULLABLE, "hour, day, week, month, quarter; null: one row for all."},
    {"by", "string", NULLABLE, "node, domain, user or account."},
    {"complete", "boolean", 0, "All nodes have reported all they counted in this time."},
    {"note", "string", NULLABLE, "Why it is not complete."},
    {"coverage", "string", OPTIONAL, "What the figures stand for."},
    {"remarks", "string", OPTIONAL | LIST,
     "What is to be known of the figures: gaps and the like."},
    {"columns", "string", LIST, "The names of values, in their order."},
    {NULL, NULL, 0, NULL}};

static const char *const labels[] = {"hour", "day",    "week", "month",    "quarter",
                                     "node", "domain", "user", "customer", NULL};

static json_t *value_of(const struct report_column *column)
{
    json_t *value = json_object();

    set(value, "type", or_null(column->kind == COLUMN_SUM ? "integer" : "number"));
    if (column->counter_count == 1)
        set(value, "description", json_string(counter_table[column->counters[0]].help));
    return value;
}

/* The columns, all there. */
static json_t *values_of(const struct report_kind *kind)
{
    json_t *properties = json_object(), *required = json_array();

    for (size_t c = 0; c < kind->column_count; c++) {
        set(properties, kind->columns[c].name, value_of(&kind->columns[c]));
        (void)json_array_append_new(required, json_string(kind->columns[c].name));
    }
    return json_pack("{s: s, s: o, s: o, s: b}", "type", "object", "properties", properties,
                     "required", required, "additionalProperties", 0);
}

static void add_text(json_t *row, const char *name)
{
    set(json_object_get(row, "properties"), name, json_pack("{s: s}", "type", "string"));
}

static json_t *row_of(const struct report_kind *kind)
{
    json_t *row = values_of(kind);

    for (size_t i = 0; labels[i] != NULL && kind != report_totals(); i++)
        add_text(row, labels[i]);
    if (kind == report_totals()) {
        add_text(row, "customer");
        add_text(row, "account");
        add_text(row, "from");
        add_text(row, "to");
        set(json_object_get(row, "properties"), "complete", json_pack("{s: s}", "type", "boolean"));
    }
    add_text(row, "coverage");
    return row;
}

/* What `top` left out. */
static json_t *others_of(const struct report_kind *kind)
{
    json_t *others = values_of(kind);

    set(json_object_get(others, "properties"), "rows", json_pack("{s: s}", "type", "integer"));
    return json_pack("{s: [o, {s: s}]}", "oneOf", others, "type", "null");
}

static json_t *report_of(const struct report_kind *kind)
{
    json_t *schema = object_of(report_properties), *properties, *required;

    properties = json_object_get(schema, "properties");
    required = json_object_get(schema, "required");
    set(properties, "report", json_pack("{s: s}", "const", kind->name));
    set(properties, "rows", json_pack("{s: s, s: o}", "type", "array", "items", row_of(kind)));
    set(properties, "others", others_of(kind));
    set(properties, "total", values_of(kind));
    (void)json_array_append_new(required, json_string("rows"));
    (void)json_array_append_new(required, json_string("total"));
    set(schema, "title", json_string(kind->title));
    set(schema, "description", json_string(kind->help));
    return schema;
}

/* --- all others ------------------------------------------------------------------------------ */

/* refusals and anomalies, whose rows have columns of their own. */
static const struct property list_properties[] = {
    {"report", "string", 0, NULL},
    {"domain", "string", NULLABLE, "null: the server."},
    {"from", "string", 0, "The first day, within."},
    {"to", "string", 0, "The last one, within."},
    {"timezone", "string", 0, NULL},
    {"remarks", "string", LIST, "What is to be known of the rows: gaps and the like."},
    {"rows", "object", LIST, "The latest first."},
    {"more", "integer", 0, "Rows that `top` left out."},
    {NULL, NULL, 0, NULL}};

static json_t *list_of(const struct list_kind *kind)
{
    json_t *schema = object_of(list_properties);

    set(json_object_get(schema, "properties"), "report", json_pack("{s: s}", "const", kind->name));
    set(schema, "title", json_string(kind->title));
    set(schema, "description", json_string(kind->help));
    return schema;
}

static const struct property problem[] = {{"type", "string", 0, NULL},
                                          {"title", "string", 0, NULL},
                                          {"status", "integer", 0, "The status of the answer."},
                                          {"detail", "string", 0, "What is wrong, and the fix."},
                                          {NULL, NULL, 0, NULL}};

static const struct property report_name[] = {
    {"name", "string", 0, NULL},
    {"title", "string", 0, NULL},
    {"columns", "string", LIST | NULLABLE, "null: a list, whose rows have columns of their own."},
    {NULL, NULL, 0, NULL}};

static const struct property reports[] = {
    {"reports", "ReportName", LIST, "Those that there are for who asks."}, {NULL, NULL, 0, NULL}};

static const struct property domains[] = {
    {"domains", "string", LIST, "In order."},
    {"next", "string", NULLABLE, "`after` of the next part; null: this is the last."},
    {NULL, NULL, 0, NULL}};

static const struct property limit[] = {
    {"user", "string", NULLABLE, "Of a user's limit."},
    {"limit", "string", 0, "Scope, metric and time."},
    {"action", "string", 0, "log, defer, reject, hold."},
    {"used", "integer", 0, NULL},
    {"max", "integer", NULLABLE, "null: unlimited."},
    {"room", "integer", NULLABLE, NULL},
    {"percent", "integer", 0, "May be more than 100 where limits are only observed."},
    {"reopens_s", "integer", NULLABLE, "Seconds until there is room."},
    {"reopens_at", "integer", NULLABLE, "The same as Unix time."},
    {"forecast", "string", NULLABLE,
     "Of a month with room: will it be full before its end? full, no, unknown."},
    {"over_at", "integer", NULLABLE, "When it will be full, as Unix time."},
    {NULL, NULL, 0, NULL}};

static const struct property usage[] = {
    {"account", "string", 0, NULL},
    {"user", "string", NULLABLE, "Where one was asked for."},
    {"mode", "string", 0, "enforce, or observe: limits stop nothing."},
    {"exempt", "boolean", 0, "No limit applies."},
    {"limits", "Limit", LIST, "Its own, then those of the users who have used most."},
    {NULL, NULL, 0, NULL}};

static const struct property violation[] = {
    {"id", "string", 0, "Its place: `after` gives those behind it."},
    {"time", "string", 0, "RFC 3339."},
    {"time_ms", "integer", 0, "Unix time in milliseconds."},
    {"account", "string", 0,
     "Whose limit: a domain, @customer:NAME, @server, or "
     "@client:ADDRESS."},
    {"user", "string", NULLABLE, "Who is charged."},
    {"limit", "string", 0, "Scope, metric and time."},
    {"max", "integer", 0, NULL},
    {"used", "integer", 0, "Of the window, before."},
    {"wanted", "integer", 0, "By this message."},
    {"action", "string", 0, "What the limit says: log, defer, reject, hold."},
    {"event", "string", 0, "violation, or soft limit."},
    {"observed", "boolean", 0, "Nothing was stopped."},
    {"retry_after_s", "integer", NULLABLE, "Until there is room; null: never."},
    {"queue_id", "string", NULLABLE, NULL},
    {"client", "string", NULLABLE, NULL},
    {"from", "string", NULLABLE, "MAIL FROM."},
    {"login", "string", NULLABLE, NULL},
    {NULL, NULL, 0, NULL}};

static const struct property violations[] = {{"violations", "Violation", LIST, "The oldest first."},
                                             {"next", "string", 0, "`after` of the next question."},
                                             {NULL, NULL, 0, NULL}};

static const struct property collector[] = {
    {"version", "string", NULLABLE, NULL},
    {"started", "string", NULLABLE, NULL},
    {"seen", "string", NULLABLE, "When it last wrote its state."},
    {"log_through", "string", NULLABLE, "So far the log is read that is furthest behind."},
    {"pushed_through", "string", NULLABLE, "All that was logged before is in Redis."},
    {"lines", "integer", 0, "Of logs, since ever."},
    {"gaps", "integer", 0, "Holes in the logs, since ever."},
    {"sources", "string", NULLABLE, NULL},
    {NULL, NULL, 0, NULL}};

static const struct property node[] = {
    {"name", "string", 0, NULL},
    {"version", "string", NULLABLE, "Of tollgated."},
    {"started", "string", NULLABLE, NULL},
    {"seen", "string", NULLABLE, "When tollgated last wrote its state."},
    {"counted_through", "string", NULLABLE, "All that was accepted before is in its ledger."},
    {"pushed_through", "string", NULLABLE, "All that was accepted before is in Redis."},
    {"journal_records", "integer", 0, "Accepted and not yet in the ledger."},
    {"dirty_rows", "integer", 0, "Changed and not yet in Redis."},
    {"renamed", "boolean", 0, "A former name of another node."},
    {"retired", "boolean", 0, "Gone for good."},
    {"rivals", "boolean", 0, "Two nodes have this name."},
    {"collector", "Collector", NULLABLE, "null: none has run there."},
    {NULL, NULL, 0, NULL}};

static const struct property nodes[] = {{"nodes", "Node", LIST, NULL}, {NULL, NULL, 0, NULL}};

/* --- what is changed ------------------------------------------------------------------------- */

static const struct property limit_in_force[] = {
    {"limit", "string", 0, "Its name: domain/recipients/hour."},
    {"max", "integer", 0, NULL},
    {"action", "string", 0, "log, hold, defer or reject."},
    {"soft", "integer", NULLABLE, "A percentage at which there is an event."},
    {"forwards", "boolean", 0, "It may stop inbound mail of a forwarder's owner."},
    {"from", "string", 0, "plan or override."},
    {"until", "integer", NULLABLE, "Unix time."},
    {NULL, NULL, 0, NULL}};

static const struct property override[] = {
    {"limit", "string", 0, "Its name: domain/recipients/hour."},
    {"of", "string", NULLABLE, "The one user or client that it is for."},
    {"max", NULL, 0, "A number, or unlimited."},
    {"action", "string", 0, NULL},
    {"holds", "boolean", 0, "It is in force."},
    {"until", "integer", NULLABLE, "Unix time."},
    {"author", "string", OPTIONAL | NULLABLE, "For an admin only, as the next one."},
    {"reason", "string", OPTIONAL | NULLABLE, NULL},
    {NULL, NULL, 0, NULL}};

static const struct property limits[] = {
    {"account", "string", 0, NULL},
    {"hosted", "boolean", 0, "Mail is charged to it."},
    {"mode", "string", 0, "observe or enforce."},
    {"exempt", "boolean", 0, "No limit applies."},
    {"plan", "string", NULLABLE, NULL},
    {"plan_from", "string", 0, "none, default, assign or set."},
    {"limits", "LimitInForce", LIST, "Those in force."},
    {"overrides", "Override", LIST, "What was set at run time."},
    {NULL, NULL, 0, NULL}};

static const struct property limit_change[] = {
    {"max", NULL, 0, "A number, a size such as 10GB, or unlimited."},
    {"action", "string", OPTIONAL, "As before where it is not given, and so the next two."},
    {"soft", "integer", OPTIONAL, NULL},
    {"forwards", "boolean", OPTIONAL, NULL},
    {"until", "string", OPTIONAL, "The last day: 2026-11-30; or a length of time: +3days."},
    {"reason", "string", 0, "Why; for who looks at it later."},
    {"force", "boolean", OPTIONAL, "Even if nothing is charged to the domain."},
    {NULL, NULL, 0, NULL}};

static const struct property plan_change[] = {{"plan", "string", 0, "One of the configuration."},
                                              {"reason", "string", 0, NULL},
                                              {"force", "boolean", OPTIONAL, NULL},
                                              {NULL, NULL, 0, NULL}};

static const struct property adjustment_change[] = {
    {"month", "string", 0, "2026-11; not one to come."},
    {"counter", "string", 0, "out_messages and so on."},
    {"amount", NULL, 0, "To be added; not 0."},
    {"evidence", "string", OPTIONAL, NULL},
    {"reason", "string", 0, NULL},
    {NULL, NULL, 0, NULL}};

static const struct property adjustment[] = {
    {"account", "string", 0, NULL},
    {"month", "string", 0, NULL},
    {"id", "string", 0, NULL},
    {"counter", "string", 0, NULL},
    {"amount", "string", 0, NULL},
    {"reason", "string", 0, NULL},
    {"added", "boolean", 0, "false: there was one of that id."},
    {NULL, NULL, 0, NULL}};

static const struct property reason[] = {{"reason", "string", 0, NULL}, {NULL, NULL, 0, NULL}};

static const struct property asked[] = {
    {"at", "integer", 0, "Unix time."},
    {"by", "string", OPTIONAL, "For an admin only, as the next one."},
    {"reason", "string", OPTIONAL, NULL},
    {NULL, NULL, 0, NULL}};

static const struct property held_message[] = {
    {"account", "string", 0, NULL},
    {"node", "string", 0, NULL},
    {"queue_id", "string", 0, NULL},
    {"since", "integer", 0, "Unix time."},
    {"asked", "Asked", NULLABLE, "Its release was asked for; the node does it within a minute."},
    {NULL, NULL, 0, NULL}};

static const struct property held[] = {{"held", "HeldMessage", LIST, NULL}, {NULL, NULL, 0, NULL}};

static const struct {
    const char *name;
    const struct property *properties;
} objects[] = {{"Adjustment", adjustment},
               {"AdjustmentChange", adjustment_change},
               {"Asked", asked},
               {"Held", held},
               {"HeldMessage", held_message},
               {"LimitInForce", limit_in_force},
               {"LimitChange", limit_change},
               {"Limits", limits},
               {"Override", override},
               {"PlanChange", plan_change},
               {"Reason", reason},
               {"Collector", collector},
               {"Domains", domains},
               {"Limit", limit},
               {"Usage", usage},
               {"Node", node},
               {"Nodes", nodes},
               {"Problem", problem},
               {"ReportName", report_name},
               {"Reports", reports},
               {"Violation", violation},
               {"Violations", violations}};

json_t *api_schema_all(void)
{
    json_t *all = json_object();
    char name[NAME_BYTES];

    for (size_t i = 0; report_at(i) != NULL; i++) {
        (void)snprintf(name, sizeof name, REPORT ".%s", report_at(i)->name);
        set(all, name, report_of(report_at(i)));
    }
    for (size_t i = 0; read_list_at(i) != NULL; i++) {
        (void)snprintf(name, sizeof name, REPORT ".%s", read_list_at(i)->name);
        set(all, name, list_of(read_list_at(i)));
    }
    set(all, TOTALS_NAME, report_of(report_totals()));
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        set(all, objects[i].name, object_of(objects[i].properties));
    return all;
}
