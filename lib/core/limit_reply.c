#include "lib/core/limit_reply.h"

#include <inttypes.h>

static void add_plain(struct buf *b, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(b, (char)(c > ' ' && c < 0x7f ? c : '?'));
    }
}

/* "alice@example.com", "example.com", "this server", "client 192.0.2.1" */
static void add_holder(struct buf *b, const struct limit_check *d)
{
    if (d->scope == LIMIT_SERVER)
        buf_add_str(b, "this server");
    else if (d->scope == LIMIT_CLIENT) {
        buf_add_str(b, "client ");
        add_plain(b, slice_from(d->holder, sizeof HOLDER_CLIENT - 1));
    } else
        add_plain(b, slice_to(d->subject.len > 0 ? d->subject : d->holder, 200));
}

static void add_wait(struct buf *b, int64_t ms)
{
    int64_t s = (ms + 999) / 1000;

    if (s < 0)
        buf_add_str(b, ", a message of this size will never fit");
    else if (s < 120)
        buf_addf(b, ", try again in %" PRId64 " seconds", s < 1 ? 1 : s);
    else if (s < 7200)
        buf_addf(b, ", try again in %" PRId64 " minutes", (s + 59) / 60);
    else
        buf_addf(b, ", try again in %" PRId64 " hours", (s + 3599) / 3600);
}

struct slice limit_reply(const struct throttle_verdict *verdict, struct arena *arena)
{
    const struct limit *l = verdict->limit;
    struct buf b;
    struct slice text;

    buf_init(&b, LIMIT_REPLY_MAX_BYTES);
    add_holder(&b, verdict->check);
    buf_addf(&b, ": limit of %" PRIu64 " %s per %.*s reached (%" PRIu64 " used)", l->max,
             limit_metric_name(l->metric), SLICE_FMT(l->per), verdict->answer->used);
    add_wait(&b, verdict->answer->retry_after_ms < 0 ? -1000 : verdict->answer->retry_after_ms);
    text = arena_copy(arena, buf_slice(&b));
    buf_fini(&b);
    return text;
}
