#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sources/listing.h"

/* Listing is off the mail path: it may take longer than settings.store.timeout. */
#define LIST_TIMEOUT_MS 5000
#define SCAN_COUNT      "1000"

enum key_type { KEY_NONE, KEY_SET, KEY_HASH };

/* Takes one member (value empty) or one field of a hash. */
typedef int each_member(void *context, struct slice member, struct slice value, struct err *err);

static int bad_key(const struct source_name *name, struct err *err, int code, const char *what)
{
    return err_set(err, code, "source \"redis:%s\": %s", name->key.ptr, what);
}

static redisReply *ask(const struct source_name *name, struct store *store, size_t argc,
                       const struct slice *argv, int type, struct err *err)
{
    redisReply *reply = store_command(store, argc, argv, LIST_TIMEOUT_MS, err);

    if (reply != NULL && reply->type == type)
        return reply;
    if (reply == NULL)
        (void)err_prefix(err, "source \"redis:%s\"", name->key.ptr);
    else if (reply->type == REDIS_REPLY_ERROR)
        (void)bad_key(name, err, EX_UNAVAILABLE, reply->str);
    else
        (void)bad_key(name, err, EX_UNAVAILABLE, "the reply is not one of Redis: check store.url");
    freeReplyObject(reply);
    return NULL;
}

static int key_type(const struct source_name *name, struct store *store, enum key_type *type,
                    struct err *err)
{
    struct slice argv[2] = {SLICE("TYPE"), name->key};
    redisReply *reply = ask(name, store, 2, argv, REDIS_REPLY_STATUS, err);
    int result = 0;

    if (reply == NULL)
        return -1;
    if (strcmp(reply->str, "set") == 0)
        *type = KEY_SET;
    else if (strcmp(reply->str, "hash") == 0)
        *type = KEY_HASH;
    else if (strcmp(reply->str, "none") == 0)
        *type = KEY_NONE;
    else
        result = err_set(err, EX_DATAERR,
                         "source \"redis:%s\": the key is a %s: make it a set (SADD) or a hash "
                         "(HSET)",
                         name->key.ptr, reply->str);
    freeReplyObject(reply);
    return result;
}

static struct slice element_text(const redisReply *list, size_t i)
{
    const redisReply *e = list->element[i];

    return e->str != NULL ? (struct slice){e->str, (size_t)e->len} : SLICE_NONE;
}

static int each_element(const redisReply *list, enum key_type type, each_member *each,
                        void *context, struct err *err)
{
    size_t step = type == KEY_HASH ? 2 : 1;
    int result = 0;

    for (size_t i = 0; result == 0 && i + step <= list->elements; i += step)
        result = each(context, element_text(list, i),
                      type == KEY_HASH ? element_text(list, i + 1) : SLICE_NONE, err);
    return result;
}

/* A scan answers with [cursor, [elements]]. */
static bool is_scan_reply(const redisReply *reply)
{
    return reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_ARRAY;
}

static int scan(const struct source_name *name, struct store *store, enum key_type type,
                each_member *each, void *context, struct err *err)
{
    char cursor[32] = "0";
    int result = 0;

    do {
        struct slice argv[5] = {type == KEY_HASH ? SLICE("HSCAN") : SLICE("SSCAN"), name->key,
                                slice_str(cursor), SLICE("COUNT"), SLICE(SCAN_COUNT)};
        redisReply *reply = ask(name, store, 5, argv, REDIS_REPLY_ARRAY, err);

        if (reply == NULL)
            return -1;
        if (is_scan_reply(reply)) {
            (void)snprintf(cursor, sizeof cursor, "%.31s", reply->element[0]->str);
            result = each_element(reply->element[1], type, each, context, err);
        } else {
            result = bad_key(name, err, EX_UNAVAILABLE,
                             "the reply is not one of Redis: check store.url");
        }
        freeReplyObject(reply);
    } while (result == 0 && strcmp(cursor, "0") != 0);
    return result;
}

static int list_member(void *context, struct slice member, struct slice value, struct err *err)
{
    (void)value;
    return listing_add_line(context, member, err);
}

static int list_field(void *context, struct slice field, struct slice value, struct err *err)
{
    struct source_entry entry = {slice_trim(field), slice_trim(value)};

    return listing_add(context, &entry, true, err);
}

/* Domains gone all at once are a flushed server rather than a wish: without them every message
 * would be of the wrong class. They come back, as a server that is away does. The last forwarder or
 * login may well go. */
static int list_nothing(const struct source_name *name, struct listing *l, struct err *err)
{
    if (l->use == SOURCE_DOMAINS)
        return bad_key(
            name, err, EX_UNAVAILABLE,
            "there is no such key, as in a Redis that was flushed: add a set (SADD) or a "
            "hash (HSET) of domains");
    listing_warn(l, "there is no such key: no entries");
    return 0;
}

int listing_redis(const struct source_name *name, struct listing *l, struct err *err)
{
    enum key_type type;
    char where[128];
    int result;

    if (key_type(name, l->store, &type, err) != 0)
        return -1;
    (void)snprintf(where, sizeof where, "redis:%.100s", name->key.ptr);
    listing_begin(l, where);
    if (type == KEY_NONE)
        result = list_nothing(name, l, err);
    else
        result = scan(name, l->store, type, type == KEY_HASH ? list_field : list_member, l, err);
    listing_end(l);
    return result;
}

/* The order of a scan means nothing, so the members' sums are added up. */
static int stamp_member(void *context, struct slice member, struct slice value, struct err *err)
{
    uint64_t *sum = context;

    (void)err;
    *sum += hash_add(hash_add(hash_add(HASH_BEGIN, member), SLICE("\n")), value);
    return 0;
}

int listing_redis_stamp(const struct source_name *name, struct store *store, uint64_t *stamp,
                        struct err *err)
{
    enum key_type type;
    uint64_t sum = 0;

    if (key_type(name, store, &type, err) != 0)
        return -1;
    if (type != KEY_NONE && scan(name, store, type, stamp_member, &sum, err) != 0)
        return -1;
    *stamp = hash_add(*stamp, (struct slice){(const char *)&sum, sizeof sum});
    return 0;
}
