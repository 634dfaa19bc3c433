#ifndef TG_SYS_PRIVILEGES_H
#define TG_SYS_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Dropping from root to an account.
 *
 * Threads: before any is started.  Errors: EX_CONFIG for an unknown name,
 * EX_OSERR.
 */

struct privileges_account {
    const char *name; /* borrowed; "": the account stays as it is */
    uid_t uid;
    gid_t gid;
};

/* The account to change to; the present one if the name is empty or the process is not root's. */
int privileges_find(const char *name, struct privileges_account *out, struct err *err) TG_MUST_USE;

/* The group that `setting` names. */
int privileges_group_find(const char *setting, const char *group, gid_t *gid,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Is there such a group ("": none is wanted), and may the present account, or, where `root` says
 * so, root, give a file to it? */
int privileges_group_check(const char *setting, const char *group, bool root,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* Changes to that account for good: with its groups, and `group` in addition (milter.group, so that
 * a socket can be given to it; "": none). No-op for the present account. */
int privileges_become(const struct privileges_account *a, const char *group,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Does some work in a child process that has become the account, and returns its result and error:
 * whether the daemon will be able to do it. What the work leaves in memory is lost. At once in this
 * process for the present account. */
int privileges_try(const struct privileges_account *a, int (*work)(void *context, struct err *err),
                   void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);

/* For work in directories of the account before privileges are dropped: until privileges_files_root
 * the calling thread makes and opens files with the rights of the account and of `group` ("": none)
 * only, so that no link there leads root anywhere. No-op for the present account. */
int privileges_files_as(const struct privileges_account *a, const char *group,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
void privileges_files_root(const struct privileges_account *a) TG_NONNULL(1);

#endif
