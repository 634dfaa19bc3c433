#ifndef TG_REDIS_LINK_H
#define TG_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/redis/transport.h"

/*
 * One connection to one Redis server, from the greeting on: commands out and replies in, within a
 * deadline. Retries, scripts and the choice of the server belong to the store.
 *
 * Units: deadlines are times of clock_monotonic_ms.  Threads: one at a time.
 * Errors: EX_UNAVAILABLE; a failed trip closes the link, so that no late reply can be read as
 * another's. Limits: LINK_TRIP_MAX_BYTES of replies a trip.
 */

#define LINK_TRIP_MAX_BYTES ((size_t)64 << 20)
#define LINK_RUN_ID_SIZE    64

struct redis_link {
    struct transport transport;
    redisReader *reader; /* holds the torn reply, so it lives and dies with the connection */
    char run_id[LINK_RUN_ID_SIZE]; /* of INFO; "" if the server does not send it */
};

#define LINK_CLOSED ((struct redis_link){.transport = {.fd = -1}})

struct link_login {
    struct slice username, password; /* empty: none */
    unsigned db;
};

/* Connects and greets: AUTH, SELECT, INFO server. -1 also if the server is not ready (loading its
 * data). */
int link_open(struct redis_link *l, const struct endpoint *e, const struct link_login *login,
              int64_t deadline_ms, struct err *err) TG_MUST_USE TG_NONNULL(1);
void link_close(struct redis_link *l);

/* Sends `out`, which holds `want` commands, and reads their replies. On failure none is returned
 * and the link is closed. */
int link_trip(struct redis_link *l, struct slice out, redisReply **replies, size_t want,
              int64_t deadline_ms, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Adds one command as it goes over the wire. */
void link_command_add(struct buf *out, size_t argc, const struct slice *argv) TG_NONNULL(1);
/* The text of a string, status or error reply; else empty. */
struct slice link_reply_text(const redisReply *reply);

#endif
