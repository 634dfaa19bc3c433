#ifndef TG_MILTER_PROCESS_H
#define TG_MILTER_PROCESS_H

#include <sys/types.h>

#include "lib/core/err.h"

/*
 * The process as such: its directory and lock, its account, its place in the background.
 *
 * Threads: before any is started.  Errors: EX_OSERR, EX_CANTCREAT, EX_CONFIG, EX_TEMPFAIL.
 */

struct account {
    const char *name; /* "": whoever we are */
    uid_t uid;
    gid_t gid;
};

/* The account to change to; ourselves where the name is empty or we are not root. */
int account_find(const char *name, struct account *out, struct err *err);
/* For good: groups, group, user. */
int account_become(const struct account *a, struct err *err);

/* Makes the directory (not its parents) if need be, for that account alone. */
int state_dir_make(const char *path, const struct account *a, struct err *err);
/* Takes DIR/lock and holds it as long as the process (and its fork) lives. Where another holds it,
 * waits at most wait_ms; then EX_TEMPFAIL, naming its pid. */
int state_dir_lock(const char *path, int64_t wait_ms, struct err *err);
/* Our pid into the lock, for others to name; after the fork. */
void state_dir_lock_sign(void);

/* Goes to the background: returns in the child. The parent waits there until the child says how it
 * went (background_done) or ends, and exits with that. */
int background_begin(struct err *err);
void background_done(
    int exit_code); /* does nothing in the foreground; closes standard files on 0 */

#endif
