#ifndef TG_SYS_LOCK_FILE_H
#define TG_SYS_LOCK_FILE_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A lock that a process holds as long as it lives, and that kill -9 releases: flock(2) on a file,
 * which stays and holds the pid for error messages.
 *
 * The directory may be another account's: links in it are refused, and a file that root makes there
 * is given to that account.
 *
 * Owner: the descriptor is the lock; closing it releases it. A forked child shares it.
 * Errors: EX_CANTCREAT, EX_OSERR; EX_TEMPFAIL if another process holds it.
 */

/* The descriptor, or -1. If another process holds the lock (one that is being restarted), waits at
 * most wait_ms for it; then the error names its pid. */
int lock_file_take(const char *path, int64_t wait_ms, struct err *err) TG_MUST_USE;
/* Writes our pid into it: after the last fork. */
void lock_file_sign(int fd);

#endif
