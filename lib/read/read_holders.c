#include "lib/read/read_holders.h"

#include "lib/core/limit_check.h"
#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 256
#define CLIENTS   SLICE("@client")

/* Nodes stand in the same index, since they can be retired. */
static bool is_holder(struct slice name)
{
    return name.len > 0 &&
           (name.ptr[0] != '@' || slice_equal(name, SLICE(HOLDER_SERVER)) ||
            slice_equal(name, CLIENTS) || slice_starts(name, SLICE(HOLDER_CUSTOMER)));
}

static int names_take(const redisReply *reply, struct arena *arena, struct name_list *out,
                      struct err *err)
{
    *out = (struct name_list){.items = arena_array(arena, reply->elements + 1, sizeof *out->items)};
    if (out->items == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice name = link_reply_text(reply->element[i]);

        if (!is_holder(name))
            continue;
        out->items[out->count] = arena_copy(arena, name);
        if (out->items[out->count++].ptr == NULL)
            return read_no_memory(err);
    }
    out->room = reply->elements + 1;
    read_names_settle(out);
    return 0;
}

int read_holders_changed(struct reader *r, struct arena *arena, struct name_list *out,
                         struct err *err)
{
    redisReply *reply;
    struct buf key;
    int result;

    buf_init(&key, KEY_BYTES);
    key_changed(&key, r->prefix);
    store_pipe_add(
        r->store, 4,
        (const struct slice[]){SLICE("ZRANGE"), buf_slice(&key), SLICE("0"), SLICE("-1")});
    result = read_trip(r, &reply, err);
    if (result == 0) {
        result = read_expect(r, reply, REDIS_REPLY_ARRAY, buf_slice(&key), err);
        if (result == 0)
            result = names_take(reply, arena, out, err);
        freeReplyObject(reply);
    }
    buf_fini(&key);
    return result;
}
