#ifndef TG_CLI_USAGE_ROWS_H
#define TG_CLI_USAGE_ROWS_H

#include "cli/table.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * How much of each limit is used: for `usage`, `top` and `why`. Reads the windows, consumes
 * nothing. Owner: the arena given; limits are borrowed from the holder's.
 */

struct usage_row {
    struct slice user; /* of a user's limit */
    const struct limit *limit;
    uint64_t used, room;
    uint64_t percent;   /* may be more than 100: in observe mode, or with a lowered limit */
    int64_t reopens_ms; /* when one more fits: 0 now, -1 never */
};

struct usage_rows {
    struct usage_row *list;
    size_t count;
    int64_t now_ms; /* the store's */
};

/* The limits of the holder itself, then those of each of the users. */
int usage_read(struct reader *r, const struct holder *h, const struct holder_limits *l,
               const struct name_list *users, struct arena *arena, struct usage_rows *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The users of a domain who may be nearest to a limit of theirs, by what was counted for them in
 * its window: at most `most`, in no order. */
int usage_busiest(struct reader *r, const struct holder *h, const struct holder_limits *l,
                  int64_t now_s, size_t most, struct arena *arena, struct name_list *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The fullest first. */
int usage_compare(const struct usage_row *a, const struct usage_row *b) TG_NONNULL(1);

#define USAGE_USER 0 /* the column of the user */
extern const struct table_column usage_columns[];
extern const size_t usage_column_count;
void usage_add_row(struct table *list, const struct usage_row *row, int64_t now_ms, bool utf8)
    TG_NONNULL(1);

#endif
