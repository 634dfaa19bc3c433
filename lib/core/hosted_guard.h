#ifndef TG_CORE_HOSTED_GUARD_H
#define TG_CORE_HOSTED_GUARD_H

#include "lib/core/contract.h"
#include "lib/core/hosted.h"

/*
 * Between two loads of the sources: a flushed server, an emptied or half written file is not what
 * somebody wants. What it leaves does not come into force until it is confirmed by a reload that
 * was asked for after the complaint.
 *
 * Owner: the caller's struct.  Threads: one.
 */

/* From so many entries on, less than half of them is a complaint; so is none of them, in a list of
 * domains already where there was one. */
#define HOSTED_GUARD_MANY 10

struct hosted_guard {
    struct err complaint; /* the last one; code 0: none since something came into force */
};

/* May `after` replace `before` (NULL: nothing yet)? `is_asked_for`: by a person, not because a
 * source changed. -1 with *err (EX_DATAERR): a source has shrunk too much. */
int hosted_guard_check(struct hosted_guard *g, const struct hosted *before,
                       const struct hosted *after, bool is_asked_for, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3);

#endif
