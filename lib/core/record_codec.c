/*
 * A record as bytes: version, kind, queue id, then the parts that its kind has. Integers are
 * varints, texts a length and bytes, lists their length and items.
 *
 *   message  bytes, priority with spam; legs
 *   amounts
 *   held     account in whose line it waits, client's IP; legs wanted
 *   number   of the held record
 *   place    name of the queue that the held message is in
 *
 * A leg is its kind (with flags), account, user (each only where its flag says so), messages,
 * recipients, bytes, bounces. An amount is flags, account, user, name of the counter, value. The
 * account is left out where it is that of the leg (amount) before.
 *
 * Version 1 had messages alone: version, queue id, and what is here the part message.
 */
#include <sysexits.h>

#include "lib/core/record.h"

#define VERSION         2
#define VERSION_1       1
#define KIND_MASK       0x0f
#define HAS_ACCOUNT     0x10
#define HAS_USER        0x20
#define HAS_BOUNCES     0x40
#define FLAGGED         0x80 /* legs: opens; legs wanted: sends */
#define SPAM_FLAG       0x04
#define PRIORITIES      4
#define LEG_MIN_SIZE    4 /* kind, messages, recipients, bytes: no leg takes less */
#define AMOUNT_MIN_SIZE 4 /* flags, a name of one letter, value */

#define PART_MESSAGE    1
#define PART_AMOUNTS    2
#define PART_HELD       4
#define PART_NUMBER     8
#define PART_PLACE      16

static const unsigned parts_of[RECORD_KINDS] = {
    [RECORD_MESSAGE] = PART_MESSAGE | PART_AMOUNTS,
    [RECORD_EVENT] = PART_AMOUNTS,
    [RECORD_HELD] = PART_MESSAGE | PART_AMOUNTS | PART_HELD,
    [RECORD_RELEASE] = PART_AMOUNTS | PART_NUMBER,
    [RECORD_FORGET] = PART_NUMBER,
    [RECORD_PLACE] = PART_NUMBER | PART_PLACE,
};

/* --- encoding -------------------------------------------------------------------------------- */

static void format_text(struct buf *b, struct slice text)
{
    buf_add_varint(b, text.len);
    buf_add(b, text);
}

/* Flags, then account and user, as far as they are there and new. */
static void owner_add(struct buf *b, unsigned flags, struct slice account, struct slice user,
                      const struct slice *account_before)
{
    bool has_account = account_before == NULL || !slice_equal(account, *account_before);

    buf_add_char(b,
                 (char)(flags | (has_account ? HAS_ACCOUNT : 0) | (user.len > 0 ? HAS_USER : 0)));
    if (has_account)
        format_text(b, account);
    if (user.len > 0)
        format_text(b, user);
}

static void legs_encode(const struct leg *legs, size_t count, struct buf *b)
{
    buf_add_varint(b, count);
    for (size_t i = 0; i < count; i++) {
        const struct leg *leg = &legs[i];
        unsigned flags = (unsigned)leg->kind | (leg->bounces > 0 ? HAS_BOUNCES : 0) |
                         (leg->sends || leg->opens ? FLAGGED : 0);

        owner_add(b, flags, leg->account, leg->user, i > 0 ? &legs[i - 1].account : NULL);
        buf_add_varint(b, leg->messages);
        buf_add_varint(b, leg->recipients);
        buf_add_varint(b, leg->bytes);
        if (leg->bounces > 0)
            buf_add_varint(b, leg->bounces);
    }
}

static void amounts_encode(const struct record *r, struct buf *b)
{
    buf_add_varint(b, r->amount_count);
    for (size_t i = 0; i < r->amount_count; i++) {
        const struct amount *a = &r->amounts[i];

        owner_add(b, 0, a->account, a->user, i > 0 ? &r->amounts[i - 1].account : NULL);
        format_text(b, slice_str(counter_table[a->counter].name));
        buf_add_varint(b, a->value);
    }
}

void record_encode(const struct record *r, struct buf *b)
{
    unsigned parts = parts_of[r->kind];

    buf_add_char(b, VERSION);
    buf_add_char(b, (char)r->kind);
    format_text(b, r->queue_id);
    if ((parts & PART_MESSAGE) != 0) {
        buf_add_varint(b, r->bytes);
        buf_add_char(b, (char)((unsigned)r->priority | (r->spam ? SPAM_FLAG : 0)));
        legs_encode(r->legs, r->leg_count, b);
    }
    if ((parts & PART_AMOUNTS) != 0)
        amounts_encode(r, b);
    if ((parts & PART_HELD) != 0) {
        format_text(b, r->held_by);
        format_text(b, r->client_ip);
        legs_encode(r->wanted, r->wanted_count, b);
    }
    if ((parts & PART_NUMBER) != 0)
        buf_add_varint(b, r->held_number);
    if ((parts & PART_PLACE) != 0)
        format_text(b, r->place);
}

/* --- decoding -------------------------------------------------------------------------------- */

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

/* Length of a list whose items take at least so many bytes each. */
static bool count_take(struct slice *s, size_t item_min_size, size_t *count)
{
    uint64_t value;

    if (!slice_take_varint(s, &value) || value > s->len / item_min_size)
        return false;
    *count = (size_t)value;
    return true;
}

static bool owner_take(struct slice *s, const struct slice *account_before, unsigned *flags,
                       struct slice *account, struct slice *user)
{
    if (!byte_take(s, flags))
        return false;
    if ((*flags & HAS_ACCOUNT) == 0 && account_before == NULL)
        return false;
    if ((*flags & HAS_ACCOUNT) == 0)
        *account = *account_before;
    else if (!text_take(s, account))
        return false;
    return (*flags & HAS_USER) == 0 || text_take(s, user);
}

static bool leg_take(struct slice *s, const struct leg *before, bool is_wanted, struct leg *leg)
{
    unsigned flags;

    if (!owner_take(s, before != NULL ? &before->account : NULL, &flags, &leg->account,
                    &leg->user) ||
        (flags & KIND_MASK) >= LEG_KINDS)
        return false;
    leg->kind = (enum leg_kind)(flags & KIND_MASK);
    leg->sends = is_wanted && (flags & FLAGGED) != 0;
    leg->opens = !is_wanted && (flags & FLAGGED) != 0;
    if (!slice_take_varint(s, &leg->messages) || !slice_take_varint(s, &leg->recipients) ||
        !slice_take_varint(s, &leg->bytes))
        return false;
    return (flags & HAS_BOUNCES) == 0 || slice_take_varint(s, &leg->bounces);
}

static int no_memory(const char *what, size_t count, struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for a record of %zu %s", count, what);
}

static int legs_decode(struct slice *s, bool is_wanted, struct arena *arena, struct leg **legs,
                       size_t *count, struct err *err)
{
    if (!count_take(s, LEG_MIN_SIZE, count))
        return err_set(err, EX_DATAERR, "not a record: it has fewer legs than it says");
    *legs = arena_array(arena, *count, sizeof **legs);
    if (*legs == NULL)
        return no_memory("legs", *count, err);
    for (size_t i = 0; i < *count; i++) {
        if (!leg_take(s, i > 0 ? &(*legs)[i - 1] : NULL, is_wanted, &(*legs)[i]))
            return err_set(err, EX_DATAERR, "not a record: leg %zu of %zu is torn or damaged",
                           i + 1, *count);
    }
    return 0;
}

static bool amount_take(struct slice *s, const struct amount *before, struct amount *a,
                        struct slice *name)
{
    unsigned flags;

    return owner_take(s, before != NULL ? &before->account : NULL, &flags, &a->account, &a->user) &&
           (flags & ~(unsigned)(HAS_ACCOUNT | HAS_USER)) == 0 && text_take(s, name) &&
           slice_take_varint(s, &a->value);
}

static int amounts_decode(struct slice *s, struct arena *arena, struct record *out, struct err *err)
{
    if (!count_take(s, AMOUNT_MIN_SIZE, &out->amount_count))
        return err_set(err, EX_DATAERR, "not a record: it has fewer amounts than it says");
    out->amounts = arena_array(arena, out->amount_count, sizeof *out->amounts);
    if (out->amounts == NULL)
        return no_memory("amounts", out->amount_count, err);
    for (size_t i = 0; i < out->amount_count; i++) {
        struct amount *a = &out->amounts[i];
        struct slice name;
        int counter;

        if (!amount_take(s, i > 0 ? &out->amounts[i - 1] : NULL, a, &name))
            return err_set(err, EX_DATAERR, "not a record: amount %zu of %zu is torn or damaged",
                           i + 1, out->amount_count);
        counter = counter_find(name);
        if (counter < 0)
            return err_set(err, EX_DATAERR,
                           "not a record: its counter \"%.*s\" is not known to this release",
                           (int)(name.len < 60 ? name.len : 60), name.ptr);
        a->counter = (enum counter)counter;
    }
    return 0;
}

static int message_decode(struct slice *s, struct arena *arena, struct record *out, struct err *err)
{
    unsigned flags;

    if (!slice_take_varint(s, &out->bytes) || !byte_take(s, &flags))
        return err_set(err, EX_DATAERR, "not a record: it ends too early");
    if ((flags & ~(unsigned)SPAM_FLAG) >= PRIORITIES)
        return err_set(err, EX_DATAERR, "not a record: its priority is unknown");
    out->priority = (enum priority)(flags & ~(unsigned)SPAM_FLAG);
    out->spam = (flags & SPAM_FLAG) != 0;
    return legs_decode(s, false, arena, &out->legs, &out->leg_count, err);
}

/* Version, kind and queue id; which parts there are. */
static int head_decode(struct slice *s, struct record *out, unsigned *parts, struct err *err)
{
    unsigned version, kind = RECORD_MESSAGE;
    const char *fault = NULL;

    if (!byte_take(s, &version))
        fault = "it is empty";
    else if (version != VERSION && version != VERSION_1)
        fault = "its version is not known to this release";
    else if (version != VERSION_1 && !byte_take(s, &kind))
        fault = "it ends too early";
    else if (kind >= RECORD_KINDS)
        fault = "it is of an unknown kind";
    else if (!text_take(s, &out->queue_id))
        fault = "it ends too early";
    if (fault != NULL)
        return err_set(err, EX_DATAERR, "not a record: %s", fault);
    out->kind = (enum record_kind)kind;
    *parts = version == VERSION_1 ? PART_MESSAGE : parts_of[kind];
    return 0;
}

int record_decode(struct slice body, struct arena *arena, struct record *out, struct err *err)
{
    struct slice s = body;
    unsigned parts = 0;

    *out = (struct record){.number = out->number, .time_ms = out->time_ms};
    if (head_decode(&s, out, &parts, err) != 0)
        return -1;
    if ((parts & PART_MESSAGE) != 0 && message_decode(&s, arena, out, err) != 0)
        return -1;
    if ((parts & PART_AMOUNTS) != 0 && amounts_decode(&s, arena, out, err) != 0)
        return -1;
    if ((parts & PART_HELD) != 0) {
        if (!text_take(&s, &out->held_by) || !text_take(&s, &out->client_ip))
            return err_set(err, EX_DATAERR, "not a record: it ends too early");
        if (legs_decode(&s, true, arena, &out->wanted, &out->wanted_count, err) != 0)
            return -1;
    }
    if (((parts & PART_NUMBER) != 0 && !slice_take_varint(&s, &out->held_number)) ||
        ((parts & PART_PLACE) != 0 && !text_take(&s, &out->place)))
        return err_set(err, EX_DATAERR, "not a record: it ends too early");
    if (s.len > 0)
        return err_set(err, EX_DATAERR, "not a record: %zu bytes behind its end", s.len);
    return 0;
}
