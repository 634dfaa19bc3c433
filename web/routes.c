#include "web/routes.h"

#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "web/api.h"
#include "web/api_change.h"
#include "web/metrics_answer.h"
#include "web/page.h"
#include "web/page_account.h"
#include "web/page_adjust.h"
#include "web/page_billing.h"
#include "web/page_card.h"
#include "web/page_held.h"
#include "web/page_help.h"
#include "web/page_limits.h"
#include "web/page_lists.h"
#include "web/page_message.h"
#include "web/page_overview.h"
#include "web/page_report.h"
#include "web/page_sign_in.h"
#include "web/page_status.h"
#include "web/panel_link.h"
#include "web/problem.h"
#include "web/scope.h"
#include "web/static_files.h"
#include "web/theme.h"

#define FORM_TYPE "application/x-www-form-urlencoded"

enum route_access {
    ROUTE_BLIND,  /* nobody is asked who he is */
    ROUTE_OPEN,   /* for whoever comes */
    ROUTE_SIGNED, /* for who is signed in; others are led to the sign-in */
    ROUTE_DATA    /* the same for programs, which are refused */
};

#define READ (HTTP_GET | HTTP_HEAD)

static const struct route {
    const char *path; /* "*" stands for any segment */
    unsigned methods;
    enum route_access access;
    route_handler *handler;
} routes[] = {
    {"/", READ, ROUTE_SIGNED, page_overview},
    {"/r/*", READ, ROUTE_SIGNED, page_report},
    {"/d/*", READ, ROUTE_SIGNED, page_overview_domain},
    {"/c/*", READ, ROUTE_SIGNED, page_overview_customer},
    {"/customers", READ, ROUTE_SIGNED, page_overview_customers},
    {"/d/*/card.svg", READ, ROUTE_OPEN, page_card},
    {"/limits/*", READ | HTTP_POST, ROUTE_SIGNED, page_limits},
    {"/q/*", READ, ROUTE_SIGNED, page_message},
    {"/violations", READ, ROUTE_SIGNED, page_lists_violations},
    {"/held", READ, ROUTE_SIGNED, page_lists_held},
    {"/adjust/*", READ | HTTP_POST, ROUTE_SIGNED, page_adjust},
    {"/billing", READ, ROUTE_SIGNED, page_billing},
    {"/billing/*", READ, ROUTE_SIGNED, page_billing_month},
    {"/held/*/*", READ | HTTP_POST, ROUTE_SIGNED, page_held},
    {"/status", READ, ROUTE_SIGNED, page_status},
    {"/help/*", READ, ROUTE_SIGNED, page_help},
    {"/account", READ, ROUTE_SIGNED, page_account},
    {"/account/end", HTTP_POST, ROUTE_SIGNED, page_account_end},
    {"/theme", HTTP_POST, ROUTE_OPEN, theme_answer},
    {"/signin", READ | HTTP_POST, ROUTE_OPEN, page_sign_in},
    {"/in", READ, ROUTE_OPEN, panel_link},
    {"/signout", HTTP_POST, ROUTE_SIGNED, page_sign_in_out},
    {"/api/v1/reports", READ, ROUTE_DATA, api_reports},
    {"/api/v1/reports/*", READ, ROUTE_DATA, api_report},
    {"/api/v1/totals", READ, ROUTE_DATA, api_totals},
    {"/api/v1/domains", READ, ROUTE_DATA, api_domains},
    {"/api/v1/domains/*/usage", READ, ROUTE_DATA, api_usage},
    {"/api/v1/domains/*/limits", READ | HTTP_PUT | HTTP_DELETE, ROUTE_DATA, api_limits},
    {"/api/v1/domains/*/plan", HTTP_PUT | HTTP_DELETE, ROUTE_DATA, api_plan},
    {"/api/v1/domains/*/adjustments", HTTP_PUT, ROUTE_DATA, page_adjust_put},
    {"/api/v1/held", READ, ROUTE_DATA, api_held},
    {"/api/v1/held/*/*", HTTP_PUT | HTTP_DELETE, ROUTE_DATA, api_held_release},
    {"/api/v1/violations", READ, ROUTE_DATA, api_violations},
    {"/api/v1/nodes", READ, ROUTE_DATA, api_nodes},
    {"/api/v1/openapi.json", READ, ROUTE_DATA, api_document},
    {"/static/*/*", READ, ROUTE_BLIND, static_files_answer},
    {"/metrics", READ, ROUTE_BLIND, metrics_answer},
    {"/healthz", READ, ROUTE_BLIND, api_health},
    {"/readyz", READ, ROUTE_BLIND, api_ready},
};

/* --- finding --------------------------------------------------------------------------------- */

static bool matches(const char *path, const struct http_request *r)
{
    struct slice rest = slice_from(slice_str(path), 1), part;
    size_t i = 0;

    while (rest.len > 0 && slice_cut(&rest, '/', &part)) {
        if (i == r->segment_count ||
            (!slice_equal(part, SLICE("*")) && !slice_equal(part, r->segments[i])))
            return false;
        i++;
    }
    return i == r->segment_count;
}

static const struct route *find(const struct exchange *x)
{
    for (size_t i = 0; x->is_path && i < sizeof routes / sizeof routes[0]; i++) {
        if (matches(routes[i].path, &x->request))
            return &routes[i];
    }
    return NULL;
}

static const char *allowed(unsigned methods)
{
    static const struct {
        unsigned methods;
        const char *names;
    } sets[] = {{READ, "GET, HEAD"},
                {HTTP_POST, "POST"},
                {READ | HTTP_POST, "GET, HEAD, POST"},
                {HTTP_PUT, "PUT"},
                {HTTP_PUT | HTTP_DELETE, "PUT, DELETE"},
                {READ | HTTP_PUT | HTTP_DELETE, "GET, HEAD, PUT, DELETE"}};
    size_t i = 0;

    while (sets[i].methods != methods) {
        i++;
        TG_ASSERT(i < sizeof sets / sizeof sets[0]);
    }
    return sets[i].names;
}

/* --- who ------------------------------------------------------------------------------------- */

static bool is_data(const struct route *route, const struct exchange *x)
{
    return route->access == ROUTE_DATA || page_report_is_data(x);
}

/* False: answered. */
static bool admit(struct exchange *x, const struct route *route)
{
    struct err err = {0};

    if (route->access == ROUTE_BLIND)
        return true;
    if (identity_find(x, &err) != 0) {
        /* Who is not signed in can read the sign-in page without the store. */
        if (route->access == ROUTE_OPEN && err.code == EX_UNAVAILABLE)
            return true;
        problem_answer(x, &err);
        return false;
    }
    if (x->who.via != VIA_NOTHING || route->access == ROUTE_OPEN)
        return true;
    if (is_data(route, x)) {
        (void)err_set(&err, EX_NOPERM, "sign in, or send a token as Authorization: Bearer tg_...");
        problem_answer(x, &err);
    } else {
        page_sign_in_lead(x);
    }
    return false;
}

/* --- POST ------------------------------------------------------------------------------------ */

/* 0; or the status of the refusal. */
static int check_post(struct exchange *x, struct err *err)
{
    struct slice token;

    if (x->body_bytes > HTTP_BODY_MAX) {
        (void)err_set(err, EX_USAGE, "the form is larger than %zu bytes", HTTP_BODY_MAX);
        return 413;
    }
    if (!http_request_is_own(&x->request)) {
        (void)err_set(err, EX_USAGE,
                      "this form was not sent by a page of this site: open the page "
                      "here, and send it again");
        return 403;
    }
    if (!slice_starts_nocase(x->request.content_type, SLICE(FORM_TYPE))) {
        (void)err_set(err, EX_USAGE, "send the form as " FORM_TYPE);
        return 415;
    }
    if (http_query_parse(x->request.body, &x->arena, &x->form, err) != 0)
        return 400;
    token = http_query_get(&x->form, "token");
    if (x->who.via != VIA_SESSION || secret_equal(token, x->who.token))
        return 0;
    (void)err_set(err, EX_USAGE,
                  "this form belongs to a session that is over: open the page again, "
                  "and send it again");
    return 403;
}

/* --- the way --------------------------------------------------------------------------------- */

static void handle(struct exchange *x, const struct route *route)
{
    struct err err = {0};
    int refused = 0;

    if (http_query_parse(x->request.query, &x->arena, &x->query, &err) != 0) {
        problem_answer(x, &err);
        return;
    }
    if (x->request.method == HTTP_POST)
        refused = check_post(x, &err);
    else if (x->request.method == HTTP_PUT || x->request.method == HTTP_DELETE)
        refused = api_change_admit(x, &err);
    if (refused != 0) {
        problem_answer_as(x, refused, &err);
        return;
    }
    if (route->handler(x, &err) != 0)
        problem_answer(x, &err);
    else if (x->response.body.failed)
        problem_answer_as(x, 500, &(struct err){EX_OSERR, "out of memory for the answer"});
    else
        exchange_store_give(x, true);
}

/* Who has the same answer already gets its name only. */
static void shorten(struct exchange *x)
{
    char etag[HTTP_ETAG_ROOM];
    struct slice rest = x->request.if_none_match, one;

    if (!x->response.has_etag || x->response.status != 200)
        return;
    http_response_etag(&x->response, etag);
    while (slice_cut(&rest, ',', &one)) {
        one = slice_trim(one);
        if (slice_starts(one, SLICE("W/")))
            one = slice_from(one, 2);
        if (slice_equal(one, slice_str(etag)) || slice_equal(one, SLICE("*"))) {
            x->response.status = 304;
            return;
        }
    }
}

void routes_answer(struct exchange *x)
{
    const struct route *route = find(x);
    int64_t began_ms = clock_monotonic_ms();
    struct err err = {0};

    http_response_reset(&x->response, 200, HTTP_TYPE_HTML);
    if (route == NULL) {
        TG_IGNORE(scope_nothing(&err));
        problem_answer(x, &err);
    } else if ((route->methods & (unsigned)x->request.method) == 0) {
        (void)err_set(&err, EX_USAGE, "this address takes %s only", allowed(route->methods));
        problem_answer_as(x, 405, &err);
        x->response.allow = allowed(route->methods);
    } else if (admit(x, route)) {
        handle(x, route);
    }
    shorten(x);
    x->response.age_s = exchange_age_s(x);
    metrics_http_note(site_http(x->site), route != NULL ? route->path : "none",
                      clock_monotonic_ms() - began_ms);
    log_event(LOG_DEBUG, "request", LOG_TEXT("path", slice_to(x->request.path, 200)),
              LOG_NUM("status", x->response.status), LOG_TEXT("user", x->who.name),
              LOG_TEXT("client", exchange_client(x)));
}
