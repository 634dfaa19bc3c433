#include "web/metrics_cache.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/mutex.h"
#include "web/metrics.h"
#include "web/metrics_domains.h"

#define TEXT_BYTES  ((size_t)64 << 20)
#define ARENA_BYTES ((size_t)512 << 20)

MUTEX_NAME(metrics_lock)

/* One text of each form, read at a time of the monotonic clock. */
struct metrics_cached {
    struct buf texts[METRICS_FORMS];
    bool is_there;
    int64_t at_ms;
};

struct metrics_cache {
    struct mutex lock;
    pthread_cond_t read;
    bool is_reading MUTEX_GUARDS(metrics_lock);

    /* These are of the thread that has set is_reading, or, while it is not set, of the lock. */
    struct metrics_cached all, domains;
    struct arena names;      /* of `chosen` */
    struct name_list chosen; /* for the day that begins at, at most so many */
    time_t day;
    size_t most;
};

static void cached_init(struct metrics_cached *c)
{
    for (int form = 0; form < METRICS_FORMS; form++)
        buf_init(&c->texts[form], TEXT_BYTES);
    c->is_there = false;
}

static void cached_fini(struct metrics_cached *c)
{
    for (int form = 0; form < METRICS_FORMS; form++)
        buf_fini(&c->texts[form]);
}

void metrics_cache_free(struct metrics_cache *c)
{
    if (c == NULL)
        return;
    cached_fini(&c->domains);
    cached_fini(&c->all);
    arena_fini(&c->names);
    (void)pthread_cond_destroy(&c->read);
    mutex_fini(&c->lock);
    free(c);
}

/* No other thread has it yet. */
struct metrics_cache *metrics_cache_new(void)
{
    struct metrics_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    mutex_init(&c->lock);
    mutex_condition_init(&c->read);
    cached_init(&c->all);
    cached_init(&c->domains);
    arena_init(&c->names, ARENA_BYTES);
    return c;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_fresh(const struct metrics_cached *c, int64_t now_ms, int64_t life_ms)
{
    return c->is_there && now_ms - c->at_ms < life_ms;
}

/* The names hold for a day. */
static int choose(struct metrics_cache *c, struct reader *r, const struct metrics_source *s,
                  struct arena *scratch, struct err *err)
{
    time_t now = (time_t)(s->unix_ms / 1000), day = period_start(PERIOD_DAY, now);
    struct name_list found;

    if (c->most == s->domains && c->day == day)
        return 0;
    if (metrics_domains_choose(r, s->domains, now, scratch, &found, err) != 0)
        return -1;
    c->most = 0;
    arena_reset(&c->names);
    c->chosen =
        (struct name_list){.items = arena_array(&c->names, found.count + 1, sizeof *found.items)};
    for (size_t i = 0; c->chosen.items != NULL && i < found.count; i++)
        c->chosen.items[c->chosen.count++] = arena_copy(&c->names, found.items[i]);
    if (c->chosen.items == NULL)
        return err_set(err, EX_OSERR, "out of memory for the metrics of domains");
    c->most = s->domains;
    c->day = day;
    return 0;
}

static int read_domains(struct metrics_cache *c, struct reader *r, const struct metrics_source *s,
                        struct arena *scratch, struct err *err)
{
    struct metrics_domain *domains;
    size_t most = c->most;

    if (s->domains == 0 ||
        (is_fresh(&c->domains, s->monotonic_ms, METRICS_DOMAINS_MS) && most == s->domains))
        return 0;
    c->domains.is_there = false;
    if (choose(c, r, s, scratch, err) != 0 ||
        metrics_domains_read(r, &c->chosen, scratch, &domains, err) != 0)
        return -1;
    for (int form = 0; form < METRICS_FORMS; form++) {
        struct metrics_text t = {.out = &c->domains.texts[form], .form = (enum metrics_form)form};

        buf_reset(t.out);
        metrics_write_domains(&t, domains, c->chosen.count + 1);
    }
    c->domains.at_ms = s->monotonic_ms;
    c->domains.is_there = true;
    return 0;
}

static int read_nodes_too(struct metrics_cache *c, struct reader *r, const struct metrics_source *s,
                          struct arena *scratch, struct err *err)
{
    struct fleet fleet;

    if (read_fleet(r, scratch, &fleet, err) != 0 || read_domains(c, r, s, scratch, err) != 0)
        return -1;
    for (int form = 0; form < METRICS_FORMS; form++) {
        struct metrics_text t = {.out = &c->all.texts[form], .form = (enum metrics_form)form};

        buf_reset(t.out);
        metrics_write(&t, &fleet, s->unix_ms / 1000);
        if (s->domains > 0)
            buf_add(t.out, buf_slice(&c->domains.texts[form]));
        if (t.out->failed)
            return err_set(err, EX_OSERR, "out of memory for the metrics");
    }
    return 0;
}

/* By the thread that has set is_reading. */
static int refresh(struct metrics_cache *c, const struct metrics_source *s, struct err *err)
{
    struct reader *r = s->take(s->context, err);
    struct arena scratch;
    int result;

    c->all.is_there = false;
    if (r == NULL) {
        c->domains.is_there = false;
        return -1;
    }
    arena_init(&scratch, ARENA_BYTES);
    result = read_nodes_too(c, r, s, &scratch, err);
    arena_fini(&scratch);
    s->give(s->context, result == 0 || err->code == EX_DATAERR);
    c->all.is_there = result == 0;
    c->domains.is_there = c->domains.is_there && result == 0;
    c->all.at_ms = s->monotonic_ms;
    return result;
}

int metrics_cache_get(struct metrics_cache *c, const struct metrics_source *s,
                      enum metrics_form form, struct buf *out, struct err *err)
{
    int result = 0;

    metrics_lock_take(&c->lock);
    while (c->is_reading)
        metrics_lock_wait(&c->lock, &c->read);
    if (!is_fresh(&c->all, s->monotonic_ms, METRICS_CACHE_MS)) {
        c->is_reading = true;
        metrics_lock_give(&c->lock);
        result = refresh(c, s, err);
        metrics_lock_take(&c->lock);
        c->is_reading = false;
        (void)pthread_cond_broadcast(&c->read);
    }
    if (result == 0)
        buf_add(out, buf_slice(&c->all.texts[form]));
    metrics_lock_give(&c->lock);
    if (result != 0)
        metrics_write(&(struct metrics_text){.out = out, .form = form}, NULL, 0);
    return result;
}
