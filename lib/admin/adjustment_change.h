#ifndef TG_ADMIN_ADJUSTMENT_CHANGE_H
#define TG_ADMIN_ADJUSTMENT_CHANGE_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/redis/store.h"
#include "lib/sys/adjustment.h"

/*
 * A correction of an account's figures by an admin (lib/sys/adjustment): the check of what he
 * wants, the entry beside the figures, and a line in the log (notice). The id makes it safe to send
 * twice: of one account, month and id there is one entry, which stays as it is.
 *
 * Errors: EX_USAGE with the fix, EX_UNAVAILABLE, EX_DATAERR.
 */

#define ADJUSTMENT_CHANGE_ID_MAX 64 /* bytes */

struct adjustment_wish {
    struct slice account, month; /* month: "2026-11", not one to come */
    struct slice id;
    struct slice counter, amount; /* "out_messages", "-12" */
    struct slice evidence, reason, author;
    struct slice client; /* an address; empty: on this machine */
};

/* What is to be written; its slices are borrowed from the wish. */
int adjustment_change_make(const struct adjustment_wish *wish, int64_t now_s,
                           struct adjustment *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* 1: there is one of that id, and nothing was done. EX_USAGE where the month is closed. */
int adjustment_change_add(struct store *store, const struct settings *settings,
                          const struct adjustment_wish *wish, const struct adjustment *a,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
