#include "lib/redis/flat_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/link.h"

#define READ_BYTES   ((size_t)64 << 10)
#define FLAT_NO_TEXT SIZE_MAX
#define LENGTH_MAX   ((size_t)100000000) /* beyond all limits, and no number overflows before it */

void flat_reader_init(struct flat_reader *r)
{
    *r = (struct flat_reader){.bytes = NULL};
}

void flat_reader_fini(struct flat_reader *r)
{
    free(r->bytes);
    free(r->items);
    free(r->begin);
    flat_reader_init(r);
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

static int fault(struct err *err, const char *what)
{
    return err_set(err, EX_UNAVAILABLE, "not a Redis server: %s", what);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int grow(struct flat_reader *r, struct err *err)
{
    size_t room = r->room > 0 ? r->room * 2 : READ_BYTES;
    char *more;

    if (room > FLAT_MAX_BYTES)
        return err_set(err, EX_UNAVAILABLE, "a reply of more than %zu MB", FLAT_MAX_BYTES >> 20);
    more = realloc(r->bytes, room);
    if (more == NULL)
        return no_memory(err);
    r->bytes = more;
    r->room = room;
    return 0;
}

char *flat_reader_space(struct flat_reader *r, size_t *room, struct err *err)
{
    if (r->from > 0)
        memmove(r->bytes, r->bytes + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    if (r->to == r->room && grow(r, err) != 0)
        return NULL;
    *room = r->room - r->to;
    return r->bytes + r->to;
}

void flat_reader_add(struct flat_reader *r, size_t len)
{
    TG_ASSERT(len <= r->room - r->to);
    r->to += len;
}

bool flat_reader_has_more(const struct flat_reader *r)
{
    return r->from < r->to;
}

/* --- a reply --------------------------------------------------------------------------------- */

static int items_reserve(struct flat_reader *r, size_t count, struct err *err)
{
    struct slice *items;
    size_t *begin;

    if (count <= r->items_room)
        return 0;
    items = realloc(r->items, count * sizeof *items);
    if (items != NULL)
        r->items = items;
    begin = realloc(r->begin, count * sizeof *begin);
    if (begin != NULL)
        r->begin = begin;
    if (items == NULL || begin == NULL)
        return no_memory(err);
    r->items_room = count;
    return 0;
}

/* "$12\r\n" or "*3\r\n" at *at, which moves behind it; -1 stands for nil: FLAT_NO_TEXT. 0: it is
 * not whole yet. */
static int length_take(const struct flat_reader *r, size_t *at, size_t *length, struct err *err)
{
    const char *p = r->bytes + r->from + *at + 1, *end = r->bytes + r->to;
    size_t n = 0;
    bool is_nil = p < end && *p == '-';
    const char *digits = p += is_nil;

    for (; p < end && *p >= '0' && *p <= '9' && n <= LENGTH_MAX; p++)
        n = n * 10 + (size_t)(*p - '0');
    if (n <= LENGTH_MAX && (p == end || (p + 1 == end && *p == '\r')))
        return 0;
    if (n > LENGTH_MAX || p == digits || p[0] != '\r' || p[1] != '\n' || (is_nil && n != 1))
        return fault(err, "a length that is none");
    *at = (size_t)(p + 2 - r->bytes) - r->from;
    *length = is_nil ? FLAT_NO_TEXT : n;
    return 1;
}

static void item_set(struct flat_reader *r, size_t begin, size_t len)
{
    r->begin[r->count] = begin;
    r->items[r->count++].len = len;
}

/* The text of a bulk string at r->at. */
static int bulk_take(struct flat_reader *r, struct err *err)
{
    size_t at = r->at, len;
    const char *end;
    int got = length_take(r, &at, &len, err);

    if (got != 1)
        return got;
    if (len == FLAT_NO_TEXT) {
        item_set(r, FLAT_NO_TEXT, 0);
        r->at = at;
        return 1;
    }
    if (len > FLAT_MAX_BYTES)
        return fault(err, "a text that is too long");
    if (r->to - r->from - at < len + 2)
        return 0;
    end = r->bytes + r->from + at + len;
    if (end[0] != '\r' || end[1] != '\n')
        return fault(err, "a text that is longer than its length");
    item_set(r, at, len);
    r->at = at + len + 2;
    return 1;
}

/* A status or an error: a line. */
static int line_take(struct flat_reader *r, struct err *err)
{
    const char *line = r->bytes + r->from + r->at + 1;
    const char *end = memchr(line, '\n', (size_t)(r->bytes + r->to - line));

    if (end == NULL)
        return r->to - r->from < READ_BYTES ? 0 : fault(err, "a line that is too long");
    item_set(r, r->at + 1, (size_t)(end - line) - (end > line && end[-1] == '\r'));
    r->at = (size_t)(end + 1 - r->bytes) - r->from;
    return 1;
}

static int array_begin(struct flat_reader *r, struct err *err)
{
    size_t count;
    int got = length_take(r, &r->at, &count, err);

    if (got != 1)
        return got;
    r->want = 0;
    if (count == FLAT_NO_TEXT) {
        r->kind = FLAT_NIL;
        return 1;
    }
    if (count > LINK_ARRAY_MAX)
        return fault(err, "an array that is too long");
    r->kind = FLAT_ARRAY;
    r->want = count;
    return items_reserve(r, count, err) == 0 ? 1 : -1;
}

/* What the first byte says. */
static int begin(struct flat_reader *r, struct err *err)
{
    char first = r->bytes[r->from];
    int got;

    r->at = r->count = 0;
    if (items_reserve(r, 1, err) != 0)
        return -1;
    if (first == '*')
        return array_begin(r, err);
    r->kind = first == '-' ? FLAT_ERROR : FLAT_TEXT;
    r->want = 1;
    if (first == '$')
        got = bulk_take(r, err);
    else if (first == '-' || first == '+')
        got = line_take(r, err);
    else
        got = fault(err, "a reply that is neither a text nor an array");
    if (got == 1 && r->begin[0] == FLAT_NO_TEXT)
        r->kind = FLAT_NIL;
    return got;
}

static void give(struct flat_reader *r, struct flat_reply *out)
{
    for (size_t i = 0; i < r->count; i++)
        r->items[i].ptr = r->begin[i] != FLAT_NO_TEXT ? r->bytes + r->from + r->begin[i] : NULL;
    *out = (struct flat_reply){r->kind, r->items, r->kind != FLAT_NIL ? r->count : 0};
    r->from += r->at;
    r->is_begun = false;
}

int flat_reader_next(struct flat_reader *r, struct flat_reply *out, struct err *err)
{
    int got = 1;

    if (r->from == r->to)
        return 0;
    if (!r->is_begun) {
        got = begin(r, err);
        r->is_begun = got == 1;
    }
    while (got == 1 && r->count < r->want) {
        if (r->from + r->at == r->to)
            return 0;
        if (r->bytes[r->from + r->at] != '$')
            return fault(err, "an array of other things than texts");
        got = bulk_take(r, err);
    }
    if (got == 1)
        give(r, out);
    return got;
}

/* --- replies that are made already ----------------------------------------------------------- */

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
           reply->type == REDIS_REPLY_ERROR;
}

static int view_array(struct flat_reader *r, const redisReply *reply, struct flat_reply *out,
                      struct err *err)
{
    if (items_reserve(r, reply->elements, err) != 0)
        return -1;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!is_text(reply->element[i]) && reply->element[i]->type != REDIS_REPLY_NIL)
            return fault(err, "an array of other things than texts");
        r->items[i] = link_reply_text(reply->element[i]);
    }
    *out = (struct flat_reply){FLAT_ARRAY, r->items, reply->elements};
    return 0;
}

int flat_reader_view(struct flat_reader *r, const redisReply *reply, struct flat_reply *out,
                     struct err *err)
{
    if (reply->type == REDIS_REPLY_ARRAY)
        return view_array(r, reply, out, err);
    if (items_reserve(r, 1, err) != 0)
        return -1;
    if (!is_text(reply) && reply->type != REDIS_REPLY_NIL)
        return fault(err, "a reply that is neither a text nor an array");
    r->items[0] = link_reply_text(reply);
    *out = (struct flat_reply){.kind = reply->type == REDIS_REPLY_NIL     ? FLAT_NIL
                                       : reply->type == REDIS_REPLY_ERROR ? FLAT_ERROR
                                                                          : FLAT_TEXT,
                               .items = r->items,
                               .count = reply->type != REDIS_REPLY_NIL};
    return 0;
}
