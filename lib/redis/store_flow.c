#include "lib/redis/store_flow.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/store_work.h"
#include "lib/sys/clock.h"

#define READ_BYTES ((size_t)32 << 10)
/* The reader moves up what it has not taken after each kilobyte that it has, so it is given little
 * at once. */
#define FEED_BYTES ((size_t)2 << 10)
/* Over a Unix socket, which holds some 200 kB: with more replies under way than fit in, the server
 * waits for us instead of working, and gathers them in its memory; with few, it has nothing to do
 * when either of us is kept from the processor for a moment. So many bytes of replies, or so many
 * commands as long as nothing is known of their replies, and where these are long. */
#define UNIX_BATCH_BYTES ((size_t)56 << 10)
#define UNIX_BATCH_LEAST ((size_t)96)

struct flowing {
    struct store *st;
    const struct store_flow *flow;
    struct flat_reader reader;
    struct slice out;          /* of the last batch, what is still to be sent */
    size_t batch;              /* commands */
    size_t on_way;             /* replies that are still to come */
    size_t taken, taken_bytes; /* replies that came */
    bool has_more;             /* commands, to be added */
    int64_t timeout_ms, deadline_ms;
    int result; /* of who takes */
    struct err *err;
};

static size_t batch_size(const struct flowing *f)
{
    size_t batch = UNIX_BATCH_LEAST;

    if (f->st->endpoint.path == NULL || f->st->cluster != NULL)
        return STORE_FLOW_BATCH;
    if (f->taken_bytes > 0)
        batch = UNIX_BATCH_BYTES * f->taken / f->taken_bytes;
    if (batch > STORE_FLOW_BATCH)
        return STORE_FLOW_BATCH;
    return batch > UNIX_BATCH_LEAST ? batch : UNIX_BATCH_LEAST;
}

/* The next batch, with the time for it. */
static int fill(struct flowing *f)
{
    struct store *st = f->st;

    store_pipe_reset(st);
    f->batch = batch_size(f);
    while (f->has_more && st->count < f->batch)
        f->has_more = f->flow->next(f->flow->context, st);
    f->deadline_ms = clock_monotonic_ms() + f->timeout_ms;
    if (!st->out.failed)
        return 0;
    f->has_more = false;
    return err_set(f->err, EX_SOFTWARE, "redis: out of memory, or commands that are too long");
}

static void take(struct flowing *f, const struct flat_reply *reply)
{
    if (f->result == 0)
        f->result = f->flow->take(f->flow->context, reply, f->err);
    if (f->result != 0)
        f->has_more = false;
}

/* --- one server ------------------------------------------------------------------------------ */

/* On failure, *err tells who took something as a fault rather than why the rest could not be
 * dropped. */
static int link_failed(struct flowing *f, struct err *why)
{
    link_close(&f->st->redis);
    (void)store_back_off(f->st, why);
    if (f->result == 0)
        *f->err = *why;
    return -1;
}

static int take_whole(struct flowing *f, struct err *why)
{
    struct flat_reply reply;
    int got = 1;

    while (f->on_way > 0 && (got = flat_reader_next(&f->reader, &reply, why)) == 1) {
        f->on_way--;
        f->taken++;
        take(f, &reply);
    }
    if (got >= 0 && f->on_way == 0 && flat_reader_has_more(&f->reader))
        return err_set(why, EX_UNAVAILABLE, "not a Redis server: more replies than commands");
    return got < 0 ? -1 : 0;
}

static int feed(struct flowing *f, struct slice bytes, struct err *why)
{
    int result = 0;

    for (; result == 0 && bytes.len > 0; bytes = slice_from(bytes, FEED_BYTES)) {
        result = flat_reader_feed(&f->reader, slice_to(bytes, FEED_BYTES), why);
        if (result == 0)
            result = take_whole(f, why);
    }
    return result;
}

/* What goes without waiting; it reads while it writes, as a trip does. */
static int step(struct flowing *f, struct err *why)
{
    struct transport *t = &f->st->redis.transport;
    char bytes[READ_BYTES];
    ptrdiff_t n = 0;

    if (f->out.len > 0)
        n = transport_write(t, f->out.ptr, f->out.len, why);
    if (n < 0)
        return -1;
    f->out = slice_from(f->out, (size_t)n);
    n = transport_read(t, bytes, sizeof bytes, why);
    f->taken_bytes += n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : feed(f, (struct slice){bytes, (size_t)n}, why);
}

/* The next batch goes when the replies of the one before the last are all there. */
static int refill(struct flowing *f)
{
    if (f->out.len > 0 || !f->has_more || f->on_way > f->batch)
        return 0;
    if (fill(f) != 0)
        return -1;
    f->out = buf_slice(&f->st->out);
    f->on_way += f->st->count;
    return 0;
}

static int run_link(struct flowing *f)
{
    struct transport *t = &f->st->redis.transport;
    struct err why = {0};

    f->deadline_ms = clock_monotonic_ms() + f->timeout_ms;
    if (store_be_connected(f->st, f->deadline_ms, f->err) != 0)
        return -1;
    do {
        if (refill(f) != 0)
            return link_failed(f, f->err);
        if (f->on_way > 0 &&
            (transport_wait(t, f->out.len > 0, f->deadline_ms, &why) != 0 || step(f, &why) != 0))
            return link_failed(f, &why);
    } while (f->on_way > 0 || f->has_more);
    store_settle(f->st);
    return f->result;
}

/* --- a cluster ------------------------------------------------------------------------------- */

static void take_made(struct flowing *f, redisReply *made)
{
    struct flat_reply reply = {.count = 0};

    if (f->result == 0 && flat_reader_view(&f->reader, made, &reply, f->err) != 0)
        f->result = -1;
    take(f, &reply);
    freeReplyObject(made);
}

static int batch_run(struct flowing *f, redisReply **replies)
{
    size_t count;

    if (fill(f) != 0)
        return -1;
    count = store_pipe_count(f->st);
    if (store_pipe_run(f->st, replies, f->timeout_ms, f->err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        take_made(f, replies[i]);
    return f->result;
}

static int run_cluster(struct flowing *f)
{
    redisReply **replies = calloc(STORE_FLOW_BATCH, sizeof(redisReply *));
    int result = replies != NULL ? 0 : err_set(f->err, EX_OSERR, "out of memory");

    while (result == 0 && f->has_more)
        result = batch_run(f, replies);
    free(replies);
    return result;
}

int store_flow_run(struct store *st, const struct store_flow *flow, int64_t timeout_ms,
                   struct err *err)
{
    struct flowing f = {
        .st = st, .flow = flow, .has_more = true, .timeout_ms = timeout_ms, .err = err};
    int result = flat_reader_init(&f.reader, err);

    TG_ASSERT(st->count == 0);
    if (result == 0)
        result = st->cluster != NULL ? run_cluster(&f) : run_link(&f);
    flat_reader_fini(&f.reader);
    store_pipe_reset(st);
    return result;
}
