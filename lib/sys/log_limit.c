#include "lib/sys/log_limit.h"

#include <stdio.h>
#include <string.h>

#include "lib/core/hash.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"

/* How many places a key may take: its own and those behind it. */
enum { PLACES = 16 };

void log_limit_init(struct log_limit *n)
{
    memset(n->list, 0, sizeof n->list);
    mutex_init(&n->lock);
}

void log_limit_fini(struct log_limit *n)
{
    mutex_fini(&n->lock);
}

/* Never 0, which marks a free place. */
static uint64_t hash_of(struct slice key)
{
    uint64_t hash = hash_add(HASH_BEGIN, key);

    return hash != 0 ? hash : 1;
}

/* The key's place, else a free or overdue one, else NULL. */
static struct log_limit_place *place(struct log_limit *n, uint64_t hash, int64_t now_ms)
    TG_REQUIRES(log_limit_lock)
{
    struct log_limit_place *usable = NULL;

    for (uint64_t i = 0; i < PLACES; i++) {
        struct log_limit_place *at = &n->list[(hash + i) % LOG_LIMIT_MAX];

        if (at->hash == hash)
            return at;
        if (usable == NULL && (at->hash == 0 || at->until_ms <= now_ms))
            usable = at;
    }
    return usable;
}

bool log_limit_due(struct log_limit *n, struct slice key, int64_t now_ms, int64_t every_ms,
                   uint64_t *held_back)
{
    uint64_t hash = hash_of(key);
    struct log_limit_place *at;
    bool due;

    log_limit_lock_take(&n->lock);
    at = place(n, hash, now_ms);
    due = at != NULL && (at->hash != hash || at->until_ms <= now_ms);
    if (due) {
        if (held_back != NULL)
            *held_back = at->hash == hash ? at->held_back : 0;
        *at = (struct log_limit_place){.hash = hash, .until_ms = now_ms + every_ms};
    } else if (at != NULL) {
        at->held_back++;
    }
    log_limit_lock_give(&n->lock);
    return due;
}

/* --- problems */

#define LOG_EVERY_MS 60000

void log_problem_raise(struct log_problem *t, const struct err *e, int64_t now_ms)
{
    bool is_new = !t->is_on;

    t->is_on = true;
    t->raised_ms = now_ms;
    t->times++;
    (void)snprintf(t->text, sizeof t->text, "%s", e->text);
    if (!is_new && now_ms < t->log_next_ms)
        return;
    log_event(t->level, t->event, LOG_ERROR("error", e), LOG_NUM("times", t->times));
    t->times = 0;
    t->log_next_ms = now_ms + LOG_EVERY_MS;
}

void log_problem_clear(struct log_problem *t)
{
    if (!t->is_on)
        return;
    t->is_on = false;
    t->times = 0;
    t->text[0] = '\0';
    if (t->over != NULL)
        log_plain(LOG_NOTICE, t->over);
}

void log_problem_settle(struct log_problem *t, int64_t now_ms, int64_t quiet_ms)
{
    if (t->is_on && now_ms - t->raised_ms >= quiet_ms)
        log_problem_clear(t);
}
