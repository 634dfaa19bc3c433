#ifndef TG_ADMIN_HOLDER_OVER_H
#define TG_ADMIN_HOLDER_OVER_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read_usage.h"

/*
 * Who has used at least so much of a limit: all domains and the server at once. Single clients are
 * not among them, for nothing lists them. Users are asked for domain by domain, where the domain
 * was counted so much in a window of theirs that one of them can be among them.
 *
 * Owner: the arena given.  Errors: those of read.h.
 */

#define HOLDER_OVER_USERS ((size_t)10000) /* of a domain that are looked at */

struct holder_over_question {
    uint64_t percent;
    bool users;  /* the limits of users, too */
    bool admins; /* only limits of a calendar month, of holders that have an admin; no forecasts */
    int64_t now_s;
};

struct holder_over_row {
    struct slice account;
    struct usage_row usage;
};

struct holder_over {
    struct holder_over_row *list; /* the fullest first */
    size_t count, room;
    int64_t now_ms; /* the store's */
};

int holder_over_read(const struct setup *s, struct reader *r, const struct holder_over_question *q,
                     struct arena *arena, struct holder_over *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5, 6);

#endif
