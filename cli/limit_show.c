#include "cli/limit_show.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/admin/limit_list.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/read/read_usage_rows.h"
#include "lib/sys/json.h"
#include "lib/sys/table.h"

#define TEXT_BYTES ((size_t)16 << 20)
#define INDENT     11

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

static void add_customer(const struct setup *s, const struct holder *h, struct buf *b)
{
    struct slice customer =
        h->kind == HOLDER_IS_DOMAIN ? hosted_customer(s->hosted, h->name) : SLICE_NONE;

    if (customer.len > 0)
        line(b, "  customer", "%.*s, whose limits apply, too: tollgate limit show @customer:%.*s",
             SLICE_FMT(customer), SLICE_FMT(customer));
    if (h->kind == HOLDER_IS_CUSTOMER && !h->is_hosted)
        line(b, "  hosted", "no: billing.customers gives it no domain, nothing is charged to it");
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
    add_customer(s, h, b);
    add_plan(h, l, b);
    line(b, "  mode", "%s",
         s->rules->observe ? "observe: limits are logged and counted, nothing is stopped"
                           : "enforce");
    if (h->is_exempt)
        line(b, "  exempt", "yes, by throttle.exempt: no limit applies");
}

/* --- overrides ------------------------------------------------------------------------------- */

const char *limit_show_state(const struct holder *h, const struct limit *o, int64_t now_s)
{
    if (o->until_s != 0 && o->until_s <= now_s)
        return "ended";
    if (!holder_has_scope(h, o->scope))
        return "no effect: of another scope";
    return o->max == LIMIT_UNLIMITED ? "in force: no limit" : "in force";
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
    buf_addf(b, "\n    %s", limit_show_state(h, o, now_s));
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

/* --- limit show ------------------------------------------------------------------------------ */

static void add_text(const struct setup *s, const struct holder *h, const struct holder_limits *l,
                     const struct usage_rows *used, int64_t now_s, const struct table *list,
                     struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    limit_show_head(s, h, l, b);
    buf_add_char(b, '\n');
    if (l->count == 0)
        buf_add_str(b, "No limit is in force.\n");
    else
        table_table(list, &style, true, b);
    limit_show_forecasts(used, b);
    if (l->said.count > 0)
        buf_add_str(b, "\nOverrides:\n");
    for (size_t i = 0; i < l->said.count; i++)
        if (limit_list_concerns(h, &l->said.overrides[i]))
            add_override(h, &l->said.overrides[i], now_s, b);
}

void limit_show_forecasts(const struct usage_rows *rows, struct buf *b)
{
    struct render_style style;
    struct buf text;
    bool is_first = true;

    cli_style(&style);
    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < rows->count; i++) {
        buf_reset(&text);
        read_usage_add_forecast(&rows->list[i], &text);
        if (text.len == 0)
            continue;
        buf_add_str(b, is_first ? "\n" : "");
        text_wrap(b, 0, false, style.width, buf_slice(&text));
        is_first = false;
    }
    buf_fini(&text);
}

int limit_show(const struct setup *s, const struct holder *h, const struct holder_limits *l,
               const struct usage_rows *used, int64_t now_s, bool json)
{
    struct table list;
    struct arena arena;
    struct buf b;
    int code;

    arena_init(&arena, TEXT_BYTES);
    buf_init(&b, TEXT_BYTES);
    limit_list_fill(h, l, now_s, &arena, &list);
    if (json)
        cli_add_json(&b, limit_list_json(s, h, l, now_s, true, &list));
    else
        add_text(s, h, l, used, now_s, &list, &b);
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
    limit_list_plan(plan, &arena, &list);
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

        limit_list_plan(&plans[i], &arena, &list);
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
