/* Any bytes as replies of servers: read within the limits, and what a cluster says of itself leads
 * to a table that can be used, or to an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/redis/cluster.h"
#include "lib/redis/flat_reader.h"
#include "lib/redis/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(struct cluster *c, const redisReply *reply)
{
    struct cluster_range *ranges = calloc(HASH_SLOTS, sizeof *ranges);
    struct err err;
    ptrdiff_t count;

    TG_ASSERT(ranges != NULL);
    count = cluster_map_read(reply, ranges, HASH_SLOTS, &err);
    TG_ASSERT(count <= HASH_SLOTS);
    if (count > 0) {
        (void)cluster_take_map(c, ranges, (size_t)count, "asked.example");
        cluster_sweep(c);
    }
    for (int slot = HASH_SLOT_NONE; slot < HASH_SLOTS; slot++) {
        struct cluster_node *n = cluster_owner(c, slot);

        TG_ASSERT(n == NULL || (n->is_master && n->host[0] != '\0'));
    }
    free(ranges);
}

static void check_redirect(struct cluster *c, const redisReply *reply)
{
    struct cluster_redirect to;
    enum cluster_answer answer = cluster_map_answer(reply, &to);

    if (answer != CLUSTER_MOVED && answer != CLUSTER_ASK)
        return;
    TG_ASSERT(to.slot < HASH_SLOTS && to.port > 0 && to.port < 65536);
    TG_ASSERT(to.host.len < CLUSTER_HOST_SIZE);
    if (to.host.len > 0)
        (void)cluster_node_of(c, to.host, to.port);
    TG_ASSERT(c->count <= CLUSTER_NODES_MAX);
}

static void read_all(struct redis_link *l, struct cluster *c)
{
    void *reply = NULL;

    while (redisReaderGetReply(l->reader, &reply) == REDIS_OK && reply != NULL) {
        check_map(c, reply);
        check_redirect(c, reply);
        freeReplyObject(reply);
    }
}

/* False: a fault, after which nothing is taken. */
static bool feed_flat(struct flat_reader *r, const uint8_t *data, size_t size)
{
    struct flat_reply reply;
    size_t sum = 0;
    int got;

    TG_ASSERT(flat_reader_feed(r, (struct slice){(const char *)data, size}, NULL) == 0);
    while ((got = flat_reader_next(r, &reply, NULL)) == 1)
        for (size_t i = 0; i < reply.count; i++)
            for (size_t k = 0; k < reply.items[i].len; k++)
                sum += (unsigned char)reply.items[i].ptr[k];
    TG_ASSERT(sum < SIZE_MAX);
    return got == 0;
}

static void read_flat(const uint8_t *data, size_t size, size_t half)
{
    struct flat_reader r;

    TG_ASSERT(flat_reader_init(&r, NULL) == 0);
    if (feed_flat(&r, data, half))
        (void)feed_flat(&r, data + half, size - half);
    flat_reader_fini(&r);
}

/* In two pieces, so that replies are torn. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_link l = LINK_CLOSED;
    struct cluster *c = cluster_new();
    size_t half = size > 0 ? data[0] % size : 0;

    TG_ASSERT(c != NULL && link_reader_make(&l, NULL) == 0);
    if (half > 0 && redisReaderFeed(l.reader, (const char *)data, half) == REDIS_OK)
        read_all(&l, c);
    if (size > half &&
        redisReaderFeed(l.reader, (const char *)data + half, size - half) == REDIS_OK)
        read_all(&l, c);
    link_close(&l);
    cluster_free(c);
    read_flat(data, size, half);
    return 0;
}
