#include <inttypes.h>
#include <stdio.h>

#include "lib/ledger/push_node.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/link.h"

/*
 * The hashes of the names that the node had before. What it counted under them is as complete as
 * the rest; but only where the name is really no longer in use: a copy of state_dir that runs under
 * another name must not say that the original has pushed all it counted.
 */

#define FORMER_TIMEOUT_MS 5000

static const struct script node_script = {"node", script_node_source};

static int former_write(const struct push_node_hash *n, const struct push_now *now,
                        struct slice node, const struct push_node_look *look, struct err *err)
{
    struct slice stamp = slice_str(look->stamp);
    char counted[24], pushed[24];
    struct buf key;
    redisReply *reply;

    (void)snprintf(counted, sizeof counted, "%" PRId64, now->counted_through);
    (void)snprintf(pushed, sizeof pushed, "%" PRId64, ledger_meta(n->ledger)->pushed_through);
    buf_init(&key, 1024);
    push_node_key(n, node, &key);
    reply = store_script(n->store, &node_script, 1, 16,
                         (struct slice[]){buf_slice(&key), slice_str(look->run), stamp, stamp,
                                          SLICE("_run"), slice_str(n->id.run), SLICE("_stamp"),
                                          stamp.len > 0 ? stamp : SLICE("0"), SLICE("renamed"),
                                          ledger_node(n->ledger), slice_str(n->kind->through),
                                          slice_str(counted), SLICE("pushed_through"),
                                          slice_str(pushed), SLICE("_stopped"), SLICE("0")},
                         FORMER_TIMEOUT_MS, err);
    buf_fini(&key);
    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

/* The newest share of that name. */
static size_t share_of(const struct ledger *l, struct slice node)
{
    struct ledger_share_info info;
    size_t i = 0;

    while (ledger_share_at(l, i, &info) && !slice_equal(info.node, node))
        i++;
    return i;
}

int push_former_write(struct push_node_hash *n, const struct push_now *now, struct err *err)
{
    struct err refused;
    struct slice node;

    for (size_t i = 1; ledger_node_at(n->ledger, i, &node); i++) {
        struct push_node_look look;
        bool speaks;

        refused.code = 0;
        if (push_node_look(n, node, &look, &refused, err) < 0 ||
            push_meet_speaks(n, share_of(n->ledger, node), &look, &speaks, err) < 0)
            return -1;
        if (speaks && refused.code == 0 && former_write(n, now, node, &look, err) < 0)
            return -1;
    }
    return 0;
}
