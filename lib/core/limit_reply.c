#include "lib/core/limit_reply.h"

#include <inttypes.h>
#include <string.h>

#define LEAD ": limit of " /* behind the holder */

static const char *const units[METRIC_COUNT] = {[METRIC_RECIPIENTS] = "recipient",
                                                [METRIC_MESSAGES] = "message",
                                                [METRIC_BYTES] = "byte",
                                                [METRIC_BOUNCES] = "bounce"};

static void add_plain(struct buf *b, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(b, (char)(c > ' ' && c < 0x7f ? c : '?'));
    }
}

/* "alice@example.com", "example.com", "this server", "client 192.0.2.1", "customer 4711" */
static void add_holder(struct buf *b, const struct limit_check *d)
{
    if (d->scope == LIMIT_SERVER)
        buf_add_str(b, "this server");
    else if (d->scope == LIMIT_CLIENT) {
        buf_add_str(b, "client ");
        add_plain(b, slice_from(d->holder, sizeof HOLDER_CLIENT - 1));
    } else if (d->scope == LIMIT_CUSTOMER) {
        buf_add_str(b, "customer ");
        add_plain(b, slice_from(d->holder, sizeof HOLDER_CUSTOMER - 1));
    } else
        add_plain(b, slice_to(d->subject.len > 0 ? d->subject : d->holder, 200));
}

/* "1 second", "3 recipients" */
static void add_count(struct buf *b, uint64_t n, const char *one)
{
    buf_addf(b, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
}

static void add_wait(struct buf *b, const struct throttle_verdict *v)
{
    uint64_t s = (uint64_t)(v->answer->retry_after_ms + 999) / 1000;

    buf_add_str(b, v->action == ACTION_REJECT ? ", more is accepted in " : ", try again in ");
    if (s < 120)
        add_count(b, s < 1 ? 1 : s, "second");
    else if (s < 7200)
        add_count(b, (s + 59) / 60, "minute");
    else
        add_count(b, (s + 3599) / 3600, "hour");
}

/* "600 recipients per hour reached (600 used, 3 more wanted), try again in 12 minutes" */
static void add_limit(struct buf *b, const struct throttle_verdict *v)
{
    const struct limit *l = v->limit;

    add_count(b, l->max, units[l->metric]);
    buf_addf(b, " per %.*s", SLICE_FMT(l->per));
    if (l->max == 0) {
        buf_add_str(b, ": none is accepted");
    } else if (v->answer->retry_after_ms < 0) {
        buf_add_str(b, ": a message with ");
        add_count(b, v->check->amount, units[l->metric]);
        buf_add_str(b, " never fits");
    } else {
        buf_addf(b, " reached (%" PRIu64 " used, %" PRIu64 " more wanted)", v->answer->used,
                 v->check->amount);
        add_wait(b, v);
    }
}

struct slice limit_reply(const struct throttle_verdict *verdict, struct slice more,
                         struct arena *arena)
{
    struct buf b;
    struct slice text;

    buf_init(&b, LIMIT_REPLY_MAX_BYTES);
    add_holder(&b, verdict->check);
    buf_add_str(&b, LEAD);
    add_limit(&b, verdict);
    if (more.len > 0 && buf_slice(&b).len + 2 + more.len <= LIMIT_REPLY_MAX_BYTES)
        buf_addf(&b, "; %.*s", SLICE_FMT(more));
    text = arena_copy(arena, buf_slice(&b));
    buf_fini(&b);
    return text;
}

/* "600 recipients per ": a number, a unit of limits. */
static bool is_amount(struct slice text)
{
    struct slice rest = text, number, unit, per;
    uint64_t max;
    enum limit_metric metric;

    if (!slice_word(&rest, " ", &number) || !slice_number(number, &max) ||
        !slice_word(&rest, " ", &unit) || !slice_word(&rest, " ", &per) ||
        !slice_equal(per, SLICE("per")))
        return false;
    for (metric = 0; metric < METRIC_COUNT; metric++) {
        if (slice_equal(slice_to(unit, strlen(units[metric])), slice_str(units[metric])))
            return true;
    }
    return false;
}

bool limit_reply_is(struct slice text)
{
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, LEAD, sizeof LEAD - 1) : NULL;

    return at != NULL && is_amount(slice_from(text, (size_t)(at - text.ptr) + sizeof LEAD - 1));
}
