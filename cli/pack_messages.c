#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/pack.h"
#include "lib/core/text.h"
#include "lib/ledger/messages_read.h"

struct pack_message {
    int64_t time_ms;
    const char *kind;
    struct slice queue_id, user;
    uint64_t messages, recipients, bytes;
};

struct packing {
    struct pack_message *items; /* at most twice as many as are wanted */
    size_t count, top;
    uint64_t least; /* bytes of the smallest that is wanted, once there are enough */
    struct arena *arena;
};

static int by_bytes(const void *left, const void *right)
{
    const struct pack_message *a = left, *b = right;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a->time_ms < b->time_ms ? -1 : a->time_ms > b->time_ms;
}

static void keep_largest(struct packing *p)
{
    if (p->count > 1)
        qsort(p->items, p->count, sizeof *p->items, by_bytes);
    if (p->count < p->top)
        return;
    p->count = p->top;
    p->least = p->items[p->top - 1].bytes;
}

static int take(void *context, const struct message_row *row, struct err *err)
{
    struct packing *p = context;
    struct pack_message *m;

    if (p->top == 0 || row->bytes < p->least)
        return 0;
    if (p->count == 2 * p->top)
        keep_largest(p);
    m = &p->items[p->count++];
    *m = (struct pack_message){.time_ms = row->time_ms,
                               .kind = messages_read_class(row->kind),
                               .queue_id = arena_copy(p->arena, row->queue_id),
                               .user = arena_copy(p->arena, row->user),
                               .messages = row->messages,
                               .recipients = row->recipients,
                               .bytes = row->bytes};
    return m->queue_id.ptr != NULL && m->user.ptr != NULL ? 0
                                                          : err_set(err, EX_OSERR, "out of memory");
}

static void add_line(const struct pack_message *m, struct buf *out)
{
    text_time_exact(out, m->time_ms / 1000);
    buf_addf(out, ",%.*s,%s,\"", SLICE_FMT(m->queue_id), m->kind);
    for (size_t i = 0; i < m->user.len; i++) {
        if (m->user.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, m->user.ptr[i]);
    }
    buf_addf(out, "\",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", m->messages, m->recipients, m->bytes);
}

int pack_messages(const struct pack_messages *m, struct arena *arena, struct buf *out,
                  struct err *err)
{
    struct messages_query query = {.settings = m->settings,
                                   .from_ms = m->from_s * 1000,
                                   .to_ms = m->to_s * 1000,
                                   .account = m->account,
                                   .kind = -1};
    struct packing p = {.top = m->top, .arena = arena};
    struct messages_known known;

    p.items = arena_array(arena, 2 * m->top + 1, sizeof *p.items);
    if (p.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    buf_add_str(out, "time,queue_id,class,user,messages,recipients,bytes\n");
    /* A host without tollgated, or a journal that this user may not read, has no messages. */
    if (messages_read(&query, take, &p, &known, err) != 0)
        return err->code == EX_NOINPUT || err->code == EX_NOPERM ? 0 : -1;
    if (p.top > 0)
        keep_largest(&p);
    for (size_t i = 0; i < p.count; i++)
        add_line(&p.items[i], out);
    return 0;
}
