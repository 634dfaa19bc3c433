#include "lib/core/limit_check.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/core/charged.h"

#define KNOWN_MAX 4 /* holders of a message, mostly: a message to many domains is rare */

/* The limits of a holder, as the source has told them. */
struct known_limits {
    struct slice holder;
    struct limit_list limits;
};

struct limit_check_build {
    struct arena *arena;
    const struct limit_source *source;
    bool is_smtp;
    struct limit_checks *out;
    struct known_limits known[KNOWN_MAX];
    size_t known_count;
};

static int full(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
}

static const struct known_limits *known_find(const struct limit_check_build *b, struct slice holder)
{
    for (size_t i = 0; i < b->known_count; i++)
        if (slice_equal(b->known[i].holder, holder))
            return &b->known[i];
    return NULL;
}

/* The source is asked once for a holder, but for those beyond KNOWN_MAX. */
static int limits_find(struct limit_check_build *b, struct slice holder, struct limit_list *out,
                       struct err *err)
{
    const struct known_limits *known = known_find(b, holder);

    if (known != NULL) {
        *out = known->limits;
        return 0;
    }
    if (b->source->of_holder(b->source->context, holder, b->arena, out, err) != 0)
        return -1;
    if (b->known_count < KNOWN_MAX)
        b->known[b->known_count++] = (struct known_limits){holder, *out};
    return 0;
}

static bool is_same_window(const struct limit_check *d, const struct limit *l)
{
    return d->scope == l->scope && d->metric == l->metric && d->window_ms == l->window_ms;
}

/* The check of the limit's window among those of this holder and subject, which begin at `first`; a
 * new one has room for `most` tests. */
static struct limit_check *limit_check_of(struct limit_check_build *b, size_t first,
                                          const struct limit_check *like, const struct limit *l,
                                          size_t most)
{
    struct limit_checks *out = b->out;
    struct limit_check *d;

    for (size_t i = first; i < out->count; i++) {
        if (is_same_window(&out->list[i], l))
            return &out->list[i];
    }
    d = arena_grow(b->arena, out->list, out->count, &out->room, sizeof *d);
    if (d == NULL)
        return NULL;
    out->list = d;
    d = &out->list[out->count];
    *d = *like;
    d->metric = l->metric;
    d->window_ms = l->window_ms;
    d->per = l->per;
    d->tests = arena_array(b->arena, most, sizeof(*d->tests));
    if (d->tests == NULL)
        return NULL;
    out->count++;
    return d;
}

/* The checks of one holder and subject (a client is its holder, too): each limit of the scope whose
 * metric the message has. */
static int limit_check_add(struct limit_check_build *b, const struct limit_check *like,
                           struct slice subject, const struct wants *w, struct limit_list limits,
                           struct err *err)
{
    size_t first = b->out->count;

    for (size_t i = 0; i < limits.count; i++) {
        const struct limit *l = &limits.limits[i];
        struct limit_check *d;

        if (l->scope != like->scope || w->of[l->metric] == 0 ||
            !limit_is_for(limits.limits, limits.count, l, subject))
            continue;
        d = limit_check_of(b, first, like, l, limits.count);
        if (d == NULL)
            return full(err);
        d->amount = w->of[l->metric];
        d->stops = w->sends || l->metric == METRIC_BOUNCES;
        d->is_own_bounce = !b->is_smtp && l->metric == METRIC_BOUNCES;
        d->tests[d->test_count++] = l;
        b->out->test_count++;
    }
    return 0;
}

/* False for mail that is only passed on: by a forwarder, or as a copy of incoming mail. */
static bool decision_sends(const struct classified *c, const struct decision *d)
{
    if (c->origin == ORIGIN_OUTSIDE || d->rule == RULE_FORWARDER)
        return false;
    return d->class_ == CLASS_OUT || (d->class_ == CLASS_FORWARD && d->rule != RULE_RECIPIENT_COPY);
}

/* The accounts that send some of the message. */
static int senders_list(const struct classified *c, struct strmap *senders)
{
    for (size_t i = 0; i < c->count; i++) {
        if (decision_sends(c, &c->decisions[i]) &&
            strmap_add(senders, c->decisions[i].account, NULL) == NULL)
            return -1;
    }
    return 0;
}

/* Keeps only the legs that limits are about, and marks those of senders. */
static int legs_reduce(struct record *r, const struct classified *c)
{
    struct strmap senders;
    size_t kept = 0;
    int result;

    strmap_init(&senders);
    result = senders_list(c, &senders);
    for (size_t i = 0; i < r->leg_count && result == 0; i++) {
        struct leg leg = r->legs[i];
        bool is_node = slice_equal(leg.account, SLICE(ACCOUNT_NODE));

        if (!charged_leg_wants(&leg))
            continue;
        leg.sends = is_node ? senders.count > 0 : strmap_find(&senders, leg.account) != NULL;
        r->legs[kept++] = leg;
    }
    r->leg_count = kept;
    strmap_fini(&senders);
    return result;
}

static bool limits_have(struct limit_list limits, enum limit_scope scope)
{
    for (size_t i = 0; i < limits.count; i++) {
        if (limits.limits[i].scope == scope)
            return true;
    }
    return false;
}

static void wants_sum(struct wants *sum, const struct wants *w)
{
    for (int m = 0; m < METRIC_COUNT; m++) {
        if (__builtin_add_overflow(sum->of[m], w->of[m], &sum->of[m]))
            sum->of[m] = UINT64_MAX;
    }
}

static int user_add(struct limit_check_build *b, const struct charged_party *domain,
                    struct slice user, struct wants wants, struct limit_list limits,
                    struct err *err)
{
    struct limit_check like = {.scope = LIMIT_USER, .holder = domain->account, .subject = user};

    wants.sends = domain->wants.sends;
    return limit_check_add(b, &like, user, &wants, limits, err);
}

static int users_add(struct limit_check_build *b, const struct charged *p,
                     const struct charged_party *domain, struct limit_list limits, struct err *err)
{
    const struct limit_source *source = b->source;
    struct wants others = {.sends = false};
    bool any = limits_have(limits, LIMIT_USER);

    for (size_t next = any ? domain->users : 0; next != 0; next = p->list[next - 1].next) {
        const struct charged_party *user = &p->list[next - 1];

        if (source->user_has_windows != NULL &&
            !source->user_has_windows(source->context, domain->account, user->user))
            wants_sum(&others, &user->wants);
        else if (user_add(b, domain, user->user, user->wants, limits, err) != 0)
            return -1;
    }
    return user_add(b, domain, SLICE(OTHER_USERS), others, limits, err);
}

/* A domain with its users: one holder, so its checks stand together. */
static int domain_add(struct limit_check_build *b, const struct charged *p,
                      const struct charged_party *domain, struct err *err)
{
    struct limit_list limits;
    struct limit_check like = {.scope = LIMIT_DOMAIN, .holder = domain->account};

    if (limits_find(b, domain->account, &limits, err) != 0)
        return -1;
    if (limits.count == 0)
        return 0;
    if (limit_check_add(b, &like, SLICE_NONE, &domain->wants, limits, err) != 0)
        return -1;
    return users_add(b, p, domain, limits, err);
}

static struct slice client_holder(struct slice client_ip, unsigned v6_prefix, struct arena *arena)
{
    char text[NETWORKS_TEXT_ROOM];
    struct slice holder;
    struct buf name;

    buf_init(&name, 256);
    buf_add_str(&name, HOLDER_CLIENT);
    buf_add(&name, networks_client_text(client_ip, v6_prefix, text));
    holder = arena_copy(arena, buf_slice(&name));
    buf_fini(&name);
    return holder;
}

/* The server and the client are charged for all accounts together. */
static int whole_add(struct limit_check_build *b, struct slice client_ip, struct err *err)
{
    const struct limit_source *source = b->source;
    struct wants wants = charged_node_wants(b->out->legs, b->out->leg_count);
    struct limit_check like = {.scope = LIMIT_SERVER, .holder = SLICE(HOLDER_SERVER)};

    if (limit_check_add(b, &like, SLICE_NONE, &wants, source->server, err) != 0)
        return -1;
    if (source->client.count == 0 || client_ip.len == 0)
        return 0;
    like.scope = LIMIT_CLIENT;
    like.holder = client_holder(client_ip, source->client_v6_prefix, b->arena);
    if (like.holder.ptr == NULL)
        return full(err);
    return limit_check_add(b, &like, slice_from(like.holder, sizeof HOLDER_CLIENT - 1), &wants,
                           source->client, err);
}

/* What the message wants of a customer: of its domains together. */
struct limit_customer {
    struct slice holder;
    struct wants wants;
    struct limit_members members;
};

struct limit_customers {
    struct limit_customer *list;
    size_t count, room;
    struct strmap index; /* name -> index + 1 */
};

struct slice limit_check_customer(struct slice name, struct arena *arena)
{
    char text[sizeof HOLDER_CUSTOMER + HOSTED_CUSTOMER_MAX];
    int len = snprintf(text, sizeof text, HOLDER_CUSTOMER "%.*s", SLICE_FMT(name));

    return arena_copy(arena, (struct slice){text, (size_t)len});
}

/* NULL: memory is out. */
static struct limit_customer *customer_of(struct limit_customers *all, struct slice name,
                                          struct arena *arena)
{
    void **entry = strmap_add(&all->index, name, NULL);
    struct limit_customer *grown;

    if (entry == NULL)
        return NULL;
    if (*entry != NULL)
        return &all->list[(uintptr_t)*entry - 1];
    grown = arena_grow(arena, all->list, all->count, &all->room, sizeof *grown);
    if (grown == NULL)
        return NULL;
    all->list = grown;
    grown = &all->list[all->count++];
    *entry = (void *)(uintptr_t)all->count;
    *grown = (struct limit_customer){.holder = limit_check_customer(name, arena)};
    return grown->holder.ptr != NULL ? grown : NULL;
}

static int customer_charge(struct limit_customers *all, const struct limit_source *source,
                           const struct charged_party *domain, struct arena *arena)
{
    struct slice name = source->customer_of == NULL
                            ? SLICE_NONE
                            : source->customer_of(source->context, domain->account);
    struct limit_customer *c;
    struct slice *members;

    if (name.len == 0)
        return 0;
    c = customer_of(all, name, arena);
    if (c == NULL)
        return -1;
    members =
        arena_grow(arena, c->members.list, c->members.count, &c->members.room, sizeof *members);
    if (members == NULL)
        return -1;
    c->members.list = members;
    members[c->members.count++] = domain->account;
    wants_sum(&c->wants, &domain->wants);
    c->wants.sends = c->wants.sends || domain->wants.sends;
    return 0;
}

static int customer_add(struct limit_check_build *b, const struct limit_customer *c,
                        struct err *err)
{
    struct limit_members *members = arena_alloc(b->arena, sizeof *members);
    struct limit_check like = {.scope = LIMIT_CUSTOMER, .holder = c->holder, .members = members};
    struct limit_list limits;

    if (members == NULL)
        return full(err);
    *members = c->members;
    if (limits_find(b, c->holder, &limits, err) != 0)
        return -1;
    return limit_check_add(b, &like, SLICE_NONE, &c->wants, limits, err);
}

static bool account_has_limits(struct slice account)
{
    return account.len > 0 && !slice_equal(account, SLICE(ACCOUNT_UNATTRIBUTED));
}

static bool party_is_limited(const struct charged_party *p)
{
    return p->user.len == 0 && account_has_limits(p->account);
}

static int customers_add(struct limit_check_build *b, const struct charged *p, struct err *err)
{
    struct limit_customers all = {.count = 0};
    int result = 0;

    strmap_init(&all.index);
    for (size_t i = 0; i < p->count && result == 0; i++) {
        if (party_is_limited(&p->list[i]) &&
            customer_charge(&all, b->source, &p->list[i], b->arena) != 0)
            result = full(err);
    }
    for (size_t i = 0; i < all.count && result == 0; i++)
        result = customer_add(b, &all.list[i], err);
    strmap_fini(&all.index);
    return result;
}

static int accounts_add(struct limit_check_build *b, struct err *err)
{
    struct charged p;
    int result = 0;

    if (charged_fill(&p, b->out->legs, b->out->leg_count, b->arena) != 0)
        result = full(err);
    for (size_t i = 0; i < p.count && result == 0; i++) {
        if (party_is_limited(&p.list[i]))
            result = domain_add(b, &p, &p.list[i], err);
    }
    if (result == 0)
        result = customers_add(b, &p, err);
    charged_fini(&p);
    return result;
}

/* All checks of the legs in b->out. */
static int limit_checks_add(struct limit_check_build *b, struct slice client_ip, struct err *err)
{
    return accounts_add(b, err) == 0 ? whole_add(b, client_ip, err) : -1;
}

static bool may_be_limited(struct limit_check_build *b, struct slice account)
{
    const struct limit_source *source = b->source;
    struct limit_list limits;
    struct err unknown;

    if (!account_has_limits(account))
        return false;
    if (source->customer_of != NULL && source->customer_of(source->context, account).len > 0)
        return true;
    if (b->known_count == KNOWN_MAX && known_find(b, account) == NULL)
        return true;
    return limits_find(b, account, &limits, &unknown) != 0 || limits.count > 0;
}

/* Who only counts is spared the amounts. True is always right. */
static bool message_may_be_limited(struct limit_check_build *b, const struct classified *c)
{
    bool may = b->source->server.count > 0 || b->source->client.count > 0;

    for (size_t i = 0; i < c->count && !may; i++)
        may = may_be_limited(b, c->decisions[i].account) ||
              may_be_limited(b, c->decisions[i].received_account);
    return may;
}

static bool client_is_exempt(const struct facts *f, const struct exemptions *x)
{
    struct ip ip;

    return networks_ip_parse(f->client_ip, &ip) && networks_contain(&x->clients, &ip);
}

static bool has(const struct strmap *set, struct slice name)
{
    return name.len > 0 && strmap_find(set, name) != NULL;
}

struct limit_payer limit_check_payer(const struct decision *d)
{
    if (d->class_ == CLASS_LOCAL)
        return (struct limit_payer){d->received_account, d->received_user};
    return (struct limit_payer){d->account, d->user};
}

static bool decision_is_exempt(const struct decision *d, const struct facts *f,
                               const struct exemptions *x, struct arena *arena)
{
    struct limit_payer payer = limit_check_payer(d);

    if (has(&x->users, payer.user) || has(&x->domains, payer.account) ||
        has(&x->recipients, d->target))
        return true;
    return x->recipients.count > 0 && d->rule != RULE_SENDER_COPY &&
           has(&x->recipients, address_user_by(&f->recipients[d->recipient], x->delimiters, arena));
}

/* The classification without the recipients that are exempt. */
static int classified_filter(const struct classified *c, const struct facts *f,
                             const struct exemptions *x, struct arena *arena,
                             struct classified *out)
{
    *out = *c;
    out->decisions = arena_array(arena, c->count + 1, sizeof *out->decisions);
    if (out->decisions == NULL)
        return -1;
    out->count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (!decision_is_exempt(&c->decisions[i], f, x, arena))
            out->decisions[out->count++] = c->decisions[i];
    }
    return 0;
}

bool limit_checks_are_possible(const struct classified *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->decisions[i].class_ == CLASS_OUT || c->decisions[i].class_ == CLASS_FORWARD)
            return true;
    return c->is_bounce;
}

int limit_checks_build(const struct classified *c, const struct facts *f, const struct hosted *w,
                       const struct exemptions *x, const struct limit_source *limits,
                       struct arena *arena, struct limit_checks *out, struct err *err)
{
    struct limit_check_build b = {.arena = arena, .source = limits, .is_smtp = f->smtp, .out = out};
    struct classified kept;
    struct record r;

    *out = (struct limit_checks){0};
    if (!limit_checks_are_possible(c) || client_is_exempt(f, x) || !message_may_be_limited(&b, c))
        return 0;
    if (classified_filter(c, f, x, arena, &kept) != 0)
        return full(err);
    if (record_build(&kept, f, w->out_bytes, true, SLICE_NONE, arena, &r, err) != 0)
        return -1;
    if (legs_reduce(&r, &kept) != 0)
        return full(err);
    out->legs = r.legs;
    out->leg_count = r.leg_count;
    return limit_checks_add(&b, f->client_ip, err);
}

int limit_checks_of_held(const struct record *held, const struct limit_source *limits,
                         struct arena *arena, struct limit_checks *out, struct err *err)
{
    struct limit_check_build b = {.arena = arena, .source = limits, .is_smtp = true, .out = out};

    *out = (struct limit_checks){.legs = held->wanted, .leg_count = held->wanted_count};
    return limit_checks_add(&b, held->client_ip, err);
}
