#ifndef TG_THROTTLE_THROTTLE_H
#define TG_THROTTLE_THROTTLE_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/throttle/limit_rules.h"
#include "lib/throttle/throttle_call.h"

/*
 * The throttle: asks the store whether all checks of a message fit, and consumes them; nothing is
 * consumed unless all fit (throttle_call.h). The store's clock decides, for months, too.
 *
 * While the store is away no message waits for it (see pool.h), and store.on_failure decides:
 * limits kept by this process alone, all mail accepted, or all mail deferred.
 *
 * Threads: all.  The rules are borrowed for the call.
 */

struct throttle;

void throttle_free(struct throttle *t);
struct throttle *throttle_new(const struct settings *s, struct err *err) TG_NONNULL(1) TG_MUST_USE;
void throttle_reload(struct throttle *t, const struct settings *s)
    TG_NONNULL(1); /* takes over store.timeout */

/* For limit_checks_build: the limits in force for server, clients and each account. `context` must
 * outlive *out. */
struct throttle_context {
    struct throttle *throttle;
    const struct limit_rules *rules;
    const struct hosted *hosted; /* for the plans that files assign, and customers */
    /* The store is not asked: limits are taken as they are known, and those holders for which that
     * is not for certain are told (in the arena; a holder may stand there twice). */
    bool from_memory;
    struct slice *stale;
    size_t stale_count, stale_room;
};
int throttle_limits(struct throttle_context *context, struct arena *arena, struct limit_source *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The user had a place among those of the domain that have windows, before this process began. */
void throttle_user_seed(struct throttle *t, struct slice domain, struct slice user) TG_NONNULL(1);

enum throttle_by {
    THROTTLE_BY_STORE,  /* answered by the store, or from what it has leased */
    THROTTLE_BY_LOCAL,  /* answered by this process: on_failure = "local" */
    THROTTLE_BY_ACCEPT, /* not known: the message is accepted */
    THROTTLE_BY_DEFER   /* not known: the message is deferred */
};

/* Without `consume` nothing is consumed. *answers: one for each test, in order (BY_STORE,
 * BY_LOCAL). Where the store could not answer, *err says why. */
enum throttle_by throttle_ask(struct throttle *t, const struct limit_rules *rules,
                              const struct limit_checks *d, bool consume, struct arena *arena,
                              struct test_answer **answers, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/*
 * The same for those who do not wait: they make the trips of `call` themselves (throttle_call.h)
 * and say whether it was answered. The struct must not move; it, rules and checks live from begin
 * to end. Who gives up after begin should call end, too: leases are asked for by one trip at a
 * time.
 */
struct throttle_asking {
    struct throttle_request request;
    const struct limit_rules *rules;
    const struct limit_checks *d;
    struct test_answer *answers; /* one for each test, in order */
    struct throttle_call *call;
    struct throttle_lease *leases; /* one for each check; NULL: none are asked for */
    int64_t begun_ms;
    bool is_leased; /* answered at once, from leases (leases.h) */
};
/* -1: *err says why; the message is deferred. */
int throttle_asking_begin(struct throttle *t, const struct limit_rules *rules,
                          const struct limit_checks *d, bool consume, struct arena *arena,
                          struct throttle_asking *a, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* `answered`: all trips came back. */
enum throttle_by throttle_asking_end(struct throttle *t, struct throttle_asking *a,
                                     bool answered) TG_MUST_USE TG_NONNULL(1);

/* A message of which throttle_ask, or throttle_asking_end, said a moment ago that the store has
 * consumed for it is given up. It goes back within some seconds. */
void throttle_give_back(struct throttle *t, const struct limit_checks *d) TG_NONNULL(1, 2);

/* False: throttle_is_full is true of no window now. */
bool throttle_has_full(const struct throttle *t) TG_NONNULL(1);
/* True where this process knows, without a trip, that nothing more fits under that limit. `like`
 * names holder and subject. */
bool throttle_is_full(struct throttle *t, const struct limit_check *like, const struct limit *limit,
                      struct test_answer *answer) TG_NONNULL(1);

/* True while the store is away. For gauges. */
bool throttle_is_away(struct throttle *t) TG_NONNULL(1);

#endif
