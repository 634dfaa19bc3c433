#ifndef TG_STORE_STORE_H
#define TG_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "lib/core/buf.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"

/*
 * Talking to Redis: hiredis formats commands and reads replies, the socket and its deadlines are ours. A connection is
 * made when first needed and made again after a failure, with a growing pause; a reply that
 * comes after its deadline is never taken for the next one's, because the connection is dropped.
 *
 * Units: times in ms.  Threads: one thread a struct store.  Errors: EX_UNAVAILABLE (69).
 */

struct store;

/* Where the store is, from settings.store (for "private:" the socket in state_dir). Copies what it keeps. */
struct store *store_new(const struct settings *s, struct err *err);
void store_free(struct store *st);

/* One command out of `argc` slices: its reply (caller: freeReplyObject), or NULL with *err. A Redis error reply is an
 * ordinary reply (REDIS_REPLY_ERROR). */
redisReply *store_command(struct store *st, size_t argc, const struct slice *argv, int64_t timeout_ms, struct err *err);

/* A pipeline: add commands, then run them in one trip. replies[i] belongs to the i-th; all or none come: on failure no
 * reply is given and -1 returned. Caller frees each with freeReplyObject. */
void store_pipe_add(struct store *st, size_t argc, const struct slice *argv);
size_t store_pipe_count(const struct store *st);
int store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *err);

/* A Lua script by its source: EVALSHA, with EVAL on NOSCRIPT. */
struct script {
    const char *name, *source;
    char sha1[41]; /* filled in at first use */
};
redisReply *store_script(struct store *st, struct script *script, size_t keys, size_t argc, const struct slice *argv,
                         int64_t timeout_ms, struct err *err);

/* Changes with each new server (run_id of INFO) and each new connection: what was pushed may be gone. */
uint64_t store_generation(const struct store *st);
/* False while the store is known to be down and the pause before the next try has not passed. */
bool store_is_worth_trying(const struct store *st);

#endif
