#include "web/api_change.h"

#include <jansson.h>
#include <sysexits.h>

#include "lib/admin/limit_list.h"
#include "web/api.h"
#include "web/api_body.h"
#include "web/limit_post.h"
#include "web/problem.h"

#define JSON_TYPE "application/json"

static const char *const no_parameters[] = {NULL};

/* --- who ------------------------------------------------------------------------------------- */

/* A cookie would do for whatever page the browser shows; a token is sent by who has it alone. */
int api_change_admit(const struct exchange *x, struct err *err)
{
    if (x->who.via != VIA_TOKEN) {
        (void)err_set(
            err, EX_NOPERM,
            "send a token that may write: `tollgate web token NAME --role admin --write'");
        return 403;
    }
    if (x->body_bytes > HTTP_BODY_MAX) {
        (void)err_set(err, EX_USAGE, "the body is larger than %zu bytes", HTTP_BODY_MAX);
        return 413;
    }
    if (x->request.method == HTTP_PUT &&
        !slice_starts_nocase(x->request.content_type, SLICE(JSON_TYPE))) {
        (void)err_set(err, EX_USAGE, "send the body as " JSON_TYPE);
        return 415;
    }
    return 0;
}

/* --- the answer ------------------------------------------------------------------------------ */

static int answer(struct exchange *x, struct holder_view *v, struct err *err)
{
    struct table list;

    limit_list_fill(&v->holder, &v->limits, v->now_s, &x->arena, &list);
    return api_answer(
        x, limit_list_json(&v->setup, &v->holder, &v->limits, v->now_s, v->sees_authors, &list),
        err);
}

/* As it is now, after the change. */
static int answer_again(struct exchange *x, struct holder_view *v, struct err *err)
{
    if (holder_limits_read(&v->setup, &v->holder, v->now_s, &x->arena, &v->limits, err) != 0)
        return -1;
    return answer(x, v, err);
}

/* Is what there is what If-Match names? 0, 412, or -1. */
static int check_match(struct exchange *x, struct holder_view *v, struct err *err)
{
    char etag[HTTP_ETAG_ROOM];

    if (x->request.if_match.len == 0 || slice_equal(x->request.if_match, SLICE("*")))
        return 0;
    if (answer(x, v, err) != 0)
        return -1;
    http_response_etag(&x->response, etag);
    if (slice_equal(slice_trim(x->request.if_match), slice_str(etag)))
        return 0;
    (void)err_set(err, EX_USAGE,
                  "the limits are not those that had this ETag: get them again, and then change "
                  "them");
    return 412;
}

/* What a status of limit_post.h comes to. */
static int finish(struct exchange *x, struct holder_view *v, int status, struct err *err)
{
    if (status == 0)
        return answer_again(x, v, err);
    if (status > 0)
        problem_answer_as(x, status, err);
    return status > 0 ? 0 : -1;
}

/* --- limits ---------------------------------------------------------------------------------- */

static int take_limit(struct exchange *x, struct limit_post *p, struct err *err)
{
    static const char *const members[] = {"max",   "action", "soft",  "forwards",
                                          "until", "reason", "force", NULL};
    struct api_body b;
    int forwards, force;

    if (api_body_parse(x->request.body, members, &x->arena, &b, err) != 0)
        return 400;
    forwards = api_body_flag(&b, "forwards", err);
    force = api_body_flag(&b, "force", err);
    if (forwards == -2 || force == -2)
        return 400;
    p->max = api_body_get(&b, "max");
    p->action = api_body_get(&b, "action");
    p->soft = api_body_get(&b, "soft");
    p->until = api_body_get(&b, "until");
    p->reason = api_body_get(&b, "reason");
    p->forwards = forwards < 0 ? SLICE_NONE : forwards == 1 ? SLICE("yes") : SLICE("no");
    p->force = force == 1;
    return 0;
}

static int change_limit(struct exchange *x, struct holder_view *v, struct err *err)
{
    struct limit_post p = {.name = http_query_get(&x->query, "limit"),
                           .reason = http_query_get(&x->query, "reason")};
    bool is_put = x->request.method == HTTP_PUT;
    int status = limit_post_admit(x, SLICE("any"), err);
    struct limit name;
    uint64_t seen = 0;

    if (status == 0 && is_put)
        status = take_limit(x, &p, err);
    if (status == 0)
        status = check_match(x, v, err);
    if (status != 0)
        return status;
    if (p.name.len == 0) {
        (void)err_set(err, EX_USAGE, "limit: name one, such as limit=domain/recipients/hour");
        return 400;
    }
    if (x->request.if_match.len > 0 && limit_parse_field(p.name, &x->arena, &name, NULL) == 0) {
        if (name.subject.len == 0)
            name.subject = v->holder.subject;
        seen = account_overrides_stamp(&v->limits.said, &name);
        p.seen = &seen;
    }
    return is_put ? limit_post_set(x, v, &p, err) : limit_post_unset(x, v, &p, err);
}

int api_limits(struct exchange *x, struct err *err)
{
    bool is_put = x->request.method == HTTP_PUT, is_delete = x->request.method == HTTP_DELETE;
    struct holder_view v;

    if (http_query_allow(&x->query,
                         is_put      ? api_change_limit
                         : is_delete ? api_change_limit_reason
                                     : no_parameters,
                         err) != 0 ||
        holder_view_open(x, x->request.segments[3], &v, err) != 0)
        return -1;
    if (!is_put && !is_delete)
        return answer(x, &v, err);
    return finish(x, &v, change_limit(x, &v, err), err);
}

/* --- the plan -------------------------------------------------------------------------------- */

static int take_plan(struct exchange *x, struct limit_post *p, struct err *err)
{
    static const char *const members[] = {"plan", "reason", "force", NULL};
    struct api_body b;
    int force;

    if (api_body_parse(x->request.body, members, &x->arena, &b, err) != 0)
        return 400;
    force = api_body_flag(&b, "force", err);
    if (force == -2)
        return 400;
    p->plan = api_body_get(&b, "plan");
    p->reason = api_body_get(&b, "reason");
    p->force = force == 1;
    if (p->plan.len > 0)
        return 0;
    (void)err_set(err, EX_USAGE, "plan: name one of the configuration; DELETE removes it");
    return 400;
}

static int change_plan(struct exchange *x, struct holder_view *v, struct err *err)
{
    struct limit_post p = {.reason = http_query_get(&x->query, "reason")};
    uint64_t seen = account_overrides_stamp(&v->limits.said, NULL);
    int status = limit_post_admit(x, SLICE("any"), err);

    if (status == 0 && x->request.method == HTTP_PUT)
        status = take_plan(x, &p, err);
    if (status == 0)
        status = check_match(x, v, err);
    if (status != 0)
        return status;
    p.seen = x->request.if_match.len > 0 ? &seen : NULL;
    return limit_post_plan(x, v, &p, err);
}

int api_plan(struct exchange *x, struct err *err)
{
    struct holder_view v;

    if (http_query_allow(&x->query,
                         x->request.method == HTTP_PUT ? no_parameters : api_change_reason,
                         err) != 0 ||
        holder_view_open(x, x->request.segments[3], &v, err) != 0)
        return -1;
    return finish(x, &v, change_plan(x, &v, err), err);
}
