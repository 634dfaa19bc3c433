#include "lib/admin/release_request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/json.h"
#include "lib/sys/log.h"

#define KEY_BYTES 1024
#define SAME_S    120 /* by which two times of one hold may differ */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

static int refused(const struct release_request_place *p, const struct buf *key,
                   const redisReply *reply, struct err *err)
{
    struct slice text = link_reply_text(reply);
    bool type = memmem(text.ptr, text.len, "WRONGTYPE", 9) != NULL;

    return err_set(err, type ? EX_DATAERR : EX_UNAVAILABLE, "redis at %s, %.*s: %.*s",
                   store_where(p->store), SLICE_FMT(buf_slice(key)), SLICE_FMT(text));
}

static void key_of(const struct release_request_place *p, struct buf *key)
{
    buf_init(key, KEY_BYTES);
    key_node_release(key, p->prefix, p->node);
}

/* --- put ------------------------------------------------------------------------------------- */

static char *print(const struct release_request *r)
{
    json_t *object =
        json_pack("{s:o, s:I, s:o, s:o, s:o, s:I}", "account", json_text(r->account), "held",
                  (json_int_t)r->held_s, "by", json_text(r->by), "client", json_text(r->client),
                  "reason", json_text(r->reason), "at", (json_int_t)r->at_s);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
    return text;
}

static void log_request(const char *event, const struct release_request_place *p,
                        const struct release_request *r)
{
    log_event(LOG_NOTICE, event, LOG_TEXT("by", r->by), LOG_TEXT("client", r->client),
              LOG_TEXT("qid", r->queue_id), LOG_TEXT("node", p->node),
              LOG_TEXT("domain", r->account), LOG_TEXT("reason", r->reason));
}

static int put_replies(const struct release_request_place *p, const struct buf *key,
                       redisReply *const *replies, struct err *err)
{
    for (size_t i = 0; i < 2; i++) {
        if (replies[i]->type != REDIS_REPLY_INTEGER)
            return refused(p, key, replies[i], err);
    }
    return replies[0]->integer == 0 ? 1 : 0;
}

int release_request_put(const struct release_request_place *p, const struct release_request *r,
                        struct err *err)
{
    char *text = print(r), keep[24];
    redisReply *replies[2];
    struct buf key;
    int result;

    if (text == NULL)
        return no_memory(err);
    (void)snprintf(keep, sizeof keep, "%" PRId64, RELEASE_REQUEST_KEEP_S);
    key_of(p, &key);
    store_pipe_add(
        p->store, 4,
        (const struct slice[]){SLICE("HSETNX"), buf_slice(&key), r->queue_id, slice_str(text)});
    store_pipe_add(p->store, 3,
                   (const struct slice[]){SLICE("EXPIRE"), buf_slice(&key), slice_str(keep)});
    result = store_pipe_run(p->store, replies, p->timeout_ms, err);
    if (result == 0) {
        result = put_replies(p, &key, replies, err);
        freeReplyObject(replies[0]);
        freeReplyObject(replies[1]);
    }
    buf_fini(&key);
    free(text);
    if (result == 0)
        log_request("release asked for", p, r);
    return result;
}

/* --- read ------------------------------------------------------------------------------------ */

static struct slice text_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? arena_copy(arena, slice_str(text)) : SLICE_NONE;
}

static bool parse(struct slice id, struct slice value, struct arena *arena,
                  struct release_request *out)
{
    json_t *object = json_loadb(value.len > 0 ? value.ptr : "", value.len, 0, NULL);

    *out = (struct release_request){.queue_id = arena_copy(arena, id),
                                    .account = text_of(object, "account", arena),
                                    .held_s = json_integer_value(json_object_get(object, "held")),
                                    .by = text_of(object, "by", arena),
                                    .client = text_of(object, "client", arena),
                                    .reason = text_of(object, "reason", arena),
                                    .at_s = json_integer_value(json_object_get(object, "at"))};
    json_decref(object);
    return out->queue_id.len > 0 && out->account.len > 0 && out->by.len > 0;
}

static int take(const redisReply *reply, struct arena *arena, struct release_requests *out,
                struct err *err)
{
    out->items = arena_array(arena, reply->elements / 2 + 1, sizeof *out->items);
    if (out->items == NULL)
        return no_memory(err);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (parse(link_reply_text(reply->element[i]), link_reply_text(reply->element[i + 1]), arena,
                  &out->items[out->count]))
            out->count++;
    }
    return 0;
}

int release_request_list(const struct release_request_place *p, struct arena *arena,
                         struct release_requests *out, struct err *err)
{
    struct buf key;
    redisReply *reply;
    int result = -1;

    *out = (struct release_requests){.count = 0};
    key_of(p, &key);
    reply = store_command(p->store, 2, (const struct slice[]){SLICE("HGETALL"), buf_slice(&key)},
                          p->timeout_ms, err);
    if (reply != NULL)
        result = reply->type == REDIS_REPLY_ARRAY ? take(reply, arena, out, err)
                                                  : refused(p, &key, reply, err);
    freeReplyObject(reply);
    buf_fini(&key);
    return result;
}

const struct release_request *release_request_find(const struct release_requests *list,
                                                   struct slice queue_id, struct slice account,
                                                   int64_t held_s)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct release_request *r = &list->items[i];

        if (slice_equal(r->queue_id, queue_id) && slice_equal(r->account, account) &&
            r->held_s >= held_s - SAME_S && r->held_s <= held_s + SAME_S)
            return r;
    }
    return NULL;
}

/* --- remove ---------------------------------------------------------------------------------- */

int release_request_remove(const struct release_request_place *p, struct slice queue_id,
                           bool *removed, struct err *err)
{
    struct buf key;
    redisReply *reply;
    int result = -1;

    *removed = false;
    key_of(p, &key);
    reply =
        store_command(p->store, 3, (const struct slice[]){SLICE("HDEL"), buf_slice(&key), queue_id},
                      p->timeout_ms, err);
    if (reply != NULL)
        result = reply->type == REDIS_REPLY_INTEGER ? 0 : refused(p, &key, reply, err);
    if (result == 0)
        *removed = reply->integer > 0;
    freeReplyObject(reply);
    buf_fini(&key);
    return result;
}

int release_request_withdraw(const struct release_request_place *p, const struct release_request *r,
                             struct err *err)
{
    bool removed;

    if (release_request_remove(p, r->queue_id, &removed, err) != 0)
        return -1;
    if (removed)
        log_request("release withdrawn", p, r);
    return removed ? 0 : 1;
}
