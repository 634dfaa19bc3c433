#ifndef TG_T_SIM_SIM_STORE_H
#define TG_T_SIM_SIM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/redis/store.h"
#include "t/random.h"
#include "t/sim/sim_disk.h"

/*
 * lib/redis/store.h once more, for a Redis in memory: t/sim/redis.lua, which runs the real scripts.
 * A trip may get lost on the way there or back, or arrive when its answer is no longer awaited, and
 * the server may be flushed, or become what it was before.
 *
 * Threads: one.
 */

/* Once, before the first store. NUL-terminated path of redis.lua. */
void sim_store_begin(const char *lua_path, struct random_source *random);
void sim_store_end(void);
/* A new, empty server. */
void sim_store_reset(void);

/* Of a hundred trips so many meet a fault. */
void sim_store_faults(uint32_t percent);
void sim_store_flush(void);
/* Another server answers from now on, or the same after a restart: all connections end. */
void sim_store_promote(void);
/* What arrives late arrives now. */
void sim_store_deliver(void);
/* Nothing is sent any more once that disk is dead: so is the process. */
void sim_store_tie(struct store *store, const struct sim_disk *disk);

/* One command, past all faults; the caller frees the reply. */
redisReply *sim_store_ask(size_t argc, const struct slice *argv);

#endif
