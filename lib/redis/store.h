#ifndef TG_REDIS_STORE_H
#define TG_REDIS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"

/*
 * Talking to Redis: one server, the master that sentinels name, or a cluster. hiredis reads
 * replies; commands, sockets and their deadlines are ours. A connection is made when first
 * needed and again after a failure, with a growing pause (50 ms to 5 s); until it has passed a call
 * fails at once. A reply that comes after its deadline is never read as the next one's, because the
 * connection is dropped. Nothing is sent twice: after a failure the caller does not know whether
 * the server ran the command. (What a server of a cluster has refused to run, saying where it
 * belongs, is sent there.)
 *
 * In a cluster the commands of a pipeline go to the server of their first key's slot, to all
 * servers at once; all keys of a command have to be in one slot. Commands of one key keep their
 * order, those of different servers have none.
 *
 * Units: times in ms; a call's timeout_ms covers all of it, connecting included (but see
 * transport.h on names). Threads: one thread a struct store.  Errors: EX_UNAVAILABLE (69),
 * EX_CONFIG for a store.url or password file that is wrong, EX_NOPERM for a refused password; the
 * text names the server. Limits: 64 MB of commands and 64 MB of replies in one trip.
 */

struct store;

void store_free(struct store *st);
/* Where the store is, from settings.store (for "private:" the socket in state_dir). Copies what it
 * keeps. The password file is read at each connect. */
struct store *store_new(const struct settings *s, struct err *err) TG_NONNULL(1) TG_MUST_USE;

/* The same for another thread: files of certificates are read once for both. `peer` has the same
 * settings. */
struct store *store_new_beside(const struct store *peer, const struct settings *s, struct err *err)
    TG_NONNULL(2) TG_MUST_USE;

/* One command out of `argc` slices: its reply (caller: freeReplyObject), or NULL with *err. A Redis
 * error reply is an ordinary reply (REDIS_REPLY_ERROR). Not while a pipeline is being built. */
redisReply *store_command(struct store *st, size_t argc, const struct slice *argv,
                          int64_t timeout_ms, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* A pipeline: add commands, then run them in one trip. replies[i] belongs to the i-th. All or none
 * come: on failure no reply is returned, and the result is -1 (some commands may have run). Caller
 * frees each with freeReplyObject. The pipeline is empty afterwards in either case. */
void store_pipe_add(struct store *st, size_t argc, const struct slice *argv) TG_NONNULL(1);
/* A command that goes to many keys and is the same but for these: formatted once. argv[1] stands
 * for the key; argv[0] is borrowed. */
struct store_keyed {
    struct slice name;
    struct buf head, tail;
};
void store_keyed_init(struct store_keyed *k, size_t argc, const struct slice *argv)
    TG_NONNULL(1, 3);
void store_keyed_fini(struct store_keyed *k);
void store_pipe_add_keyed(struct store *st, const struct store_keyed *k, struct slice key)
    TG_NONNULL(1, 2);
size_t store_pipe_count(const struct store *st) TG_NONNULL(1);
void store_pipe_reset(struct store *st) TG_NONNULL(1); /* forgets what was added */
int store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A Lua script by its source: EVALSHA, with EVAL on NOSCRIPT. argv: `keys` keys first, then the
 * arguments. */
struct script {
    const char *name, *source;
};
redisReply *store_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                         const struct slice *argv, int64_t timeout_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The same as a part of a pipeline. The first call of a script in it carries the source
 * (EVAL), so that the server has it for the later ones. */
void store_pipe_add_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                           const struct slice *argv) TG_NONNULL(1);

/* In the pipeline that begins, scripts that the one before it has brought over the same connection
 * are known, too. Where somebody has made the server forget them, replies are NOSCRIPT: the same
 * pipeline, built and run once more, brings them again. A cluster is not trusted. */
void store_pipe_trust_scripts(struct store *st) TG_NONNULL(1);
bool store_is_noscript(const redisReply *reply) TG_NONNULL(1);

/* Changes with each new connection (and so with each new server), and where a server of a cluster
 * has lost its slots to another: what was pushed may be gone. 0: no connection yet. */
uint64_t store_generation(const struct store *st) TG_NONNULL(1);
/* The server's run_id as of the last connect; "" if there is none or the server does not send it.
 */
const char *store_run_id(const struct store *st) TG_NONNULL(1);
/* False while the store is known to be down and the pause before the next try has not passed. */
bool store_is_worth_trying(const struct store *st) TG_NONNULL(1);
/* After a failure: other servers of the cluster answer, only some keys are out of reach. */
bool store_is_partly_there(const struct store *st) TG_NONNULL(1);
/* A store's servers: in a cluster its masters, as they are known once a command has run; else one.
 * To look at each: store_server_choose, then a command without a key, which goes to that one. */
size_t store_server_count(const struct store *st) TG_NONNULL(1);
bool store_server_is_of_cluster(const struct store *st) TG_NONNULL(1);
const char *store_server_choose(struct store *st, size_t i) TG_NONNULL(1); /* its address */
/* "unix:/run/redis.sock", "127.0.0.1:6379": for texts. */
const char *store_where(const struct store *st) TG_NONNULL(1);

#endif
