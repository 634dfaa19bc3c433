#include "lib/redis/flat_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/link.h"

#define LINE_MAX_BYTES ((size_t)64 << 10) /* of a status, an error, or a length */
#define FLAT_NO_TEXT   SIZE_MAX

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

static int fault(struct err *err, const char *what)
{
    return err_set(err, EX_UNAVAILABLE, "not a Redis server: %s", what);
}

/* --- what hiredis' reader calls: NULL ends the reading ---------------------------------------- */

static void *refuse(struct flat_reader *r, const char *why)
{
    r->fault = why;
    return NULL;
}

static bool items_reserve(struct flat_reader *r, size_t count)
{
    struct slice *items;
    size_t *begin;

    if (count <= r->items_room)
        return true;
    items = realloc(r->items, count * sizeof *items);
    if (items != NULL)
        r->items = items;
    begin = realloc(r->begin, count * sizeof *begin);
    if (begin != NULL)
        r->begin = begin;
    if (items == NULL || begin == NULL)
        return false;
    r->items_room = count;
    return true;
}

/* Where a task is not an element, the reply begins with it. */
static bool item_begin(struct flat_reader *r, const redisReadTask *task, enum flat_kind kind,
                       size_t want)
{
    if (task->parent != NULL)
        return true;
    r->kind = kind;
    r->want = want;
    r->count = 0;
    buf_reset(&r->text);
    return items_reserve(r, want);
}

static void *item_add(struct flat_reader *r, size_t begin, size_t len)
{
    r->begin[r->count] = begin;
    r->items[r->count++].len = len;
    return r;
}

static void *string_made(const redisReadTask *task, char *text, size_t len)
{
    struct flat_reader *r = task->privdata;
    bool is_text = task->type == REDIS_REPLY_STRING || task->type == REDIS_REPLY_STATUS ||
                   task->type == REDIS_REPLY_ERROR;
    size_t begin;

    if (!is_text)
        return refuse(r, "a reply that is neither a text nor an array");
    if (!item_begin(r, task, task->type == REDIS_REPLY_ERROR ? FLAT_ERROR : FLAT_TEXT, 1))
        return NULL;
    if (len > FLAT_MAX_BYTES - r->text.len)
        return refuse(r, "a reply that is too long");
    begin = r->text.len;
    buf_add(&r->text, (struct slice){text, len});
    return r->text.failed ? NULL : item_add(r, begin, len);
}

static void *nil_made(const redisReadTask *task)
{
    struct flat_reader *r = task->privdata;

    return item_begin(r, task, FLAT_NIL, 1) ? item_add(r, FLAT_NO_TEXT, 0) : NULL;
}

static void *array_made(const redisReadTask *task, link_element_count count)
{
    struct flat_reader *r = task->privdata;

    if (task->parent != NULL || task->type != REDIS_REPLY_ARRAY)
        return refuse(r, "an array of other things than texts");
    if ((size_t)count > LINK_ARRAY_MAX)
        return refuse(r, "an array that is too long");
    return item_begin(r, task, FLAT_ARRAY, (size_t)count) ? r : NULL;
}

static void *number_made(const redisReadTask *task, long long number)
{
    (void)number;
    return refuse(task->privdata, "a number where a text should be");
}

/* All that was made is the reader's. */
static void nothing_freed(void *made)
{
    (void)made;
}

static redisReplyObjectFunctions functions = {.createString = string_made,
                                              .createArray = array_made,
                                              .createInteger = number_made,
                                              .createNil = nil_made,
                                              .freeObject = nothing_freed};

/* --- bytes in, replies out ------------------------------------------------------------------- */

int flat_reader_init(struct flat_reader *r, struct err *err)
{
    *r = (struct flat_reader){.reader = redisReaderCreateWithFunctions(&functions)};
    buf_init(&r->text, FLAT_MAX_BYTES);
    if (r->reader == NULL)
        return no_memory(err);
    r->reader->privdata = r;
    r->reader->maxbuf = 0; /* its buffer is kept */
    return 0;
}

void flat_reader_fini(struct flat_reader *r)
{
    if (r->reader != NULL)
        redisReaderFree(r->reader);
    buf_fini(&r->text);
    free(r->items);
    free(r->begin);
    *r = (struct flat_reader){.reader = NULL};
}

int flat_reader_feed(struct flat_reader *r, struct slice bytes, struct err *err)
{
    if (r->reader->len - r->reader->pos + bytes.len > FLAT_MAX_BYTES)
        return err_set(err, EX_UNAVAILABLE, "a reply of more than %zu MB", FLAT_MAX_BYTES >> 20);
    return redisReaderFeed(r->reader, bytes.ptr, bytes.len) == REDIS_OK ? 0 : no_memory(err);
}

bool flat_reader_has_more(const struct flat_reader *r)
{
    return r->reader->pos < r->reader->len;
}

/* hiredis waits for the end of a line as long as bytes come, and looks for it anew each time. */
static bool line_has_no_end(const redisReader *reader)
{
    return reader->len - reader->pos > LINE_MAX_BYTES &&
           memchr(reader->buf + reader->pos, '\n', LINE_MAX_BYTES) == NULL;
}

static int failed(const struct flat_reader *r, struct err *err)
{
    if (r->fault != NULL)
        return fault(err, r->fault);
    return r->reader->err == REDIS_ERR_OOM ? no_memory(err) : fault(err, r->reader->errstr);
}

int flat_reader_next(struct flat_reader *r, struct flat_reply *out, struct err *err)
{
    void *made = NULL;
    const char *text;

    if (redisReaderGetReply(r->reader, &made) != REDIS_OK)
        return failed(r, err);
    if (made == NULL)
        return line_has_no_end(r->reader) ? fault(err, "a line that is too long") : 0;
    if (made != r || r->count != r->want) /* of a type that hiredis makes nothing for */
        return fault(err, "an array of other things than texts");
    text = buf_slice(&r->text).ptr;
    for (size_t i = 0; i < r->count; i++)
        r->items[i].ptr = r->begin[i] != FLAT_NO_TEXT ? text + r->begin[i] : NULL;
    *out = (struct flat_reply){r->kind, r->items, r->kind != FLAT_NIL ? r->count : 0};
    return 1;
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
    if (!items_reserve(r, reply->elements))
        return no_memory(err);
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
    if (!items_reserve(r, 1))
        return no_memory(err);
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
