#include "lib/read/read_fleet.h"

#include <stdio.h>

#include "lib/read/read_node.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 1024
/* Of a node: those of read_node, its collector, its counters. */
#define COLLECTOR_REPLY READ_NODE_REPLIES
#define TOTAL_REPLY     (READ_NODE_REPLIES + 1)
#define REPLIES         (READ_NODE_REPLIES + 2)

static void total_key(const struct reader *r, struct slice node, struct buf *key)
{
    char account[256];

    (void)snprintf(account, sizeof account, "@%.*s", SLICE_FMT(node));
    buf_reset(key);
    key_counters(key, r->prefix, slice_str(account), PERIOD_TOTAL, SLICE_NONE);
}

static void node_ask(struct reader *r, struct slice node, const struct counter_list *counters)
{
    struct buf key;

    buf_init(&key, KEY_BYTES);
    total_key(r, node, &key);
    read_node_ask(r, node);
    read_coverage_ask(r, node);
    read_ask_counters(r, buf_slice(&key), counters);
    buf_fini(&key);
}

static int node_take(struct reader *r, redisReply *const *replies,
                     const struct counter_list *counters, struct arena *arena,
                     struct fleet_node *node, struct err *err)
{
    struct buf key;
    int result;

    if (read_node_take(r, replies, arena, &node->info, err) != 0 ||
        read_coverage_take(r, replies[COLLECTOR_REPLY], node->info.name, arena, &node->collector,
                           err) != 0)
        return -1;
    node->has_collector = node->collector.seen > 0;
    buf_init(&key, KEY_BYTES);
    total_key(r, node->info.name, &key);
    result =
        read_take_counters(r, replies[TOTAL_REPLY], buf_slice(&key), counters, &node->total, err);
    buf_fini(&key);
    return result;
}

static int read_some(struct reader *r, const struct counter_list *counters, struct arena *arena,
                     struct fleet_node *nodes, size_t count, struct err *err)
{
    redisReply *replies[READ_FLEET_AT_ONCE * REPLIES];
    int result = 0;

    for (size_t i = 0; i < count; i++)
        node_ask(r, nodes[i].info.name, counters);
    if (read_trip(r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = node_take(r, replies + i * REPLIES, counters, arena, &nodes[i], err);
    read_free(replies, count * REPLIES);
    return result;
}

int read_fleet(struct reader *r, struct arena *arena, struct fleet *out, struct err *err)
{
    struct counter_list all = {.count = COUNTER_COUNT};
    struct name_list names;

    *out = (struct fleet){.count = 0};
    for (int i = 0; i < COUNTER_COUNT; i++)
        all.ids[i] = (enum counter)i;
    if (read_nodes(r, arena, &names, err) != 0)
        return -1;
    out->items = arena_array(arena, names.count + 1, sizeof *out->items);
    if (out->items == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < names.count; i++)
        out->items[i].info.name = names.items[i];
    for (size_t at = 0; at < names.count; at += READ_FLEET_AT_ONCE) {
        size_t left = names.count - at;

        if (read_some(r, &all, arena, out->items + at,
                      left < READ_FLEET_AT_ONCE ? left : READ_FLEET_AT_ONCE, err) != 0)
            return -1;
    }
    out->count = names.count;
    return 0;
}
