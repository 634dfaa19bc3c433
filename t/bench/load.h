#ifndef TG_BENCH_LOAD_H
#define TG_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * A client that puts load on a milter, or on a policy service of Postfix: many connections in one
 * thread, so that it takes little of the machine that is measured.
 *
 * Closed loop: each connection has a message under way all the time. Open loop (a rate): messages
 * begin at fixed times on any connection that is free; one that finds none waits, and its time runs
 * from when it should have begun, so that a server that stalls cannot hide it.
 *
 * Units: us of the monotonic clock.  Errors: the program says what is wrong and ends.
 */

struct load_options {
    const char *socket;
    unsigned connections, per_session, recipients, headers, domains, users;
    uint64_t messages, first;
    uint64_t body_bytes;
    double rate;    /* messages a second; 0: closed loop */
    double seconds; /* no message begins later; 0: no end but `messages` */
    bool sent;      /* from a user with a login to elsewhere; else from outside to a user */
    bool bounces;   /* from the null sender */
    bool policy;    /* the policy protocol of Postfix, one request a message */
};

/* Ends the program where the arguments are wrong. */
void load_options_read(struct load_options *o, int argc, char **argv) TG_NONNULL(1);

#define LOAD_NAME_BYTES 96

/* Who message `number` is from and to, and under which names the mail server speaks of it. */
struct load_names {
    char sender[LOAD_NAME_BYTES], login[LOAD_NAME_BYTES], queue_id[LOAD_NAME_BYTES];
    uint64_t domain, user;
};

void load_names_make(const struct load_options *o, uint64_t number, struct load_names *n)
    TG_NONNULL(1, 3);
void load_names_recipient(const struct load_options *o, const struct load_names *n, unsigned which,
                          char text[LOAD_NAME_BYTES]) TG_NONNULL(1, 2);

/* How long each message took. */
struct load_times {
    uint32_t *us;
    size_t count, room;
};

void load_times_add(struct load_times *t, int64_t us) TG_NONNULL(1);
/* Sorts them. */
void load_times_print(struct load_times *t) TG_NONNULL(1);
void load_times_fini(struct load_times *t);

/* What happened to a message. */
enum load_end { LOAD_ACCEPTED, LOAD_REFUSED, LOAD_DEFERRED, LOAD_HELD, LOAD_ENDS };

enum load_step { LOAD_WORKING, LOAD_MESSAGE_DONE, LOAD_BROKEN };

/* A protocol: a conversation makes bytes and takes bytes, and knows no socket. */
struct load_talk;
void load_talk_free(struct load_talk *t);
struct load_talk *load_talk_new(const struct load_options *o, const char *body)
    TG_FREED_BY(load_talk_free) TG_NONNULL(1);
/* A new connection. */
void load_talk_open(struct load_talk *t) TG_NONNULL(1);
/* Is the connection ready for a message? */
bool load_talk_is_ready(const struct load_talk *t) TG_NONNULL(1);
void load_talk_message(struct load_talk *t, uint64_t number) TG_NONNULL(1);
/* Goes on as far as it can without an answer; what is to be sent is in load_talk_out. Called again
 * when that is sent. DONE: *end tells how the message ended. */
enum load_step load_talk_go(struct load_talk *t, enum load_end *end) TG_NONNULL(1, 2);
struct buf *load_talk_out(struct load_talk *t) TG_NONNULL(1);
/* Takes what was received off the front of *in. */
enum load_step load_talk_take(struct load_talk *t, struct slice *in) TG_NONNULL(1, 2);
/* The last bytes of the connection. */
void load_talk_close(struct load_talk *t) TG_NONNULL(1);
const char *load_talk_problem(const struct load_talk *t) TG_NONNULL(1);

#endif
