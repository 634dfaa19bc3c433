#include "web/page_lists.h"

#include <sysexits.h>

#include "lib/core/format.h"
#include "web/figures.h"
#include "web/page.h"
#include "web/page_held.h"
#include "web/page_message.h"

#define MOST      200
#define TOP_MOST  1000
#define URL_BYTES 4096

/* --- shared ---------------------------------------------------------------------------------- */

/* Leads to the domain's, or the customer's, own page, where it is one. */
static void add_account_cell(struct html *h, struct slice account)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    if (account.len > 0 && account.ptr[0] != '@' && account.ptr[0] != '_') {
        buf_add_str(&url, "/d");
        html_url_segment(&url, account);
    } else if (slice_starts(account, SLICE(HOLDER_CUSTOMER))) {
        buf_add_str(&url, "/c");
        html_url_segment(&url, slice_from(account, sizeof HOLDER_CUSTOMER - 1));
    }
    page_cell_name(h, buf_slice(&url), account);
    buf_fini(&url);
}

static void add_count_cell(struct html *h, const struct page_head *head, uint64_t n)
{
    struct buf text;

    buf_init(&text, 64);
    format_count(&text, n);
    page_cell(h, head, buf_slice(&text));
    buf_fini(&text);
}

/* --- violations ------------------------------------------------------------------------------ */

enum { V_ACCOUNT, V_TIME, V_USER, V_LIMIT, V_USED, V_WANTED, V_ACTION, V_MESSAGE, V_COUNT };

static const struct page_head violation_heads[V_COUNT] = {
    {"account", false, false}, {"time", false, false},  {"user", false, false},
    {"limit", false, false},   {"used", true, false},   {"wanted", true, true},
    {"action", false, false},  {"message", false, true}};

static struct slice action_of(const struct violation *v)
{
    if (v->soft)
        return SLICE("soft limit reached");
    if (v->observed)
        return SLICE("observed only");
    return slice_str(limit_action_name(v->action));
}

/* Where the limit can be changed: the page, with the limit in its form. */
static void add_limit_url(struct buf *url, const struct violation *v)
{
    buf_add_str(url, "/limits");
    html_url_segment(url, v->scope == LIMIT_SERVER   ? SLICE("@server")
                          : v->scope == LIMIT_CLIENT ? SLICE("@client")
                                                     : v->domain);
    html_url_query(url, "scope", slice_str(limit_scope_name(v->scope)));
    html_url_query(url, "metric", slice_str(limit_metric_name(v->metric)));
    html_url_query(url, "per", v->per);
}

static void add_limit_cell(struct exchange *x, struct html *h, const struct violation *v)
{
    struct buf text, url;

    buf_init(&text, 256);
    buf_init(&url, URL_BYTES);
    format_count(&text, v->max);
    buf_addf(&text, " %s/", limit_metric_name(v->metric));
    buf_add(&text, v->per);
    add_limit_url(&url, v);
    if (x->who.role == WEB_ROLE_ADMIN && v->domain.len > 0)
        page_cell_link(h, &violation_heads[V_LIMIT], buf_slice(&url), buf_slice(&text));
    else
        page_cell(h, &violation_heads[V_LIMIT], buf_slice(&text));
    buf_fini(&text);
    buf_fini(&url);
}

static void add_violation(struct exchange *x, struct html *h, const struct violation *v)
{
    html_open(h, "tr");
    add_account_cell(h, v->domain);
    page_cell_time(h, &violation_heads[V_TIME], v->time_ms / 1000);
    page_cell(h, &violation_heads[V_USER], v->user);
    add_limit_cell(x, h, v);
    add_count_cell(h, &violation_heads[V_USED], v->used);
    add_count_cell(h, &violation_heads[V_WANTED], v->wanted);
    page_cell(h, &violation_heads[V_ACTION], action_of(v));
    page_message_cell(h, &violation_heads[V_MESSAGE], v->queue_id);
    html_close(h, "tr");
    html_newline(h);
}

int page_lists_violations(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"domain", "user", "top", NULL};
    struct violation_list list;
    struct scope scope;
    struct html h;
    size_t most = MOST;

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        http_query_top(&x->query, MOST, TOP_MOST, &most, err) != 0 ||
        scope_choose(x, http_query_get(&x->query, "domain"), http_query_get(&x->query, "user"),
                     &scope, err) != 0 ||
        figures_violations(x, &scope, most, &list, err) != 0)
        return -1;
    page_begin(x, &h, "Violations");
    if (list.count > 0) {
        page_table_open(&h, "violations", "Limits that were crossed, the newest first",
                        violation_heads, V_COUNT);
        for (size_t i = 0; i < list.count; i++)
            add_violation(x, &h, &list.items[i].v);
        page_table_close(&h);
    } else {
        html_element_class(&h, "p", "empty", SLICE("No limit was crossed."));
    }
    page_end(x, &h);
    return 0;
}

/* --- held ------------------------------------------------------------------------------------ */

static const struct page_head held_heads[] = {{"account", false, false},
                                              {"held since", false, false},
                                              {"node", false, true},
                                              {"queue id", false, false},
                                              {"release", false, false}};

static void add_held(struct exchange *x, struct html *h, const struct held_view *v,
                     const struct held_entry *e)
{
    html_open(h, "tr");
    add_account_cell(h, e->account);
    page_cell_time(h, &held_heads[1], e->time_s);
    page_cell(h, &held_heads[2], e->node);
    page_message_cell(h, &held_heads[3], e->queue_id);
    page_held_cell(x, h, &held_heads[4], v, e);
    html_close(h, "tr");
    html_newline(h);
}

int page_lists_held(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"domain", NULL};
    struct held_view v;
    struct html h;

    if (http_query_allow(&x->query, parameters, err) != 0 || held_view_open(x, &v, err) != 0)
        return -1;
    page_begin(x, &h, "Held messages");
    if (v.list.count > 0) {
        page_table_open(&h, "held", "Messages that limits keep on hold, the longest held first",
                        held_heads, sizeof held_heads / sizeof held_heads[0]);
        for (size_t i = 0; i < v.list.count; i++)
            add_held(x, &h, &v, &v.list.items[i]);
        page_table_close(&h);
    } else {
        html_element_class(&h, "p", "empty", SLICE("No mail is held."));
    }
    page_end(x, &h);
    return 0;
}
