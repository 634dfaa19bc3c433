#include "lib/read/read_reply.h"

#include <sysexits.h>

/* With more counters than that, all fields of a row are read. */
#define ALL_FROM ((size_t)12)

static int wrong_type(const struct reader *r, struct slice key, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "redis at %s: the key %.*s has the wrong type: another program has written it; "
                   "delete or rename it, and tollgated writes it again within 10 minutes",
                   store_where(r->store), SLICE_FMT(key));
}

/* The text of an error reply. */
static int told(const struct reader *r, struct slice text, struct slice key, struct err *err)
{
    if (slice_starts_nocase(text, SLICE("WRONGTYPE")))
        return wrong_type(r, key, err);
    return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: %.*s", store_where(r->store),
                   SLICE_FMT(key), SLICE_FMT(text));
}

static int no_number(const struct reader *r, struct slice text, struct slice key,
                     struct slice field, struct err *err)
{
    return err_set(err, EX_DATAERR, "redis at %s: the field %.*s of %.*s is not a number: \"%.*s\"",
                   store_where(r->store), SLICE_FMT(field), SLICE_FMT(key),
                   SLICE_FMT(slice_to(text, 40)));
}

int read_expect(const struct reader *r, const redisReply *reply, int type, struct slice key,
                struct err *err)
{
    if (reply->type == type)
        return 0;
    if (reply->type == REDIS_REPLY_ERROR)
        return told(r, link_reply_text(reply), key, err);
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
    return no_number(r, link_reply_text(reply), key, field, err);
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

/* --- rows ------------------------------------------------------------------------------------ */

void read_fields_init(struct read_fields *f, const struct counter_list *counters)
{
    struct slice argv[2 + COUNTER_COUNT] = {SLICE("HGETALL"), SLICE_NONE};

    *f = (struct read_fields){.counters = counters, .is_all = counters->count >= ALL_FROM};
    counter_index_init(&f->index);
    for (size_t i = 0; i < counters->count; i++) {
        f->wanted[counters->ids[i]] = true;
        argv[2 + i] = counter_name(counters->ids[i]);
    }
    if (!f->is_all)
        argv[0] = SLICE("HMGET");
    store_keyed_init(&f->command, f->is_all ? 2 : 2 + counters->count, argv);
}

void read_fields_fini(struct read_fields *f)
{
    store_keyed_fini(&f->command);
}

static int expect_array(const struct reader *r, const struct flat_reply *reply, struct slice key,
                        struct err *err)
{
    if (reply->kind == FLAT_ARRAY)
        return 0;
    if (reply->kind == FLAT_ERROR)
        return told(r, reply->items[0], key, err);
    return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer",
                   store_where(r->store), SLICE_FMT(key));
}

static int take_asked(const struct read_fields *f, const struct reader *r,
                      const struct flat_reply *reply, struct slice key, struct tally *sum,
                      struct err *err)
{
    for (size_t i = 0; i < f->counters->count && i < reply->count; i++) {
        enum counter id = f->counters->ids[i];
        uint64_t value;

        if (reply->items[i].ptr == NULL)
            continue;
        if (!slice_number(reply->items[i], &value))
            return no_number(r, reply->items[i], key, counter_name(id), err);
        sum->value[id] += value;
    }
    return 0;
}

static int take_all(const struct read_fields *f, const struct reader *r,
                    const struct flat_reply *reply, struct slice key, struct tally *sum,
                    struct err *err)
{
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        struct slice name = reply->items[i];
        uint64_t value;
        int id;

        if (name.len == 0 || name.ptr[0] == '_')
            continue;
        id = counter_index_find(&f->index, name);
        if (id < 0 || !f->wanted[id])
            continue;
        if (!slice_number(reply->items[i + 1], &value))
            return no_number(r, reply->items[i + 1], key, name, err);
        sum->value[id] += value;
    }
    return 0;
}

int read_fields_take(const struct read_fields *f, const struct reader *r,
                     const struct flat_reply *reply, struct slice key, struct tally *sum,
                     struct err *err)
{
    if (expect_array(r, reply, key, err) != 0)
        return -1;
    return f->is_all ? take_all(f, r, reply, key, sum, err)
                     : take_asked(f, r, reply, key, sum, err);
}
