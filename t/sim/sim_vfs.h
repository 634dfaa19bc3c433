#ifndef TG_T_SIM_SIM_VFS_H
#define TG_T_SIM_SIM_VFS_H

#include <sqlite3.h>
#include <stdbool.h>

/*
 * SQLite's files on simulated disks are images; all others are the kernel's. Locks are always
 * given, as there is one connection to a file.
 *
 * Threads: one.
 */

/* Once, before the first connection. */
void sim_vfs_begin(void);

/* Takes the files away from a connection with nothing under way, whose database has a write-ahead
 * log; false where it has none. The log is checkpointed and removed before, as at each close. */
bool sim_vfs_take(sqlite3 *db);
/* Gives it those that are there now, as to a process that has just begun: the memory that goes with
 * the log is empty. False, and nothing is done, where the database is empty, or is to be rolled
 * back. */
bool sim_vfs_give(sqlite3 *db, const char *path);

#endif
