#include "lib/admin/holder.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/read/read.h"

/* --- the name -------------------------------------------------------------------------------- */

static int domain_parse(const struct setup *s, struct slice typed, struct arena *arena,
                        struct holder *out, struct err *err)
{
    out->kind = HOLDER_IS_DOMAIN;
    if (typed.len > 0 && typed.ptr[0] == '.')
        return err_set(err, EX_USAGE, "%.*s: limits belong to single sub-domains; name one",
                       SLICE_FMT(typed));
    if (domain_canonical(typed, arena, &out->name, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "%.*s", SLICE_FMT(typed));
    }
    out->rules = out->name;
    out->assigned = hosted_plan(s->hosted, out->name);
    out->is_exempt = strmap_find(&s->rules->exempt.domains, out->name) != NULL;
    if (setup_domain(s, out->name, arena, &out->is_hosted, &out->charged, err) != 0)
        return -1;
    out->is_hosted = out->is_hosted && slice_equal(out->charged, out->name);
    return 0;
}

static int client_parse(const struct setup *s, struct slice typed, struct arena *arena,
                        struct holder *out, struct err *err)
{
    struct slice text = slice_from(typed, sizeof HOLDER_CLIENT - 1);
    unsigned v6_prefix = (unsigned)s->settings->throttle.client_v6_prefix;
    char room[NETWORKS_TEXT_ROOM], name[sizeof HOLDER_CLIENT + NETWORKS_TEXT_ROOM];
    ptrdiff_t slash = slice_find(text, '/'); /* of a network, as it is shown */
    struct ip ip;

    if (slash >= 0)
        text = slice_to(text, (size_t)slash);
    if (!networks_ip_parse(text, &ip))
        return err_set(err, EX_USAGE, "\"%.*s\" is not an IP address", SLICE_FMT(text));
    (void)snprintf(name, sizeof name, HOLDER_CLIENT "%.*s",
                   SLICE_FMT(networks_client_text(text, v6_prefix, room)));
    out->kind = HOLDER_IS_CLIENT;
    out->name = arena_copy(arena, slice_str(name));
    out->rules = SLICE(HOLDER_CLIENTS);
    out->subject = slice_from(out->name, sizeof HOLDER_CLIENT - 1);
    out->is_exempt = networks_contain(&s->rules->exempt.clients, &ip);
    return out->name.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int customer_parse(const struct setup *s, struct slice typed, struct holder *out,
                          struct err *err)
{
    struct slice name = slice_from(typed, sizeof HOLDER_CUSTOMER - 1);

    if (!hosted_customer_is_name(name))
        return err_set(err, EX_USAGE, "\"%.*s\" cannot be the name of a customer", SLICE_FMT(name));
    out->kind = HOLDER_IS_CUSTOMER;
    out->assigned = hosted_plan(s->hosted, out->name);
    out->is_hosted = strmap_find(&s->hosted->customer_names, name) != NULL;
    return 0;
}

static int user_parse(const struct setup *s, struct slice typed, struct arena *arena,
                      struct holder *out, struct err *err)
{
    struct address a;

    if (address_parse(typed, arena, &a, err) != 0 || a.domain.len == 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "%.*s", SLICE_FMT(typed));
    }
    out->subject = hosted_user(s->hosted, &a, arena);
    if (out->subject.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (domain_parse(s, a.domain, arena, out, err) != 0)
        return -1;
    out->kind = HOLDER_IS_USER;
    out->is_exempt = out->is_exempt || strmap_find(&s->rules->exempt.users, out->subject) != NULL;
    return 0;
}

int holder_parse(const struct setup *s, struct slice name, struct arena *arena, struct holder *out,
                 struct err *err)
{
    *out = (struct holder){.typed = name, .name = name, .rules = name, .is_hosted = true};
    if (slice_equal(name, SLICE(HOLDER_SERVER))) {
        out->kind = HOLDER_IS_SERVER;
        return 0;
    }
    if (slice_equal(name, SLICE(HOLDER_CLIENTS))) {
        out->kind = HOLDER_IS_CLIENTS;
        return 0;
    }
    if (slice_starts_nocase(name, SLICE(HOLDER_CLIENT)))
        return client_parse(s, name, arena, out, err);
    if (slice_starts(name, SLICE(HOLDER_CUSTOMER)))
        return customer_parse(s, name, out, err);
    if (name.len > 0 && name.ptr[0] == '@')
        return err_set(err, EX_USAGE,
                       "\"%.*s\" has no limits: name a domain, @customer:NAME, @server, @client or "
                       "@client:IP",
                       SLICE_FMT(name));
    return slice_find(name, '@') > 0 ? user_parse(s, name, arena, out, err)
                                     : domain_parse(s, name, arena, out, err);
}

void holder_of_account(const struct setup *s, struct slice account, struct holder *out)
{
    *out = (struct holder){.typed = account, .name = account, .rules = account, .is_hosted = true};
    if (slice_equal(account, SLICE(HOLDER_SERVER)))
        out->kind = HOLDER_IS_SERVER;
    else if (slice_equal(account, SLICE(HOLDER_CLIENTS)))
        out->kind = HOLDER_IS_CLIENTS;
    else if (slice_starts(account, SLICE(HOLDER_CUSTOMER)))
        out->kind = HOLDER_IS_CUSTOMER;
    out->assigned = hosted_plan(s->hosted, account);
    if (out->kind != HOLDER_IS_DOMAIN)
        return;
    out->charged = account;
    out->is_exempt = strmap_find(&s->rules->exempt.domains, account) != NULL;
}

bool holder_is_charged(const struct holder *h, struct buf *why)
{
    if (h->is_hosted)
        return true;
    if (h->kind == HOLDER_IS_CUSTOMER)
        buf_addf(why, "%.*s has no domain (billing.customers), so nothing is charged to it",
                 SLICE_FMT(h->name));
    else if (h->charged.len > 0)
        buf_addf(why, "the mail of %.*s is charged to %.*s, whose limits apply", SLICE_FMT(h->name),
                 SLICE_FMT(h->charged));
    else
        buf_addf(why, "%.*s is not hosted here (hosted.domains), so nothing is charged to it",
                 SLICE_FMT(h->name));
    return false;
}

bool holder_has_scope(const struct holder *h, enum limit_scope scope)
{
    switch (h->kind) {
    case HOLDER_IS_DOMAIN:
        return scope == LIMIT_DOMAIN || scope == LIMIT_USER;
    case HOLDER_IS_USER:
        return scope == LIMIT_USER;
    case HOLDER_IS_CUSTOMER:
        return scope == LIMIT_CUSTOMER;
    case HOLDER_IS_SERVER:
        return scope == LIMIT_SERVER;
    case HOLDER_IS_CLIENTS:
    case HOLDER_IS_CLIENT:
        break;
    }
    return scope == LIMIT_CLIENT;
}

const char *holder_scopes(const struct holder *h)
{
    return h->kind == HOLDER_IS_DOMAIN     ? "domain or user"
           : h->kind == HOLDER_IS_USER     ? "user"
           : h->kind == HOLDER_IS_CUSTOMER ? "customer"
           : h->kind == HOLDER_IS_SERVER   ? "server"
                                           : "client";
}

/* --- what holds now -------------------------------------------------------------------------- */

static void warn_overrides(const struct setup *s, const struct holder *h,
                           const struct buf *warnings)
{
    struct slice rest = buf_slice(warnings), line;

    while (s->warn != NULL && slice_cut(&rest, '\n', &line)) {
        struct err err = {0};

        if (line.len == 0)
            continue;
        (void)err_set(&err, EX_DATAERR, "an override of %.*s has no effect: %.*s",
                      SLICE_FMT(h->rules), SLICE_FMT(line));
        s->warn(&err);
    }
}

static void plan_choose(const struct setup *s, const struct holder *h, struct holder_limits *out)
{
    out->plan = limit_rules_plan_of(s->rules, out->said.plan, h->assigned);
    if (out->plan == NULL)
        out->origin = PLAN_NONE;
    else if (slice_equal(out->plan->name, out->said.plan))
        out->origin = PLAN_GIVEN;
    else if (slice_equal(out->plan->name, h->assigned))
        out->origin = PLAN_ASSIGNED;
    else
        out->origin = PLAN_DEFAULT;
}

/* A plan may hold limits of every scope; those of servers and clients are their own. */
static void scopes_keep(const struct holder *h, struct holder_limits *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < out->count; i++) {
        if (holder_has_scope(h, out->limits[i].scope))
            out->limits[kept++] = out->limits[i];
    }
    out->count = kept;
}

int holder_limits_read(const struct setup *s, const struct holder *h, int64_t now_s,
                       struct arena *arena, struct holder_limits *out, struct err *err)
{
    struct buf warnings;
    int result;

    *out = (struct holder_limits){0};
    buf_init(&warnings, (size_t)1 << 20);
    result = account_overrides_read(s->store, s->settings->store.prefix, h->rules, READ_TIMEOUT_MS,
                                    arena, &out->said, &warnings, err);
    if (result == 0)
        warn_overrides(s, h, &warnings);
    buf_fini(&warnings);
    if (result != 0)
        return -1;
    return holder_limits_choose(s, h, now_s, arena, out, err);
}

int holder_limits_choose(const struct setup *s, const struct holder *h, int64_t now_s,
                         struct arena *arena, struct holder_limits *out, struct err *err)
{
    plan_choose(s, h, out);
    if (limits_merge(out->plan, out->said.overrides, out->said.count, now_s, arena, &out->limits,
                     &out->count) != 0)
        return err_set(err, EX_OSERR, "out of memory");
    scopes_keep(h, out);
    return 0;
}

const struct limit *holder_override(const struct holder_limits *l, const struct limit *limit,
                                    int64_t now_s)
{
    for (size_t i = 0; i < l->said.count; i++) {
        const struct limit *o = &l->said.overrides[i];

        if (limit_same_name(o, limit) && (o->until_s == 0 || now_s < o->until_s))
            return o;
    }
    return NULL;
}

struct slice holder_customer_of(const struct setup *s, const struct holder *h, struct arena *arena)
{
    bool has_domain = h->kind == HOLDER_IS_DOMAIN || h->kind == HOLDER_IS_USER;
    struct slice customer = has_domain ? hosted_customer(s->hosted, h->rules) : SLICE_NONE;

    return customer.len > 0 ? limit_check_customer(customer, arena) : SLICE_NONE;
}

struct slice holder_customer(const struct holder *h)
{
    return h->kind == HOLDER_IS_CUSTOMER ? slice_from(h->name, sizeof HOLDER_CUSTOMER - 1)
                                         : SLICE_NONE;
}

struct slice holder_title(const struct holder *h)
{
    return h->kind == HOLDER_IS_USER ? h->subject : h->name;
}

bool holder_limit_is(const struct holder_limits *l, const struct holder *h, size_t i,
                     const struct limit *name)
{
    const struct limit *limit = &l->limits[i];

    return limit_is_for(l->limits, l->count, limit, h->subject) &&
           (name == NULL || (limit->scope == name->scope && limit->metric == name->metric &&
                             limit->window_ms == name->window_ms));
}

const char *holder_plan_origin_text(enum plan_origin origin)
{
    static const char *const texts[] = {[PLAN_NONE] = "there is no plan named default",
                                        [PLAN_DEFAULT] = "no other plan is set or assigned",
                                        [PLAN_ASSIGNED] = "assigned by throttle.assign",
                                        [PLAN_GIVEN] = "set at run time"};

    return texts[origin];
}
