#ifndef TG_SYS_SYSTEMD_H
#define TG_SYS_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/contract.h"

/*
 * The two ways in which systemd passes descriptors, without its library: those that a process is
 * started with (sd_listen_fds(3): of a socket unit, or stored by an earlier process), and storing
 * them for the next (sd_pid_notify_with_fds(3), FileDescriptorStoreMax= of the unit). Any other
 * supervisor that does the same will do.
 *
 * Owner: descriptors taken belong to the caller.  Threads: any; systemd_fds_take before others are
 * started, because it changes the environment.
 */

#define SYSTEMD_FDS_MAX 70000 /* open files of a process, LimitNOFILE= of the unit */

struct systemd_fds {
    int first, count; /* descriptors, one after the other */
    char *names;      /* LISTEN_FDNAMES */
};

/* Those that this process was started with; close-on-exec from now on. */
void systemd_fds_take(struct systemd_fds *f) TG_NONNULL(1);
/* The next one of that name, -1 at the end; *at begins with 0. */
int systemd_fds_next(const struct systemd_fds *f, const char *name, int *at) TG_NONNULL(1, 2, 3);
void systemd_fds_fini(struct systemd_fds *f); /* the descriptors stay */

/* Is there a supervisor to be told anything? */
bool systemd_is_there(void);
/* Stores descriptors under a name. False: the supervisor was not told. */
bool systemd_store(const char *name, const int *fds, size_t count) TG_MUST_USE TG_NONNULL(1);
/* Those of that name are not needed any more. */
void systemd_store_remove(const char *name) TG_NONNULL(1);
/* Waits until the supervisor has read all that it was told: before the process ends. */
bool systemd_barrier(int wait_ms) TG_MUST_USE;

#endif
