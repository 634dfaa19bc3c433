#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/reconcile.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"

#define TIMEOUT_MS  5000
#define FIELDS_MAX  (4 + FINDING_KINDS)
#define NUMBER_ROOM 24

struct tell {
    struct slice argv[2 + 2 * FIELDS_MAX];
    char numbers[FIELDS_MAX][NUMBER_ROOM];
    size_t fields;
};

static void add(struct tell *t, const char *field, uint64_t number)
{
    char *text = t->numbers[t->fields];

    (void)snprintf(text, NUMBER_ROOM, "%" PRIu64, number);
    t->argv[2 + 2 * t->fields] = slice_str(field);
    t->argv[3 + 2 * t->fields] = slice_str(text);
    t->fields++;
}

size_t reconcile_count(const struct reconcile *w, enum finding_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++)
        n += !w->list[i].is_dropped && w->list[i].found->kind == kind;
    return n;
}

static int send(struct reconcile *w, const struct tell *t, struct err *err)
{
    redisReply *reply = store_command(w->cli->store, 2 + 2 * t->fields, t->argv, TIMEOUT_MS, err);
    int result = reply != NULL ? 0 : -1;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        result = err_set(err, EX_UNAVAILABLE, "redis at %s: %.*s", store_where(w->cli->store),
                         SLICE_FMT(slice_to(link_reply_text(reply), 200)));
    if (reply != NULL)
        freeReplyObject(reply);
    return result;
}

int reconcile_tell(struct reconcile *w, struct err *err)
{
    struct tell t = {.argv = {SLICE("HSET")}};
    struct buf key;
    int result;

    buf_init(&key, 1024);
    key_collect(&key, w->cli->settings->store.prefix, slice_str(w->cli->settings->node));
    t.argv[1] = buf_slice(&key);
    add(&t, "reconcile_at", (uint64_t)(clock_unix_ms() / 1000));
    add(&t, "reconcile_counted", w->findings.counted);
    add(&t, "reconcile_confirmed", w->findings.agreed);
    add(&t, "reconcile_not_compared", w->findings.unjudged);
    for (size_t k = 0; k < FINDING_KINDS; k++)
        add(&t, finding_kind_field((enum finding_kind)k), reconcile_count(w, (enum finding_kind)k));
    result = send(w, &t, err);
    buf_fini(&key);
    return result;
}
