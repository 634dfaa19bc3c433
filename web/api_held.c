#include <jansson.h>
#include <sysexits.h>

#include "lib/sys/json.h"
#include "web/api.h"
#include "web/api_body.h"
#include "web/api_change.h"
#include "web/held_view.h"
#include "web/limit_post.h"
#include "web/problem.h"

static json_t *asked_of(const struct exchange *x, const struct release_request *r)
{
    json_t *json;

    if (r == NULL)
        return json_null();
    json = json_pack("{s: I}", "at", (json_int_t)r->at_s);
    if (x->who.role != WEB_ROLE_ADMIN)
        return json;
    (void)json_object_set_new(json, "by", json_text(r->by));
    (void)json_object_set_new(json, "reason", json_text(r->reason));
    return json;
}

static json_t *message_of(const struct exchange *x, const struct held_view *v,
                          const struct held_entry *e)
{
    return json_pack("{s: o, s: o, s: o, s: I, s: o}", "account", json_text(e->account), "node",
                     json_text(e->node), "queue_id", json_text(e->queue_id), "since",
                     (json_int_t)e->time_s, "asked", asked_of(x, held_view_asked(v, e)));
}

int api_held(struct exchange *x, struct err *err)
{
    json_t *list;
    struct held_view v;

    if (http_query_allow(&x->query, api_change_domain, err) != 0 || held_view_open(x, &v, err) != 0)
        return -1;
    list = json_array();
    for (size_t i = 0; i < v.list.count; i++)
        (void)json_array_append_new(list, message_of(x, &v, &v.list.items[i]));
    return api_answer(x, json_pack("{s: o}", "held", list), err);
}

static int take_reason(struct exchange *x, struct slice *reason, struct err *err)
{
    static const char *const members[] = {"reason", NULL};
    struct api_body b;

    *reason = http_query_get(&x->query, "reason");
    if (x->request.method != HTTP_PUT)
        return 0;
    if (api_body_parse(x->request.body, members, &x->arena, &b, err) != 0)
        return 400;
    *reason = api_body_get(&b, "reason");
    return 0;
}

int api_held_release(struct exchange *x, struct err *err)
{
    bool is_put = x->request.method == HTTP_PUT;
    struct slice reason;
    struct held_view v;
    int status;

    if (http_query_allow(&x->query, is_put ? api_change_domain : api_change_domain_reason, err) !=
            0 ||
        held_view_find(x, x->request.segments[3], x->request.segments[4], &v, err) != 0)
        return -1;
    status = take_reason(x, &reason, err);
    if (status == 0)
        status = held_view_change(x, &v, is_put, reason, err);
    if (status > 0)
        problem_answer_as(x, status, err);
    if (status != 0)
        return status > 0 ? 0 : -1;
    if (held_view_again(x, &v, err) != 0)
        return -1;
    return api_answer(x, message_of(x, &v, &v.list.items[0]), err);
}
