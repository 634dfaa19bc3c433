#include "lib/throttle/throttle.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "lib/redis/pool.h"
#include "lib/sys/clock.h"
#include "lib/sys/name_quota.h"
#include "lib/throttle/account_limits.h"
#include "lib/throttle/full_windows.h"
#include "lib/throttle/lease_returns.h"
#include "lib/throttle/leases.h"
#include "lib/throttle/local_windows.h"
#include "lib/throttle/throttle_parts.h"
#include "lib/throttle/throttle_script.h"

#define CONNECTIONS_MAX 64

struct throttle {
    struct pool *pool;
    struct account_limits *accounts;
    struct full_windows *full;
    struct local_windows *local;
    struct leases *leases;
    struct lease_returns *returns;
    struct name_quota users; /* that have windows */
    char *prefix;
    _Atomic int64_t timeout_ms;
    _Atomic int64_t ahead_ms; /* the store's clock before this node's, as of its last answer */
    char run[17];             /* random; with `calls` the id of a reservation */
    _Atomic uint64_t calls;
    _Atomic bool is_apart; /* the store is a cluster */
};

static bool run_make(struct throttle *t)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    (void)snprintf(t->run, sizeof t->run, "%016" PRIx64, random);
    return true;
}

struct throttle *throttle_new(const struct settings *s, struct err *err)
{
    struct throttle *t = calloc(1, sizeof *t);

    if (t == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    t->timeout_ms = s->store.timeout_ms;
    name_quota_init(&t->users, (uint64_t)s->accounting.users_max);
    t->prefix = strdup(s->store.prefix);
    t->pool = pool_new(s, CONNECTIONS_MAX, err);
    t->accounts =
        t->pool == NULL ? NULL : account_limits_new(s->store.prefix, ACCOUNT_LIMITS_MAX, err);
    t->full = t->accounts == NULL ? NULL : full_windows_new(err);
    t->local = t->full == NULL ? NULL : local_windows_new(err);
    t->leases = t->local == NULL ? NULL : leases_new(err);
    if (t->leases != NULL && t->prefix != NULL && run_make(t))
        t->returns = lease_returns_new(t->leases, t->pool, t->prefix, s->store.timeout_ms, err);
    if (t->returns != NULL)
        return t;
    throttle_free(t);
    return NULL;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL)
        return;
    lease_returns_free(t->returns);
    leases_free(t->leases);
    name_quota_fini(&t->users);
    local_windows_free(t->local);
    full_windows_free(t->full);
    account_limits_free(t->accounts);
    pool_free(t->pool);
    free(t->prefix);
    free(t);
}

void throttle_reload(struct throttle *t, const struct settings *s)
{
    t->timeout_ms = s->store.timeout_ms;
    name_quota_set(&t->users, (uint64_t)s->accounting.users_max);
    pool_reload(t->pool, s);
}

static int stale_add(struct throttle_context *c, struct slice holder, struct arena *arena)
{
    struct slice *list = arena_grow(arena, c->stale, c->stale_count, &c->stale_room, sizeof *list);

    holder = arena_copy(arena, holder);
    if (list == NULL || holder.ptr == NULL)
        return -1;
    c->stale = list;
    list[c->stale_count++] = holder;
    return 0;
}

static int limits_known(struct throttle_context *c, struct slice holder, struct arena *arena,
                        struct limit_list *out, struct err *err)
{
    bool is_fresh;

    if (account_limits_known(c->throttle->accounts, c->rules, holder,
                             hosted_plan(c->hosted, holder), clock_monotonic_ms(),
                             clock_unix_ms() / 1000, arena, out, &is_fresh, err) != 0)
        return -1;
    if (is_fresh || stale_add(c, holder, arena) == 0)
        return 0;
    return err_set(err, EX_TEMPFAIL, "message with too many accounts: out of memory");
}

static int limits_of(struct throttle_context *c, struct slice holder, struct arena *arena,
                     struct limit_list *out, struct err *err)
{
    if (c->from_memory)
        return limits_known(c, holder, arena, out, err);
    return account_limits_get(c->throttle->accounts, c->throttle->pool, c->rules, holder,
                              hosted_plan(c->hosted, holder), clock_monotonic_ms(),
                              clock_unix_ms() / 1000, arena, out, err);
}

static bool user_has_windows(void *context, struct slice domain, struct slice user)
{
    struct throttle_context *c = context;

    return name_quota_take(&c->throttle->users, domain, user, clock_unix_ms() / 1000);
}

void throttle_user_seed(struct throttle *t, struct slice domain, struct slice user)
{
    (void)name_quota_take(&t->users, domain, user, clock_unix_ms() / 1000);
}

static int holder_limits(void *context, struct slice holder, struct arena *arena,
                         struct limit_list *out, struct err *err)
{
    return limits_of(context, holder, arena, out, err);
}

static struct slice customer_of(void *context, struct slice domain)
{
    const struct throttle_context *c = context;

    return hosted_customer(c->hosted, domain);
}

int throttle_limits(struct throttle_context *context, struct arena *arena, struct limit_source *out,
                    struct err *err)
{
    *out = (struct limit_source){.of_holder = holder_limits,
                                 .customer_of = customer_of,
                                 .user_has_windows = user_has_windows,
                                 .context = context,
                                 .client_v6_prefix = context->rules->client_v6_prefix};
    if (limits_of(context, SLICE(HOLDER_SERVER), arena, &out->server, err) != 0)
        return -1;
    return limits_of(context, SLICE("@client"), arena, &out->client, err);
}

static void full_note(struct throttle *t, const struct limit_checks *d,
                      const struct test_answer *answers)
{
    int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < d->count; answers += d->list[i++].test_count)
        full_windows_note(t->full, &d->list[i], answers, now_ms);
}

/* As far as it is known. */
static int64_t store_clock_ms(const struct throttle *t)
{
    return clock_unix_ms() + t->ahead_ms;
}

/* So that this process can go on from there when the store goes away. */
static void local_note(struct throttle *t, const struct limit_rules *rules,
                       const struct limit_checks *d, bool consume,
                       const struct test_answer *answers)
{
    bool passed = limit_checks_decide(d, answers, rules->observe).action == ACTION_LOG;

    if (rules->on_failure == ON_FAILURE_LOCAL)
        local_windows_note(t->local, d, rules->nodes, consume && passed, store_clock_ms(t),
                           answers);
}

static enum throttle_by ask_nobody(struct throttle *t, const struct limit_rules *rules,
                                   const struct limit_checks *d, bool consume,
                                   struct test_answer *answers)
{
    if (rules->on_failure == ON_FAILURE_DEFER)
        return THROTTLE_BY_DEFER;
    if (rules->on_failure == ON_FAILURE_LOCAL &&
        local_windows_ask(t->local, d, rules->nodes, rules->observe, consume, store_clock_ms(t),
                          answers))
        return THROTTLE_BY_LOCAL;
    return THROTTLE_BY_ACCEPT;
}

/* They are asked for where one command asks for all. */
static void leases_begin(struct throttle *t, struct throttle_asking *a, struct arena *arena)
{
    const struct limit_checks *d = a->d;
    bool several = !slice_equal(d->list[0].holder, d->list[d->count - 1].holder);

    if (!a->request.consume || (several && t->is_apart))
        return;
    a->leases = arena_array(arena, d->count, sizeof *a->leases);
    if (a->leases != NULL)
        leases_ask(t->leases, d, a->begun_ms, a->leases);
    a->request.leases = a->leases;
    a->request.lease_part = LEASE_PART * a->rules->nodes;
}

static void leases_end(struct throttle *t, struct throttle_asking *a, bool answered)
{
    bool passed =
        answered && limit_checks_decide(a->d, a->answers, a->rules->observe).action == ACTION_LOG;

    if (a->leases == NULL)
        return;
    if (answered)
        leases_take(t->leases, a->d, a->leases, a->answers, passed, a->begun_ms,
                    throttle_call_now_ms(a->call));
    else
        leases_fail(t->leases, a->d, a->leases);
}

int throttle_asking_begin(struct throttle *t, const struct limit_rules *rules,
                          const struct limit_checks *d, bool consume, struct arena *arena,
                          struct throttle_asking *a, struct err *err)
{
    *a = (struct throttle_asking){.request = {.prefix = t->prefix,
                                              .observe = rules->observe,
                                              .consume = consume,
                                              .is_apart = t->is_apart,
                                              .now_ms = store_clock_ms(t)},
                                  .rules = rules,
                                  .d = d,
                                  .begun_ms = clock_monotonic_ms(),
                                  .answers =
                                      arena_array(arena, d->test_count + 1, sizeof *a->answers)};
    if (a->answers == NULL)
        return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
    (void)snprintf(a->request.id, sizeof a->request.id, "%s.%" PRIx64, t->run,
                   atomic_fetch_add(&t->calls, 1));
    a->is_leased = rules->leases && leases_use(t->leases, d, consume, a->begun_ms, a->answers);
    if (rules->leases && !a->is_leased)
        leases_begin(t, a, arena);
    a->call = a->is_leased ? throttle_call_none(arena)
                           : throttle_call_begin(&a->request, d, arena, a->answers, err);
    if (a->call == NULL)
        leases_end(t, a, false);
    return a->call == NULL ? -1 : 0;
}

enum throttle_by throttle_asking_end(struct throttle *t, struct throttle_asking *a, bool answered)
{
    leases_end(t, a, answered);
    if (!answered)
        return ask_nobody(t, a->rules, a->d, a->request.consume, a->answers);
    if (a->is_leased) {
        local_note(t, a->rules, a->d, a->request.consume, a->answers);
        return THROTTLE_BY_STORE;
    }
    t->ahead_ms = throttle_call_now_ms(a->call) - clock_unix_ms();
    if (throttle_call_is_apart(a->call))
        t->is_apart = true;
    full_note(t, a->d, a->answers);
    local_note(t, a->rules, a->d, a->request.consume, a->answers);
    return THROTTLE_BY_STORE;
}

static int trips_make(struct throttle *t, struct throttle_call *call, struct arena *arena,
                      struct err *err)
{
    struct store *st = pool_take(t->pool, err);
    int result;

    if (st == NULL)
        return -1;
    result = throttle_script_run(st, call, t->timeout_ms, arena, err);
    /* an error reply (out of memory, read-only) comes at once: the connection is good */
    pool_give(t->pool, st, result == 0 || err->code == EX_TEMPFAIL);
    return result;
}

enum throttle_by throttle_ask(struct throttle *t, const struct limit_rules *rules,
                              const struct limit_checks *d, bool consume, struct arena *arena,
                              struct test_answer **answers, struct err *err)
{
    struct throttle_asking a;
    bool answered;

    if (throttle_asking_begin(t, rules, d, consume, arena, &a, err) != 0) {
        *answers = a.answers;
        return THROTTLE_BY_DEFER;
    }
    answered = a.is_leased || trips_make(t, a.call, arena, err) == 0;
    *answers = a.answers;
    return throttle_asking_end(t, &a, answered);
}

void throttle_give_back(struct throttle *t, const struct limit_checks *d)
{
    leases_return(t->leases, d, store_clock_ms(t), clock_monotonic_ms());
}

bool throttle_has_full(const struct throttle *t)
{
    return full_windows_are_there(t->full, clock_monotonic_ms());
}

bool throttle_is_full(struct throttle *t, const struct limit_check *like, const struct limit *limit,
                      struct test_answer *answer)
{
    *answer = (struct test_answer){.over = true};
    return full_windows_is_full(t->full, like, limit, clock_monotonic_ms(), &answer->used,
                                &answer->retry_after_ms);
}

bool throttle_is_away(struct throttle *t)
{
    return pool_is_open(t->pool);
}

struct pool *throttle_pool(struct throttle *t)
{
    return t->pool;
}

struct account_limits *throttle_accounts(struct throttle *t)
{
    return t->accounts;
}
