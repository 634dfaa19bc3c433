#include "web/page_limits_form.h"

#include "web/form.h"
#include "web/limit_post.h"
#include "web/page.h"

#define URL_BYTES  4096
#define PLANS_MAX  256
#define SCOPES_MAX 3

const char *const page_limits_form_fields[] = {
    "token", "seen",     "what",  "scope",  "metric", "per",   "max",  "action",
    "soft",  "forwards", "until", "reason", "force",  "limit", "plan", NULL};

/* What was typed; in a page that was only opened, what its address says. */
static struct slice typed(const struct exchange *x, const char *name)
{
    return http_query_get(x->request.method == HTTP_POST ? &x->form : &x->query, name);
}

/* `what`: "set", "unset", "plan". What was typed in another form is not this one's. */
static struct slice typed_in(const struct exchange *x, const char *what, const char *name)
{
    struct slice sent = http_query_get(&x->form, "what");

    if (x->request.method == HTTP_POST && !slice_equal(sent, slice_str(what)))
        return SLICE_NONE;
    return typed(x, name);
}

static void open_form(struct exchange *x, struct html *h, const struct holder_view *v,
                      const char *what, const char *class_name)
{
    char stamp[HOLDER_VIEW_STAMP];
    struct buf url;

    buf_init(&url, URL_BYTES);
    holder_view_url(&v->holder, &url);
    page_form_open(x, h, url.data, class_name);
    buf_fini(&url);
    holder_view_stamp(v, NULL, stamp);
    page_hidden(h, "seen", slice_str(stamp));
    page_hidden(h, "what", slice_str(what));
}

static void add_reason(struct html *h, struct slice value)
{
    static const struct form_field field = {.label = "Reason",
                                            .name = "reason",
                                            .type = "text",
                                            .most = LIMIT_POST_REASON_MAX,
                                            .is_needed = true};

    form_input(h, &field, value);
}

/* Where limits would do nothing. */
static void add_force(struct exchange *x, struct html *h, const struct holder_view *v,
                      const char *what)
{
    if (!v->holder.is_hosted)
        form_box(h, "Even though nothing is charged to it", "force",
                 typed_in(x, what, "force").len > 0);
}

/* --- a limit --------------------------------------------------------------------------------- */

static void add_name(struct exchange *x, struct html *h, const struct holder_view *v)
{
    static const char *const metrics[] = {"recipients", "messages", "bytes", "bounces", NULL};
    static const struct form_field per = {.label = "In",
                                          .name = "per",
                                          .type = "text",
                                          .hint = "hour, day, month",
                                          .most = 20,
                                          .is_needed = true};
    const char *scopes[SCOPES_MAX] = {NULL};
    size_t count = 0;

    for (enum limit_scope s = LIMIT_DOMAIN; s <= LIMIT_CLIENT && count < SCOPES_MAX - 1; s++) {
        if (holder_has_scope(&v->holder, s))
            scopes[count++] = limit_scope_name(s);
    }
    form_choice(h, "Of each", "scope", scopes, scopes, typed_in(x, "set", "scope"));
    form_choice(h, "What", "metric", metrics, metrics, typed_in(x, "set", "metric"));
    form_input(h, &per, typed_in(x, "set", "per"));
}

static void add_numbers(struct exchange *x, struct html *h)
{
    static const struct form_field max = {.label = "At most",
                                          .name = "max",
                                          .type = "text",
                                          .hint = "2000, 10GB, unlimited",
                                          .most = 40,
                                          .is_needed = true};
    static const char *const actions[] = {"", "log", "hold", "defer", "reject", NULL};
    static const char *const action_texts[] = {"as before", "log", "hold", "defer", "reject", NULL};

    form_input(h, &max, typed_in(x, "set", "max"));
    form_choice(h, "Over it", "action", actions, action_texts, typed_in(x, "set", "action"));
}

static void add_rest(struct exchange *x, struct html *h)
{
    static const struct form_field soft = {
        .label = "Warn at percent", .name = "soft", .type = "text", .hint = "as before", .most = 2};
    static const struct form_field until = {.label = "Last day",
                                            .name = "until",
                                            .type = "text",
                                            .hint = "2026-11-30, +3days",
                                            .most = 20};
    static const char *const answers[] = {"", "no", "yes", NULL};
    static const char *const texts[] = {"as before", "no", "yes", NULL};

    form_input(h, &soft, typed_in(x, "set", "soft"));
    form_choice(h, "Forwarders, too", "forwards", answers, texts, typed_in(x, "set", "forwards"));
    form_input(h, &until, typed_in(x, "set", "until"));
}

void page_limits_form_set(struct exchange *x, struct html *h, const struct holder_view *v)
{
    html_element(h, "h2", SLICE("Set a limit"));
    open_form(x, h, v, "set", "filter");
    add_name(x, h, v);
    add_numbers(x, h);
    add_rest(x, h);
    add_reason(h, typed_in(x, "set", "reason"));
    add_force(x, h, v, "set");
    page_button(h, "main", "Set");
    html_close(h, "form");
    html_element_class(h, "p", "soft",
                       SLICE("It takes the place of the plan's, and of one that was set before; "
                             "within 5 seconds, on all nodes. What has been used stays used."));
    html_newline(h);
}

void page_limits_form_unset(struct exchange *x, struct html *h, const struct holder_view *v,
                            const struct limit *l)
{
    struct buf name;

    buf_init(&name, URL_BYTES);
    if (l->subject.len > 0 && v->holder.subject.len == 0)
        limit_field(l, &name);
    else
        limit_name(l, &name);
    open_form(x, h, v, "unset", "filter");
    page_hidden(h, "limit", buf_slice(&name));
    add_reason(h, slice_equal(typed_in(x, "unset", "limit"), buf_slice(&name))
                      ? typed_in(x, "unset", "reason")
                      : SLICE_NONE);
    page_button(h, "plain", "Remove");
    html_close(h, "form");
    buf_fini(&name);
}

/* --- the plan -------------------------------------------------------------------------------- */

void page_limits_form_plan(struct exchange *x, struct html *h, const struct holder_view *v)
{
    const struct settings *s = v->setup.settings;
    const char *words[PLANS_MAX + 2] = {""}, *texts[PLANS_MAX + 2] = {"by the configuration"};
    struct slice chosen = typed_in(x, "plan", "plan");
    size_t count = 1;

    for (size_t i = 0; i < s->plan_count && count <= PLANS_MAX; i++, count++)
        words[count] = texts[count] = s->plans[i].name.ptr;
    html_element(h, "h2", SLICE("Set the plan"));
    open_form(x, h, v, "plan", "filter");
    form_choice(h, "Plan", "plan", words, texts, chosen.len > 0 ? chosen : v->limits.said.plan);
    add_reason(h, typed_in(x, "plan", "reason"));
    add_force(x, h, v, "plan");
    page_button(h, "main", "Set");
    html_close(h, "form");
    html_newline(h);
}
