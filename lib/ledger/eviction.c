#include "lib/ledger/eviction.h"

#include <sysexits.h>

#include "lib/redis/link.h"

#define EVICTION_TIMEOUT_MS 5000

static struct slice policy_in(struct slice info)
{
    struct slice line, key;

    while (slice_cut(&info, '\n', &line)) {
        line = slice_trim(line);
        if (slice_cut(&line, ':', &key) && slice_equal(key, SLICE("maxmemory_policy")))
            return line;
    }
    return SLICE_NONE;
}

static int check_server(struct store *store, size_t i, struct err *err)
{
    const char *where = store_server_choose(store, i);
    redisReply *reply = store_command(
        store, 2, (const struct slice[]){SLICE("INFO"), SLICE("memory")}, EVICTION_TIMEOUT_MS, err);
    struct slice policy;
    int rc = 0;

    if (reply == NULL)
        return -1;
    policy = reply->type == REDIS_REPLY_STRING ? policy_in(link_reply_text(reply)) : SLICE_NONE;
    if (policy.len > 0 && !slice_equal(policy, SLICE("noeviction")))
        rc = err_set(err, EX_CONFIG,
                     "redis at %s deletes keys when its memory is full (maxmemory-policy %.*s): "
                     "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in "
                     "redis.conf; or set store.allow_eviction = true",
                     where, SLICE_FMT(slice_to(policy, 40)));
    freeReplyObject(reply);
    return rc;
}

/* In a cluster the first call finds out which servers there are, and asks any: the first of them,
 * most often. */
int eviction_check(struct store *store, struct err *err)
{
    int rc = check_server(store, 0, err);

    for (size_t i = 1; rc == 0 && i < store_server_count(store); i++)
        rc = check_server(store, i, err);
    return rc;
}
