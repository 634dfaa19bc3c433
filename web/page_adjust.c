#include "web/page_adjust.h"

#include <jansson.h>
#include <sysexits.h>
#include <time.h>

#include "lib/admin/adjustment_change.h"
#include "lib/core/period.h"
#include "lib/sys/json.h"
#include "web/api.h"
#include "web/api_body.h"
#include "web/form.h"
#include "web/limit_post.h"
#include "web/page.h"
#include "web/problem.h"
#include "web/scope.h"

#define URL_BYTES     4096
#define EVIDENCE_MAX  500
#define ID_CHARACTERS 16

/* --- what is wanted -------------------------------------------------------------------------- */

/* The account, as far as he may see it; what is no domain is nothing. */
static int find_account(struct exchange *x, size_t segment, struct slice *account, struct err *err)
{
    struct slice typed = x->request.segments[segment];
    struct scope scope;

    if (scope_choose(x, typed, SLICE_NONE, &scope, err) != 0)
        return err->code == EX_USAGE ? scope_nothing(err) : -1;
    if (scope.level != SCOPE_DOMAIN)
        return scope_nothing(err);
    *account = scope.account;
    return 0;
}

/* 0; 400, 403: the status of a refusal, with *err; -1. *is_new: it was not there before. */
static int add(struct exchange *x, struct adjustment_wish *wish, struct adjustment *a, bool *is_new,
               struct err *err)
{
    int result = limit_post_admit(x, wish->reason, err);

    *is_new = false;
    if (result != 0)
        return result;
    wish->author = x->who.name;
    wish->client = exchange_client(x);
    if (wish->evidence.len > EVIDENCE_MAX) {
        (void)err_set(err, EX_USAGE, "evidence: shorten it to %d bytes", EVIDENCE_MAX);
        return 400;
    }
    if (adjustment_change_make(wish, x->now_ms / 1000, a, err) != 0)
        return 400;
    if (exchange_store(x, err) != 0)
        return -1;
    result = adjustment_change_add(x->store, x->settings, wish, a, err);
    *is_new = result == 0;
    return result == 1 ? 0 : result;
}

/* --- the form -------------------------------------------------------------------------------- */

static struct slice typed(const struct exchange *x, const char *name)
{
    return http_query_get(&x->form, name);
}

/* Each form has an id, so that one that is sent twice is one entry. */
static void add_id(struct exchange *x, struct html *h)
{
    struct slice id = typed(x, "id");
    char random[SECRET_TEXT], made[8 + ID_CHARACTERS];

    secret_random(random);
    (void)snprintf(made, sizeof made, "web/%.*s", ID_CHARACTERS, random);
    page_hidden(h, "id", id.len > 0 ? id : slice_str(made));
}

static void add_fields(struct exchange *x, struct html *h)
{
    static const struct form_field month = {
        .label = "Month", .name = "month", .type = "text", .most = 7, .is_needed = true};
    static const struct form_field amount = {.label = "To be added",
                                             .name = "amount",
                                             .type = "text",
                                             .hint = "-12",
                                             .most = 20,
                                             .is_needed = true};
    static const struct form_field evidence = {
        .label = "Evidence", .name = "evidence", .type = "text", .most = EVIDENCE_MAX};
    static const struct form_field reason = {.label = "Reason",
                                             .name = "reason",
                                             .type = "text",
                                             .most = LIMIT_POST_REASON_MAX,
                                             .is_needed = true};
    const char *names[COUNTER_COUNT + 1];
    char now[PERIOD_TEXT];

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        names[i] = counter_table[i].name;
    names[COUNTER_COUNT] = NULL;
    period_name(PERIOD_MONTH, (time_t)(x->now_ms / 1000), now);
    form_input(h, &month, x->request.method == HTTP_POST ? typed(x, "month") : slice_str(now));
    form_choice(h, "Counter", "counter", names, names, typed(x, "counter"));
    form_input(h, &amount, typed(x, "amount"));
    form_input(h, &evidence, typed(x, "evidence"));
    form_input(h, &reason, typed(x, "reason"));
}

static void add_form(struct exchange *x, struct html *h, struct slice account)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/adjust");
    html_url_segment(&url, account);
    page_form_open(x, h, url.data, "filter");
    buf_fini(&url);
    add_id(x, h);
    add_fields(x, h);
    page_button(h, "main", "Add");
    html_close(h, "form");
}

static void show(struct exchange *x, struct slice account, int status, const char *complaint)
{
    struct html h;

    http_response_reset(&x->response, status, HTTP_TYPE_HTML);
    page_begin(x, &h, "Adjustment");
    html_element_class(&h, "p", "scope", account);
    form_complaint(&h, slice_str(complaint));
    html_element(&h, "p",
                 SLICE("It stands beside the figures, which it does not change. It cannot be "
                       "removed: another one takes it back."));
    if (holder_view_may_change(&x->who))
        add_form(x, &h, account);
    page_end(x, &h);
}

static int take_form(struct exchange *x, struct slice account, struct err *err)
{
    static const char *const fields[] = {"token",  "id",       "month",  "counter",
                                         "amount", "evidence", "reason", NULL};
    struct adjustment_wish wish = {.account = account,
                                   .month = typed(x, "month"),
                                   .id = typed(x, "id"),
                                   .counter = typed(x, "counter"),
                                   .amount = typed(x, "amount"),
                                   .evidence = typed(x, "evidence"),
                                   .reason = typed(x, "reason")};
    struct adjustment a;
    struct buf url;
    bool is_new;
    int status;

    if (http_query_allow(&x->form, fields, err) != 0)
        return -1;
    status = add(x, &wish, &a, &is_new, err);
    if (status == 403)
        problem_answer_as(x, status, err);
    else if (status > 0)
        show(x, account, status, err->text);
    if (status != 0)
        return status > 0 ? 0 : -1;
    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/billing");
    html_url_segment(&url, a.period);
    html_url_query(&url, "domain", account);
    http_response_redirect(&x->response, buf_slice(&url));
    buf_fini(&url);
    return 0;
}

int page_adjust(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};
    struct slice account;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        find_account(x, 1, &account, err) != 0)
        return -1;
    if (x->request.method == HTTP_POST)
        return take_form(x, account, err);
    if (x->who.role == WEB_ROLE_ADMIN) {
        show(x, account, 200, NULL);
        return 0;
    }
    TG_IGNORE(limit_post_admit(x, SLICE("any"), err));
    problem_answer_as(x, 403, err);
    return 0;
}

/* --- for programs ---------------------------------------------------------------------------- */

static int take_body(struct exchange *x, struct adjustment_wish *wish, struct err *err)
{
    static const char *const members[] = {"month", "counter", "amount", "evidence", "reason", NULL};
    struct api_body b;

    if (api_body_parse(x->request.body, members, &x->arena, &b, err) != 0)
        return 400;
    wish->month = api_body_get(&b, "month");
    wish->counter = api_body_get(&b, "counter");
    wish->amount = api_body_get(&b, "amount");
    wish->evidence = api_body_get(&b, "evidence");
    wish->reason = api_body_get(&b, "reason");
    return 0;
}

static json_t *answer_of(const struct adjustment_wish *wish, bool is_new)
{
    return json_pack("{s: o, s: o, s: o, s: o, s: o, s: o, s: b}", "account",
                     json_text(wish->account), "month", json_text(wish->month), "id",
                     json_text(wish->id), "counter", json_text(wish->counter), "amount",
                     json_text(wish->amount), "reason", json_text(wish->reason), "added",
                     is_new ? 1 : 0);
}

int page_adjust_put(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"id", NULL};
    struct adjustment_wish wish = {.id = http_query_get(&x->query, "id")};
    struct adjustment a;
    bool is_new = false;
    int status;

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        find_account(x, 3, &wish.account, err) != 0)
        return -1;
    status = limit_post_admit(x, SLICE("any"), err);
    if (status == 0)
        status = take_body(x, &wish, err);
    if (status == 0)
        status = add(x, &wish, &a, &is_new, err);
    if (status > 0)
        problem_answer_as(x, status, err);
    if (status != 0)
        return status > 0 ? 0 : -1;
    return api_answer(x, answer_of(&wish, is_new), err);
}
