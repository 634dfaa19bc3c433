#ifndef TG_CLI_PACK_H
#define TG_CLI_PACK_H

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/* Parts of `tollgate pack`. */

#define PACK_PATH 1024

struct pack_messages {
    const struct settings *settings;
    int64_t from_s, to_s; /* [from, to) */
    struct slice account;
    size_t top;
};

/* The largest messages of the account that this node still has, the largest first, as CSV. */
int pack_messages(const struct pack_messages *m, struct arena *arena, struct buf *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
