#include "lib/sources/lookup.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"

#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 5000

struct lookup *lookup_new(const struct lookup_kind *kind, struct err *err)
{
    struct lookup *a = calloc(1, sizeof *a);

    if (a == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory for the sources");
        return NULL;
    }
    a->kind = kind;
    arena_init(&a->arena, (size_t)1 << 20);
    mutex_init(&a->lock);
    return a;
}

const char *lookup_keep(struct lookup *a, struct slice text, struct err *err)
{
    const char *kept = arena_copy(&a->arena, text).ptr;

    if (kept == NULL)
        (void)err_set(err, EX_OSERR, "out of memory for the sources");
    return kept;
}

/* No other thread has it any more. */
void lookup_free(struct lookup *a) TG_NO_THREAD_SAFETY
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->idle_count; i++)
        a->kind->connection_free(a->idle[i]);
    mutex_fini(&a->lock);
    arena_fini(&a->arena);
    free(a);
}

/* A connection at rest, or NULL. -1: the source is left alone for now. */
static int take(struct lookup *a, void **connection, struct err *err)
{
    int result = 0;

    *connection = NULL;
    lookup_lock_take(&a->lock);
    if (clock_monotonic_ms() < a->down_until_ms)
        result = err_set(err, a->last_error.code, "%s", a->last_error.text);
    else if (a->idle_count > 0)
        *connection = a->idle[--a->idle_count];
    lookup_lock_give(&a->lock);
    return result;
}

/* Puts a good connection to rest; gives back one that is too many. */
static void *put_good(struct lookup *a, void *connection)
{
    lookup_lock_take(&a->lock);
    a->pause_ms = a->down_until_ms = 0;
    if (a->idle_count < LOOKUP_IDLE_MAX) {
        a->idle[a->idle_count++] = connection;
        connection = NULL;
    }
    lookup_lock_give(&a->lock);
    return connection;
}

static void note_failure(struct lookup *a, const struct err *err)
{
    lookup_lock_take(&a->lock);
    if (err->code != EX_TEMPFAIL) {
        a->pause_ms = a->pause_ms == 0 ? PAUSE_MIN_MS : a->pause_ms * 2;
        if (a->pause_ms > PAUSE_MAX_MS)
            a->pause_ms = PAUSE_MAX_MS;
        a->down_until_ms = clock_monotonic_ms() + a->pause_ms;
        a->last_error = *err;
    }
    lookup_lock_give(&a->lock);
}

int lookup_ask(struct lookup *a, struct lookup_keys *list, size_t count, struct arena *arena,
               struct err *err)
{
    void *connection;
    int result;

    if (take(a, &connection, err) != 0)
        return -1;
    if (connection == NULL)
        connection = a->kind->connection_new(a, err);
    result = connection != NULL ? a->kind->ask(a, connection, list, count, arena, err) : -1;
    if (result == 0)
        connection = put_good(a, connection);
    else
        note_failure(a, err);
    if (connection != NULL)
        a->kind->connection_free(connection);
    return result;
}
