#include <stdio.h>

#include "lib/ledger/push_node.h"
#include "lib/redis/keys.h"

#define NODE_NAME_SIZE 256

static void milter_key(struct buf *b, const char *prefix, struct slice node)
{
    char name[NODE_NAME_SIZE];

    (void)snprintf(name, sizeof name, "%.*s", SLICE_FMT(node));
    key_node(b, prefix, name);
}

const struct push_node_kind *push_node_kind(enum push_program program)
{
    static const struct push_node_kind kinds[] = {
        [PUSH_MILTER] = {.program = "tollgated",
                         .key = milter_key,
                         .through = "counted_through",
                         .gauges = {[PUSH_JOURNAL_RECORDS] = "journal_records",
                                    [PUSH_JOURNAL_BYTES] = "journal_bytes",
                                    [PUSH_DISK_FREE] = "disk_free",
                                    [PUSH_DISK_MIN] = "disk_min"}},
        [PUSH_COLLECTOR] = {.program = "tollgate-collect",
                            .key = key_collect,
                            .through = "log_through",
                            .gauges = {[PUSH_LINES] = "lines",
                                       [PUSH_GAPS] = "gaps",
                                       [PUSH_LOG_FROM] = "log_from",
                                       [PUSH_LOST_ENDS] = "lost_ends"},
                            .texts = {[PUSH_SOURCES] = "sources",
                                      [PUSH_NOTES] = "notes",
                                      [PUSH_SOURCES_THROUGH] = "sources_through",
                                      [PUSH_QUEUE] = "queue_messages"},
                            .has_source = true}};

    return &kinds[program];
}

void push_node_key(const struct push_node_hash *n, struct slice node, struct buf *key)
{
    buf_reset(key);
    n->kind->key(key, n->prefix, node);
}

uint64_t push_node_claim(const struct push_node_hash *n)
{
    uint64_t number = ledger_meta(n->ledger)->position.number, from = ledger_run_from(n->ledger);

    return number > from ? number : from;
}
