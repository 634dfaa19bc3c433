/* Strings in Redis, for POP-before-SMTP. */
#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/link.h"
#include "lib/sources/lookup.h"

static void *connection_new(const struct lookup *a, struct err *err)
{
    return store_new(&a->settings, err);
}

static void connection_free(void *connection)
{
    store_free(connection);
}

static int take_reply(struct lookup_keys *k, const redisReply *reply, struct arena *arena,
                      struct err *err)
{
    k->found = reply->type == REDIS_REPLY_STRING;
    if (k->found)
        k->value = arena_copy(arena, link_reply_text(reply));
    if (k->found && k->value.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (k->found || reply->type == REDIS_REPLY_NIL)
        return 0;
    return err_set(err, EX_TEMPFAIL, "redis: %.*s",
                   SLICE_FMT(slice_to(link_reply_text(reply), 200)));
}

/* Each question has one key. */
static int ask(const struct lookup *a, void *connection, struct lookup_keys *list, size_t count,
               struct arena *arena, struct err *err)
{
    redisReply **replies = calloc(count, sizeof(redisReply *));
    struct store *st = connection;
    int result;

    if (replies == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < count; i++)
        store_pipe_add(st, 2, (struct slice[2]){SLICE("GET"), list[i].keys[0]});
    result = store_pipe_run(st, replies, a->settings.store.timeout_ms, err);
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = take_reply(&list[i], replies[i], arena, err);
        freeReplyObject(replies[i]);
    }
    free(replies);
    return result;
}

static const struct lookup_kind redis = {connection_new, connection_free, ask};

static int keep_settings(struct lookup *a, const struct settings *s, struct err *err)
{
    struct settings *to = &a->settings;

    to->state_dir = lookup_keep(a, slice_str(s->state_dir), err);
    to->store.url = lookup_keep(a, slice_str(s->store.url), err);
    to->store.username = lookup_keep(a, slice_str(s->store.username), err);
    to->store.password_file = lookup_keep(a, slice_str(s->store.password_file), err);
    to->store.timeout_ms = s->store.timeout_ms;
    return to->state_dir != NULL && to->store.url != NULL && to->store.username != NULL &&
                   to->store.password_file != NULL
               ? 0
               : -1;
}

struct lookup *lookup_redis_new(const struct settings *s, struct err *err)
{
    struct lookup *a = lookup_new(&redis, err);

    if (a == NULL || keep_settings(a, s, err) == 0)
        return a;
    lookup_free(a);
    return NULL;
}
