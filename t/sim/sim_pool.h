#ifndef TG_T_SIM_SIM_POOL_H
#define TG_T_SIM_SIM_POOL_H

#include <stdbool.h>

/*
 * Connections of SQLite that are kept for the next process: opening one and preparing its
 * statements would be half of what a seed costs. They go on with the files of then (sim_vfs_give),
 * and with a memory of the log that is empty, so what they know of the database is read anew.
 *
 * The calls of the ledger come here by the linker's --wrap.
 *
 * Threads: one.
 */

/* False: each is opened and closed as without this. */
void sim_pool_use(bool is_used);
void sim_pool_end(void);

#endif
