#include "web/page_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "web/form.h"
#include "web/limit_post.h"
#include "web/page.h"
#include "web/page_limits_form.h"
#include "web/problem.h"
#include "web/scope.h"

#define TEXT_BYTES 4096

/* --- texts ----------------------------------------------------------------------------------- */

static void add_amount(struct buf *b, const struct limit *l)
{
    if (l->max == LIMIT_UNLIMITED)
        buf_add_str(b, "unlimited");
    else if (l->metric == METRIC_BYTES)
        format_bytes(b, l->max);
    else
        format_count(b, l->max);
}

static void add_fact(struct html *h, const char *name, const char *text)
{
    html_open(h, "div");
    html_element(h, "dt", slice_str(name));
    html_element(h, "dd", slice_str(text));
    html_close(h, "div");
}

static void add_plan(struct html *h, const struct holder_view *v)
{
    struct slice name = v->limits.plan != NULL ? v->limits.plan->name : SLICE("none");
    char text[512];

    (void)snprintf(text, sizeof text, "%.*s (%s)", SLICE_FMT(name),
                   holder_plan_origin_text(v->limits.origin));
    add_fact(h, "Plan", text);
}

static void add_facts(struct html *h, const struct holder_view *v)
{
    struct buf why;

    html_open(h, "dl");
    html_attr(h, "class", SLICE("definitions"));
    add_plan(h, v);
    add_fact(h, "Mode",
             v->setup.rules->observe ? "observe: limits are logged and counted, nothing is stopped"
                                     : "enforce");
    if (v->holder.is_exempt)
        add_fact(h, "Exempt", "yes: no limit applies");
    html_close(h, "dl");
    buf_init(&why, TEXT_BYTES);
    if (!holder_is_charged(&v->holder, &why))
        html_element_class(h, "p", "alert", buf_slice(&why));
    buf_fini(&why);
    html_newline(h);
}

/* --- what is in force ------------------------------------------------------------------------ */

static const struct page_head heads[] = {{"limit", false, false},   {"at most", true, false},
                                         {"over it", false, false}, {"warns at", true, true},
                                         {"from", false, false},    {"until", false, true}};
enum { L_NAME, L_MAX, L_ACTION, L_SOFT, L_FROM, L_UNTIL, L_COUNT };

static void add_cell(struct html *h, size_t at, struct buf *text)
{
    page_cell(h, &heads[at], buf_slice(text));
    buf_reset(text);
}

static void add_limit(struct html *h, const struct holder_view *v, const struct limit *l)
{
    bool is_override = holder_override(&v->limits, l, v->now_s) != NULL;
    char time[PAGE_TIME_ROOM];
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    html_open(h, "tr");
    limit_name(l, &text);
    page_cell_name(h, SLICE_NONE, buf_slice(&text));
    buf_reset(&text);
    add_amount(&text, l);
    add_cell(h, L_MAX, &text);
    page_cell(h, &heads[L_ACTION], slice_str(limit_action_name(l->action)));
    if (l->soft_percent > 0)
        buf_addf(&text, "%u %%", l->soft_percent);
    add_cell(h, L_SOFT, &text);
    page_cell(h, &heads[L_FROM], is_override ? SLICE("set") : SLICE("plan"));
    page_cell(h, &heads[L_UNTIL], l->until_s > 0 ? page_time(l->until_s, time) : SLICE(""));
    html_close(h, "tr");
    html_newline(h);
    buf_fini(&text);
}

static void add_limits(struct html *h, const struct holder_view *v)
{
    if (v->limits.count == 0) {
        html_element_class(h, "p", "empty", SLICE("No limit is in force."));
        return;
    }
    page_table_open(h, "limits", "Limits in force", heads, L_COUNT);
    for (size_t i = 0; i < v->limits.count; i++) {
        if (holder_limit_is(&v->limits, &v->holder, i, NULL))
            add_limit(h, v, &v->limits.limits[i]);
    }
    page_table_close(h);
}

/* --- what was set ---------------------------------------------------------------------------- */

static bool is_of(const struct holder *h, const struct limit *o)
{
    return h->subject.len == 0 || slice_equal(o->subject, h->subject);
}

static void add_override_text(struct buf *b, const struct holder_view *v, const struct limit *o)
{
    char time[PAGE_TIME_ROOM];

    limit_field(o, b);
    buf_add_str(b, ": ");
    add_amount(b, o);
    buf_addf(b, ", over it %s", limit_action_name(o->action));
    if (o->until_s > 0) {
        buf_add_str(b, o->until_s > v->now_s ? ", until " : ", ended at ");
        buf_add(b, page_time(o->until_s, time));
    }
    if (v->sees_authors && o->author.len > 0) {
        buf_add_str(b, ", by ");
        buf_add(b, o->author);
    }
    if (v->sees_authors && o->reason.len > 0) {
        buf_add_str(b, ": ");
        buf_add(b, o->reason);
    }
}

static void add_overrides(struct exchange *x, struct html *h, const struct holder_view *v)
{
    bool any = false;
    struct buf text;

    buf_init(&text, (size_t)64 << 10);
    for (size_t i = 0; i < v->limits.said.count; i++) {
        const struct limit *o = &v->limits.said.overrides[i];

        if (!is_of(&v->holder, o))
            continue;
        if (!any)
            html_element(h, "h2", SLICE("Set at run time"));
        any = true;
        buf_reset(&text);
        add_override_text(&text, v, o);
        html_element(h, "p", buf_slice(&text));
        if (v->may_change)
            page_limits_form_unset(x, h, v, o);
        html_newline(h);
    }
    buf_fini(&text);
}

/* --- the page -------------------------------------------------------------------------------- */

static void show(struct exchange *x, const struct holder_view *v, int status, const char *done,
                 const char *complaint)
{
    struct html h;
    char title[600];

    (void)snprintf(title, sizeof title, "Limits of %.*s", SLICE_FMT(holder_title(&v->holder)));
    http_response_reset(&x->response, status, HTTP_TYPE_HTML);
    page_begin(x, &h, title);
    if (done != NULL)
        form_done(&h, slice_str(done));
    form_complaint(&h, slice_str(complaint));
    add_facts(&h, v);
    add_limits(&h, v);
    add_overrides(x, &h, v);
    if (v->may_change) {
        page_limits_form_set(x, &h, v);
        if (v->holder.subject.len == 0)
            page_limits_form_plan(x, &h, v);
    }
    page_end(x, &h);
}

static const struct {
    const char *word, *text;
} notices[] = {{"set", "The limit is set. It acts within 5 seconds, on all nodes."},
               {"unset", "The limit that was set is removed; the plan's holds again, within 5 "
                         "seconds, on all nodes."},
               {"plan", "The plan is changed. It acts within 5 seconds, on all nodes."}};

static const char *notice_of(struct slice word)
{
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++) {
        if (slice_equal(word, slice_str(notices[i].word)))
            return notices[i].text;
    }
    return NULL;
}

/* --- what is sent ---------------------------------------------------------------------------- */

/* Where what stands there is not what the page showed, nothing is done. */
static int check_seen(struct exchange *x, const struct holder_view *v, struct err *err)
{
    char stamp[HOLDER_VIEW_STAMP];

    holder_view_stamp(v, NULL, stamp);
    if (slice_equal(http_query_get(&x->form, "seen"), slice_str(stamp)))
        return 0;
    (void)err_set(err, EX_USAGE,
                  "Somebody else has changed these limits since the page was made, and nothing was "
                  "done: look at what is there now, and send it again.");
    return 409;
}

/* The limit's name: of a new one in three fields. */
static int take_name(struct exchange *x, struct limit_post *p, struct err *err)
{
    struct buf b;

    p->name = http_query_get(&x->form, "limit");
    if (p->name.len > 0)
        return 0;
    buf_init(&b, TEXT_BYTES);
    buf_addf(&b, "%.*s/%.*s/%.*s", SLICE_FMT(http_query_get(&x->form, "scope")),
             SLICE_FMT(http_query_get(&x->form, "metric")),
             SLICE_FMT(http_query_get(&x->form, "per")));
    p->name = arena_copy(&x->arena, buf_slice(&b));
    buf_fini(&b);
    return p->name.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

/* What of the store the change is bound to. */
static uint64_t seen_of(struct exchange *x, const struct holder_view *v, struct slice name)
{
    struct limit l;

    if (name.len == 0)
        return account_overrides_stamp(&v->limits.said, NULL);
    if (limit_parse_field(name, &x->arena, &l, NULL) != 0)
        return 0;
    if (l.subject.len == 0)
        l.subject = v->holder.subject;
    return account_overrides_stamp(&v->limits.said, &l);
}

static int change(struct exchange *x, const struct holder_view *v, struct slice what,
                  struct err *err)
{
    struct limit_post p = {.max = http_query_get(&x->form, "max"),
                           .action = http_query_get(&x->form, "action"),
                           .soft = http_query_get(&x->form, "soft"),
                           .forwards = http_query_get(&x->form, "forwards"),
                           .until = http_query_get(&x->form, "until"),
                           .plan = http_query_get(&x->form, "plan"),
                           .reason = http_query_get(&x->form, "reason"),
                           .force = http_query_get(&x->form, "force").len > 0};
    bool is_plan = slice_equal(what, SLICE("plan"));
    int refused = limit_post_admit(x, p.reason, err);
    uint64_t seen;

    if (refused == 0)
        refused = check_seen(x, v, err);
    if (refused == 0 && !is_plan)
        refused = take_name(x, &p, err);
    if (refused != 0)
        return refused;
    seen = seen_of(x, v, p.name);
    p.seen = &seen;
    if (is_plan)
        return limit_post_plan(x, v, &p, err);
    return slice_equal(what, SLICE("unset")) ? limit_post_unset(x, v, &p, err)
                                             : limit_post_set(x, v, &p, err);
}

static int lead_back(struct exchange *x, const struct holder_view *v, struct slice done,
                     struct err *err)
{
    struct buf url;
    bool good;

    buf_init(&url, TEXT_BYTES);
    holder_view_url(&v->holder, &url);
    html_url_query(&url, "done", done);
    good = !url.failed;
    if (good)
        http_response_redirect(&x->response, buf_slice(&url));
    buf_fini(&url);
    return good ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int take_form(struct exchange *x, struct holder_view *v, struct err *err)
{
    struct slice what = http_query_get(&x->form, "what");
    int status;

    if (http_query_allow(&x->form, page_limits_form_fields, err) != 0)
        return -1;
    if (notice_of(what) == NULL)
        return err_set(err, EX_USAGE, "what: use set, unset or plan");
    status = change(x, v, what, err);
    if (status == 0)
        return lead_back(x, v, what, err);
    if (status == 403)
        problem_answer_as(x, status, err);
    else if (status > 0)
        show(x, v, status, NULL, err->text);
    return status > 0 ? 0 : -1;
}

int page_limits(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"done", "scope", "metric", "per", NULL};
    struct holder_view v;

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        holder_view_open(x, x->request.segments[1], &v, err) != 0)
        return -1;
    if (x->request.method == HTTP_POST)
        return take_form(x, &v, err);
    show(x, &v, 200, notice_of(http_query_get(&x->query, "done")), NULL);
    return 0;
}
