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
 * `tollgate-relay queue`: list, flush, hold, release, delete. `list` reads the files. The daemon
 * carries out the others, over DIR/control, a Unix socket in the queue's directory (which no other
 * account may enter), so that none of them touches a message that it is delivering. If no daemon
 * runs, the command carries them out, under the queue's lock.
 *
 * On the socket: one line `verb [id]`, answered by a line `ok TEXT` or `error TEXT`.
 */

/* The pending and held messages, as text or in the form of Postfix's `postqueue -j`: one object per
 * line with queue_name (active or hold), queue_id, arrival_time, message_size, sender and
 * recipients (address, delay_reason). */
int queue_list(struct queue *q, bool as_json, int64_t now_ms, struct buf *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Applies one verb to a message, or to all messages if `id` is empty. The result or the error is
 * added to *out; -1: nothing was done. `s` is NULL if no daemon runs. */
int queue_do(struct queue *q, struct scheduler *s, struct slice verb, struct slice id,
             struct buf *out) TG_NONNULL(1);

/* Its lines of the help. */
#define QUEUE_COMMAND_USAGE                                                                        \
    "       tollgate-relay [-c FILE] queue list [-j]\n"                                            \
    "       tollgate-relay [-c FILE] queue flush [ID]\n"                                           \
    "       tollgate-relay [-c FILE] queue hold|release|delete ID|all\n"

/* The command line behind `queue`; returns the exit code. */
int queue_command(const char *queue_dir, int argc, char **argv);

#endif
