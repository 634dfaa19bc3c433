#include "lib/sys/name_quota.h"

#include "lib/core/buf.h"
#include "lib/core/period.h"
#include "lib/sys/clock.h"

#define KEY_BYTES 4096

void name_quota_init(struct name_quota *q, uint64_t max) TG_NO_THREAD_SAFETY /* not shared yet */
{
    *q = (struct name_quota){.max = max};
    mutex_init(&q->lock);
    arena_init(&q->memory, NAME_QUOTA_BYTES);
    strmap_init(&q->names);
    strmap_init(&q->groups);
    strmap_init(&q->seeds);
}

void name_quota_fini(struct name_quota *q) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (q == NULL)
        return;
    strmap_fini(&q->names);
    strmap_fini(&q->groups);
    strmap_fini(&q->seeds);
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
    strmap_fini(&q->seeds);
    arena_reset(&q->memory);
    strmap_init(&q->names);
    strmap_init(&q->groups);
    strmap_init(&q->seeds);
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

static void key_set(struct buf *key, struct slice group, struct slice name)
{
    buf_reset(key);
    buf_add(key, group);
    buf_add_char(key, ' ');
    buf_add(key, name);
}

static bool is_under(struct slice name, struct slice group)
{
    return group.len > 0 && group.ptr[0] == '.' && name.len > group.len &&
           slice_equal(slice_from(name, name.len - group.len), group);
}

/* A group that is new takes its seeds. */
static void **group_add(struct name_quota *q, struct slice group) TG_REQUIRES(name_quota_lock)
{
    void **count = strmap_find(&q->groups, group);
    uintptr_t places = 0;
    struct slice seed;
    struct buf key;
    size_t at = 0;
    void *none;

    if (count != NULL)
        return count;
    buf_init(&key, KEY_BYTES);
    while (strmap_next(&q->seeds, &at, &seed, &none)) {
        if (!is_under(seed, group))
            continue;
        key_set(&key, group, seed);
        places += !key.failed && table_add(q, &q->names, buf_slice(&key)) != NULL;
    }
    buf_fini(&key);
    count = table_add(q, &q->groups, group);
    if (count != NULL)
        *count = (void *)places;
    return count;
}

static bool place_take(struct name_quota *q, struct slice group, struct slice key)
    TG_REQUIRES(name_quota_lock)
{
    void **count = group_add(q, group);

    if (strmap_find(&q->names, key) != NULL)
        return true;
    if (count == NULL || (uintptr_t)*count >= q->max || table_add(q, &q->names, key) == NULL)
        return false;
    *count = (void *)((uintptr_t)*count + 1);
    return true;
}

static void month_check(struct name_quota *q, int64_t now_s) TG_REQUIRES(name_quota_lock)
{
    if (now_s >= q->month_end_s)
        month_begin(q, now_s);
}

void name_quota_seed(struct name_quota *q, struct slice name, int64_t now_s)
{
    name_quota_lock_take(&q->lock);
    month_check(q, now_s);
    (void)table_add(q, &q->seeds, name);
    name_quota_lock_give(&q->lock);
}

bool name_quota_take(struct name_quota *q, struct slice group, struct slice name, int64_t now_s)
{
    struct buf key;
    bool has_place;

    buf_init(&key, KEY_BYTES);
    key_set(&key, group, name);
    name_quota_lock_take(&q->lock);
    month_check(q, now_s);
    has_place = !key.failed && place_take(q, group, buf_slice(&key));
    name_quota_lock_give(&q->lock);
    buf_fini(&key);
    return has_place;
}

static bool name_has_account(void *context, struct slice entry, struct slice name)
{
    return name_quota_take(context, entry, name, clock_unix_ms() / 1000);
}

void name_quota_attach(struct name_quota *q, struct hosted *hosted)
{
    hosted->name_has_account = name_has_account;
    hosted->names_context = q;
}

void name_quota_restore(struct name_quota *q, const struct hosted *hosted, struct slice account,
                        int64_t now_s)
{
    struct slice charged;

    if (hosted == NULL || hosted_domain(hosted, NULL, account, &charged) != HOSTED_YES)
        name_quota_seed(q, account, now_s);
}
