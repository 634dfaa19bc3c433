#include "cli/limit_show.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"
#include "lib/sys/table.h"

#define TEXT_BYTES ((size_t)16 << 20)
#define INDENT     11

enum limit_column { COL_LIMIT, COL_MAX, COL_ACTION, COL_SOFT, COL_FORWARDS, COL_FROM, COL_UNTIL };

static const struct table_column columns[] = {
    [COL_LIMIT] = {.name = "limit", .head = "limit"},
    [COL_MAX] = {.name = "max", .head = "max", .right = true},
    [COL_ACTION] = {.name = "action", .head = "action"},
    [COL_SOFT] = {.name = "soft", .head = "soft", .right = true},
    [COL_FORWARDS] = {.name = "forwards", .head = "forwards"},
    [COL_FROM] = {.name = "from", .head = "from"},
    [COL_UNTIL] = {.name = "until"},
};

/* --- rows ------------------------------------------------------------------------------------ */

static void row_name(struct table *list, const struct limit *l)
{
    struct buf b;

    buf_init(&b, 1024);
    limit_name(l, &b);
    table_text(list, COL_LIMIT, buf_slice(&b));
    buf_fini(&b);
}

static void row_numbers(struct table *list, const struct limit *l)
{
    struct buf b;

    buf_init(&b, 256);
    text_amount(&b, l->metric, l->max);
    if (l->max == LIMIT_UNLIMITED)
        table_text(list, COL_MAX, buf_slice(&b));
    else
        table_number(list, COL_MAX, l->max, buf_slice(&b));
    buf_reset(&b);
    buf_addf(&b, "%u%%", l->soft_percent);
    if (l->soft_percent != 0)
        table_number(list, COL_SOFT, l->soft_percent, buf_slice(&b));
    buf_fini(&b);
}

/* `from` NULL: without that column and those behind it. */
static void row_add(struct table *list, const struct limit *l, const char *from)
{
    struct buf b;

    table_row(list);
    row_name(list, l);
    row_numbers(list, l);
    table_text(list, COL_ACTION, slice_str(limit_action_name(l->action)));
    table_bool(list, COL_FORWARDS, l->forwards, l->forwards ? "yes" : "");
    if (from == NULL)
        return;
    table_text(list, COL_FROM, slice_str(from));
    if (l->until_s == 0)
        return;
    buf_init(&b, 256);
    text_time(&b, l->until_s);
    table_number(list, COL_UNTIL, (uint64_t)l->until_s, buf_slice(&b));
    buf_fini(&b);
}

/* --- about the holder ------------------------------------------------------------------------ */

static void line(struct buf *b, const char *name, const char *format, ...) TG_PRINTF(3, 4);

static void line(struct buf *b, const char *name, const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    format_left(b, slice_str(name), INDENT);
    format_text(b, slice_str(text));
    buf_add_char(b, '\n');
}

static void add_hosted(const struct holder *h, struct buf *b)
{
    if (h->kind != HOLDER_IS_DOMAIN)
        return;
    if (h->is_hosted)
        line(b, "  hosted", "yes");
    else if (h->charged.len > 0)
        line(b, "  hosted", "yes, but charged to %.*s, whose limits apply", SLICE_FMT(h->charged));
    else
        line(b, "  hosted", "no: nothing is charged to it");
}

static void add_plan(const struct holder *h, const struct holder_limits *l, struct buf *b)
{
    if (l->plan == NULL)
        line(b, "  plan", "none: %s", holder_plan_origin_text(PLAN_NONE));
    else
        line(b, "  plan", "%.*s (%s)", SLICE_FMT(l->plan->name),
             holder_plan_origin_text(l->origin));
    if (l->said.plan.len > 0 && l->origin != PLAN_GIVEN)
        line(b, "", "(set at run time to \"%.*s\", which is not configured)",
             SLICE_FMT(l->said.plan));
    if (h->assigned.len > 0 && l->origin == PLAN_DEFAULT)
        line(b, "", "(throttle.assign has \"%.*s\", which is not configured)",
             SLICE_FMT(h->assigned));
}

void limit_show_head(const struct setup *s, const struct holder *h, const struct holder_limits *l,
                     struct buf *b)
{
    format_text(b, h->name);
    buf_add_char(b, '\n');
    add_hosted(h, b);
    add_plan(h, l, b);
    line(b, "  mode", "%s",
         s->rules->observe ? "observe: limits are logged and counted, nothing is stopped"
                           : "enforce");
    if (h->is_exempt)
        line(b, "  exempt", "yes, by throttle.exempt: no limit applies");
}

/* --- overrides ------------------------------------------------------------------------------- */

static const char *override_state(const struct holder *h, const struct limit *o, int64_t now_s)
{
    if (o->until_s != 0 && o->until_s <= now_s)
        return "ended";
    if (!holder_has_scope(h, o->scope))
        return "no effect: of another scope";
    return o->max == LIMIT_UNLIMITED ? "in force: no limit" : "in force";
}

/* Of one user or client only what can be in force for it. */
static bool override_concerns(const struct holder *h, const struct limit *o)
{
    return h->subject.len == 0 || (holder_has_scope(h, o->scope) &&
                                   (o->subject.len == 0 || slice_equal(o->subject, h->subject)));
}

/* "user/messages/hour of alice@example.com" */
static void add_field(const struct limit *o, struct buf *b)
{
    limit_name(o, b);
    if (o->subject.len == 0)
        return;
    buf_add_str(b, " of ");
    format_text(b, o->subject);
}

static void add_override(const struct holder *h, const struct limit *o, int64_t now_s,
                         struct buf *b)
{
    buf_add_str(b, "  ");
    add_field(o, b);
    buf_add_char(b, ' ');
    text_amount(b, o->metric, o->max);
    buf_addf(b, "\n    %s", override_state(h, o, now_s));
    if (o->until_s != 0) {
        buf_add_str(b, o->until_s > now_s ? " until " : " ");
        text_time(b, o->until_s);
    }
    if (o->author.len > 0) {
        buf_add_str(b, ", by ");
        format_text(b, o->author);
    }
    if (o->reason.len > 0) {
        buf_add_str(b, ": ");
        format_text(b, o->reason);
    }
    buf_add_char(b, '\n');
}

static int by_name(const void *a, const void *b)
{
    const struct limit *x = a, *y = b;

    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    if (x->metric != y->metric)
        return x->metric < y->metric ? -1 : 1;
    if (x->window_ms != y->window_ms)
        return x->window_ms < y->window_ms ? -1 : 1;
    if (!slice_equal(x->subject, y->subject))
        return slice_compare(x->subject, y->subject);
    return x->max < y->max ? -1 : x->max > y->max;
}

/* The store gives them in any order. */
static void overrides_sort(const struct holder_limits *l)
{
    if (l->said.count > 0)
        qsort(l->said.overrides, l->said.count, sizeof *l->said.overrides, by_name);
    if (l->count > 0)
        qsort(l->limits, l->count, sizeof *l->limits, by_name);
}

/* --- limit show ------------------------------------------------------------------------------ */

static void fill(const struct holder_limits *l, const struct holder *h, int64_t now_s,
                 struct table *list)
{
    overrides_sort(l);
    for (size_t i = 0; i < l->count; i++) {
        if (holder_limit_is(l, h, i, NULL))
            row_add(list, &l->limits[i],
                    holder_override(l, &l->limits[i], now_s) != NULL ? "override" : "plan");
    }
}

static void add_text(const struct setup *s, const struct holder *h, const struct holder_limits *l,
                     int64_t now_s, const struct table *list, struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    limit_show_head(s, h, l, b);
    buf_add_char(b, '\n');
    if (l->count == 0)
        buf_add_str(b, "No limit is in force.\n");
    else
        table_table(list, &style, true, b);
    if (l->said.count > 0)
        buf_add_str(b, "\nOverrides:\n");
    for (size_t i = 0; i < l->said.count; i++)
        if (override_concerns(h, &l->said.overrides[i]))
            add_override(h, &l->said.overrides[i], now_s, b);
}

static json_t *text_or_null(struct slice text)
{
    return text.len > 0 ? json_text(text) : json_null();
}

static json_t *override_json(const struct limit *o, const struct holder *h, int64_t now_s)
{
    json_t *json = json_object();
    struct buf name;

    buf_init(&name, 1024);
    limit_name(o, &name);
    (void)json_object_set_new(json, "limit", json_text(buf_slice(&name)));
    buf_fini(&name);
    (void)json_object_set_new(json, "of", text_or_null(o->subject));
    (void)json_object_set_new(json, "max",
                              o->max == LIMIT_UNLIMITED ? json_string("unlimited")
                                                        : json_integer((json_int_t)o->max));
    (void)json_object_set_new(json, "action", json_string(limit_action_name(o->action)));
    (void)json_object_set_new(
        json, "holds",
        json_boolean((o->until_s == 0 || o->until_s > now_s) && holder_has_scope(h, o->scope)));
    (void)json_object_set_new(json, "until",
                              o->until_s != 0 ? json_integer(o->until_s) : json_null());
    (void)json_object_set_new(json, "author", text_or_null(o->author));
    (void)json_object_set_new(json, "reason", text_or_null(o->reason));
    return json;
}

static json_t *to_json(const struct setup *s, const struct holder *h, const struct holder_limits *l,
                       int64_t now_s, const struct table *list)
{
    static const char *const origins[] = {[PLAN_NONE] = "none",
                                          [PLAN_DEFAULT] = "default",
                                          [PLAN_ASSIGNED] = "assign",
                                          [PLAN_GIVEN] = "set"};
    json_t *o = json_object(), *overrides = json_array();

    (void)json_object_set_new(o, "account", json_text(h->name));
    (void)json_object_set_new(o, "hosted", json_boolean(h->is_hosted));
    (void)json_object_set_new(o, "mode", json_string(s->rules->observe ? "observe" : "enforce"));
    (void)json_object_set_new(o, "exempt", json_boolean(h->is_exempt));
    (void)json_object_set_new(o, "plan", l->plan != NULL ? json_text(l->plan->name) : json_null());
    (void)json_object_set_new(o, "plan_from", json_string(origins[l->origin]));
    (void)json_object_set_new(o, "limits", table_json(list));
    for (size_t i = 0; i < l->said.count; i++)
        if (override_concerns(h, &l->said.overrides[i]))
            (void)json_array_append_new(overrides, override_json(&l->said.overrides[i], h, now_s));
    (void)json_object_set_new(o, "overrides", overrides);
    return o;
}

int limit_show(const struct setup *s, const struct holder *h, const struct holder_limits *l,
               int64_t now_s, bool json)
{
    struct table list;
    struct arena arena;
    struct buf b;
    int code;

    arena_init(&arena, TEXT_BYTES);
    buf_init(&b, TEXT_BYTES);
    table_init(&list, columns, sizeof columns / sizeof columns[0], &arena);
    fill(l, h, now_s, &list);
    if (json)
        cli_add_json(&b, to_json(s, h, l, now_s, &list));
    else
        add_text(s, h, l, now_s, &list, &b);
    code = cli_write(&b);
    buf_fini(&b);
    arena_fini(&arena);
    return code;
}

int limit_show_plan(const struct plan *plan)
{
    struct render_style style;
    struct table list;
    struct arena arena;
    struct buf b;
    int code;

    arena_init(&arena, TEXT_BYTES);
    buf_init(&b, TEXT_BYTES);
    table_init(&list, columns, COL_FROM, &arena);
    for (size_t i = 0; i < plan->count; i++)
        row_add(&list, &plan->limits[i], NULL);
    cli_style(&style);
    if (plan->count == 0)
        buf_add_str(&b, "It has no limits.\n");
    else
        table_table(&list, &style, true, &b);
    code = cli_write(&b);
    buf_fini(&b);
    arena_fini(&arena);
    return code;
}

int limit_show_plans_json(const struct plan *plans, size_t count)
{
    json_t *all = json_array();
    struct arena arena;
    struct buf b;
    int code;

    arena_init(&arena, TEXT_BYTES);
    buf_init(&b, TEXT_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct table list;

        table_init(&list, columns, COL_FROM, &arena);
        for (size_t k = 0; k < plans[i].count; k++)
            row_add(&list, &plans[i].limits[k], NULL);
        (void)json_array_append_new(all, json_pack("{s:o,s:o}", "plan", json_text(plans[i].name),
                                                   "limits", table_json(&list)));
    }
    cli_add_json(&b, all);
    code = cli_write(&b);
    buf_fini(&b);
    arena_fini(&arena);
    return code;
}

void limit_show_name(const struct holder_limits *l, const struct holder *h,
                     const struct limit *name, struct buf *b)
{
    bool any = false;

    for (size_t i = 0; i < l->count; i++) {
        if (!holder_limit_is(l, h, i, name))
            continue;
        buf_add_str(b, any ? "     " : "Now: ");
        text_limit(b, &l->limits[i]);
        buf_addf(b, ", otherwise %s\n", text_stopped(l->limits[i].action));
        any = true;
    }
    if (!any)
        buf_add_str(b, "No such limit is in force now.\n");
}
