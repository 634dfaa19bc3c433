#ifndef TG_MILTER_ENGINE_CONNECTION_H
#define TG_MILTER_ENGINE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/milter_server.h"
#include "milter/dispatch.h"

/*
 * One MTA's connection in a loop of the native engine: bytes in, dispatch_* calls, answers out.
 *
 * What was read is taken event by event out of the loop's buffer; only a packet that has not come
 * to its end is kept, and no byte of a body. Answers gather in the loop's buffer and go out in one
 * write when all that was read is taken. Nothing is read while the MTA does not take its answers,
 * or while a call waits for an errand.
 *
 * Sockets are watched for edges: `can_read` stays set until a read says that nothing is there.
 *
 * Owner: its loop.  Threads: its loop's.
 */

struct engine_loop;

struct engine_connection {
    struct engine_loop *loop;
    struct engine_connection *next, *previous; /* of the loop's list, or of the spare ones */
    struct engine_connection *next_ready;      /* to be served in the next turn */
    int fd;                                    /* -1: over; it goes to the spare ones */
    bool can_read, has_hung_up, is_ready;
    bool is_waiting; /* for an errand: nothing is taken */
    bool is_ending;  /* once the answers are sent */
    bool watches_writes;
    struct milter_server server;
    struct dispatch_connection *session;
    struct buf held;   /* read, and not taken */
    struct buf unsent; /* answers that the MTA has not taken */
    int64_t active_ms; /* when something came or went */
    int64_t packet_ms; /* when the packet under way began; 0: none */
};

/* Takes over the descriptor. */
void engine_connection_begin(struct engine_connection *c, struct engine_loop *loop, int fd)
    TG_NONNULL(1, 2);
/* Serves it until there is nothing to do: after an event of its socket. */
void engine_connection_serve(struct engine_connection *c) TG_NONNULL(1);
/* It is time to end it: the MTA is silent, or a packet does not come to its end. */
bool engine_connection_is_late(const struct engine_connection *c, int64_t now_ms) TG_NONNULL(1);
/* If it is between messages, and all answers are sent: it goes to the next process, and is over
 * here. */
void engine_connection_yield(struct engine_connection *c) TG_NONNULL(1);
/* Takes up one that came from another process, with its server and what it held; `session` is for
 * dispatch_restore. */
void engine_connection_adopt(struct engine_connection *c, struct slice session) TG_NONNULL(1);
/* Ends it without a word; a message under way is over. Idempotent. */
void engine_connection_end(struct engine_connection *c) TG_NONNULL(1);
/* Gives its memory back: of one that is over. */
void engine_connection_fini(struct engine_connection *c) TG_NONNULL(1);

#endif
