#include "web/figures_usage.h"

#include <sysexits.h>

#include "lib/admin/holder_usage.h"
#include "web/exchange.h"

#define SERVER SLICE("@server")

struct figures_usage_reading {
    struct exchange *x;
    const struct scope *scope;
    struct setup setup;
    struct holder holder;
    struct holder_limits limits;
    size_t users;
};

static int of_domain(struct figures_usage_reading *d, struct figures_usage *out, struct err *err)
{
    if (holder_usage_read(&d->x->reader, &d->holder, &d->limits, d->x->now_ms / 1000, d->users,
                          &d->x->arena, &out->rows, err) != 0)
        return -1;
    return holder_usage_forecast(&d->x->reader, &d->holder, &out->rows, &d->x->arena, err);
}

/* What the whole domain has used is not his to see. */
static int of_user(struct figures_usage_reading *d, struct figures_usage *out, struct err *err)
{
    struct slice user = d->scope->user;
    struct name_list users = {.items = &user, .count = 1};
    size_t kept = 0;

    if (holder_usage_of(&d->x->reader, &d->holder, &d->limits, &users, &d->x->arena, &out->rows,
                        err) != 0)
        return -1;
    for (size_t i = 0; i < out->rows.count; i++) {
        if (out->rows.list[i].user.len > 0)
            out->rows.list[kept++] = out->rows.list[i];
    }
    out->rows.count = kept;
    return holder_usage_forecast(&d->x->reader, &d->holder, &out->rows, &d->x->arena, err);
}

static bool is_exempt(const struct figures_usage_reading *d)
{
    return d->holder.is_exempt ||
           (d->scope->level == SCOPE_USER &&
            strmap_find(&d->setup.rules->exempt.users, d->scope->user) != NULL);
}

/* Nothing is charged to what is not hosted, or charged to another. */
static bool has_limits(struct figures_usage_reading *d)
{
    struct slice typed = d->scope->level == SCOPE_SERVER ? SERVER
                         : d->scope->level == SCOPE_CUSTOMER
                             ? limit_check_customer(d->scope->account, &d->x->arena)
                             : d->scope->account;
    struct err unknown = {0};

    return holder_parse(&d->setup, typed, &d->x->arena, &d->holder, &unknown) == 0 &&
           d->holder.is_hosted;
}

int figures_usage_of(struct exchange *x, const struct scope *scope, size_t users,
                     struct figures_usage *out, struct err *err)
{
    struct figures_usage_reading d = {.x = x, .scope = scope, .users = users};

    *out = (struct figures_usage){.is_unknown = false};
    if (exchange_setup(x, &d.setup, err) != 0) {
        out->is_unknown = err->code == EX_CONFIG;
        return out->is_unknown ? 0 : -1;
    }
    if (!has_limits(&d))
        return 0;
    out->is_observed = d.setup.rules->observe;
    out->is_exempt = is_exempt(&d);
    if (out->is_exempt)
        return 0;
    if (holder_limits_read(&d.setup, &d.holder, x->now_ms / 1000, &x->arena, &d.limits, err) != 0)
        return -1;
    if (scope->level == SCOPE_USER)
        return of_user(&d, out, err);
    if (of_domain(&d, out, err) != 0)
        return -1;
    /* What other domains have used of it is not a domain's to see. */
    return scope->sees_nodes
               ? holder_usage_add_customer(&d.setup, &x->reader, &d.holder, x->now_ms / 1000,
                                           &x->arena, &out->rows, err)
               : 0;
}

int figures_usage(struct exchange *x, const struct scope *scope, struct figures_usage *out,
                  struct err *err)
{
    return figures_usage_of(x, scope, FIGURES_USAGE_USERS, out, err);
}
