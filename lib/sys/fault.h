#ifndef TG_SYS_FAULT_H
#define TG_SYS_FAULT_H

#include <stddef.h>
#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The faults of a file that a person wrote: all are reported, one `file:line: what is wrong, and
 * the fix` a line; the first is kept as the error.
 *
 * Owner: the caller; nothing is allocated.  Threads: none; one owner.
 */

struct faults {
    FILE *out; /* may be NULL */
    struct err *err;
    int code; /* of err, a sysexits(3) code */
    size_t count;
};

void fault_add(struct faults *f, const char *file, size_t line, const char *format, ...)
    TG_PRINTF(4, 5) TG_NONNULL(1);
/* Puts "(and 3 more faults)" behind the first where there are more. */
void faults_end(struct faults *f) TG_NONNULL(1);

#endif
