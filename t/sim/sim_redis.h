#ifndef TG_T_SIM_SIM_REDIS_H
#define TG_T_SIM_SIM_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/redis/store.h"

/*
 * The server that sim_store has: t/sim/redis.lua, which runs the real scripts.
 *
 * Threads: one.
 */

/* A command with its words in one block, their text behind them; a NUL ends each. */
struct sim_command {
    const struct script
        *script; /* NULL: an ordinary one; else its words are one key and the rest */
    size_t argc, text_len;
    struct slice *argv;
};

/* Copies the words; the caller frees c->argv. */
void sim_command_set(struct sim_command *c, size_t argc, const struct slice *argv);

/* Once, before all others. NUL-terminated path of redis.lua. */
void sim_redis_begin(const char *lua_path);
void sim_redis_end(void);

/* The caller frees the reply. */
redisReply *sim_redis_run(const struct sim_command *c);

void sim_redis_save(void);
void sim_redis_restore(void); /* nothing if nothing is saved */
void sim_redis_forget(void);  /* nothing is saved any more */
/* Whether all but the nodes' hashes is as it was at the last call. */
bool sim_redis_is_quiet(void);
/* Frees what is used no more, which nothing else does. */
void sim_redis_clean(void);

#endif
