#include "lib/read/read_node.h"

#include <sysexits.h>

#include "lib/redis/keys.h"

#define KEY_BYTES 1024

static const char *const node_fields[] = {
    "version", "started", "seen",   "counted_through", "pushed_through", "dirty_rows",
    "renamed", "retired", "_rival", "journal_records", "disk_free",      "disk_min"};
#define NODE_FIELDS (sizeof node_fields / sizeof node_fields[0])

static int64_t node_number(const redisReply *reply)
{
    uint64_t n;

    return reply->type == REDIS_REPLY_STRING && slice_number(link_reply_text(reply), &n) &&
                   n <= INT64_MAX
               ? (int64_t)n
               : 0;
}

/* "HOST TIME" */
static void rival_take(struct slice text, struct arena *arena, struct node_info *node)
{
    struct slice host;
    uint64_t seen;

    if (slice_cut(&text, ' ', &host) && slice_number(text, &seen) && seen <= INT64_MAX) {
        node->rival = arena_copy(arena, host);
        node->rival_seen = (int64_t)seen;
    }
}

static int node_take(const struct reader *r, const redisReply *reply, struct slice key,
                     struct arena *arena, struct node_info *node, struct err *err)
{
    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    if (reply->elements != NODE_FIELDS)
        return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer",
                       store_where(r->store), SLICE_FMT(key));
    node->version = arena_copy(arena, link_reply_text(reply->element[0]));
    node->started = node_number(reply->element[1]);
    node->seen = node_number(reply->element[2]);
    node->counted_through = node_number(reply->element[3]);
    node->pushed_through = node_number(reply->element[4]);
    node->dirty_rows = node_number(reply->element[5]);
    node->is_renamed = reply->element[6]->type == REDIS_REPLY_STRING;
    /* One that is heard of again is not. */
    node->is_retired = node_number(reply->element[7]) > node->seen;
    rival_take(link_reply_text(reply->element[8]), arena, node);
    node->journal_records = node_number(reply->element[9]);
    node->disk_free = node_number(reply->element[10]);
    node->disk_min = node_number(reply->element[11]);
    return 0;
}

static bool has_nothing(const struct node_info *node)
{
    return node->version.len == 0 && node->seen == 0 && node->pushed_through == 0 &&
           !node->is_renamed && !node->is_retired;
}

void read_node_ask(struct reader *r, struct slice node)
{
    struct slice argv[2 + NODE_FIELDS] = {SLICE("HMGET")};
    struct buf key, collect;

    buf_init(&key, KEY_BYTES);
    buf_init(&collect, KEY_BYTES);
    key_node(&key, r->prefix, node.ptr);
    key_collect(&collect, r->prefix, node);
    argv[1] = buf_slice(&key);
    for (size_t i = 0; i < NODE_FIELDS; i++)
        argv[2 + i] = slice_str(node_fields[i]);
    store_pipe_add(r->store, 2 + NODE_FIELDS, argv);
    store_pipe_add(r->store, 2, (const struct slice[]){SLICE("EXISTS"), buf_slice(&collect)});
    buf_fini(&collect);
    buf_fini(&key);
}

int read_node_take(struct reader *r, redisReply *const *replies, struct arena *arena,
                   struct node_info *node, struct err *err)
{
    struct buf key;
    int result;

    buf_init(&key, KEY_BYTES);
    key_node(&key, r->prefix, node->name.ptr);
    result = node_take(r, replies[0], buf_slice(&key), arena, node, err);
    if (result == 0)
        result = read_expect(r, replies[1], REDIS_REPLY_INTEGER, buf_slice(&key), err);
    node->is_collector_only = result == 0 && replies[1]->integer == 1 && has_nothing(node);
    buf_fini(&key);
    return result;
}

#define AT_ONCE (READ_BATCH / READ_NODE_REPLIES)

static int read_some(struct reader *r, struct arena *arena, struct node_info *nodes, size_t count,
                     struct err *err)
{
    redisReply *replies[READ_BATCH];
    int result = 0;

    for (size_t i = 0; i < count; i++)
        read_node_ask(r, nodes[i].name);
    if (read_trip(r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = read_node_take(r, replies + i * READ_NODE_REPLIES, arena, &nodes[i], err);
    read_free(replies, count * READ_NODE_REPLIES);
    return result;
}

int read_node_infos(struct reader *r, struct arena *arena, struct node_infos *out, struct err *err)
{
    struct name_list names;

    *out = (struct node_infos){0};
    if (read_nodes(r, arena, &names, err) != 0)
        return -1;
    out->items = arena_array(arena, names.count + 1, sizeof *out->items);
    if (out->items == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < names.count; i++)
        out->items[i].name = names.items[i];
    for (size_t at = 0; at < names.count; at += AT_ONCE) {
        size_t some = names.count - at < AT_ONCE ? names.count - at : AT_ONCE;

        if (read_some(r, arena, out->items + at, some, err) != 0)
            return -1;
    }
    out->count = names.count;
    return 0;
}

const struct node_info *read_node_infos_last(const struct node_infos *nodes)
{
    const struct node_info *last = NULL;

    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->items[i].is_retired || nodes->items[i].is_collector_only)
            continue;
        if (last == NULL || nodes->items[i].pushed_through < last->pushed_through)
            last = &nodes->items[i];
    }
    return last;
}
