/*
 * A record as bytes: version, queue id, bytes, priority with spam, number of legs, legs. Integers
 * are varints, texts a length and bytes. A leg is its kind (with flags), account, user (each only
 * where its flag says so), messages, recipients, bytes, bounces. The account is left out where it
 * is that of the leg before.
 */
#include <sysexits.h>

#include "lib/core/record.h"

#define VERSION      1
#define KIND_MASK    0x0f
#define HAS_ACCOUNT  0x10
#define HAS_USER     0x20
#define HAS_BOUNCES  0x40
#define SPAM_FLAG    0x04
#define PRIORITIES   4
#define LEG_MIN_SIZE 4 /* kind, messages, recipients, bytes: no leg takes less */

static void text_add(struct buf *b, struct slice text)
{
    buf_add_varint(b, text.len);
    buf_add(b, text);
}

static void leg_encode(const struct leg *leg, const struct leg *before, struct buf *b)
{
    bool account = before == NULL || !slice_equal(leg->account, before->account);
    unsigned head = (unsigned)leg->kind;

    head |= (account ? HAS_ACCOUNT : 0) | (leg->user.len > 0 ? HAS_USER : 0) |
            (leg->bounces > 0 ? HAS_BOUNCES : 0);
    buf_add_char(b, (char)head);
    if (account)
        text_add(b, leg->account);
    if (leg->user.len > 0)
        text_add(b, leg->user);
    buf_add_varint(b, leg->messages);
    buf_add_varint(b, leg->recipients);
    buf_add_varint(b, leg->bytes);
    if (leg->bounces > 0)
        buf_add_varint(b, leg->bounces);
}

void record_encode(const struct record *r, struct buf *b)
{
    buf_add_char(b, VERSION);
    text_add(b, r->queue_id);
    buf_add_varint(b, r->bytes);
    buf_add_char(b, (char)((unsigned)r->priority | (r->spam ? SPAM_FLAG : 0)));
    buf_add_varint(b, r->leg_count);
    for (size_t i = 0; i < r->leg_count; i++)
        leg_encode(&r->legs[i], i > 0 ? &r->legs[i - 1] : NULL, b);
}

static bool byte_take(struct slice *s, unsigned *byte)
{
    struct slice head;

    if (!slice_take(s, 1, &head))
        return false;
    *byte = (unsigned char)head.ptr[0];
    return true;
}

static bool text_take(struct slice *s, struct slice *text)
{
    uint64_t len;

    return slice_take_varint(s, &len) && len <= s->len && slice_take(s, (size_t)len, text);
}

static bool leg_decode(struct slice *s, const struct leg *before, struct leg *leg)
{
    unsigned head;

    if (!byte_take(s, &head) || (head & KIND_MASK) >= LEG_KINDS ||
        head > (HAS_BOUNCES | HAS_USER | HAS_ACCOUNT | KIND_MASK))
        return false;
    leg->kind = (enum leg_kind)(head & KIND_MASK);
    if ((head & HAS_ACCOUNT) == 0 && before == NULL)
        return false;
    if ((head & HAS_ACCOUNT) == 0)
        leg->account = before->account;
    else if (!text_take(s, &leg->account))
        return false;
    if ((head & HAS_USER) != 0 && !text_take(s, &leg->user))
        return false;
    if (!slice_take_varint(s, &leg->messages) || !slice_take_varint(s, &leg->recipients) ||
        !slice_take_varint(s, &leg->bytes))
        return false;
    return (head & HAS_BOUNCES) == 0 || slice_take_varint(s, &leg->bounces);
}

/* Everything before the legs. */
static const char *head_decode(struct slice *s, struct record *out)
{
    unsigned version, flags;
    uint64_t count;

    if (!byte_take(s, &version))
        return "it is empty";
    if (version != VERSION)
        return "its version is not known to this release";
    if (!text_take(s, &out->queue_id) || !slice_take_varint(s, &out->bytes) ||
        !byte_take(s, &flags) || !slice_take_varint(s, &count))
        return "it ends too early";
    if ((flags & ~(unsigned)SPAM_FLAG) >= PRIORITIES)
        return "it has a priority that does not exist";
    if (count > s->len / LEG_MIN_SIZE)
        return "it has fewer legs than it says";
    out->priority = (enum priority)(flags & ~(unsigned)SPAM_FLAG);
    out->spam = (flags & SPAM_FLAG) != 0;
    out->leg_count = (size_t)count;
    return NULL;
}

int record_decode(struct slice body, struct arena *arena, struct record *out, struct err *err)
{
    struct slice s = body;
    const char *fault = head_decode(&s, out);

    if (fault != NULL)
        return err_set(err, EX_DATAERR, "not a record: %s", fault);
    out->legs = arena_array(arena, out->leg_count, sizeof *out->legs);
    if (out->legs == NULL)
        return err_set(err, EX_OSERR, "out of memory for a record of %zu legs", out->leg_count);
    for (size_t i = 0; i < out->leg_count; i++) {
        if (!leg_decode(&s, i > 0 ? &out->legs[i - 1] : NULL, &out->legs[i]))
            return err_set(err, EX_DATAERR, "not a record: leg %zu of %zu is torn or damaged",
                           i + 1, out->leg_count);
    }
    if (s.len > 0)
        return err_set(err, EX_DATAERR, "not a record: %zu bytes behind its end", s.len);
    return 0;
}
