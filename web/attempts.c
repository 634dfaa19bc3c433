#include "web/attempts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/core/networks.h"
#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"

enum attempt_tally { ATTEMPT_NAME, ATTEMPT_NETWORK, ATTEMPT_GOOD, ATTEMPT_TALLIES };

struct attempt_slot {
    uint64_t key; /* 0: free */
    int64_t first_ms;
    unsigned count;
};

MUTEX_NAME(attempts_lock)

struct attempts {
    struct mutex lock;
    pthread_cond_t ended; /* of a check; monotonic clock */
    unsigned workers MUTEX_GUARDS(attempts_lock);
    struct attempt_slot slots[ATTEMPT_TALLIES][ATTEMPTS_SLOTS] MUTEX_GUARDS(attempts_lock);
};

struct attempts *attempts_new(struct err *err)
{
    struct attempts *a = calloc(1, sizeof *a);

    if (a == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&a->lock);
    mutex_condition_init(&a->ended);
    return a;
}

void attempts_free(struct attempts *a)
{
    if (a == NULL)
        return;
    mutex_fini(&a->lock);
    (void)pthread_cond_destroy(&a->ended);
    free(a);
}

/* "192.0.2" of 192.0.2.7, "2001:db8::/64". */
static struct slice network_of(struct slice client, char room[NETWORKS_TEXT_ROOM])
{
    struct slice text = networks_client_text(client, 64, room);
    ptrdiff_t dot = slice_find_last(text, '.');

    return dot < 0 ? text : slice_to(text, (size_t)dot);
}

static uint64_t key_of(enum attempt_tally t, const struct web_attempt *attempt)
{
    char room[NETWORKS_TEXT_ROOM];
    uint64_t hash = HASH_BEGIN;

    if (t != ATTEMPT_NAME)
        hash = hash_add(hash, network_of(attempt->client, room));
    if (t != ATTEMPT_NETWORK)
        hash = hash_add(hash_add(hash, SLICE("\0")), attempt->name);
    return hash | 1;
}

static struct attempt_slot *slot_of(struct attempts *a, enum attempt_tally t, uint64_t key)
    TG_REQUIRES(attempts_lock)
{
    return &a->slots[t][(key >> 8) % ATTEMPTS_SLOTS];
}

static unsigned count_of(struct attempts *a, enum attempt_tally t,
                         const struct web_attempt *attempt) TG_REQUIRES(attempts_lock)
{
    uint64_t key = key_of(t, attempt);
    const struct attempt_slot *s = slot_of(a, t, key);

    return s->key == key && attempt->now_ms - s->first_ms < ATTEMPTS_WINDOW_MS ? s->count : 0;
}

static void note(struct attempts *a, enum attempt_tally t, const struct web_attempt *attempt)
    TG_REQUIRES(attempts_lock)
{
    uint64_t key = key_of(t, attempt);
    struct attempt_slot *s = slot_of(a, t, key);

    if (t == ATTEMPT_GOOD || count_of(a, t, attempt) == 0)
        *s = (struct attempt_slot){.key = key, .first_ms = attempt->now_ms};
    s->count++;
}

static bool is_blocked(struct attempts *a, const struct web_attempt *attempt)
    TG_REQUIRES(attempts_lock)
{
    return count_of(a, ATTEMPT_NETWORK, attempt) >= ATTEMPTS_NETWORK_MAX ||
           (count_of(a, ATTEMPT_NAME, attempt) >= ATTEMPTS_NAME_MAX &&
            count_of(a, ATTEMPT_GOOD, attempt) == 0);
}

enum attempt_leave attempts_begin(struct attempts *a, const struct web_attempt *attempt)
{
    int64_t until_ms = clock_monotonic_ms() + ATTEMPTS_WAIT_MS;
    enum attempt_leave leave = ATTEMPT_MAY;
    bool in_time = true;

    attempts_lock_take(&a->lock);
    while (!is_blocked(a, attempt) && a->workers >= ATTEMPTS_WORKERS_MAX && in_time)
        in_time = attempts_lock_wait_until(&a->lock, &a->ended, until_ms);
    if (is_blocked(a, attempt))
        leave = ATTEMPT_TOO_MANY;
    else if (a->workers >= ATTEMPTS_WORKERS_MAX)
        leave = ATTEMPT_BUSY;
    else
        a->workers++;
    attempts_lock_give(&a->lock);
    return leave;
}

void attempts_end(struct attempts *a, const struct web_attempt *attempt, bool good)
{
    attempts_lock_take(&a->lock);
    a->workers--;
    if (good) {
        note(a, ATTEMPT_GOOD, attempt);
    } else {
        note(a, ATTEMPT_NAME, attempt);
        note(a, ATTEMPT_NETWORK, attempt);
    }
    (void)pthread_cond_broadcast(&a->ended);
    attempts_lock_give(&a->lock);
}
