#include "lib/billing/bill_mirror.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES    1024
#define FIELD_BYTES  256
#define LINE_BYTES   65536
#define MONTH_LETTER 7 /* "2026-11" */

static redisReply *ask(struct reader *r, const char *command, struct slice field,
                       struct slice value, int type, struct err *err)
{
    struct slice argv[4] = {slice_str(command), SLICE_NONE, field, value};
    size_t argc = field.ptr == NULL ? 2 : value.ptr == NULL ? 3 : 4;
    redisReply *reply;
    struct buf key;

    buf_init(&key, KEY_BYTES);
    key_periods(&key, r->prefix);
    argv[1] = buf_slice(&key);
    reply = store_command(r->store, argc, argv, read_timeout_ms(r), err);
    if (reply != NULL && reply->type != REDIS_REPLY_NIL &&
        read_expect(r, reply, type, buf_slice(&key), err) != 0) {
        freeReplyObject(reply);
        reply = NULL;
    }
    buf_fini(&key);
    return reply;
}

/* --- reading --------------------------------------------------------------------------------- */

static int by_name(const void *left, const void *right)
{
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

static int read_months(struct reader *r, struct arena *arena, struct name_list *out,
                       struct err *err)
{
    redisReply *reply = ask(r, "HKEYS", SLICE_NONE, SLICE_NONE, REDIS_REPLY_ARRAY, err);

    *out = (struct name_list){.count = 0};
    if (reply == NULL)
        return -1;
    out->items = arena_array(arena, reply->elements + 1, sizeof *out->items);
    for (size_t i = 0; out->items != NULL && i < reply->elements; i++) {
        struct slice name = link_reply_text(reply->element[i]);

        if (name.len == MONTH_LETTER)
            out->items[out->count++] = arena_copy(arena, name);
    }
    freeReplyObject(reply);
    if (out->items == NULL)
        return read_no_memory(err);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, by_name);
    return 0;
}

/* The value of a field; ptr NULL: there is none. */
static int read_field(struct reader *r, struct slice field, struct arena *arena, struct slice *out,
                      struct err *err)
{
    redisReply *reply = ask(r, "HGET", field, SLICE_NONE, REDIS_REPLY_STRING, err);
    bool is_there = reply != NULL && reply->type == REDIS_REPLY_STRING;

    *out = SLICE_NONE;
    if (reply == NULL)
        return -1;
    if (is_there)
        *out = arena_copy(arena, link_reply_text(reply));
    freeReplyObject(reply);
    return is_there && out->ptr == NULL ? read_no_memory(err) : 0;
}

int bill_mirror_read(struct reader *r, struct arena *arena, struct bill_chain *out, struct err *err)
{
    struct name_list months;

    *out = (struct bill_chain){.count = 0};
    if (read_months(r, arena, &months, err) != 0)
        return -1;
    for (size_t i = 0; i < months.count; i++) {
        struct slice line;
        struct bill_entry e;

        if (read_field(r, months.items[i], arena, &line, err) != 0 ||
            bill_chain_parse_entry(line, &e, err) != 0 || bill_chain_add(out, &e, arena, err) != 0)
            return err_prefix(err, "redis at %s", store_where(r->store));
    }
    return 0;
}

int bill_mirror_entry(struct reader *r, struct slice month, struct arena *arena,
                      struct bill_entry *out, struct err *err)
{
    struct slice line;

    *out = (struct bill_entry){.month = SLICE_NONE};
    if (read_field(r, month, arena, &line, err) != 0)
        return -1;
    return line.ptr != NULL ? bill_chain_parse_entry(line, out, err) : 0;
}

static void file_field(const struct bill_entry *e, struct buf *field)
{
    buf_init(field, FIELD_BYTES);
    buf_add(field, e->month);
    buf_add_char(field, ' ');
    buf_add(field, e->hash);
}

int bill_mirror_file(struct reader *r, const struct bill_entry *e, struct arena *arena,
                     struct slice *file, struct err *err)
{
    struct buf field;
    int result;

    file_field(e, &field);
    result = read_field(r, buf_slice(&field), arena, file, err);
    buf_fini(&field);
    return result;
}

/* --- writing --------------------------------------------------------------------------------- */

static int put(struct reader *r, const char *command, struct slice field, struct slice value,
               long long *answer, struct err *err)
{
    redisReply *reply = ask(r, command, field, value, REDIS_REPLY_INTEGER, err);

    if (reply == NULL)
        return -1;
    *answer = reply->integer;
    freeReplyObject(reply);
    return 0;
}

/* What is there already may be what an earlier run on this host has written. */
static int is_ours(struct reader *r, const struct bill_entry *e, struct slice line, bool *ours,
                   struct err *err)
{
    struct arena arena;
    struct slice there;
    int result;

    arena_init(&arena, LINE_BYTES * 2);
    result = read_field(r, e->month, &arena, &there, err);
    *ours = result == 0 && slice_equal(there, line);
    arena_fini(&arena);
    return result;
}

static int add_line(struct reader *r, const struct bill_entry *e, struct slice line,
                    struct err *err)
{
    long long is_new = 0;
    bool ours = true;

    if (put(r, "HSETNX", e->month, line, &is_new, err) != 0)
        return -1;
    if (is_new == 0 && is_ours(r, e, line, &ours, err) != 0)
        return -1;
    return ours ? 0 : 1;
}

int bill_mirror_add(struct reader *r, const struct bill_entry *e, struct slice file,
                    struct err *err)
{
    struct buf field, line;
    long long ignored;
    int result;

    file_field(e, &field);
    buf_init(&line, LINE_BYTES);
    bill_chain_print(e, &line);
    result = put(r, "HSET", buf_slice(&field), file, &ignored, err);
    if (result == 0)
        result = add_line(r, e, slice_to(buf_slice(&line), line.len - 1), err);
    buf_fini(&line);
    buf_fini(&field);
    return result;
}

int bill_mirror_exporter(struct reader *r, struct slice month, const char *target,
                         struct slice host, bool take_over, struct arena *arena,
                         struct slice *exporter, struct err *err)
{
    struct buf field;
    long long ignored;
    int result;

    buf_init(&field, FIELD_BYTES);
    buf_addf(&field, "%.*s export %s", SLICE_FMT(month), target);
    result = put(r, take_over ? "HSET" : "HSETNX", buf_slice(&field), host, &ignored, err);
    if (result == 0)
        result = read_field(r, buf_slice(&field), arena, exporter, err);
    buf_fini(&field);
    return result;
}

static void note_field(struct slice month, struct slice node, struct buf *field)
{
    buf_init(field, FIELD_BYTES);
    buf_addf(field, "%.*s verified %.*s", SLICE_FMT(month), SLICE_FMT(node));
}

int bill_mirror_note(struct reader *r, struct slice month, struct slice node, struct arena *arena,
                     struct slice *note, struct err *err)
{
    struct buf field;
    int result;

    note_field(month, node, &field);
    result = read_field(r, buf_slice(&field), arena, note, err);
    buf_fini(&field);
    return result;
}

int bill_mirror_set_note(struct reader *r, struct slice month, struct slice node, struct slice note,
                         struct err *err)
{
    long long ignored;
    struct buf field;
    int result;

    note_field(month, node, &field);
    result = put(r, "HSET", buf_slice(&field), note, &ignored, err);
    buf_fini(&field);
    return result;
}
