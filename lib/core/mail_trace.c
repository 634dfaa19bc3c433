/*
 * A trace as bytes: version, the texts instance, domain, user, then how many events were left out,
 * how many follow, and the events. An event is its kind, the time since the one before (zigzag),
 * fields, and a 0. A field is its tag and a text, or (tags from TAG_NUMBERS on) a number. Integers
 * are varints, texts a length and bytes.
 */
#include "lib/core/mail_trace.h"

#include <ctype.h>
#include <sysexits.h>

#define VERSION      1
#define TAG_NUMBERS  32
#define EVENT_MIN    3 /* kind, time, end */
#define ROOM         (MAIL_TRACE_BYTES + 16384)
#define IS_TEXT(tag) ((tag) < TAG_NUMBERS)

/* Where a tag's value stands in struct mail_event. The tags are stored. */
static const size_t texts[] = {
    [1] = offsetof(struct mail_event, client),   [2] = offsetof(struct mail_event, login),
    [3] = offsetof(struct mail_event, sender),   [4] = offsetof(struct mail_event, recipient),
    [5] = offsetof(struct mail_event, orig_to),  [6] = offsetof(struct mail_event, relay),
    [7] = offsetof(struct mail_event, dsn),      [8] = offsetof(struct mail_event, status),
    [9] = offsetof(struct mail_event, other_id), [10] = offsetof(struct mail_event, text)};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])
#define TAG_REPLY  10 /* texts[]: the one that is cut shorter */

static const size_t numbers[] = {offsetof(struct mail_event, size),
                                 offsetof(struct mail_event, nrcpt),
                                 offsetof(struct mail_event, uid)};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

const char *mail_trace_kind_name(unsigned kind)
{
    static const char *const names[MAIL_EVENT_KINDS] = {
        [MAIL_CLIENT] = "client",         [MAIL_SUBMITTED] = "submitted",
        [MAIL_MESSAGE_ID] = "message-id", [MAIL_QUEUED] = "queued",
        [MAIL_RETRIED] = "retried",       [MAIL_DELIVERY] = "delivery",
        [MAIL_REJECTED] = "rejected",     [MAIL_HELD] = "held",
        [MAIL_RELEASED] = "released",     [MAIL_REQUEUED] = "requeued",
        [MAIL_DISCARDED] = "discarded",   [MAIL_CANCELED] = "canceled",
        [MAIL_EXPIRED] = "expired",       [MAIL_NOTIFICATION] = "notification",
        [MAIL_MADE_OF] = "made-of",       [MAIL_DELETED] = "deleted",
        [MAIL_REMOVED] = "removed",       [MAIL_UNFINISHED] = "unfinished",
        [MAIL_LOST_SIGHT] = "lost-sight",
    };

    return kind < MAIL_EVENT_KINDS ? names[kind] : NULL;
}

/* --- writing ---------------------------------------------------------------------------------- */

void mail_trace_init(struct mail_trace *t)
{
    *t = (struct mail_trace){.count = 0};
    buf_init(&t->events, ROOM);
}

void mail_trace_fini(struct mail_trace *t)
{
    buf_fini(&t->events);
}

static struct slice text_of(const struct mail_event *e, size_t tag)
{
    return *(const struct slice *)(const void *)((const char *)e + texts[tag]);
}

static uint64_t number_of(const struct mail_event *e, size_t tag)
{
    return *(const uint64_t *)(const void *)((const char *)e + numbers[tag]);
}

/* At most so many bytes, and no half of a UTF-8 sequence. */
static struct slice cut(struct slice s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
        max--;
    return slice_to(s, max);
}

static void text_add(struct buf *b, struct slice text)
{
    buf_add_varint(b, text.len);
    buf_add(b, text);
}

static void event_add(struct buf *b, const struct mail_event *e, int64_t since_ms)
{
    uint64_t zigzag = ((uint64_t)since_ms << 1) ^ (since_ms < 0 ? UINT64_MAX : 0);

    buf_add_varint(b, (uint64_t)e->kind);
    buf_add_varint(b, zigzag);
    for (size_t tag = 1; tag < TEXT_COUNT; tag++) {
        struct slice text = text_of(e, tag);

        if (text.len == 0)
            continue;
        buf_add_varint(b, tag);
        text_add(b, cut(text, tag == TAG_REPLY ? MAIL_TRACE_TEXT : MAIL_TRACE_NAME));
    }
    for (size_t tag = 0; tag < NUMBER_COUNT; tag++) {
        if (number_of(e, tag) == 0)
            continue;
        buf_add_varint(b, TAG_NUMBERS + tag);
        buf_add_varint(b, number_of(e, tag));
    }
    buf_add_varint(b, 0);
}

void mail_trace_add(struct mail_trace *t, const struct mail_event *event)
{
    bool is_many = event->kind == MAIL_DELIVERY || event->kind == MAIL_RETRIED;
    uint32_t reserved = is_many ? MAIL_TRACE_RESERVED : 0;
    size_t len = t->events.len;

    if (t->count + reserved >= MAIL_TRACE_EVENTS) {
        t->left_out++;
        return;
    }
    event_add(&t->events, event, event->time_ms - t->last_ms);
    if (t->events.failed ||
        t->events.len > MAIL_TRACE_BYTES - (size_t)reserved * MAIL_TRACE_NAME / 2) {
        t->events.failed = false;
        t->events.len = len;
        t->left_out++;
        return;
    }
    t->count++;
    t->last_ms = event->time_ms;
}

void mail_trace_encode(const struct mail_trace *t, const struct mail_trace_head *head,
                       struct buf *out)
{
    buf_add_varint(out, VERSION);
    text_add(out, cut(head->instance, MAIL_TRACE_NAME));
    text_add(out, cut(head->domain, MAIL_TRACE_NAME));
    text_add(out, cut(head->user, MAIL_TRACE_NAME));
    buf_add_varint(out, t->left_out);
    buf_add_varint(out, t->count);
    buf_add(out, buf_slice(&t->events));
}

int mail_trace_continue(struct mail_trace *t, struct slice bytes, struct err *err)
{
    struct mail_trace_reader r;
    struct mail_trace_head head;
    struct mail_event event;
    int rc = mail_trace_open(&r, bytes, &head, err);
    struct slice events = r.rest;

    while (rc >= 0 && (rc = mail_trace_next(&r, &event, err)) == 1)
        ;
    if (rc < 0)
        return -1;
    if (head.count > MAIL_TRACE_EVENTS || events.len > MAIL_TRACE_BYTES)
        return err_set(err, EX_DATAERR, "not a trace: it has too many events");
    buf_add(&t->events, events);
    if (t->events.failed)
        return err_set(err, EX_OSERR, "out of memory for a trace of %zu bytes", events.len);
    t->count = (uint32_t)head.count;
    t->left_out = head.left_out;
    t->last_ms = r.last_ms;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool text_take(struct slice *s, struct slice *text)
{
    uint64_t len;

    return slice_take_varint(s, &len) && len <= s->len && slice_take(s, (size_t)len, text);
}

int mail_trace_open(struct mail_trace_reader *r, struct slice bytes, struct mail_trace_head *head,
                    struct err *err)
{
    struct slice s = bytes;
    uint64_t version;

    *r = (struct mail_trace_reader){.left = 0};
    *head = (struct mail_trace_head){.count = 0};
    if (!slice_take_varint(&s, &version))
        return err_set(err, EX_DATAERR, "not a trace: it is empty");
    if (version != VERSION)
        return err_set(err, EX_DATAERR, "not a trace: its version is not known to this release");
    if (!text_take(&s, &head->instance) || !text_take(&s, &head->domain) ||
        !text_take(&s, &head->user) || !slice_take_varint(&s, &head->left_out) ||
        !slice_take_varint(&s, &head->count))
        return err_set(err, EX_DATAERR, "not a trace: it ends too early");
    if (head->count > s.len / EVENT_MIN)
        return err_set(err, EX_DATAERR, "not a trace: it has fewer events than it says");
    *r = (struct mail_trace_reader){.rest = s, .left = head->count};
    return 0;
}

/* A field into its place; one that is not known is skipped. */
static bool field_take(struct slice *s, uint64_t tag, struct mail_event *event)
{
    struct slice text;
    uint64_t number;

    if (IS_TEXT(tag)) {
        if (!text_take(s, &text))
            return false;
        if (tag < TEXT_COUNT)
            *(struct slice *)(void *)((char *)event + texts[tag]) = text;
        return true;
    }
    if (!slice_take_varint(s, &number))
        return false;
    if (tag - TAG_NUMBERS < NUMBER_COUNT)
        *(uint64_t *)(void *)((char *)event + numbers[tag - TAG_NUMBERS]) = number;
    return true;
}

static bool event_take(struct mail_trace_reader *r, struct mail_event *event)
{
    uint64_t kind, zigzag, tag;

    if (!slice_take_varint(&r->rest, &kind) || !slice_take_varint(&r->rest, &zigzag) ||
        kind > INT32_MAX)
        return false;
    event->kind = (enum mail_event_kind)kind;
    r->last_ms = (int64_t)((uint64_t)r->last_ms + ((zigzag >> 1) ^ (zigzag & 1 ? UINT64_MAX : 0)));
    event->time_ms = r->last_ms;
    do {
        if (!slice_take_varint(&r->rest, &tag))
            return false;
    } while (tag != 0 && field_take(&r->rest, tag, event));
    return tag == 0;
}

int mail_trace_next(struct mail_trace_reader *r, struct mail_event *event, struct err *err)
{
    *event = (struct mail_event){.time_ms = 0};
    if (r->left == 0 && r->rest.len > 0)
        return err_set(err, EX_DATAERR, "not a trace: %zu bytes behind its end", r->rest.len);
    if (r->left == 0)
        return 0;
    r->left--;
    if (!event_take(r, event))
        return err_set(err, EX_DATAERR, "not a trace: an event is torn or damaged");
    return 1;
}

bool mail_trace_is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum((unsigned char)text.ptr[i]))
            return false;
    }
    return text.len > 0 && text.len <= MAIL_TRACE_ID;
}
