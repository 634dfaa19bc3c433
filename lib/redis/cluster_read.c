#include "lib/redis/cluster_read.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

int cluster_read_connect(struct store *st, struct cluster_node *n, int64_t deadline_ms,
                         struct err *err)
{
    const struct link_login how = {.db = 0};
    struct endpoint e = store_endpoint(st, n->host, n->port);
    char where[ENDPOINT_TEXT];

    if (transport_is_open(&n->redis.transport))
        return 0;
    transport_endpoint_text(&e, where);
    if (cluster_node_is_pausing(n, clock_monotonic_ms()))
        return err_set(err, EX_UNAVAILABLE, "%s is unreachable: %s", where, n->last_error);
    if (store_link_open(st, &n->redis, &e, &how, deadline_ms, err) != 0) {
        cluster_node_fail(n, clock_monotonic_ms(), err != NULL ? err->text : "no connection");
        return err_prefix(err, "%s", where);
    }
    if (n->was_connected || st->generation == 0)
        st->generation++;
    n->was_connected = true;
    cluster_node_settle(n);
    return 0;
}

static int take_map(struct store *st, const redisReply *reply, const char *host, struct err *err)
{
    struct cluster_range *ranges = calloc(HASH_SLOTS, sizeof *ranges);
    ptrdiff_t count;

    if (ranges == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    count = cluster_map_read(reply, ranges, HASH_SLOTS, err);
    if (count == 0)
        count = err_set(err, EX_UNAVAILABLE, "no slot of the cluster has a server");
    if (count > 0 && cluster_take_map(st->cluster, ranges, (size_t)count, host))
        st->generation++;
    free(ranges);
    return count > 0 ? 0 : -1;
}

static int ask_map(struct store *st, struct redis_link *l, const char *host, int64_t deadline_ms,
                   struct err *err)
{
    redisReply *reply = NULL;
    struct buf out;
    int result;

    buf_init(&out, 1024);
    link_command_add(&out, 2, (struct slice[]){SLICE("CLUSTER"), SLICE("SLOTS")});
    result = out.failed ? err_set(err, EX_OSERR, "out of memory")
                        : link_trip(l, buf_slice(&out), &reply, 1, deadline_ms, err);
    buf_fini(&out);
    if (result != 0)
        return -1;
    result = take_map(st, reply, host, err);
    freeReplyObject(reply);
    return result;
}

/* Half of what is left: the next server needs time, too. */
static int64_t half_of_time(int64_t deadline_ms)
{
    int64_t now = clock_monotonic_ms();

    return deadline_ms > now ? now + (deadline_ms - now + 1) / 2 : now;
}

static bool ask_node(struct store *st, struct cluster_node *n, int64_t deadline_ms, struct err *err)
{
    if (cluster_read_connect(st, n, half_of_time(deadline_ms), err) != 0)
        return false;
    if (ask_map(st, &n->redis, n->host, half_of_time(deadline_ms), err) == 0)
        return true;
    if (!transport_is_open(&n->redis.transport))
        cluster_node_fail(n, clock_monotonic_ms(), err->text);
    return false;
}

/* Those with a link first: they answered last. */
static bool ask_nodes(struct store *st, int64_t deadline_ms, struct err *err)
{
    size_t count = st->cluster->count; /* asking adds some */

    for (int open = 1; open >= 0; open--)
        for (size_t i = 0; i < count; i++) {
            struct cluster_node *n = st->cluster->nodes[i];

            if (transport_is_open(&n->redis.transport) == (open != 0) &&
                ask_node(st, n, deadline_ms, err))
                return true;
        }
    return false;
}

/* The servers that store.url names, which may go by other names there. */
static bool ask_url(struct store *st, int64_t deadline_ms, struct err *err)
{
    const struct link_login how = {.db = 0};

    for (size_t i = 0; i < st->url.host_count; i++) {
        struct store_host *h = &st->url.hosts[i];
        struct endpoint e = store_endpoint(st, h->host.ptr, h->port.ptr);
        struct redis_link l;
        bool good;

        if (store_link_open(st, &l, &e, &how, half_of_time(deadline_ms), err) != 0)
            continue;
        good = ask_map(st, &l, h->host.ptr, half_of_time(deadline_ms), err) == 0;
        link_close(&l);
        if (good)
            return true;
    }
    return false;
}

int cluster_read_map(struct store *st, int64_t deadline_ms, struct err *err)
{
    struct cluster *c = st->cluster;
    struct err unseen;

    if (err == NULL)
        err = &unseen;
    if (!c->is_stale || (c->was_read && clock_monotonic_ms() < c->read_next_ms))
        return 0;
    c->read_next_ms = clock_monotonic_ms() + CLUSTER_REFRESH_MS;
    if (ask_nodes(st, deadline_ms, err) || ask_url(st, deadline_ms, err))
        return 0;
    return c->was_read ? 0 : -1;
}
