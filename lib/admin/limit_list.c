#include "lib/admin/limit_list.h"

#include <jansson.h>
#include <stdlib.h>

#include "lib/core/text.h"
#include "lib/sys/json.h"

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

/* --- those of a holder ---------------------------------------------------------------------- */

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

void limit_list_sort(const struct holder_limits *l)
{
    if (l->said.count > 0)
        qsort(l->said.overrides, l->said.count, sizeof *l->said.overrides, by_name);
    if (l->count > 0)
        qsort(l->limits, l->count, sizeof *l->limits, by_name);
}

void limit_list_fill(const struct holder *h, const struct holder_limits *l, int64_t now_s,
                     struct arena *arena, struct table *list)
{
    limit_list_sort(l);
    table_init(list, columns, sizeof columns / sizeof columns[0], arena);
    for (size_t i = 0; i < l->count; i++) {
        if (holder_limit_is(l, h, i, NULL))
            row_add(list, &l->limits[i],
                    holder_override(l, &l->limits[i], now_s) != NULL ? "override" : "plan");
    }
}

void limit_list_plan(const struct plan *plan, struct arena *arena, struct table *list)
{
    table_init(list, columns, COL_FROM, arena);
    for (size_t i = 0; i < plan->count; i++)
        row_add(list, &plan->limits[i], NULL);
}

bool limit_list_concerns(const struct holder *h, const struct limit *o)
{
    return h->subject.len == 0 || (holder_has_scope(h, o->scope) &&
                                   (o->subject.len == 0 || slice_equal(o->subject, h->subject)));
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *text_or_null(struct slice text)
{
    return text.len > 0 ? json_text(text) : json_null();
}

static json_t *override_json(const struct limit *o, const struct holder *h, int64_t now_s,
                             bool with_authors)
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
    if (!with_authors)
        return json;
    (void)json_object_set_new(json, "author", text_or_null(o->author));
    (void)json_object_set_new(json, "reason", text_or_null(o->reason));
    return json;
}

json_t *limit_list_json(const struct setup *s, const struct holder *h,
                        const struct holder_limits *l, int64_t now_s, bool with_authors,
                        const struct table *list)
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
        if (limit_list_concerns(h, &l->said.overrides[i]))
            (void)json_array_append_new(
                overrides, override_json(&l->said.overrides[i], h, now_s, with_authors));
    (void)json_object_set_new(o, "overrides", overrides);
    return o;
}
