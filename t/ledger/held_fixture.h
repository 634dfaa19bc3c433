#ifndef TG_T_LEDGER_HELD_FIXTURE_H
#define TG_T_LEDGER_HELD_FIXTURE_H

#include "lib/ledger/fold.h"
#include "lib/ledger/held.h"
#include "lib/ledger/ledger_held.h"
#include "t/ledger/push_fixture.h"

/* A node that folds records, numbered as the journal does: held messages from there to Redis. One
 * translation unit a test program. */
struct site {
    struct node node;
    struct fold fold;
    struct held_messages *held;
    struct arena arena;
    uint64_t number;
};

static inline void site_open(struct site *s, const char *name)
{
    static const struct row_sums_config config = {.users = true, .users_max = 10000};

    *s = (struct site){.number = 0};
    node_open(&s->node, "ledger.db", name, SCRUB_MS);
    fold_init(&s->fold, &config, SLICE("@mx1"));
    s->held = held_open(redis.dir, &err);
    must(s->held == NULL, "held_open");
    arena_init(&s->arena, 64 << 20);
}

static inline void site_remove(struct site *s)
{
    held_close(s->held);
    fold_fini(&s->fold);
    arena_fini(&s->arena);
    node_remove(&s->node);
}

static inline void apply(struct site *s)
{
    struct journal_position position = {1, s->number, s->number + 1};

    must(fold_apply(&s->fold, s->node.ledger, position, &err), "fold_apply");
}

/* Takes a record into the batch; its number. */
static inline uint64_t add(struct site *s, struct record r, int64_t time_ms)
{
    r.number = ++s->number;
    r.time_ms = time_ms;
    must(fold_add(&s->fold, s->node.ledger, &r, &err), "fold_add");
    return r.number;
}

/* One recipient of alice's, held in the line of `account`. */
static inline uint64_t hold(struct site *s, const char *account, const char *queue_id,
                            int64_t time_ms)
{
    struct slice name = slice_str(account);
    struct leg out = {
        .kind = LEG_OUT, .account = name, .messages = 1, .recipients = 1, .bytes = 500};
    struct leg user = out, node = out, all = {.kind = LEG_MESSAGE, .messages = 1, .bytes = 500};
    struct amount stopped = {name, SLICE_NONE, COUNTER_THROTTLED_RECIPIENTS, 1};
    struct leg legs[4], wanted[3];

    user.user = SLICE("alice@example.com");
    node.account = all.account = SLICE(ACCOUNT_NODE);
    legs[0] = wanted[0] = out;
    legs[1] = wanted[1] = user;
    legs[2] = wanted[2] = node;
    legs[3] = all;
    for (size_t i = 0; i < 3; i++)
        wanted[i].sends = true;
    return add(s,
               (struct record){.kind = RECORD_HELD,
                               .queue_id = slice_str(queue_id),
                               .bytes = 500,
                               .legs = legs,
                               .leg_count = 4,
                               .amounts = &stopped,
                               .amount_count = 1,
                               .held_by = name,
                               .client_ip = SLICE("192.0.2.1"),
                               .wanted = wanted,
                               .wanted_count = 3},
               time_ms);
}

static inline void place(struct site *s, uint64_t held_number, const char *queue)
{
    (void)add(s,
              (struct record){
                  .kind = RECORD_PLACE, .place = slice_str(queue), .held_number = held_number},
              1700000100000);
}

static inline void let_go(struct site *s, enum record_kind kind, uint64_t held_number,
                          int64_t time_ms)
{
    struct record r = {.kind = kind, .queue_id = SLICE("Q"), .held_number = held_number};

    (void)add(s, r, time_ms);
}

#endif
