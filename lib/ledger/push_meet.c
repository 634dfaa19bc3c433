#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/push_node.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"

#define CLAIM_TIMEOUT_MS 5000

/* For how long the hash has been seen as it is. */
static int64_t watch(struct push_node_hash *n, const struct push_node_look *look)
{
    struct push_node_watch *w = &n->watch;
    int64_t now_ms = clock_monotonic_ms();
    bool is_same_run = strcmp(w->run, look->run) == 0;

    if (w->since_ms != 0 && is_same_run && strcmp(w->stamp, look->stamp) == 0)
        return now_ms - w->since_ms;
    w->is_moving = w->since_ms != 0 && is_same_run;
    w->since_ms = now_ms;
    (void)snprintf(w->run, sizeof w->run, "%s", look->run);
    (void)snprintf(w->stamp, sizeof w->stamp, "%s", look->stamp);
    return 0;
}

static bool is_own_share(const struct ledger *l, const char *share_id)
{
    struct ledger_share_info info;

    for (size_t i = 0; ledger_share_at(l, i, &info); i++) {
        if (slice_equal(info.share_id, slice_str(share_id)) &&
            slice_equal(info.node, ledger_node(l)))
            return true;
    }
    return false;
}

/* Redis has had rows of this ledger, if not of its present share. */
static bool has_met(const struct ledger *l)
{
    struct ledger_share_info info;

    for (size_t i = 0; ledger_share_at(l, i, &info); i++) {
        if (info.has_met)
            return true;
    }
    return false;
}

int push_meet_decide(struct push_node_hash *n, const struct push_node_look *look,
                     enum learn_verdict *verdict, struct err *err)
{
    const struct ledger_meta *meta = ledger_meta(n->ledger);
    struct ledger_share_info present;
    struct learn_self self;
    struct learn_found found;
    uint64_t end = 0;
    int known = ledger_run_find(n->ledger, slice_str(look->run), &end, err);

    if (known < 0)
        return -1;
    (void)ledger_share_at(n->ledger, 0, &present);
    /* A claim that this ledger has written, and not seen confirmed before it was killed. */
    if (known == 1 && end < meta->claim_tried)
        end = meta->claim_tried;
    /* What was there a moment ago, ours or not, is lost as well. */
    self = (struct learn_self){.share_id = present.share_id,
                               .run = slice_str(n->id.run),
                               .place = slice_str(n->id.place),
                               .stamp = meta->stamp,
                               .stamp_tried = meta->stamp_tried,
                               .has_met = has_met(n->ledger) || n->watch.since_ms != 0,
                               .was_named = present.has_met,
                               .is_writing = n->is_writing,
                               .watch_ms = n->watch_ms};
    found = (struct learn_found){.is_there = look->is_there,
                                 .share_id = slice_str(look->share_id),
                                 .run = slice_str(look->run),
                                 .place = slice_str(look->place),
                                 .number = look->number,
                                 .is_stopped = look->is_stopped,
                                 .has_left = look->since > 0,
                                 .is_share_ours = is_own_share(n->ledger, look->share_id),
                                 .is_run_ours = known == 1,
                                 .run_end = end,
                                 .silent_ms = watch(n, look)};
    found.is_moving = n->watch.is_moving;
    (void)slice_number(slice_str(look->stamp), &found.stamp);
    *verdict = learn_node(&self, &found);
    return 0;
}

bool push_meet_is_loss(struct push_node_hash *n, const struct push_node_look *look,
                       struct push_node_found *found)
{
    struct ledger_share_info present;
    uint64_t stamp = 0;

    (void)ledger_share_at(n->ledger, 0, &present);
    (void)slice_number(slice_str(look->stamp), &stamp);
    found->is_anew = look->is_there && (!slice_equal(present.share_id, slice_str(look->share_id)) ||
                                        stamp > ledger_meta(n->ledger)->stamp_tried);
    n->has_lost = n->has_lost || found->state == NODE_LOST || found->is_anew;
    return n->has_lost || !look->is_there;
}

/* Where the other ledger went on from a record that this one had not claimed yet, some records
 * count under both shares. */
static void say_left(const struct push_node_hash *n, const struct push_node_look *look,
                     const char *old_id, struct err *left)
{
    struct ledger_share_info present;
    size_t len;

    (void)ledger_share_at(n->ledger, 0, &present);
    (void)err_set(
        left, EX_CONFIG,
        "node \"%.*s\": Redis has records of share %s that this %s does not have "
        "(written by %s): %s was restored from a backup, or another %s runs on a copy of it. "
        "Counting goes on under share %.*s%s",
        SLICE_FMT(ledger_node(n->ledger)), old_id, n->kind->has_source ? "ledger" : "journal",
        look->host[0] != '\0' ? look->host : "another host",
        n->kind->has_source ? "the ledger" : "state_dir", n->kind->program,
        SLICE_FMT(present.share_id),
        n->kind->has_source ? ", from where the logs had been counted then"
                            : "; nothing is lost or counted twice");
    len = strlen(left->text);
    if (!n->kind->has_source && n->is_writing && look->from > n->claimed &&
        strcmp(look->run, n->id.run) != 0)
        (void)snprintf(left->text + len, sizeof left->text - len,
                       ", but for records %" PRIu64 " to %" PRIu64 ", which may count twice",
                       n->claimed, look->from - 1);
}

/* --- resuming ----------------------------------------------------------------------------------
 */

struct resumption {
    const struct push_node_hash *n;
    struct push_resume from;
};

static int resume(void *context, struct err *err)
{
    struct resumption *r = context;

    return r->n->resume(r->n->context, &r->from, err);
}

/* Its claim and what goes with it, as they were when the hash was looked at: 1; 0: it has changed
 * since. */
static int claim_read(const struct push_node_hash *n, const struct push_node_look *look,
                      redisReply **reply, struct push_resume *from, struct err *err)
{
    uint64_t counted = 0, pushed = 0;
    struct buf key;

    buf_init(&key, 1024);
    push_node_key(n, ledger_node(n->ledger), &key);
    *reply = store_command(n->store, 6,
                           (struct slice[]){SLICE("HMGET"), buf_slice(&key), SLICE("_stamp"),
                                            SLICE("_source"), slice_str(n->kind->through),
                                            SLICE("pushed_through")},
                           CLAIM_TIMEOUT_MS, err);
    buf_fini(&key);
    if (*reply == NULL)
        return -1;
    if ((*reply)->type != REDIS_REPLY_ARRAY || (*reply)->elements != 4 ||
        !slice_equal(link_reply_text((*reply)->element[0]), slice_str(look->stamp)))
        return 0;
    (void)slice_number(link_reply_text((*reply)->element[2]), &counted);
    (void)slice_number(link_reply_text((*reply)->element[3]), &pushed);
    *from = (struct push_resume){link_reply_text((*reply)->element[1]), (int64_t)counted,
                                 (int64_t)pushed};
    return 1;
}

static int share_resume(struct push_node_hash *n, const struct push_node_look *look,
                        struct err *err)
{
    struct resumption r = {.n = n};
    redisReply *reply;
    int rc = claim_read(n, look, &reply, &r.from, err);

    if (rc == 1 &&
        ledger_share_resume(n->ledger, look->number, &(struct ledger_resume){resume, &r}, err) < 0)
        rc = -1;
    if (reply != NULL)
        freeReplyObject(reply);
    return rc;
}

static int share_leave(struct push_node_hash *n, const struct push_node_look *look, struct err *err)
{
    if (n->kind->has_source)
        return share_resume(n, look, err);
    return ledger_share_begin(n->ledger, look->number, err) < 0 ? -1 : 1;
}

int push_meet_leave(struct push_node_hash *n, const struct push_node_look *look, struct err *left,
                    struct err *err)
{
    uint64_t position = ledger_meta(n->ledger)->position.number, from = ledger_run_from(n->ledger);
    struct ledger_share_info old;
    char old_id[NODE_TEXT];
    int rc;

    (void)ledger_share_at(n->ledger, 0, &old);
    (void)snprintf(old_id, sizeof old_id, "%.*s", SLICE_FMT(old.share_id));
    rc = share_leave(n, look, err);
    if (rc != 1)
        return rc;
    say_left(n, look, old_id, left);
    n->is_writing = false;
    if (identity_renew(&n->id, err) < 0)
        return -1;
    return ledger_run_begin(n->ledger, slice_str(n->id.run), position > from ? position : from,
                            err);
}

int push_meet_speaks(struct push_node_hash *n, size_t share, const struct push_node_look *look,
                     bool *speaks, struct err *err)
{
    struct ledger_share_info info;
    uint64_t end = 0;
    int known = ledger_run_find(n->ledger, slice_str(look->run), &end, err);

    if (known < 0)
        return -1;
    (void)ledger_share_at(n->ledger, share, &info);
    *speaks = info.speaks;
    if (!look->is_there)
        return 0;
    *speaks = known == 1 && look->number <= end &&
              (info.speaks || look->is_stopped ||
               (look->place[0] != '\0' && strcmp(look->place, n->id.place) == 0));
    if (!*speaks || info.speaks)
        return 0;
    info.speaks = true;
    return ledger_share_set(n->ledger, share, &info, err);
}
