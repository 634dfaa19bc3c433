#include "web/page_held.h"

#include <sysexits.h>

#include "web/form.h"
#include "web/holder_view.h"
#include "web/limit_post.h"
#include "web/problem.h"

#define URL_BYTES 4096

static void add_url(struct buf *url, const struct held_entry *e)
{
    buf_add_str(url, "/held");
    html_url_segment(url, e->node);
    html_url_segment(url, e->queue_id);
    html_url_query(url, "domain", e->account);
}

void page_held_cell(struct exchange *x, struct html *h, const struct page_head *head,
                    const struct held_view *v, const struct held_entry *e)
{
    const struct release_request *asked = held_view_asked(v, e);
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

static void add_form(struct exchange *x, struct html *h, const struct held_view *v,
                     const char *what, const char *button)
{
    static const struct form_field reason = {.label = "Reason",
                                             .name = "reason",
                                             .type = "text",
                                             .most = LIMIT_POST_REASON_MAX,
                                             .is_needed = true};
    struct buf url;

    buf_init(&url, URL_BYTES);
    add_url(&url, &v->list.items[0]);
    page_form_open(x, h, url.data, "filter");
    buf_fini(&url);
    page_hidden(h, "what", slice_str(what));
    form_input(h, &reason, http_query_get(&x->form, "reason"));
    page_button(h, "main", button);
    html_close(h, "form");
}

static void show(struct exchange *x, const struct held_view *v, int status, const char *complaint)
{
    const struct release_request *asked = held_view_asked(v, &v->list.items[0]);
    struct html h;
    char title[300];

    (void)snprintf(title, sizeof title, "Held message %.*s",
                   SLICE_FMT(slice_to(v->list.items[0].queue_id, 200)));
    http_response_reset(&x->response, status, HTTP_TYPE_HTML);
    page_begin(x, &h, title);
    form_complaint(&h, slice_str(complaint));
    add_facts(&h, &v->list.items[0]);
    if (asked != NULL)
        add_asked(x, &h, asked);
    if (holder_view_may_change(&x->who)) {
        add_form(x, &h, v, asked != NULL ? "withdraw" : "release",
                 asked != NULL ? "Withdraw" : "Release it now");
        html_element_class(&h, "p", "soft",
                           SLICE("It is released even if its limit has no room, and counted."));
    }
    page_end(x, &h);
}

/* --- what is sent ---------------------------------------------------------------------------- */

static int take_form(struct exchange *x, struct held_view *v, struct err *err)
{
    static const char *const fields[] = {"token", "what", "reason", NULL};
    struct slice what = http_query_get(&x->form, "what"),
                 reason = http_query_get(&x->form, "reason");
    struct buf url;
    int status;

    if (http_query_allow(&x->form, fields, err) != 0)
        return -1;
    if (!slice_equal(what, SLICE("release")) && !slice_equal(what, SLICE("withdraw")))
        return err_set(err, EX_USAGE, "what: use release or withdraw");
    status = held_view_change(x, v, slice_equal(what, SLICE("release")), reason, err);
    if (status == 403)
        problem_answer_as(x, status, err);
    else if (status > 0)
        show(x, v, status, err->text);
    if (status != 0)
        return status > 0 ? 0 : -1;
    buf_init(&url, URL_BYTES);
    add_url(&url, &v->list.items[0]);
    http_response_redirect(&x->response, buf_slice(&url));
    buf_fini(&url);
    return 0;
}

int page_held(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"domain", NULL};
    struct held_view v;

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        held_view_find(x, x->request.segments[1], x->request.segments[2], &v, err) != 0)
        return -1;
    if (x->request.method == HTTP_POST)
        return take_form(x, &v, err);
    show(x, &v, 200, NULL);
    return 0;
}
