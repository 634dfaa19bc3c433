#ifndef TG_LEDGER_PUSH_NODE_H
#define TG_LEDGER_PUSH_NODE_H

#include "lib/core/contract.h"
#include "lib/ledger/identity.h"
#include "lib/ledger/learn.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/push.h"
#include "lib/redis/store.h"

/*
 * The node's hash in Redis and the set of nodes: what a node says of itself, and whether it is this
 * ledger that may say it (lib/ledger/learn decides).
 *
 * Each writing carries a stamp, one higher than the last, the run that wrote it, and a claim: the
 * number up to which the share may count. The stamp goes into the ledger before it goes to Redis;
 * killed in between, both values are good. A hash that does not have run and stamp last written is
 * not as this run left it, and nothing is written before that is decided. Who finds another one
 * alive in it (a rival) leaves it alone, and says so in the field _rival.
 *
 * Nodes seen in Redis are remembered in the ledger and listed again after a loss: else a period
 * could pass for complete before the others have noticed.
 *
 * Threads: one.
 */

#define NODE_TEXT 65
/* Longest text of where a ledger has counted up to. */
#define PUSH_SOURCE_BYTES ((size_t)1 << 20)

/* The hash as it was found. */
struct push_node_look {
    bool is_there;
    char share_id[NODE_TEXT], run[NODE_TEXT], place[NODE_TEXT], stamp[NODE_TEXT], host[NODE_TEXT];
    uint64_t number, from, since; /* since: 0 where no share was left for this one */
    bool is_stopped;
    int64_t pushed_through;
};

/* What differs between the programs. */
struct push_node_kind {
    const char *program;
    void (*key)(struct buf *b, const char *prefix, struct slice node);
    const char *through;             /* the field of push_now.counted_through */
    const char *gauges[PUSH_GAUGES]; /* NULL: none */
    const char *texts[PUSH_TEXTS];
    bool has_source; /* counts from sources, not from the journal */
};
const struct push_node_kind *push_node_kind(enum push_program program); /* push_node_kind.c */

struct push_node_hash {
    const struct push_node_kind *kind;
    int (*resume)(void *context, const struct push_resume *from, struct err *err);
    void *context;
    struct ledger *ledger;
    struct store *store;
    const char *prefix, *version; /* borrowed */
    int64_t started_s, watch_ms;
    struct identity id;
    bool is_writing;  /* this run has written the hash */
    bool has_lost;    /* Redis may lack rows; kept until a writing is confirmed, and dealt with */
    bool lacks_rows;  /* the same from then on, until all were pushed; the caller's */
    bool is_stopping; /* what is written now may be the last */
    uint64_t claimed; /* the last claim that Redis has confirmed */
    struct push_node_watch {
        char run[NODE_TEXT], stamp[NODE_TEXT];
        int64_t since_ms; /* monotonic; 0: nothing is watched */
        bool is_moving;
    } watch;
    struct push_node_rival {
        char text[128];
        int64_t changed_ms;
    } rival;
};

enum node_state {
    NODE_WRITTEN,
    NODE_LOST,   /* written, and Redis has lost something */
    NODE_WAIT,   /* not written: first see whether another one is alive; push no rows */
    NODE_RIVAL,  /* not written: another one's; rows may be pushed */
    NODE_REFUSED /* the key is no hash; rows may be pushed */
};

struct push_node_found {
    enum node_state state;
    bool is_anew;     /* another share was named there, or the ledger has forgotten a writing: what
                         Redis has of this share is not known */
    struct err rival; /* another one writes the same node; code 0: none */
    struct err left;  /* the share was left for a new one; code 0: it was not */
    struct err refused; /* a key of the wrong type; code 0: none */
};

/* Writes the hash where it is ours to write, with that pushed_through (less after a loss), which
 * the ledger keeps too. */
int push_node_write(struct push_node_hash *n, const struct push_now *now, int64_t pushed_through,
                    struct push_node_found *found, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* --- between push_node.c, push_meet.c and push_former.c --- */

/* To be called after each writing: the hashes of the node's former names, where it may speak for
 * them. */
int push_former_write(struct push_node_hash *n, const struct push_now *now,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Looks at the hash of a name. A key of the wrong type: *refused says so. */
int push_node_look(const struct push_node_hash *n, struct slice node, struct push_node_look *out,
                   struct err *refused, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Up to which number the share may count. */
uint64_t push_node_claim(const struct push_node_hash *n) TG_NONNULL(1);
/* What is to be done with what was found. */
int push_meet_decide(struct push_node_hash *n, const struct push_node_look *look,
                     enum learn_verdict *verdict, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* May Redis lack rows that it once had, where the hash is taken as it was looked at? Sets
 * found->is_anew, and n->has_lost. */
bool push_meet_is_loss(struct push_node_hash *n, const struct push_node_look *look,
                       struct push_node_found *found) TG_NONNULL(1, 2, 3);
/* *key becomes that of the name's hash. */
void push_node_key(const struct push_node_hash *n, struct slice node, struct buf *key)
    TG_NONNULL(1, 3);
/* Goes on under a new share, as another run, unless the hash has changed since: to be looked at
 * again in either case. */
int push_meet_leave(struct push_node_hash *n, const struct push_node_look *look, struct err *left,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* May this ledger write the hash of a former name of the node? */
int push_meet_speaks(struct push_node_hash *n, size_t share, const struct push_node_look *look,
                     bool *speaks, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
