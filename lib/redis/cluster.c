#include "lib/redis/cluster.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 5000

struct cluster *cluster_new(void)
{
    struct cluster *c = calloc(1, sizeof *c);

    if (c != NULL)
        c->is_stale = true;
    return c;
}

static void node_free(struct cluster_node *n)
{
    link_close(&n->redis);
    free(n);
}

void cluster_free(struct cluster *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++)
        node_free(c->nodes[i]);
    free(c);
}

/* --- nodes ----------------------------------------------------------------------------------- */

struct cluster_node *cluster_node_of(struct cluster *c, struct slice host, unsigned port)
{
    struct cluster_node *n;
    char text[8];

    (void)snprintf(text, sizeof text, "%u", port);
    for (size_t i = 0; i < c->count; i++)
        if (slice_equal(slice_str(c->nodes[i]->host), host) && strcmp(c->nodes[i]->port, text) == 0)
            return c->nodes[i];
    n = c->count < CLUSTER_NODES_MAX ? calloc(1, sizeof *n) : NULL;
    if (n == NULL)
        return NULL;
    (void)snprintf(n->host, sizeof n->host, "%.*s", SLICE_FMT(host));
    (void)snprintf(n->port, sizeof n->port, "%u", port);
    n->redis = LINK_CLOSED;
    c->nodes[c->count++] = n;
    return n;
}

bool cluster_node_is_pausing(const struct cluster_node *n, int64_t now_ms)
{
    return n->next_try_ms > now_ms;
}

void cluster_node_settle(struct cluster_node *n)
{
    n->pause_ms = 0;
    n->next_try_ms = 0;
}

void cluster_node_fail(struct cluster_node *n, int64_t now_ms, const char *why)
{
    link_close(&n->redis);
    n->pause_ms = n->pause_ms == 0 ? PAUSE_MIN_MS : n->pause_ms * 2;
    if (n->pause_ms > PAUSE_MAX_MS)
        n->pause_ms = PAUSE_MAX_MS;
    n->next_try_ms = now_ms + n->pause_ms;
    (void)snprintf(n->last_error, sizeof n->last_error, "%.199s", why);
}

/* Whoever answers what any server may: one with a link, else the masters in turn. */
static struct cluster_node *any_node(struct cluster *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->nodes[i]->is_master && transport_is_open(&c->nodes[i]->redis.transport))
            return c->nodes[i];
    for (size_t i = 0; i < c->count; i++) {
        struct cluster_node *n = c->nodes[c->turn++ % c->count];

        if (n->is_master)
            return n;
    }
    return NULL;
}

struct cluster_node *cluster_owner(struct cluster *c, int slot)
{
    if (slot == HASH_SLOT_NONE)
        return any_node(c);
    return c->owner[slot] == 0 ? NULL : c->nodes[c->owner[slot] - 1];
}

struct cluster_node *cluster_master(struct cluster *c, size_t i)
{
    for (size_t at = 0; at < c->count; at++)
        if (c->nodes[at]->is_master && i-- == 0)
            return c->nodes[at];
    return NULL;
}

static uint16_t number_of(const struct cluster *c, const struct cluster_node *n)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->nodes[i] == n)
            return (uint16_t)(i + 1);
    return 0;
}

void cluster_owner_set(struct cluster *c, unsigned slot, const struct cluster_node *n)
{
    c->owner[slot] = number_of(c, n);
}

bool cluster_has_open(const struct cluster *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (transport_is_open(&c->nodes[i]->redis.transport))
            return true;
    return false;
}

bool cluster_close_stale(struct cluster *c)
{
    struct pollfd polls[CLUSTER_NODES_MAX];
    bool any = false;

    for (size_t i = 0; i < c->count; i++)
        (void)transport_poll(&c->nodes[i]->redis.transport, false, &polls[i]);
    if (poll(polls, c->count, 0) <= 0)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        struct redis_link *l = &c->nodes[i]->redis;

        if (polls[i].revents == 0 || !transport_is_open(&l->transport) ||
            !transport_is_stale(&l->transport))
            continue;
        link_close(l);
        any = true;
    }
    return any;
}

/* --- the slots ------------------------------------------------------------------------------- */

static void fill(struct cluster *c, const struct cluster_range *r, const char *host)
{
    struct cluster_node *n =
        cluster_node_of(c, r->host.len > 0 ? r->host : slice_str(host), r->port);

    if (n == NULL)
        return;
    n->is_master = true;
    for (unsigned slot = r->first; slot <= r->last; slot++)
        cluster_owner_set(c, slot, n);
}

bool cluster_take_map(struct cluster *c, const struct cluster_range *ranges, size_t count,
                      const char *host)
{
    bool had[CLUSTER_NODES_MAX] = {false}, is_lost = false;
    size_t before = c->count;

    for (size_t i = 0; i < before; i++) {
        had[i] = c->nodes[i]->is_master;
        c->nodes[i]->is_master = false;
    }
    memset(c->owner, 0, sizeof c->owner);
    for (size_t i = 0; i < count; i++)
        fill(c, &ranges[i], host);
    for (size_t i = 0; i < before; i++)
        is_lost = is_lost || (had[i] && !c->nodes[i]->is_master);
    c->is_stale = false;
    c->was_read = true;
    return is_lost;
}

void cluster_sweep(struct cluster *c)
{
    size_t kept = 0;
    uint16_t number[CLUSTER_NODES_MAX + 1] = {0};

    for (size_t i = 0; i < c->count; i++) {
        if (!c->nodes[i]->is_master) {
            node_free(c->nodes[i]);
            continue;
        }
        number[i + 1] = (uint16_t)(kept + 1);
        c->nodes[kept++] = c->nodes[i];
    }
    if (kept == c->count)
        return;
    c->count = kept;
    for (size_t i = 0; i < HASH_SLOTS; i++)
        c->owner[i] = number[c->owner[i]];
}
