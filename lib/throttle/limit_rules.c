#include "lib/throttle/limit_rules.h"

#include <stdlib.h>
#include <sysexits.h>

#define RULES_MAX_BYTES ((size_t)64 << 20)

static int add_addresses(struct limit_rules *r, struct strmap *set, const struct string_list *list,
                         struct err *err)
{
    struct address address;

    for (size_t i = 0; i < list->count; i++) {
        struct slice user;

        if (address_parse(slice_str(list->items[i]), &r->arena, &address, err) != 0)
            return -1;
        user = address_user_by(&address, r->exempt.delimiters, &r->arena);
        if (user.ptr == NULL || strmap_add(set, user, NULL) == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
}

static int add_domains(struct limit_rules *r, const struct string_list *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct slice name;

        if (domain_canonical(slice_str(list->items[i]), &r->arena, &name, err) != 0)
            return -1;
        if (strmap_add(&r->exempt.domains, name, NULL) == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
}

static int add_clients(struct limit_rules *r, const struct string_list *list, struct err *err)
{
    struct networks *set = &r->exempt.clients;

    set->list = arena_array(&r->arena, list->count + 1, sizeof *set->list);
    if (set->list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (; set->count < list->count; set->count++)
        if (network_parse(slice_str(list->items[set->count]), &set->list[set->count], err) != 0)
            return -1;
    return 0;
}

static int add_reply(struct limit_rules *r, const struct settings *s, struct err *err)
{
    const char *text = s->throttle.reply_text, *url = s->throttle.reply_url;
    struct buf b;

    if (text[0] == '\0' && url[0] == '\0')
        return 0;
    buf_init(&b, 1024);
    buf_addf(&b, "%s%s%s", text, text[0] != '\0' && url[0] != '\0' ? " " : "", url);
    r->reply_more = arena_copy(&r->arena, buf_slice(&b));
    buf_fini(&b);
    return r->reply_more.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int fill(struct limit_rules *r, const struct settings *s, struct err *err)
{
    if (add_addresses(r, &r->exempt.users, &s->throttle.exempt.users, err) != 0)
        return err_prefix(err, "throttle.exempt.users");
    if (add_clients(r, &s->throttle.exempt.clients, err) != 0)
        return err_prefix(err, "throttle.exempt.clients");
    if (add_domains(r, &s->throttle.exempt.domains, err) != 0)
        return err_prefix(err, "throttle.exempt.domains");
    if (add_addresses(r, &r->exempt.recipients, &s->throttle.exempt.recipients, err) != 0)
        return err_prefix(err, "throttle.exempt.recipients");
    return add_reply(r, s, err);
}

static bool plan_limits_bounces(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->limits[i].metric == METRIC_BOUNCES)
            return true;
    }
    return false;
}

struct limit_rules *limit_rules_new(const struct settings *s, struct err *err)
{
    struct limit_rules *r = calloc(1, sizeof *r);

    if (r == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    arena_init(&r->arena, RULES_MAX_BYTES);
    r->observe = s->throttle.mode == THROTTLE_OBSERVE;
    r->on_failure = s->store.on_failure;
    r->nodes = (uint64_t)s->store.nodes;
    r->leases = s->throttle.leases;
    r->client_v6_prefix = (unsigned)s->throttle.client_v6_prefix;
    r->exempt.delimiters = slice_str(s->accounting.delimiter);
    r->plans = s->plans;
    r->plan_count = s->plan_count;
    for (size_t i = 0; i < r->plan_count; i++)
        r->bounces = r->bounces || plan_limits_bounces(&r->plans[i]);
    if (fill(r, s, err) == 0)
        return r;
    limit_rules_free(r);
    return NULL;
}

void limit_rules_free(struct limit_rules *r)
{
    if (r == NULL)
        return;
    strmap_fini(&r->exempt.users);
    strmap_fini(&r->exempt.domains);
    strmap_fini(&r->exempt.recipients);
    arena_fini(&r->arena);
    free(r);
}

const struct plan *limit_rules_plan(const struct limit_rules *r, struct slice name)
{
    for (size_t i = 0; i < r->plan_count; i++) {
        if (slice_equal(r->plans[i].name, name))
            return &r->plans[i];
    }
    return NULL;
}

const struct plan *limit_rules_plan_of(const struct limit_rules *r, struct slice given,
                                       struct slice assigned)
{
    const struct plan *plan = limit_rules_plan(r, given);

    if (plan == NULL)
        plan = limit_rules_plan(r, assigned);
    return plan != NULL ? plan : limit_rules_plan(r, SLICE("default"));
}
