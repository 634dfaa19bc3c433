#include "web/page_held.h"

#include <sysexits.h>

#include "lib/admin/release_request.h"
#include "web/figures.h"
#include "web/form.h"
#include "web/limit_post.h"
#include "web/problem.h"
#include "web/scope.h"

#define URL_BYTES 4096

/* --- what was asked for ---------------------------------------------------------------------- */

struct page_held_requests {
    struct page_held_requests *next; /* of another node; NULL: the last */
    struct slice node;
    struct release_requests list;
};

static struct release_request_place place_of(struct exchange *x, struct slice node)
{
    return (struct release_request_place){.store = x->store,
                                          .prefix = x->settings->store.prefix,
                                          .node = node,
                                          .timeout_ms = READ_TIMEOUT_MS};
}

static const struct page_held_requests *of_node(const struct page_held_requests *r,
                                                struct slice node)
{
    while (r != NULL && !slice_equal(r->node, node))
        r = r->next;
    return r;
}

static int add_node(struct exchange *x, struct slice node, struct page_held_requests **first,
                    struct err *err)
{
    struct page_held_requests *r = arena_alloc(&x->arena, sizeof *r);
    struct release_request_place place = place_of(x, node);

    if (r == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    *r = (struct page_held_requests){.next = *first, .node = node};
    *first = r;
    return release_request_list(&place, &x->arena, &r->list, err);
}

int page_held_requests_read(struct exchange *x, const struct held_entries *list,
                            struct page_held_requests **out, struct err *err)
{
    *out = NULL;
    if (list->count > 0 && exchange_store(x, err) != 0)
        return -1;
    for (size_t i = 0; i < list->count; i++) {
        if (of_node(*out, list->items[i].node) == NULL &&
            add_node(x, list->items[i].node, out, err) != 0)
            return -1;
    }
    return 0;
}

static const struct release_request *request_of(const struct page_held_requests *r,
                                                const struct held_entry *e)
{
    r = of_node(r, e->node);
    return r != NULL ? release_request_find(&r->list, e->queue_id, e->account, e->time_s) : NULL;
}

static void add_url(struct buf *url, const struct held_entry *e)
{
    buf_add_str(url, "/held");
    html_url_segment(url, e->node);
    html_url_segment(url, e->queue_id);
    html_url_query(url, "domain", e->account);
}

void page_held_cell(struct exchange *x, struct html *h, const struct page_head *head,
                    const struct page_held_requests *r, const struct held_entry *e)
{
    const struct release_request *asked = request_of(r, e);
    struct buf url;

    if (x->who.role != WEB_ROLE_ADMIN) {
        page_cell(h, head, asked != NULL ? SLICE("asked for") : SLICE(""));
        return;
    }
    buf_init(&url, URL_BYTES);
    add_url(&url, e);
    page_cell_link(h, head, buf_slice(&url), asked != NULL ? SLICE("asked for") : SLICE("release"));
    buf_fini(&url);
}

/* --- one message ----------------------------------------------------------------------------- */

struct page_held_message {
    struct held_entry entry;
    const struct release_request *asked; /* NULL: nobody has */
};

static int find(struct exchange *x, struct page_held_message *m, struct err *err)
{
    struct slice node = x->request.segments[1], id = x->request.segments[2];
    struct page_held_requests *requests;
    struct held_entries list;
    struct scope scope;

    if (scope_choose(x, http_query_get(&x->query, "domain"), SLICE_NONE, &scope, err) != 0 ||
        figures_held(x, &scope, &list, err) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        if (!slice_equal(list.items[i].node, node) || !slice_equal(list.items[i].queue_id, id))
            continue;
        m->entry = list.items[i];
        list = (struct held_entries){.items = &m->entry, .count = 1};
        if (page_held_requests_read(x, &list, &requests, err) != 0)
            return -1;
        m->asked = request_of(requests, &m->entry);
        return 0;
    }
    return scope_nothing(err); /* held no longer, or never */
}

static void add_fact(struct html *h, const char *name, struct slice value)
{
    html_open(h, "div");
    html_element(h, "dt", slice_str(name));
    html_element(h, "dd", value);
    html_close(h, "div");
}

static void add_facts(struct html *h, const struct held_entry *e)
{
    char time[PAGE_TIME_ROOM];

    html_open(h, "dl");
    html_attr(h, "class", SLICE("definitions"));
    add_fact(h, "Account", e->account);
    add_fact(h, "Node", e->node);
    add_fact(h, "Held since", page_time(e->time_s, time));
    html_close(h, "dl");
}

static void add_asked(struct exchange *x, struct html *h, const struct release_request *r)
{
    char time[PAGE_TIME_ROOM];

    html_open(h, "p");
    html_attr(h, "class", SLICE("alert"));
    html_text(h, SLICE("Its release was asked for at "));
    html_text(h, page_time(r->at_s, time));
    if (x->who.role == WEB_ROLE_ADMIN) {
        html_text(h, SLICE(" by "));
        html_text(h, r->by);
        html_text(h, SLICE(": "));
        html_text(h, r->reason);
    }
    html_text(h, SLICE(". The node does it within a minute, by `tollgate release'."));
    html_close(h, "p");
}

static void add_form(struct exchange *x, struct html *h, const struct page_held_message *m,
                     const char *what, const char *button)
{
    static const struct form_field reason = {.label = "Reason",
                                             .name = "reason",
                                             .type = "text",
                                             .most = LIMIT_POST_REASON_MAX,
                                             .is_needed = true};
    struct buf url;

    buf_init(&url, URL_BYTES);
    add_url(&url, &m->entry);
    page_form_open(x, h, url.data, "filter");
    buf_fini(&url);
    page_hidden(h, "what", slice_str(what));
    form_input(h, &reason, http_query_get(&x->form, "reason"));
    page_button(h, "main", button);
    html_close(h, "form");
}

static void show(struct exchange *x, const struct page_held_message *m, int status,
                 const char *complaint)
{
    struct html h;
    char title[300];

    (void)snprintf(title, sizeof title, "Held message %.*s",
                   SLICE_FMT(slice_to(m->entry.queue_id, 200)));
    http_response_reset(&x->response, status, HTTP_TYPE_HTML);
    page_begin(x, &h, title);
    form_complaint(&h, slice_str(complaint));
    add_facts(&h, &m->entry);
    if (m->asked != NULL)
        add_asked(x, &h, m->asked);
    if (holder_view_may_change(&x->who)) {
        add_form(x, &h, m, m->asked != NULL ? "withdraw" : "release",
                 m->asked != NULL ? "Withdraw" : "Release it now");
        html_element_class(&h, "p", "soft",
                           SLICE("It is released even if its limit has no room, and counted."));
    }
    page_end(x, &h);
}

/* --- what is sent ---------------------------------------------------------------------------- */

/* 0, a status of a refusal, or -1. */
static int act(struct exchange *x, const struct page_held_message *m, struct slice what,
               struct slice reason, struct err *err)
{
    struct release_request_place place = place_of(x, m->entry.node);
    struct release_request r = {.queue_id = m->entry.queue_id,
                                .account = m->entry.account,
                                .held_s = m->entry.time_s,
                                .by = x->who.name,
                                .client = exchange_client(x),
                                .reason = reason,
                                .at_s = x->now_ms / 1000};
    int result;

    if (exchange_store(x, err) != 0)
        return -1;
    place.store = x->store;
    result = slice_equal(what, SLICE("release")) ? release_request_put(&place, &r, err)
                                                 : release_request_withdraw(&place, &r, err);
    if (result != 1)
        return result;
    (void)err_set(err, EX_USAGE,
                  "somebody else has been faster, and nothing was done: look at what is there now");
    return 409;
}

static int take_form(struct exchange *x, struct page_held_message *m, struct err *err)
{
    static const char *const fields[] = {"token", "what", "reason", NULL};
    struct slice what = http_query_get(&x->form, "what"),
                 reason = http_query_get(&x->form, "reason");
    struct buf url;
    int status = limit_post_admit(x, reason, err);

    if (http_query_allow(&x->form, fields, err) != 0)
        return -1;
    if (!slice_equal(what, SLICE("release")) && !slice_equal(what, SLICE("withdraw")))
        return err_set(err, EX_USAGE, "what: use release or withdraw");
    if (status == 0)
        status = act(x, m, what, reason, err);
    if (status == 403)
        problem_answer_as(x, status, err);
    else if (status > 0)
        show(x, m, status, err->text);
    if (status != 0)
        return status > 0 ? 0 : -1;
    buf_init(&url, URL_BYTES);
    add_url(&url, &m->entry);
    http_response_redirect(&x->response, buf_slice(&url));
    buf_fini(&url);
    return 0;
}

int page_held(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"domain", NULL};
    struct page_held_message m = {.asked = NULL};

    if (http_query_allow(&x->query, parameters, err) != 0 || find(x, &m, err) != 0)
        return -1;
    if (x->request.method == HTTP_POST)
        return take_form(x, &m, err);
    show(x, &m, 200, NULL);
    return 0;
}
