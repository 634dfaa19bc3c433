#include "web/api_document.h"

#include <jansson.h>
#include <string.h>

#include "config.h"
#include "lib/core/report.h"
#include "web/api_change.h"
#include "web/api_schema.h"
#include "web/figures.h"
#include "web/figures_data.h"

static const char *const no_parameters[] = {NULL};

/* What a path or query takes. */
static const struct word {
    const char *name, *help;
    const char *const *choices; /* NULL: any text */
    int most;                   /* of a number from 1 on; 0: it is none */
} words[] = {
    {"report", "Name of the report; /api/v1/reports lists them.", NULL, 0},
    {"mode",
     "trend: a row for each step (the default). domain, user, customer: a row for each name.",
     figures_mode_names, 0},
    {"domain", "Only this one.", NULL, 0},
    {"user", "Only this address.", NULL, 0},
    {"customer", "The domains of this customer (billing.customers).", NULL, 0},
    {"by", "customer: a row for each customer, and for each account without one.",
     figures_data_totals_by, 0},
    {"month", "A month, such as 2026-11; in place of from and to.", NULL, 0},
    {"from", "The first day: 2026-11-21, 2026-11, today, -7days.", NULL, 0},
    {"to", "The last day, within.", NULL, 0},
    {"step", "By the length of the time by default; hours are UTC.", figures_step_names, 0},
    {"chart", "Ignored: as in the addresses of pages.", figures_chart_names, 0},
    {"sort", "A column or label to sort by.", NULL, 0},
    {"desc", "1: descending, 0: ascending.", NULL, 0},
    {"top", "At most so many rows.", NULL, HTTP_QUERY_TOP},
    {"id", "Its name within account and month; ASCII without blanks.", NULL, 0},
    {"limit", "Its name: domain/recipients/hour.", NULL, 0},
    {"reason", "Why; for who looks at it later.", NULL, 0},
    {"node", "The node that holds it.", NULL, 0},
    {"queue_id", "Its queue id there.", NULL, 0},
    {"after", "Begin behind this one: `next` of the answer before.", NULL, 0},
};

static const struct operation {
    const char *path, *id, *summary;
    const char *in_path[2]; /* the parameters within the path; NULL: none */
    const char *const *parameters;
    const char *schema;
    const char *method; /* NULL: get */
    const char *body;   /* the schema of what is sent; NULL: nothing is */
} operations[] = {
    {"/api/v1/reports",
     "listReports",
     "The reports that there are for who asks",
     {NULL},
     no_parameters,
     "Reports",
     NULL,
     NULL},
    {"/api/v1/reports/{report}",
     "getReport",
     "A report, as tollgate report prints it",
     {"report"},
     figures_parameters,
     "Report",
     NULL,
     NULL},
    {"/api/v1/totals",
     "getTotals",
     "Every counter of each account over a time, exact, as tollgate totals prints them",
     {NULL},
     figures_data_totals_parameters,
     "Totals",
     NULL,
     NULL},
    {"/api/v1/domains",
     "listDomains",
     "The accounts that have counted anything",
     {NULL},
     figures_data_accounts_parameters,
     "Domains",
     NULL,
     NULL},
    {"/api/v1/domains/{domain}/usage",
     "getUsage",
     "How much of its limits a domain has used",
     {"domain"},
     figures_data_usage_parameters,
     "Usage",
     NULL,
     NULL},
    {"/api/v1/domains/{domain}/limits",
     "getLimits",
     "Limits in force, the plan, and what was set, as tollgate limit show prints them",
     {"domain"},
     no_parameters,
     "Limits",
     NULL,
     NULL},
    {"/api/v1/domains/{domain}/limits",
     "setLimit",
     "Set a limit, as tollgate limit set does (a token that may write)",
     {"domain"},
     api_change_limit,
     "Limits",
     "put",
     "LimitChange"},
    {"/api/v1/domains/{domain}/limits",
     "unsetLimit",
     "Remove a limit that was set (a token that may write)",
     {"domain"},
     api_change_limit_reason,
     "Limits",
     "delete",
     NULL},
    {"/api/v1/domains/{domain}/plan",
     "setPlan",
     "Set the plan, as tollgate plan set does (a token that may write)",
     {"domain"},
     no_parameters,
     "Limits",
     "put",
     "PlanChange"},
    {"/api/v1/domains/{domain}/plan",
     "unsetPlan",
     "Remove the plan that was set (a token that may write)",
     {"domain"},
     api_change_reason,
     "Limits",
     "delete",
     NULL},
    {"/api/v1/domains/{domain}/adjustments",
     "addAdjustment",
     "Add a correction beside the figures (a token that may write); one of that id stays as it is",
     {"domain"},
     api_change_id,
     "Adjustment",
     "put",
     "AdjustmentChange"},
    {"/api/v1/held",
     "listHeld",
     "Messages on hold, the longest held first",
     {NULL},
     api_change_domain,
     "Held",
     NULL,
     NULL},
    {"/api/v1/held/{node}/{queue_id}",
     "releaseHeld",
     "Ask the node to release a message (a token that may write)",
     {"node", "queue_id"},
     api_change_domain,
     "HeldMessage",
     "put",
     "Reason"},
    {"/api/v1/held/{node}/{queue_id}",
     "withdrawRelease",
     "Take that back (a token that may write)",
     {"node", "queue_id"},
     api_change_domain_reason,
     "HeldMessage",
     "delete",
     NULL},
    {"/api/v1/violations",
     "listViolations",
     "Limits that were crossed: the last ones, or those behind a given one",
     {NULL},
     figures_data_violations_parameters,
     "Violations",
     NULL,
     NULL},
    {"/api/v1/nodes",
     "listNodes",
     "The nodes, and how far their figures reach (admin)",
     {NULL},
     no_parameters,
     "Nodes",
     NULL,
     NULL},
    {"/api/v1/openapi.json",
     "getDocument",
     "This description",
     {NULL},
     no_parameters,
     NULL,
     NULL,
     NULL},
};

/* --- parameters ------------------------------------------------------------------------------ */

static const struct word *find(const char *name)
{
    size_t i = 0;

    while (strcmp(words[i].name, name) != 0) {
        i++;
        TG_ASSERT(i < sizeof words / sizeof words[0]);
    }
    return &words[i];
}

static json_t *schema_of(const struct word *w)
{
    json_t *choices;

    if (w->most > 0)
        return json_pack("{s: s, s: i, s: i}", "type", "integer", "minimum", 1, "maximum", w->most);
    if (w->choices == NULL)
        return json_pack("{s: s}", "type", "string");
    choices = json_array();
    for (size_t i = 0; w->choices[i] != NULL; i++)
        (void)json_array_append_new(choices, json_string(w->choices[i]));
    return json_pack("{s: s, s: o}", "type", "string", "enum", choices);
}

static json_t *parameter_of(const char *name, bool in_path)
{
    const struct word *w = find(name);

    return json_pack("{s: s, s: s, s: b, s: s, s: o}", "name", name, "in",
                     in_path ? "path" : "query", "required", in_path, "description", w->help,
                     "schema", schema_of(w));
}

static json_t *parameters_of(const struct operation *o)
{
    json_t *list = json_array();

    for (size_t i = 0; i < 2 && o->in_path[i] != NULL; i++)
        (void)json_array_append_new(list, parameter_of(o->in_path[i], true));
    for (size_t i = 0; o->parameters[i] != NULL; i++)
        (void)json_array_append_new(list, parameter_of(o->parameters[i], false));
    return list;
}

/* --- answers --------------------------------------------------------------------------------- */

static json_t *content_of(const char *type, json_t *schema)
{
    return json_pack("{s: {s: o}}", type, "schema", schema);
}

static json_t *responses_of(const struct operation *o)
{
    json_t *schema =
        o->schema != NULL ? api_schema_ref(o->schema) : json_pack("{s: s}", "type", "object");
    json_t *all = json_object();

    (void)json_object_set_new(all, "200",
                              json_pack("{s: s, s: {s: {s: s, s: {s: s}}}, s: o}", "description",
                                        "The answer", "headers", "ETag", "description",
                                        "For If-None-Match", "schema", "type", "string", "content",
                                        content_of("application/json", schema)));
    (void)json_object_set_new(all, "304",
                              json_pack("{s: s}", "description", "If-None-Match names it"));
    (void)json_object_set_new(all, "default",
                              json_pack("{s: s}", "$ref", "#/components/responses/Problem"));
    return all;
}

static json_t *operation_of(const struct operation *o)
{
    json_t *operation =
        json_pack("{s: s, s: s, s: o, s: o}", "operationId", o->id, "summary", o->summary,
                  "parameters", parameters_of(o), "responses", responses_of(o));

    if (o->body != NULL)
        (void)json_object_set_new(
            operation, "requestBody",
            json_pack("{s: b, s: o}", "required", 1, "content",
                      content_of("application/json", api_schema_ref(o->body))));
    return operation;
}

/* --- the document ---------------------------------------------------------------------------- */

static json_t *paths(void)
{
    json_t *all = json_object();

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct operation *o = &operations[i];

        if (json_object_get(all, o->path) == NULL)
            (void)json_object_set_new(all, o->path, json_object());
        (void)json_object_set_new(json_object_get(all, o->path),
                                  o->method != NULL ? o->method : "get", operation_of(o));
    }
    return all;
}

static json_t *components(void)
{
    json_t *problem = content_of("application/problem+json", api_schema_ref("Problem"));

    return json_pack("{s: o, s: {s: {s: s, s: o}}, s: {s: {s: s, s: s, s: s}}}", "schemas",
                     api_schema_all(), "responses", "Problem", "description",
                     "What is wrong, and the fix (RFC 9457)", "content", problem, "securitySchemes",
                     "token", "type", "http", "scheme", "bearer", "description",
                     "tollgate web token NAME --role ROLE");
}

json_t *api_document_make(void)
{
    return json_pack("{s: s, s: {s: s, s: s, s: s}, s: [{s: []}], s: o, s: o}", "openapi", "3.1.0",
                     "info", "title", "Tollgate", "version", PACKAGE_VERSION, "description",
                     "Mail traffic, limits and nodes. What a token may not see is answered like "
                     "what does not exist: 404.",
                     "security", "token", "paths", paths(), "components", components());
}
