#include "lib/ledger/push_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/ledger/push_batch.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define FLEET_TIMEOUT_MS 5000
#define PROGRAMS         2 /* tollgated and the collector, each with a hash */
#define NODE_NAME_SIZE   256

enum { FIELD_SEEN, FIELD_ROWS, FIELD_RENAMED, FIELD_RETIRED, FIELD_COUNT };

static void add_commands(struct store *store, const char *prefix, struct slice node)
{
    char name[NODE_NAME_SIZE];
    struct buf key;

    (void)snprintf(name, sizeof name, "%.*s", SLICE_FMT(node));
    buf_init(&key, 1024);
    for (int program = 0; program < PROGRAMS; program++) {
        buf_reset(&key);
        if (program == 0)
            key_node(&key, prefix, name);
        else
            key_collect(&key, prefix, node);
        store_pipe_add(store, 2 + FIELD_COUNT,
                       (struct slice[]){SLICE("HMGET"), buf_slice(&key), SLICE("seen"),
                                        SLICE("_rows"), SLICE("renamed"), SLICE("retired")});
    }
    buf_fini(&key);
}

/* What a program knows, where it is in use; else UINT64_MAX. A key of another type is reported by
 * its owner. */
static uint64_t rows_known(const redisReply *reply, int64_t now_s)
{
    uint64_t seen = 0, rows = 1, retired = 0;
    bool is_used;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != FIELD_COUNT ||
        !slice_number(link_reply_text(reply->element[FIELD_SEEN]), &seen))
        return UINT64_MAX;
    (void)slice_number(link_reply_text(reply->element[FIELD_ROWS]), &rows);
    (void)slice_number(link_reply_text(reply->element[FIELD_RETIRED]), &retired);
    is_used = (int64_t)seen > now_s - PUSH_FLEET_DAY_S && retired < seen &&
              reply->element[FIELD_RENAMED]->type == REDIS_REPLY_NIL;
    return is_used ? rows : UINT64_MAX;
}

static int look(struct store *store, const char *prefix, const redisReply *nodes, int64_t now_s,
                struct push_fleet *out, struct err *err)
{
    size_t count = nodes->elements * PROGRAMS;
    redisReply **replies = calloc(count, sizeof(redisReply *));
    int rc;

    if (replies == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < nodes->elements; i++)
        add_commands(store, prefix, link_reply_text(nodes->element[i]));
    rc = store_pipe_run(store, replies, FLEET_TIMEOUT_MS, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t rows = rows_known(replies[i], now_s);

        out->as_names = out->as_names || rows < 2;
        out->knows_seals = out->knows_seals && rows >= 3;
        freeReplyObject(replies[i]);
    }
    free(replies);
    return rc < 0 ? -1 : 0;
}

int push_fleet_look(struct store *store, const char *prefix, int64_t now_s, struct push_fleet *out,
                    struct err *err)
{
    redisReply *nodes;
    struct buf key;
    int rc = 0;

    *out = (struct push_fleet){.knows_seals = true};
    buf_init(&key, 1024);
    key_nodes(&key, prefix);
    nodes = store_command(store, 2, (struct slice[]){SLICE("SMEMBERS"), buf_slice(&key)},
                          FLEET_TIMEOUT_MS, err);
    buf_fini(&key);
    if (nodes == NULL)
        return -1;
    if (nodes->type == REDIS_REPLY_ARRAY && nodes->elements > 0) {
        out->nodes = nodes->elements;
        rc = look(store, prefix, nodes, now_s, out, err);
    }
    freeReplyObject(nodes);
    return rc;
}
