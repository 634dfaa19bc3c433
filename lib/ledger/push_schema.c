#include "lib/ledger/push_schema.h"

#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"

#define SCHEMA_TIMEOUT_MS 5000

/* SET NX and GET of a key that has to say the same for all nodes: the reply of GET, or NULL. */
static redisReply *common(const struct push_schema *s, void (*key_add)(struct buf *, const char *),
                          const char *value, struct err *err)
{
    redisReply *replies[2];
    struct buf key;
    int rc = 0;

    buf_init(&key, 1024);
    key_add(&key, s->prefix);
    store_pipe_add(s->store, 4,
                   (struct slice[]){SLICE("SET"), buf_slice(&key), slice_str(value), SLICE("NX")});
    store_pipe_add(s->store, 2, (struct slice[]){SLICE("GET"), buf_slice(&key)});
    buf_fini(&key);
    if (store_pipe_run(s->store, replies, SCHEMA_TIMEOUT_MS, err) < 0)
        return NULL;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            rc = store_refusal(s->store, replies[i], err);
    }
    freeReplyObject(replies[0]);
    if (rc == 0)
        return replies[1];
    freeReplyObject(replies[1]);
    return NULL;
}

static int version_check(const struct push_schema *s, const redisReply *get, struct err *err)
{
    struct slice found = link_reply_text(get);

    if (slice_equal(found, SLICE(SCHEMA)))
        return 0;
    return err_set(err, EX_CONFIG,
                   "redis at %s: %s:schema is \"%.*s\", this version writes %s: set another "
                   "store.prefix, or install the version that wrote it",
                   store_where(s->store), s->prefix, (int)(found.len < 40 ? found.len : 40),
                   found.ptr, SCHEMA);
}

/* Days and months of two zones would be mixed in one row. */
static int zone_check(const struct push_schema *s, const redisReply *get, struct err *err)
{
    struct slice found = link_reply_text(get);

    if (slice_equal(found, slice_str(s->timezone)))
        return 0;
    return err_set(err, EX_CONFIG,
                   "redis at %s counts days and months in timezone \"%.*s\", this node in \"%s\": "
                   "set timezone = \"%.*s\"; or, to count in another zone from now on, set another "
                   "store.prefix and an empty state_dir",
                   store_where(s->store), (int)(found.len < 80 ? found.len : 80), found.ptr,
                   s->timezone, (int)(found.len < 80 ? found.len : 80), found.ptr);
}

int push_schema_check(const struct push_schema *s, struct err *err)
{
    redisReply *get = common(s, key_schema, SCHEMA, err);
    int rc = get == NULL ? -1 : version_check(s, get, err);

    if (get != NULL)
        freeReplyObject(get);
    if (rc < 0)
        return -1;
    get = common(s, key_timezone, s->timezone, err);
    rc = get == NULL ? -1 : zone_check(s, get, err);
    if (get != NULL)
        freeReplyObject(get);
    return rc;
}
