#ifndef TG_RELAY_QUEUE_COMMAND_H
#define TG_RELAY_QUEUE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/queue.h"
#include "relay/scheduler.h"

/*
 * `tollgate-relay queue`: list, flush, hold, release, delete. `list` reads the files. The others
 * are asked of the daemon over DIR/control, a Unix socket in the queue's directory (which nobody
 * else may enter), so that none meddles with a message that it is delivering; where no daemon runs,
 * the command does them itself, under the queue's lock.
 *
 * On the socket: one line `verb [id]`, answered by a line `ok TEXT` or `error TEXT`.
 */

/* The messages, those still pending or held, as text for a person, or as `postqueue -j` of Postfix
 * writes them: an object a line with queue_name (active or hold), queue_id, arrival_time,
 * message_size, sender and recipients (address, delay_reason). */
int queue_list(struct queue *q, bool as_json, int64_t now_ms, struct buf *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Carries out one verb on a message, or on all (`id` empty). What was done, or what is wrong, is
 * added to *out; -1: nothing was done. `s` NULL: no daemon runs. */
int queue_do(struct queue *q, struct scheduler *s, struct slice verb, struct slice id,
             struct buf *out) TG_NONNULL(1);

/* The command line behind `queue`; gives the exit code. */
int queue_command(const char *queue_dir, int argc, char **argv);

#endif
