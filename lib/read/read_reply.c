#include "lib/read/read_reply.h"

#include <sysexits.h>

static int wrong_type(const struct reader *r, struct slice key, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "redis at %s: the key %.*s has the wrong type: another program has written it; "
                   "delete or rename it, and tollgated writes it again within 10 minutes",
                   store_where(r->store), SLICE_FMT(key));
}

int read_expect(const struct reader *r, const redisReply *reply, int type, struct slice key,
                struct err *err)
{
    if (reply->type == type)
        return 0;
    if (reply->type == REDIS_REPLY_ERROR &&
        slice_starts_nocase(link_reply_text(reply), SLICE("WRONGTYPE")))
        return wrong_type(r, key, err);
    if (reply->type == REDIS_REPLY_ERROR)
        return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: %.*s", store_where(r->store),
                       SLICE_FMT(key), SLICE_FMT(link_reply_text(reply)));
    return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer of type %d",
                   store_where(r->store), SLICE_FMT(key), reply->type);
}

int read_number(const struct reader *r, const redisReply *reply, struct slice key,
                struct slice field, uint64_t *value, struct err *err)
{
    *value = 0;
    if (reply->type == REDIS_REPLY_NIL)
        return 0;
    if (read_expect(r, reply, REDIS_REPLY_STRING, key, err) != 0)
        return -1;
    if (slice_number(link_reply_text(reply), value))
        return 0;
    return err_set(err, EX_DATAERR, "redis at %s: the field %.*s of %.*s is not a number: \"%.*s\"",
                   store_where(r->store), SLICE_FMT(field), SLICE_FMT(key),
                   SLICE_FMT(slice_to(link_reply_text(reply), 40)));
}

int64_t read_timeout_ms(const struct reader *r)
{
    return r->timeout_ms > 0 ? r->timeout_ms : READ_TIMEOUT_MS;
}

int read_trip(struct reader *r, redisReply **replies, struct err *err)
{
    return store_pipe_run(r->store, replies, read_timeout_ms(r), err);
}

void read_tell(struct reader *r, size_t done, size_t all)
{
    const struct read_progress *p = &r->progress;

    if (p->show != NULL && all > 0 && p->parts > 0)
        p->show(p->context, (unsigned)((p->part * 100 + done * 100 / all) / p->parts));
}

void read_free(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

int read_no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

void read_ask_counters(struct reader *r, struct slice key, const struct counter_list *counters)
{
    struct slice argv[2 + COUNTER_COUNT] = {SLICE("HMGET"), key};

    for (size_t i = 0; i < counters->count; i++)
        argv[2 + i] = slice_str(counter_table[counters->ids[i]].name);
    store_pipe_add(r->store, 2 + counters->count, argv);
}

int read_take_counters(const struct reader *r, const redisReply *reply, struct slice key,
                       const struct counter_list *counters, struct tally *sum, struct err *err)
{
    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    for (size_t i = 0; i < counters->count && i < reply->elements; i++) {
        enum counter id = counters->ids[i];
        uint64_t value;

        if (read_number(r, reply->element[i], key, slice_str(counter_table[id].name), &value,
                        err) != 0)
            return -1;
        sum->value[id] += value;
    }
    return 0;
}

void read_all_init(struct read_all *all, const struct counter_list *counters)
{
    *all = (struct read_all){.wanted = {false}};
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        all->names[i] = slice_str(counter_table[i].name);
    for (size_t i = 0; i < counters->count; i++)
        all->wanted[counters->ids[i]] = true;
}

void read_ask_all(struct reader *r, struct slice key)
{
    store_pipe_add(r->store, 2, (const struct slice[]){SLICE("HGETALL"), key});
}

/* Rows that one program has written have their fields in much the same order. */
static int counter_after(struct read_all *all, int before, struct slice name)
{
    int *after = &all->after[before + 1];

    if (!slice_equal(name, all->names[*after])) {
        int id = counter_find(name);

        if (id < 0)
            return -1;
        *after = id;
    }
    return *after;
}

int read_take_all(const struct reader *r, const redisReply *reply, struct slice key,
                  struct read_all *all, struct tally *sum, struct err *err)
{
    int before = -1;

    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice name = link_reply_text(reply->element[i]);
        uint64_t value;
        int id;

        if (name.len == 0 || name.ptr[0] == '_')
            continue;
        id = counter_after(all, before, name);
        if (id < 0 || !all->wanted[id])
            continue;
        before = id;
        if (read_number(r, reply->element[i + 1], key, name, &value, err) != 0)
            return -1;
        sum->value[id] += value;
    }
    return 0;
}
