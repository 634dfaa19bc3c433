#ifndef TG_REDIS_LINK_H
#define TG_REDIS_LINK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/redis/transport.h"

/*
 * One connection to one Redis server, from the greeting on: commands out and replies in, within a
 * deadline. Retries, scripts and the choice of the server belong to the store.
 *
 * Units: deadlines are times of clock_monotonic_ms.  Threads: one at a time.
 * Errors: EX_UNAVAILABLE; a failed trip closes the link, so that no late reply can be read as
 * another's. Limits: LINK_TRIP_MAX_BYTES of replies a trip, LINK_ARRAY_MAX elements an array,
 * LINK_DEPTH_MAX arrays in each other.
 */

#define LINK_TRIP_MAX_BYTES ((size_t)64 << 20)
#define LINK_ARRAY_MAX      ((size_t)1 << 20)
#define LINK_DEPTH_MAX      7
#define LINK_RUN_ID_SIZE    64

/* Of an array, as hiredis tells it to who makes one. */
#if HIREDIS_MAJOR < 1
typedef int link_element_count;
#else
typedef size_t link_element_count;
#endif

/* Does not move while it is open: its reader points into it. */
struct redis_link {
    struct transport transport;
    redisReader *reader; /* holds the torn reply, so it lives and dies with the connection */
    redisReplyObjectFunctions usual, bounded; /* how replies are made: hiredis' way; and ours */
    size_t array_max;                         /* elements; at first LINK_ARRAY_MAX */
    char run_id[LINK_RUN_ID_SIZE];            /* of INFO; "" if the server does not send it */
};

#define LINK_CLOSED ((struct redis_link){.transport = {.fd = -1}})

struct link_login {
    struct slice username, password; /* empty: none */
    unsigned db;
    bool is_optional;  /* a server without logins (a sentinel) is accepted, too */
    bool wants_master; /* a server that is no master is rejected */
};

/* Connects and greets: AUTH, SELECT, ROLE, INFO server, PING. -1 also if the server is not ready
 * (loading its data). */
int link_open(struct redis_link *l, const struct endpoint *e, const struct link_login *login,
              int64_t deadline_ms, struct err *err) TG_MUST_USE TG_NONNULL(1);
void link_close(struct redis_link *l);

/* Sends `out`, which holds `want` commands, and reads their replies. On failure none is returned
 * and the link is closed. */
int link_trip(struct redis_link *l, struct slice out, redisReply **replies, size_t want,
              int64_t deadline_ms, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The same over several links at once: each trip is begun, then all are made together. A trip that
 * fails closes its own link only, has is_failed and the reason in `err`, and none of its replies.
 */
struct link_trip {
    struct redis_link *link;
    struct slice out;     /* what is still to be sent */
    redisReply **replies; /* room for `want` */
    size_t want, have, bytes;
    bool is_failed;
    struct err err;
};
void link_trips(struct link_trip *trips, size_t count, int64_t deadline_ms) TG_NONNULL(1);

/* Makes the reader of a link, within its limits; for link_open and tests. */
int link_reader_make(struct redis_link *l, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Adds one command as it goes over the wire. */
void link_command_add(struct buf *out, size_t argc, const struct slice *argv) TG_NONNULL(1);
/* The same in parts: how many words it has, then each. */
void link_head_add(struct buf *out, size_t argc) TG_NONNULL(1);
void link_word_add(struct buf *out, struct slice word) TG_NONNULL(1);
/* The text of a string, status or error reply; else empty. */
struct slice link_reply_text(const redisReply *reply);

#endif
