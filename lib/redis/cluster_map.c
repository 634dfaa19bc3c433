#include "lib/redis/cluster_map.h"

#include <sysexits.h>

#include "lib/redis/link.h"

#define PORT_MAX 65535

static int unreadable(struct err *err)
{
    return err_set(err, EX_UNAVAILABLE, "the server's list of slots cannot be read");
}

static bool is_number(const redisReply *r, long long max)
{
    return r->type == REDIS_REPLY_INTEGER && r->integer >= 0 && r->integer <= max;
}

/* [first, last, [host, port, ...], replicas...]; a host that is not known is null or "?". */
static bool read_range(const redisReply *r, struct cluster_range *out)
{
    const redisReply *master;

    if (r->type != REDIS_REPLY_ARRAY || r->elements < 3 ||
        !is_number(r->element[0], HASH_SLOTS - 1) || !is_number(r->element[1], HASH_SLOTS - 1))
        return false;
    master = r->element[2];
    if (master->type != REDIS_REPLY_ARRAY || master->elements < 2 ||
        !is_number(master->element[1], PORT_MAX))
        return false;
    *out = (struct cluster_range){.first = (unsigned)r->element[0]->integer,
                                  .last = (unsigned)r->element[1]->integer,
                                  .host = link_reply_text(master->element[0]),
                                  .port = (unsigned)master->element[1]->integer};
    if (slice_equal(out->host, SLICE("?")))
        out->host = SLICE_NONE;
    return out->first <= out->last && out->host.len < CLUSTER_HOST_SIZE &&
           slice_find(out->host, '\0') < 0;
}

ptrdiff_t cluster_map_read(const redisReply *reply, struct cluster_range *ranges, size_t room,
                           struct err *err)
{
    size_t slots = 0;

    if (reply->type == REDIS_REPLY_ERROR)
        return err_set(err, EX_UNAVAILABLE,
                       "CLUSTER SLOTS: %.*s (is it a cluster? If not, begin store.url with "
                       "redis://)",
                       SLICE_FMT(slice_to(link_reply_text(reply), 200)));
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > room)
        return unreadable(err);
    for (size_t i = 0; i < reply->elements; i++) {
        if (!read_range(reply->element[i], &ranges[i]))
            return unreadable(err);
        slots += ranges[i].last - ranges[i].first + 1;
    }
    if (slots > HASH_SLOTS)
        return unreadable(err);
    return (ptrdiff_t)reply->elements;
}

/* "3999 127.0.0.1:6381"; an IPv6 address has no brackets. */
static bool read_redirect(struct slice text, struct cluster_redirect *to)
{
    struct slice slot;
    uint64_t number, port;
    ptrdiff_t colon;

    if (!slice_cut(&text, ' ', &slot) || !slice_number(slot, &number) || number >= HASH_SLOTS)
        return false;
    colon = slice_find_last(text, ':');
    if (colon < 0 || !slice_number(slice_from(text, (size_t)colon + 1), &port) || port == 0 ||
        port > PORT_MAX)
        return false;
    *to = (struct cluster_redirect){
        .slot = (unsigned)number, .port = (unsigned)port, .host = slice_to(text, (size_t)colon)};
    if (slice_equal(to->host, SLICE("?")))
        to->host = SLICE_NONE;
    return to->host.len < CLUSTER_HOST_SIZE && slice_find(to->host, '\0') < 0;
}

/* Up to Redis 6 the error of a script has the cause within. */
bool cluster_map_is_read_only(const redisReply *reply)
{
    struct slice text = slice_to(link_reply_text(reply), 300);

    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    if (slice_starts(text, SLICE("READONLY ")))
        return true;
    for (; text.len > 0; text = slice_from(text, 1))
        if (slice_starts(text, SLICE("-READONLY You can't write")))
            return true;
    return false;
}

enum cluster_answer cluster_map_answer(const redisReply *reply, struct cluster_redirect *to)
{
    struct slice text = link_reply_text(reply);

    if (reply->type != REDIS_REPLY_ERROR)
        return CLUSTER_ANSWER;
    if (slice_starts(text, SLICE("MOVED ")))
        return read_redirect(slice_from(text, 6), to) ? CLUSTER_MOVED : CLUSTER_ANSWER;
    if (slice_starts(text, SLICE("ASK ")))
        return read_redirect(slice_from(text, 4), to) ? CLUSTER_ASK : CLUSTER_ANSWER;
    if (slice_starts(text, SLICE("TRYAGAIN")))
        return CLUSTER_TRY_AGAIN;
    if (slice_starts(text, SLICE("NOSCRIPT")))
        return CLUSTER_NO_SCRIPT;
    if (slice_starts(text, SLICE("CLUSTERDOWN")))
        return CLUSTER_DOWN;
    return cluster_map_is_read_only(reply) ? CLUSTER_READ_ONLY : CLUSTER_ANSWER;
}
