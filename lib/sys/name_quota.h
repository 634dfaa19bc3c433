#ifndef TG_SYS_NAME_QUOTA_H
#define TG_SYS_NAME_QUOTA_H

#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/core/strmap.h"
#include "lib/sys/mutex.h"

/*
 * How many different names a group may have in a calendar month: names that strangers can make up,
 * such as domains under a wildcard entry, or recipients of bounces. The first ones have a place,
 * later ones have none until the month is over.
 *
 * After a restart those that had a place are known again: name_quota_take for each, or, where the
 * group is not known yet, name_quota_seed. A seed has a place in each group ".example.com" that it
 * lies under.
 *
 * Owner: name_quota_init/name_quota_fini; names are copied.  Threads: all.
 * Limits: NAME_QUOTA_BYTES of names; what has no room there has no place.
 */

#define NAME_QUOTA_BYTES ((size_t)64 << 20)

MUTEX_NAME(name_quota_lock)

struct name_quota {
    struct mutex lock;
    uint64_t max MUTEX_GUARDS(name_quota_lock);         /* names a group */
    int64_t month_end_s MUTEX_GUARDS(name_quota_lock);  /* Unix time; then all begins anew */
    struct arena memory MUTEX_GUARDS(name_quota_lock);  /* of both tables */
    struct strmap names MUTEX_GUARDS(name_quota_lock);  /* "GROUP NAME" */
    struct strmap groups MUTEX_GUARDS(name_quota_lock); /* group -> number of its names */
    struct strmap seeds MUTEX_GUARDS(name_quota_lock);  /* names of this month, of any group */
};

void name_quota_init(struct name_quota *q, uint64_t max) TG_NONNULL(1);
void name_quota_fini(struct name_quota *q);
void name_quota_set(struct name_quota *q, uint64_t max) TG_NONNULL(1);

/* The name had a place in this month, in whichever group. */
void name_quota_seed(struct name_quota *q, struct slice name, int64_t now_s) TG_NONNULL(1);
/* Has the name a place, or does it get one? now_s: Unix time. */
bool name_quota_take(struct name_quota *q, struct slice group, struct slice name, int64_t now_s)
    TG_NONNULL(1);

/* Names under wildcard entries of the hosted set have accounts as far as the quota allows. Before
 * any thread has the set; the quota outlives it. */
void name_quota_attach(struct name_quota *q, struct hosted *hosted) TG_NONNULL(1, 2);
/* An account that had rows in this month keeps its place: a name under a wildcard of the hosted set
 * takes it by being looked up. One that the set does not have (NULL: not read yet) may be under a
 * wildcard of a source that is asked, or read later. */
void name_quota_restore(struct name_quota *q, const struct hosted *hosted, struct slice account,
                        int64_t now_s) TG_NONNULL(1);

#endif
