#include "lib/read/read_lists.h"

#include "lib/read/read_reply.h"
#include "lib/read/read_stream.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 1024
/* An entry is written after what it tells, by another machine's clock. */
#define CLOCKS_APART_MS (INT64_C(3600) * 1000)

/* A stream being read: what an entry is made of, and who gets it. */
struct list_reading {
    struct reader *r;
    struct buf key;
    int64_t from_ms, to_ms;
    int (*give)(struct list_reading *l, const redisReply *fields, int64_t id_ms, struct err *err);
    read_refusal_row *refusal;
    read_anomaly_row *anomaly;
    void *context;
};

struct list_field {
    const char *name;
    struct slice *text; /* either of these */
    uint64_t *number;
};

/* False: a number that is none. */
static bool fields_take(const redisReply *fields, const struct list_field *known, size_t count)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        struct slice name = link_reply_text(fields->element[i]),
                     value = link_reply_text(fields->element[i + 1]);

        for (size_t k = 0; k < count; k++) {
            if (!slice_equal(name, slice_str(known[k].name)))
                continue;
            if (known[k].text != NULL)
                *known[k].text = value;
            else if (!slice_number(value, known[k].number))
                return false;
        }
    }
    return true;
}

static bool is_within(const struct list_reading *l, uint64_t time_ms)
{
    return time_ms <= INT64_MAX && (int64_t)time_ms >= l->from_ms && (int64_t)time_ms < l->to_ms;
}

static int give_refusal(struct list_reading *l, const redisReply *fields, int64_t id_ms,
                        struct err *err)
{
    struct refusal_entry e = {.time_ms = 0};
    uint64_t time_ms = (uint64_t)id_ms, greeting = 0;
    const struct list_field known[] = {
        {"node", &e.node, NULL},   {"time_ms", NULL, &time_ms},  {"provider", &e.provider, NULL},
        {"relay", &e.relay, NULL}, {"list", &e.list, NULL},      {"domain", &e.domain, NULL},
        {"text", &e.text, NULL},   {"greeting", NULL, &greeting}};

    if (!fields_take(fields, known, sizeof known / sizeof known[0]) || e.provider.len == 0 ||
        !is_within(l, time_ms))
        return 0;
    e.time_ms = (int64_t)time_ms;
    e.is_greeting = greeting != 0;
    return l->refusal(l->context, &e, err);
}

static int give_anomaly(struct list_reading *l, const redisReply *fields, int64_t id_ms,
                        struct err *err)
{
    struct anomaly_entry e = {.time_ms = 0};
    uint64_t time_ms = (uint64_t)id_ms;
    const struct list_field known[] = {{"node", &e.node, NULL},     {"time_ms", NULL, &time_ms},
                                       {"kind", &e.kind, NULL},     {"subject", &e.subject, NULL},
                                       {"metric", &e.metric, NULL}, {"value", NULL, &e.value},
                                       {"usual", &e.usual, NULL},   {"factor", &e.factor, NULL}};

    if (!fields_take(fields, known, sizeof known / sizeof known[0]) || e.subject.len == 0 ||
        !is_within(l, time_ms))
        return 0;
    e.time_ms = (int64_t)time_ms;
    return l->anomaly(l->context, &e, err);
}

/* *last: the id of the page's last entry. */
static int page_give(struct list_reading *l, const redisReply *page, struct stream_id *last,
                     struct err *err)
{
    for (size_t i = 0; i < page->elements; i++) {
        const redisReply *fields;
        bool is_entry = read_stream_entry(page->element[i], last, &fields);

        if (is_entry && last->ms <= INT64_MAX && l->give(l, fields, (int64_t)last->ms, err) != 0)
            return -1;
    }
    return 0;
}

static int read_all(struct list_reading *l, struct err *err)
{
    int64_t start_ms = l->from_ms - CLOCKS_APART_MS;
    struct stream_id at = {start_ms > 0 ? (uint64_t)start_ms : 0, 0};
    size_t seen = READ_STREAM_PAGE;
    int result = 0;

    while (result == 0 && seen == READ_STREAM_PAGE) {
        char from[READ_STREAM_ID_TEXT];
        redisReply *page;

        read_stream_id_text(at, from);
        if (read_stream_page(l->r, "XRANGE", buf_slice(&l->key), slice_str(from), SLICE("+"),
                             READ_STREAM_PAGE, &page, err) != 0)
            return -1;
        seen = page->elements;
        result = page_give(l, page, &at, err);
        at = read_stream_id_after(at);
        freeReplyObject(page);
    }
    return result;
}

int read_lists_refusals(struct reader *r, int64_t from_ms, int64_t to_ms, read_refusal_row *row,
                        void *context, struct err *err)
{
    struct list_reading l = {.r = r,
                             .from_ms = from_ms,
                             .to_ms = to_ms,
                             .give = give_refusal,
                             .refusal = row,
                             .context = context};
    int result;

    buf_init(&l.key, KEY_BYTES);
    key_refusals(&l.key, r->prefix);
    result = read_all(&l, err);
    buf_fini(&l.key);
    return result;
}

int read_lists_anomalies(struct reader *r, int64_t from_ms, int64_t to_ms, read_anomaly_row *row,
                         void *context, struct err *err)
{
    struct list_reading l = {.r = r,
                             .from_ms = from_ms,
                             .to_ms = to_ms,
                             .give = give_anomaly,
                             .anomaly = row,
                             .context = context};
    int result;

    buf_init(&l.key, KEY_BYTES);
    key_anomalies(&l.key, r->prefix);
    result = read_all(&l, err);
    buf_fini(&l.key);
    return result;
}
