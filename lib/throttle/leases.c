#include "lib/throttle/leases.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/core/window.h"
#include "lib/sys/mutex.h"

#define NAMES_MAX_BYTES ((size_t)32 << 20)
#define GRACE_MS        2000 /* a window in use gives back with its next message */

/* What is leased of one window. */
struct lease {
    struct limit_check window; /* holder, subject, metric and length; without tests */
    uint64_t limits;           /* a digest of the limits that it was given under */
    uint64_t left;
    uint64_t used;    /* of the window, as far as it is known, without `left` */
    uint64_t spent;   /* in this slice, by leases and trips */
    uint64_t wanted;  /* the last time */
    int64_t slice;    /* the store's, in which it was given */
    int64_t until_ms; /* of use until then */
    int64_t began_ms;
    int64_t asked_ms;  /* a trip is under way since then; 0: none */
    uint64_t old_left; /* of a lease before: to be given back */
    int64_t old_slice;
};

MUTEX_NAME(leases_lock)

struct leases {
    struct mutex lock;
    struct arena names MUTEX_GUARDS(leases_lock);  /* and texts of the windows */
    struct strmap table MUTEX_GUARDS(leases_lock); /* name of the window -> struct lease * */
};

struct leases *leases_new(struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct leases *l = calloc(1, sizeof *l);

    if (l == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&l->lock);
    arena_init(&l->names, NAMES_MAX_BYTES);
    strmap_init(&l->table);
    return l;
}

void leases_free(struct leases *l) TG_NO_THREAD_SAFETY /* the last holder */
{
    size_t at = 0;
    struct slice key;
    void *value;

    if (l == NULL)
        return;
    while (strmap_next(&l->table, &at, &key, &value))
        free(value);
    strmap_fini(&l->table);
    arena_fini(&l->names);
    mutex_fini(&l->lock);
    free(l);
}

/* --- the table ------------------------------------------------------------------------------- */

/* Of the limits, all that a lease depends on; 0 for none. */
static uint64_t limits_digest(const struct limit_check *d)
{
    uint64_t digest = 0;

    for (size_t t = 0; t < d->test_count; t++) {
        digest = (digest ^ d->tests[t]->max) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        digest = (digest ^ d->tests[t]->soft_percent) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    }
    return digest;
}

static struct lease *lease_find(struct leases *l, const struct limit_check *d)
    TG_REQUIRES(leases_lock)
{
    void **place;
    struct buf name;

    buf_init(&name, 4096);
    limit_check_window_name(d, &name);
    place = name.failed ? NULL : strmap_find(&l->table, buf_slice(&name));
    buf_fini(&name);
    return place == NULL ? NULL : *place;
}

static struct lease *lease_add(struct strmap *table, struct arena *names,
                               const struct limit_check *d)
{
    struct lease *made = calloc(1, sizeof *made);
    void **place = NULL;
    struct buf name;
    struct slice key;

    buf_init(&name, 4096);
    limit_check_window_name(d, &name);
    key = name.failed ? SLICE_NONE : arena_copy(names, buf_slice(&name));
    buf_fini(&name);
    if (made != NULL && key.ptr != NULL) {
        made->window = (struct limit_check){.scope = d->scope,
                                            .metric = d->metric,
                                            .window_ms = d->window_ms,
                                            .per = arena_copy(names, d->per),
                                            .holder = arena_copy(names, d->holder),
                                            .subject = arena_copy(names, d->subject)};
        if (made->window.per.ptr != NULL && made->window.holder.ptr != NULL &&
            (d->subject.len == 0 || made->window.subject.ptr != NULL))
            place = strmap_add(table, key, NULL);
    }
    if (place == NULL) {
        free(made);
        return NULL;
    }
    *place = made;
    return made;
}

static bool is_of_use(const struct lease *e, int64_t now_ms)
{
    return e->left > 0 || e->old_left > 0 || e->asked_ms != 0 || now_ms < e->until_ms;
}

/* Windows without a lease give up their place. */
static void room_make(struct leases *l, int64_t now_ms) TG_REQUIRES(leases_lock)
{
    struct strmap kept;
    struct arena names;
    struct slice key;
    size_t at = 0;
    void *value;

    strmap_init(&kept);
    arena_init(&names, NAMES_MAX_BYTES);
    while (strmap_next(&l->table, &at, &key, &value)) {
        struct lease *old = value;
        struct lease *made = is_of_use(old, now_ms) ? lease_add(&kept, &names, &old->window) : NULL;

        if (made != NULL) {
            struct limit_check window = made->window;

            *made = *old;
            made->window = window;
        }
        free(old);
    }
    strmap_fini(&l->table);
    arena_fini(&l->names);
    l->table = kept;
    l->names = names;
}

/* NULL: there is no room, or no memory. */
static struct lease *lease_of(struct leases *l, const struct limit_check *d, int64_t now_ms)
    TG_REQUIRES(leases_lock)
{
    struct lease *e = lease_find(l, d);

    if (e != NULL)
        return e;
    if (l->table.count >= LEASES_MAX)
        room_make(l, now_ms);
    return l->table.count >= LEASES_MAX ? NULL : lease_add(&l->table, &l->names, d);
}

/* --- use ------------------------------------------------------------------------------------- */

static bool lease_is_on(const struct lease *e, const struct limit_check *d, int64_t now_ms)
{
    return now_ms < e->until_ms && e->limits == limits_digest(d);
}

static bool lease_covers(const struct lease *e, const struct limit_check *d, int64_t now_ms)
{
    return e != NULL && lease_is_on(e, d, now_ms) && e->left >= d->amount;
}

static bool all_covered(struct leases *l, const struct limit_checks *d, int64_t now_ms)
    TG_REQUIRES(leases_lock)
{
    for (size_t i = 0; i < d->count; i++) {
        if (!lease_covers(lease_find(l, &d->list[i]), &d->list[i], now_ms))
            return false;
    }
    return true;
}

bool leases_use(struct leases *l, const struct limit_checks *d, bool consume, int64_t now_ms,
                struct test_answer *answers)
{
    bool covered;

    leases_lock_take(&l->lock);
    covered = all_covered(l, d, now_ms);
    for (size_t i = 0; covered && i < d->count; i++) {
        struct lease *e = lease_find(l, &d->list[i]);

        for (size_t t = 0; t < d->list[i].test_count; t++)
            *answers++ = (struct test_answer){.used = e->used};
        if (consume) {
            e->left -= d->list[i].amount;
            e->used += d->list[i].amount;
            e->spent += d->list[i].amount;
        }
    }
    leases_lock_give(&l->lock);
    return covered;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* In a new slice as much as was used in the one before; within a slice twice as much as the last
 * time, or as much where a trip is made for another window and half of it is used. */
static uint64_t wanted_of(const struct lease *e, const struct limit_check *d, int64_t now_ms)
{
    const uint64_t most = UINT64_C(1) << 52;
    uint64_t wanted = 0;

    if (!lease_is_on(e, d, now_ms))
        wanted = now_ms - e->until_ms < e->until_ms - e->began_ms && e->spent > d->amount
                     ? e->spent - d->amount
                     : 0;
    else if (e->left < d->amount && e->spent > 0)
        wanted = e->wanted * 2 > d->amount ? e->wanted * 2 : d->amount;
    else if (e->left < e->wanted / 2)
        wanted = e->wanted;
    return wanted < most ? wanted : most;
}

/* Of two slices that were not given back, what is of the older one passes with its window. */
static void old_add(struct lease *e, int64_t slice, uint64_t amount)
{
    if (amount == 0)
        return;
    e->old_left = e->old_left > 0 && e->old_slice == slice ? e->old_left + amount : amount;
    e->old_slice = slice;
}

static void lease_end(struct lease *e)
{
    old_add(e, e->slice, e->left);
    e->left = 0;
}

/* More than half of a limit is used, as far as that is known: what is leased goes back, so that the
 * message is not stopped by it. */
static bool is_half_full(const struct lease *e, const struct limit_check *d)
{
    for (size_t t = 0; t < d->test_count; t++) {
        uint64_t half = d->tests[t]->max / 2;

        if (d->amount > half || e->used + e->left > half - d->amount)
            return true;
    }
    return false;
}

static void lease_ask(struct lease *e, const struct limit_check *d, int64_t now_ms,
                      struct throttle_lease *out)
{
    if (e->asked_ms != 0 && now_ms - e->asked_ms < LEASE_TRIP_MS)
        return;
    out->wanted = wanted_of(e, d, now_ms);
    if (is_half_full(e, d))
        lease_end(e);
    if (!lease_is_on(e, d, now_ms)) {
        lease_end(e);
        e->until_ms = e->until_ms < now_ms ? e->until_ms : now_ms;
        e->wanted = 0;
    }
    out->unused = e->old_left;
    out->slice = e->old_slice;
    e->old_left = 0;
    out->is_asked = true;
    e->wanted = out->wanted > 0 ? out->wanted : e->wanted;
    e->limits = limits_digest(d);
    e->asked_ms = now_ms;
}

void leases_ask(struct leases *l, const struct limit_checks *d, int64_t now_ms,
                struct throttle_lease *out)
{
    leases_lock_take(&l->lock);
    for (size_t i = 0; i < d->count; i++) {
        struct lease *e = lease_of(l, &d->list[i], now_ms);

        out[i] = (struct throttle_lease){0};
        if (e != NULL)
            lease_ask(e, &d->list[i], now_ms, &out[i]);
    }
    leases_lock_give(&l->lock);
}

/* How long the slice (or month) still lasts at store_ms. The store's clock is cut to whole ms, and
 * two clocks differ by less than a thousandth. */
static int64_t slice_left_ms(const struct limit_check *d, int64_t slice, int64_t store_ms)
{
    int64_t end_ms =
        d->window_ms == LIMIT_WINDOW_MONTH ? slice : window_slice_start(d->window_ms, slice + 1);
    int64_t left_ms = end_ms - store_ms;

    left_ms = left_ms < LEASE_MAX_MS ? left_ms : LEASE_MAX_MS;
    return left_ms - left_ms / 1000 - 2;
}

static void lease_take(struct lease *e, const struct limit_check *d,
                       const struct throttle_lease *got, uint64_t used, uint64_t consumed,
                       int64_t asked_ms, int64_t store_ms)
{
    int64_t left_ms = slice_left_ms(d, got->slice, store_ms);

    e->asked_ms = 0;
    if (got->slice != e->slice || asked_ms >= e->until_ms) {
        lease_end(e);
        e->slice = got->slice;
        e->spent = 0;
        e->began_ms = asked_ms;
        e->until_ms = asked_ms + (left_ms > 0 ? left_ms : 0);
    }
    e->left += got->granted;
    e->spent += consumed;
    e->used = used + consumed;
}

void leases_take(struct leases *l, const struct limit_checks *d, const struct throttle_lease *got,
                 const struct test_answer *answers, bool passed, int64_t asked_ms, int64_t store_ms)
{
    leases_lock_take(&l->lock);
    for (size_t i = 0; i < d->count; answers += d->list[i++].test_count) {
        const struct limit_check *check = &d->list[i];
        struct lease *e = lease_find(l, check);

        if (got[i].is_asked && e != NULL)
            lease_take(e, check, &got[i], check->test_count > 0 ? answers->used : 0,
                       passed ? check->amount : 0, asked_ms, store_ms);
        else if (e != NULL && passed)
            e->spent += check->amount;
    }
    leases_lock_give(&l->lock);
}

void leases_fail(struct leases *l, const struct limit_checks *d, const struct throttle_lease *asked)
{
    leases_lock_take(&l->lock);
    for (size_t i = 0; i < d->count; i++) {
        struct lease *e = lease_find(l, &d->list[i]);

        if (asked[i].is_asked && e != NULL)
            e->asked_ms = 0;
    }
    leases_lock_give(&l->lock);
}

/* --- a message that is given up -------------------------------------------------------------- */

static int64_t slice_of(const struct limit_check *d, int64_t store_ms)
{
    if (d->window_ms == LIMIT_WINDOW_MONTH)
        return (int64_t)period_end(PERIOD_MONTH, (time_t)(store_ms / 1000)) * 1000;
    return window_slice(d->window_ms, store_ms);
}

static void amount_return(struct lease *e, const struct limit_check *d, int64_t store_ms,
                          int64_t now_ms)
{
    int64_t slice = slice_of(d, store_ms);

    if (e->slice == slice && lease_is_on(e, d, now_ms))
        e->left += d->amount;
    else
        old_add(e, slice, d->amount);
    e->used -= d->amount < e->used ? d->amount : e->used;
    e->spent -= d->amount < e->spent ? d->amount : e->spent;
}

void leases_return(struct leases *l, const struct limit_checks *d, int64_t store_ms, int64_t now_ms)
{
    leases_lock_take(&l->lock);
    for (size_t i = 0; i < d->count; i++) {
        struct lease *e = d->list[i].amount == 0 ? NULL : lease_of(l, &d->list[i], now_ms);

        if (e != NULL)
            amount_return(e, &d->list[i], store_ms, now_ms);
    }
    leases_lock_give(&l->lock);
}

/* --- giving back ----------------------------------------------------------------------------- */

static bool is_due(struct lease *e, int64_t now_ms, bool all)
{
    if (all || now_ms >= e->until_ms + GRACE_MS)
        lease_end(e);
    return e->old_left > 0 && (all || now_ms >= e->until_ms + GRACE_MS);
}

bool leases_give_back(struct leases *l, int64_t now_ms, bool all, size_t *from, struct arena *arena,
                      struct limit_checks *d, struct throttle_lease *out)
{
    struct limit_check *list = arena_array(arena, LEASE_BATCH, sizeof *list);
    struct slice key;
    void *value;

    *d = (struct limit_checks){.list = list, .room = LEASE_BATCH};
    leases_lock_take(&l->lock);
    while (list != NULL && d->count < LEASE_BATCH && strmap_next(&l->table, from, &key, &value)) {
        struct lease *e = value;

        if (!is_due(e, now_ms, all))
            continue;
        list[d->count] = e->window;
        list[d->count].holder = arena_copy(arena, e->window.holder);
        list[d->count].subject = arena_copy(arena, e->window.subject);
        list[d->count].per = arena_copy(arena, e->window.per);
        out[d->count++] = (struct throttle_lease){.slice = e->old_slice, .unused = e->old_left};
        e->old_left = 0;
    }
    leases_lock_give(&l->lock);
    return d->count > 0;
}
