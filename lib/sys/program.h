#ifndef TG_SYS_PROGRAM_H
#define TG_SYS_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Running other programs (redis-server, postconf, postmap) from a process with threads: by
 * posix_spawn, with default signals and no other descriptor than those given. A program is found
 * through PATH.
 *
 * Units: deadlines are times of clock_monotonic_ms.  Threads: all.
 */

/* Descriptors for a program; -1: /dev/null (keep: none). */
struct program_files {
    int in, out, errors;
    int keep; /* becomes its descriptor 3 */
};

/* Starts it in a session of its own, so that a terminal's signals do not reach it. argv ends with
 * NULL. -1 with EX_OSERR, or EX_UNAVAILABLE if there is no such program. The caller waits for
 * it. */
pid_t program_start(const char *const *argv, const struct program_files *files,
                    struct err *err) TG_MUST_USE;

/* Is there such a program in PATH (or at that path)? */
bool program_exists(const char *name) TG_NONNULL(1);

/* Runs it to its end: `input` goes to its standard input, *out and *errors (with their caps) get
 * what it writes. Returns its exit status, 128 + the signal that ended it, or -1 if it could not be
 * started, wrote too much or took too long; it is killed then, and only then *err is set. */
int program_run(const char *const *argv, struct slice input, struct buf *out, struct buf *errors,
                int64_t deadline_ms, struct err *err) TG_MUST_USE;

#endif
