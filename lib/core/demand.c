#include "lib/core/demand.h"

#include <string.h>
#include <sysexits.h>

/* What a leg or a sum of legs wants of each metric. */
struct wants {
    uint64_t of[METRIC_COUNT];
    bool stops;
};

struct build {
    const struct classified *c;
    struct arena *arena;
    struct demands *out;
};

static int full(struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t s;

    return __builtin_add_overflow(a, b, &s) ? UINT64_MAX : s;
}

static void wants_add(struct wants *w, const struct leg *leg)
{
    if (leg->kind == LEG_OUT || leg->kind == LEG_FORWARD) {
        w->of[METRIC_RECIPIENTS] = sum(w->of[METRIC_RECIPIENTS], leg->recipients);
        w->of[METRIC_MESSAGES] = sum(w->of[METRIC_MESSAGES], leg->messages);
        w->of[METRIC_BYTES] = sum(w->of[METRIC_BYTES], leg->bytes);
    }
    w->of[METRIC_BOUNCES] = sum(w->of[METRIC_BOUNCES], leg->bounces);
}

static bool is_same_window(const struct demand *d, const struct limit *l)
{
    return d->scope == l->scope && d->metric == l->metric && d->window_ms == l->window_ms;
}

/* The demand of the limit's window among those of this holder and subject (from `first` on), made
 * if need be with room for `most` tests. */
static struct demand *demand_of(struct build *b, size_t first, const struct demand *like,
                                const struct limit *l, size_t most)
{
    struct demands *out = b->out;
    struct demand *d;

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

/* Demands of one holder and subject: each limit of the scope whose metric the message touches. */
static int demand_add(struct build *b, const struct demand *like, const struct wants *w,
                      struct limit_list limits, struct err *err)
{
    size_t first = b->out->count;

    for (size_t i = 0; i < limits.count; i++) {
        const struct limit *l = &limits.limits[i];
        struct demand *d;

        if (l->scope != like->scope || w->of[l->metric] == 0)
            continue;
        d = demand_of(b, first, like, l, limits.count);
        if (d == NULL)
            return full(err);
        d->amount = w->of[l->metric];
        d->stops = w->stops || l->metric == METRIC_BOUNCES;
        d->tests[d->test_count++] = l;
        b->out->test_count++;
    }
    return 0;
}

/* The legs of one account, or of one of its users; users are chained from their account. */
struct party {
    struct slice account, user;
    struct wants wants;
    size_t users, next; /* index + 1 into the list; 0: none */
};

struct parties {
    struct party *list;
    size_t count, room;
    struct strmap index; /* account, or user@domain after a blank -> index + 1 */
};

/* An account has its legs before its users have theirs. */
static void user_chain(struct parties *p)
{
    struct party *user = &p->list[p->count - 1];
    void **entry = strmap_find(&p->index, user->account);
    struct party *account;

    if (user->user.len == 0 || entry == NULL)
        return;
    account = &p->list[(uintptr_t)*entry - 1];
    user->next = account->users;
    account->users = p->count;
}

static struct party *party_of(struct parties *p, struct arena *arena, const struct leg *leg)
{
    struct slice key = leg->user.len == 0 ? leg->account : leg->user;
    struct party *grown;
    void **entry;

    if (leg->user.len > 0) {
        char *text = arena_alloc(arena, key.len + 2);

        if (text == NULL)
            return NULL;
        text[0] = ' ';
        memcpy(text + 1, key.ptr, key.len);
        key = (struct slice){text, key.len + 1};
    }
    entry = strmap_add(&p->index, key, NULL);
    if (entry == NULL)
        return NULL;
    if (*entry != NULL)
        return &p->list[(uintptr_t)*entry - 1];
    grown = arena_grow(arena, p->list, p->count, &p->room, sizeof *grown);
    if (grown == NULL)
        return NULL;
    p->list = grown;
    p->list[p->count] = (struct party){.account = leg->account, .user = leg->user};
    *entry = (void *)(uintptr_t)(++p->count);
    user_chain(p);
    return &p->list[p->count - 1];
}

static bool leg_counts(const struct leg *leg)
{
    return leg->kind == LEG_OUT || leg->kind == LEG_FORWARD || leg->bounces > 0;
}

static int parties_fill(struct parties *p, struct arena *arena, const struct record *r)
{
    for (size_t i = 0; i < r->leg_count; i++) {
        const struct leg *leg = &r->legs[i];
        struct party *party;

        if (!leg_counts(leg) || slice_equal(leg->account, SLICE(ACCOUNT_NODE)))
            continue;
        party = party_of(p, arena, leg);
        if (party == NULL)
            return -1;
        wants_add(&party->wants, leg);
    }
    return 0;
}

/* Is it the sender's own doing, or only mail that passes a forwarder? */
static bool decision_sends(const struct decision *d)
{
    return d->class_ == CLASS_OUT || (d->class_ == CLASS_FORWARD && d->rule != RULE_FORWARDER);
}

static void senders_mark(struct parties *p, const struct classified *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct decision *d = &c->decisions[i];
        void **entry = decision_sends(d) ? strmap_find(&p->index, d->account) : NULL;

        if (entry != NULL)
            p->list[(uintptr_t)*entry - 1].wants.stops = true;
    }
}

/* A domain with its users: one holder, so its demands stand together. */
static int domain_add(struct build *b, const struct parties *p, const struct party *domain,
                      const struct limit_source *source, struct err *err)
{
    struct limit_list limits;
    struct demand like = {.scope = LIMIT_DOMAIN, .holder = domain->account};

    if (source->of_domain(source->context, domain->account, b->arena, &limits, err) != 0)
        return -1;
    if (limits.count == 0)
        return 0;
    if (demand_add(b, &like, &domain->wants, limits, err) != 0)
        return -1;
    like.scope = LIMIT_USER;
    for (size_t next = domain->users; next != 0; next = p->list[next - 1].next) {
        const struct party *user = &p->list[next - 1];
        struct wants wants = user->wants;

        like.subject = user->user;
        wants.stops = domain->wants.stops;
        if (demand_add(b, &like, &wants, limits, err) != 0)
            return -1;
    }
    return 0;
}

/* The server and the client are charged for all accounts together. */
static int whole_add(struct build *b, const struct facts *f, const struct record *r,
                     const struct limit_source *source, struct err *err)
{
    struct wants wants = {.stops = false};
    struct demand like = {.scope = LIMIT_SERVER, .holder = SLICE(HOLDER_SERVER)};
    struct buf name;

    for (size_t i = 0; i < r->leg_count; i++) {
        if (slice_equal(r->legs[i].account, SLICE(ACCOUNT_NODE)))
            wants_add(&wants, &r->legs[i]);
    }
    for (size_t i = 0; i < b->c->count; i++)
        wants.stops |= decision_sends(&b->c->decisions[i]);
    if (demand_add(b, &like, &wants, source->server, err) != 0)
        return -1;
    if (source->client.count == 0 || f->client_ip.len == 0)
        return 0;
    buf_init(&name, 256);
    buf_add_str(&name, HOLDER_CLIENT);
    buf_add(&name, f->client_ip);
    like.scope = LIMIT_CLIENT;
    like.holder = arena_copy(b->arena, buf_slice(&name));
    buf_fini(&name);
    return like.holder.ptr == NULL ? full(err) : demand_add(b, &like, &wants, source->client, err);
}

static bool party_is_limited(const struct party *p)
{
    return p->user.len == 0 && !slice_equal(p->account, slice_str(ACCOUNT_UNATTRIBUTED));
}

static int accounts_add(struct build *b, const struct record *r, const struct limit_source *source,
                        struct err *err)
{
    struct parties p = {0};
    int result = 0;

    strmap_init(&p.index);
    if (parties_fill(&p, b->arena, r) != 0)
        result = full(err);
    senders_mark(&p, b->c);
    for (size_t i = 0; i < p.count && result == 0; i++) {
        if (party_is_limited(&p.list[i]))
            result = domain_add(b, &p, &p.list[i], source, err);
    }
    strmap_fini(&p.index);
    return result;
}

static bool client_is_exempt(const struct facts *f, const struct exemptions *x)
{
    struct ip ip;

    return ip_parse(f->client_ip, &ip) && networks_contain(&x->clients, &ip);
}

static bool has(const struct strmap *set, struct slice name)
{
    return name.len > 0 && strmap_find(set, name) != NULL;
}

static bool decision_is_exempt(const struct decision *d, const struct facts *f,
                               const struct exemptions *x, struct arena *arena)
{
    if (has(&x->users, d->user) || has(&x->domains, d->account) || has(&x->recipients, d->target))
        return true;
    return x->recipients.count > 0 &&
           has(&x->recipients, address_user(&f->recipients[d->recipient], arena));
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

int demands_build(const struct classified *c, const struct facts *f, const struct world *w,
                  const struct exemptions *x, const struct limit_source *limits,
                  struct arena *arena, struct demands *out, struct err *err)
{
    struct classified kept;
    struct record r;
    struct build b = {.c = &kept, .arena = arena, .out = out};

    *out = (struct demands){0};
    if (client_is_exempt(f, x))
        return 0;
    if (classified_filter(c, f, x, arena, &kept) != 0)
        return full(err);
    if (record_build(&kept, f, w->out_bytes, true, SLICE_NONE, arena, &r, err) != 0)
        return -1;
    if (accounts_add(&b, &r, limits, err) != 0)
        return -1;
    return whole_add(&b, f, &r, limits, err);
}

bool demand_stops(const struct demand *d, const struct limit *l)
{
    return l->action != ACTION_LOG && (d->stops || l->forwards);
}

static bool is_later(const struct test_answer *a, const struct test_answer *b)
{
    return b == NULL || (a->retry_after_ms < 0 && b->retry_after_ms >= 0) ||
           (b->retry_after_ms >= 0 && a->retry_after_ms > b->retry_after_ms);
}

struct throttle_verdict demands_decide(const struct demands *d, const struct test_answer *answers,
                                       bool observe)
{
    struct throttle_verdict v = {.action = ACTION_LOG};
    const struct test_answer *answer = answers;

    for (size_t i = 0; i < d->count; i++) {
        for (size_t t = 0; t < d->list[i].test_count; t++, answer++) {
            const struct limit *l = d->list[i].tests[t];
            enum limit_action wanted = demand_stops(&d->list[i], l) ? l->action : ACTION_LOG;

            if (!answer->over || (v.demand != NULL && wanted < v.wanted) ||
                (v.demand != NULL && wanted == v.wanted && !is_later(answer, v.answer)))
                continue;
            v = (struct throttle_verdict){observe ? ACTION_LOG : wanted, &d->list[i], l, answer,
                                          wanted};
        }
    }
    return v;
}
