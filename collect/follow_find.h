#ifndef TG_COLLECT_FOLLOW_FIND_H
#define TG_COLLECT_FOLLOW_FIND_H

#include "collect/follow_state.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Which file comes first, and which comes next. Both give 1: it is open; 0: none yet, or a rotation
 * is under way; -1: it cannot be read.
 */

/* The file that the position is in, wherever it is now. */
int follow_find_begin(struct follow_file *f, int64_t now_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The one behind that which is open, if that has data. */
int follow_find_next(struct follow_file *f, int64_t now_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
