#include "lib/sys/name_quota.h"

#include "lib/core/buf.h"
#include "lib/core/period.h"

#define KEY_BYTES 4096

void name_quota_init(struct name_quota *q, uint64_t max) TG_NO_THREAD_SAFETY /* not shared yet */
{
    *q = (struct name_quota){.max = max};
    mutex_init(&q->lock);
    arena_init(&q->memory, NAME_QUOTA_BYTES);
    strmap_init(&q->names);
    strmap_init(&q->groups);
}

void name_quota_fini(struct name_quota *q) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (q == NULL)
        return;
    strmap_fini(&q->names);
    strmap_fini(&q->groups);
    arena_fini(&q->memory);
    mutex_fini(&q->lock);
}

void name_quota_set(struct name_quota *q, uint64_t max)
{
    name_quota_lock_take(&q->lock);
    q->max = max;
    name_quota_lock_give(&q->lock);
}

static void month_begin(struct name_quota *q, int64_t now_s) TG_REQUIRES(name_quota_lock)
{
    strmap_fini(&q->names);
    strmap_fini(&q->groups);
    arena_reset(&q->memory);
    strmap_init(&q->names);
    strmap_init(&q->groups);
    q->month_end_s = (int64_t)period_end(PERIOD_MONTH, (time_t)now_s);
}

static void **table_add(struct name_quota *q, struct strmap *table, struct slice key)
    TG_REQUIRES(name_quota_lock)
{
    void **place = strmap_find(table, key);

    if (place != NULL)
        return place;
    key = arena_copy(&q->memory, key);
    return key.ptr == NULL ? NULL : strmap_add(table, key, NULL);
}

static bool place_take(struct name_quota *q, struct slice group, struct slice key)
    TG_REQUIRES(name_quota_lock)
{
    void **count;

    if (strmap_find(&q->names, key) != NULL)
        return true;
    count = table_add(q, &q->groups, group);
    if (count == NULL || (uintptr_t)*count >= q->max || table_add(q, &q->names, key) == NULL)
        return false;
    *count = (void *)((uintptr_t)*count + 1);
    return true;
}

bool name_quota_take(struct name_quota *q, struct slice group, struct slice name, int64_t now_s)
{
    struct buf key;
    bool has_place;

    buf_init(&key, KEY_BYTES);
    buf_addf(&key, "%.*s %.*s", SLICE_FMT(group), SLICE_FMT(name));
    name_quota_lock_take(&q->lock);
    if (now_s >= q->month_end_s)
        month_begin(q, now_s);
    has_place = !key.failed && place_take(q, group, buf_slice(&key));
    name_quota_lock_give(&q->lock);
    buf_fini(&key);
    return has_place;
}
