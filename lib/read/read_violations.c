#include "lib/read/read_violations.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES   1024
#define ENTRY_BYTES ((size_t)1 << 20)

/* --- one entry ------------------------------------------------------------------------------- */

static bool take_limit(struct violation *v, struct slice text, struct arena *arena)
{
    struct slice max;

    return slice_cut(&text, '/', &max) && slice_number(max, &v->max) &&
           limit_parse_per(text, arena, &v->window_ms, &v->per, NULL) == 0;
}

static bool take_time(struct slice text, int64_t *value)
{
    uint64_t n;

    if (slice_equal(text, SLICE("-1"))) {
        *value = -1;
        return true;
    }
    if (!slice_number(text, &n) || n > INT64_MAX)
        return false;
    *value = (int64_t)n;
    return true;
}

static bool take_event(struct violation *v, struct slice text)
{
    v->soft = slice_equal(text, SLICE("soft limit"));
    v->peak = slice_equal(text, SLICE("peak"));
    return true;
}

/* False: not an entry of violation_log. */
static bool take_field(struct violation *v, struct slice name, struct slice text,
                       struct arena *arena)
{
    const struct {
        const char *name;
        struct slice *into;
    } texts[] = {{"domain", &v->domain}, {"user", &v->user},   {"qid", &v->queue_id},
                 {"client", &v->client}, {"from", &v->sender}, {"login", &v->login}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (slice_equal(name, slice_str(texts[i].name)))
            return *texts[i].into = text, true;
    }
    if (slice_equal(name, SLICE("scope")))
        return limit_scope_parse(text, &v->scope);
    if (slice_equal(name, SLICE("metric")))
        return limit_metric_parse(text, &v->metric);
    if (slice_equal(name, SLICE("action")))
        return limit_action_parse(text, &v->action);
    if (slice_equal(name, SLICE("limit")))
        return take_limit(v, text, arena);
    if (slice_equal(name, SLICE("used")))
        return slice_number(text, &v->used);
    if (slice_equal(name, SLICE("wanted")))
        return slice_number(text, &v->wanted);
    if (slice_equal(name, SLICE("retry_after")))
        return take_time(text, &v->retry_after_s);
    if (slice_equal(name, SLICE("time_ms")))
        return take_time(text, &v->time_ms);
    if (slice_equal(name, SLICE("observed")))
        return v->observed = slice_equal(text, SLICE("yes")), true;
    if (slice_equal(name, SLICE("event")))
        return take_event(v, text);
    return true;
}

/* [id, [name, value, ...]] */
static bool entry_take(const redisReply *reply, struct arena *arena, struct violation_entry *out)
{
    const redisReply *fields;

    *out = (struct violation_entry){.id = {0, 0}};
    if (!read_stream_entry(reply, &out->id, &fields))
        return false;
    out->v.time_ms = (int64_t)out->id.ms;
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (!take_field(&out->v, link_reply_text(fields->element[i]),
                        link_reply_text(fields->element[i + 1]), arena))
            return false;
    }
    return out->v.domain.len > 0 && out->v.per.len > 0;
}

/* --- pages ----------------------------------------------------------------------------------- */

struct paging {
    struct reader *r;
    struct buf key;
    struct arena arena; /* of one entry */
    read_violation_row *row;
    void *context;
    struct stream_id last;
    size_t seen;
    bool peaks; /* give them, too */
};

static void paging_init(struct paging *p, struct reader *r, struct slice holder,
                        read_violation_row *row, void *context)
{
    *p = (struct paging){.r = r, .row = row, .context = context};
    buf_init(&p->key, KEY_BYTES);
    arena_init(&p->arena, ENTRY_BYTES);
    if (holder.len > 0)
        key_account_violations(&p->key, r->prefix, holder);
    else
        key_violations(&p->key, r->prefix);
}

static void paging_fini(struct paging *p)
{
    buf_fini(&p->key);
    arena_fini(&p->arena);
}

static int entries_give(struct paging *p, const redisReply *list, struct err *err)
{
    int result = 0;

    p->seen = list->elements;
    for (size_t i = 0; result == 0 && i < list->elements; i++) {
        struct violation_entry entry;
        bool is_ours;

        arena_reset(&p->arena);
        is_ours = entry_take(list->element[i], &p->arena, &entry);
        if (entry.id.ms > 0)
            p->last = entry.id;
        if (is_ours && (p->peaks || !entry.v.peak))
            result = p->row(p->context, &entry, err);
    }
    return result;
}

/* XRANGE or XREVRANGE of one page. */
static int page(struct paging *p, const char *command, struct slice from, struct slice to,
                size_t count, struct err *err)
{
    redisReply *reply;
    int result;

    if (read_stream_page(p->r, command, buf_slice(&p->key), from, to, count, &reply, err) != 0)
        return -1;
    result = entries_give(p, reply, err);
    freeReplyObject(reply);
    return result;
}

int read_violations_forward(struct reader *r, struct slice holder, struct stream_id first,
                            int64_t before_ms, read_violation_row *row, void *context,
                            struct err *err)
{
    struct paging p;
    char from[READ_STREAM_ID_TEXT], to[READ_STREAM_ID_TEXT];
    int result = 0;

    if (before_ms <= 0)
        return 0;
    paging_init(&p, r, holder, row, context);
    p.peaks = true;
    p.seen = READ_STREAM_PAGE;
    read_stream_id_text((struct stream_id){(uint64_t)before_ms - 1, UINT64_MAX}, to);
    while (result == 0 && p.seen == READ_STREAM_PAGE) {
        read_stream_id_text(first, from);
        result = page(&p, "XRANGE", slice_str(from), slice_str(to), READ_STREAM_PAGE, err);
        first = read_stream_id_after(p.last);
    }
    paging_fini(&p);
    return result;
}

int read_violations_backward(struct reader *r, struct slice holder, size_t most,
                             read_violation_row *row, void *context, struct err *err)
{
    struct paging p;
    char from[READ_STREAM_ID_TEXT] = "+";
    int result = 0;

    paging_init(&p, r, holder, row, context);
    while (result == 0 && most > 0) {
        size_t count = most < READ_STREAM_PAGE ? most : READ_STREAM_PAGE;

        result = page(&p, "XREVRANGE", slice_str(from), SLICE("-"), count, err);
        if (p.seen < count)
            break;
        most -= count;
        read_stream_id_text(read_stream_id_before(p.last), from);
    }
    paging_fini(&p);
    return result;
}

/* --- the last ones --------------------------------------------------------------------------- */

struct collecting {
    struct violation_list *out;
    size_t most;
    struct arena *arena;
};

static int collect(void *context, const struct violation_entry *entry, struct err *err)
{
    struct collecting *c = context;
    struct violation_entry *e = &c->out->items[c->most - ++c->out->count];

    e->id = entry->id;
    if (violation_copy(&entry->v, c->arena, &e->v, err) != 0)
        return -1;
    return 0;
}

int read_violations_last(struct reader *r, struct slice holder, size_t most, struct arena *arena,
                         struct violation_list *out, struct err *err)
{
    struct collecting c = {.out = out, .most = most, .arena = arena};

    *out = (struct violation_list){.items = arena_array(arena, most + 1, sizeof *out->items)};
    if (out->items == NULL)
        return read_no_memory(err);
    if (read_violations_backward(r, holder, most, collect, &c, err) < 0)
        return -1;
    out->items += most - out->count;
    return 0;
}

/* --- new ones -------------------------------------------------------------------------------- */

static int pass(void *context, const struct violation_entry *entry, struct err *err)
{
    (void)context;
    (void)entry;
    (void)err;
    return 0;
}

int read_violations_newest(struct reader *r, struct slice holder, struct stream_id *id,
                           struct err *err)
{
    struct paging p;
    int result;

    paging_init(&p, r, holder, pass, NULL);
    result = page(&p, "XREVRANGE", SLICE("+"), SLICE("-"), 1, err);
    *id = p.last;
    paging_fini(&p);
    return result;
}

/* nil, or [[key, [entry, ...]]] */
static int wait_take(struct paging *p, const redisReply *reply, struct err *err)
{
    const redisReply *stream;

    if (reply->type == REDIS_REPLY_NIL)
        return 0;
    if (read_expect(p->r, reply, REDIS_REPLY_ARRAY, buf_slice(&p->key), err) != 0)
        return -1;
    stream = reply->elements == 1 ? reply->element[0] : NULL;
    if (stream == NULL || stream->type != REDIS_REPLY_ARRAY || stream->elements != 2 ||
        stream->element[1]->type != REDIS_REPLY_ARRAY)
        return err_set(err, EX_UNAVAILABLE, "redis at %s: unexpected answer to XREAD",
                       store_where(p->r->store));
    return entries_give(p, stream->element[1], err);
}

int read_violations_wait(struct reader *r, struct slice holder, struct stream_id *id,
                         int64_t wait_ms, read_violation_row *row, void *context, struct err *err)
{
    char from[READ_STREAM_ID_TEXT], block[24];
    struct paging p;
    redisReply *reply;
    int result = -1;

    paging_init(&p, r, holder, row, context);
    p.last = *id;
    read_stream_id_text(*id, from);
    (void)snprintf(block, sizeof block, "%" PRId64, wait_ms);
    reply = store_command(r->store, 8,
                          (const struct slice[]){SLICE("XREAD"), SLICE("COUNT"), SLICE("1000"),
                                                 SLICE("BLOCK"), slice_str(block), SLICE("STREAMS"),
                                                 buf_slice(&p.key), slice_str(from)},
                          wait_ms + READ_TIMEOUT_MS, err);
    if (reply != NULL) {
        result = wait_take(&p, reply, err);
        freeReplyObject(reply);
    }
    *id = p.last;
    paging_fini(&p);
    return result;
}
