#ifndef TG_SYS_PRIVILEGES_H
#define TG_SYS_PRIVILEGES_H

#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * From root to an account of its own.
 *
 * Threads: before any is started.  Errors: EX_CONFIG for a name that the system does not know,
 * EX_OSERR.
 */

struct privileges_account {
    const char *name; /* borrowed; "": ourselves, nothing will change */
    uid_t uid;
    gid_t gid;
};

/* The account to change to; ourselves where the name is empty or we are not root. */
int privileges_find(const char *name, struct privileges_account *out, struct err *err) TG_MUST_USE;

/* Becomes that account for good: its groups, and `group` besides (milter.group, so that a socket
 * can be given to it; "": none). Does nothing for ourselves. */
int privileges_become(const struct privileges_account *a, const char *group,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
