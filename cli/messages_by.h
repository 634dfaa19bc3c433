#ifndef TG_CLI_MESSAGES_BY_H
#define TG_CLI_MESSAGES_BY_H

#include "cli/range.h"
#include "lib/core/contract.h"
#include "lib/ledger/messages_read.h"

/*
 * tollgate messages --by user: who is behind a figure. For _unattributed these are the logins and
 * senders that no hosted domain is known for.
 */

struct messages_by {
    struct cli *cli;
    struct messages_query query;
    const struct range *range;
    bool by_bytes; /* else by messages */
    size_t top;
    int format; /* enum format */
};

/* 0 or an exit code, said. */
int messages_by(struct messages_by *by) TG_NONNULL(1);

#endif
