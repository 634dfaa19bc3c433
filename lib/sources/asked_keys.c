#include "lib/sources/asked_keys.h"

#include <string.h>

/* Before any thread has it. */
void asked_keys_init(struct asked_keys *a) TG_NO_THREAD_SAFETY
{
    memset(a, 0, sizeof *a);
    mutex_init(&a->lock);
    mutex_condition_init(&a->ended);
}

void asked_keys_fini(struct asked_keys *a)
{
    (void)pthread_cond_destroy(&a->ended);
    mutex_fini(&a->lock);
}

static bool has_key(const struct asked_batch *b, struct slice key)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!b->keys[i].is_others && slice_equal(b->keys[i].key, key))
            return true;
    }
    return false;
}

static const struct asked_batch *batch_of(const struct asked_keys *a, enum question_kind kind,
                                          struct slice key) TG_REQUIRES(asked_keys_lock)
{
    for (const struct asked_batch *b = a->under_way; b != NULL; b = b->next) {
        if (b->kind == kind && has_key(b, key))
            return b;
    }
    return NULL;
}

void asked_keys_begin(struct asked_keys *a, struct asked_batch *b)
{
    asked_keys_lock_take(&a->lock);
    for (size_t i = 0; i < b->count; i++) {
        struct asked_key *k = &b->keys[i];

        k->other = batch_of(a, b->kind, k->key);
        k->is_others = k->other != NULL;
        k->err.code = 0;
        if (!k->is_others)
            continue;
        k->next = a->waiting;
        a->waiting = k;
    }
    b->next = a->under_way;
    a->under_way = b;
    asked_keys_lock_give(&a->lock);
}

static void unlist(struct asked_keys *a, const struct asked_batch *b) TG_REQUIRES(asked_keys_lock)
{
    struct asked_batch **at = &a->under_way;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
}

static void tell(struct asked_keys *a, const struct asked_batch *b, const struct err *why)
    TG_REQUIRES(asked_keys_lock)
{
    struct asked_key **at = &a->waiting, *k;

    while ((k = *at) != NULL) {
        if (k->other != b) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        k->other = NULL;
        if (why != NULL)
            k->err = *why;
    }
}

void asked_keys_end(struct asked_keys *a, struct asked_batch *b, const struct err *why)
{
    asked_keys_lock_take(&a->lock);
    unlist(a, b);
    tell(a, b, why);
    (void)pthread_cond_broadcast(&a->ended);
    asked_keys_lock_give(&a->lock);
}

static bool is_waiting(const struct asked_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->keys[i].other != NULL)
            return true;
    }
    return false;
}

void asked_keys_await(struct asked_keys *a, struct asked_batch *b)
{
    asked_keys_lock_take(&a->lock);
    while (is_waiting(b))
        asked_keys_lock_wait(&a->lock, &a->ended);
    asked_keys_lock_give(&a->lock);
}
