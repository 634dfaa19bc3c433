#include "web/held_view.h"

#include <sysexits.h>

#include "web/figures.h"
#include "web/limit_post.h"
#include "web/scope.h"

/* --- what was asked for ---------------------------------------------------------------------- */

struct held_view_node {
    struct held_view_node *next; /* NULL: the last */
    struct slice name;
    struct release_requests list;
};

static struct release_request_place place_of(struct exchange *x, struct slice node)
{
    return (struct release_request_place){.store = x->store,
                                          .prefix = x->settings->store.prefix,
                                          .node = node,
                                          .timeout_ms = READ_TIMEOUT_MS};
}

static const struct held_view_node *node_of(const struct held_view *v, struct slice name)
{
    const struct held_view_node *n = v->nodes;

    while (n != NULL && !slice_equal(n->name, name))
        n = n->next;
    return n;
}

static int add_node(struct exchange *x, struct slice name, struct held_view *v, struct err *err)
{
    struct held_view_node *n = arena_alloc(&x->arena, sizeof *n);
    struct release_request_place place = place_of(x, name);

    if (n == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    *n = (struct held_view_node){.next = v->nodes, .name = name};
    v->nodes = n;
    return release_request_list(&place, &x->arena, &n->list, err);
}

int held_view_again(struct exchange *x, struct held_view *v, struct err *err)
{
    v->nodes = NULL;
    if (v->list.count > 0 && exchange_store(x, err) != 0)
        return -1;
    for (size_t i = 0; i < v->list.count; i++) {
        struct slice node = v->list.items[i].node;

        if (node_of(v, node) == NULL && add_node(x, node, v, err) != 0)
            return -1;
    }
    return 0;
}

const struct release_request *held_view_asked(const struct held_view *v, const struct held_entry *e)
{
    const struct held_view_node *n = node_of(v, e->node);

    return n != NULL ? release_request_find(&n->list, e->queue_id, e->account, e->time_s) : NULL;
}

/* --- which ----------------------------------------------------------------------------------- */

static int list(struct exchange *x, struct held_view *v, struct err *err)
{
    struct scope scope;

    *v = (struct held_view){.nodes = NULL};
    if (scope_choose(x, http_query_get(&x->query, "domain"), SLICE_NONE, &scope, err) != 0)
        return -1;
    return figures_held(x, &scope, &v->list, err);
}

int held_view_open(struct exchange *x, struct held_view *v, struct err *err)
{
    return list(x, v, err) == 0 ? held_view_again(x, v, err) : -1;
}

int held_view_find(struct exchange *x, struct slice node, struct slice queue_id,
                   struct held_view *v, struct err *err)
{
    if (list(x, v, err) != 0)
        return -1;
    for (size_t i = 0; i < v->list.count; i++) {
        struct held_entry *e = &v->list.items[i];

        if (!slice_equal(e->node, node) || !slice_equal(e->queue_id, queue_id))
            continue;
        v->list = (struct held_entries){.items = e, .count = 1};
        return held_view_again(x, v, err);
    }
    return scope_nothing(err); /* held no longer, or never */
}

/* --- the change ------------------------------------------------------------------------------ */

int held_view_change(struct exchange *x, struct held_view *v, bool is_release, struct slice reason,
                     struct err *err)
{
    const struct held_entry *e = &v->list.items[0];
    struct release_request_place place;
    struct release_request r = {.queue_id = e->queue_id,
                                .account = e->account,
                                .held_s = e->time_s,
                                .by = x->who.name,
                                .client = exchange_client(x),
                                .reason = reason,
                                .at_s = x->now_ms / 1000};
    int result = limit_post_admit(x, reason, err);

    if (result != 0)
        return result;
    if (exchange_store(x, err) != 0)
        return -1;
    place = place_of(x, e->node);
    result = is_release ? release_request_put(&place, &r, err)
                        : release_request_withdraw(&place, &r, err);
    if (result != 1)
        return result;
    (void)err_set(err, EX_USAGE,
                  "somebody else has been faster, and nothing was done: look at what is there now");
    return 409;
}
