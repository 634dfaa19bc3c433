#ifndef TG_COLLECT_CLAMD_H
#define TG_COLLECT_CLAMD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "collect/sink.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/log_limit.h"

/*
 * How long clamd scans: its log does not tell, so it is asked for its statistics (zSTATS) every
 * CLAMD_EVERY_MS. Its threads that work, but the one that answers, times the time since the last
 * answer are clamd_connection_seconds of the node.
 *
 * Nothing waits: each turn does what the socket allows. An answer takes a thread of clamd's, so it
 * may come late while all of them scan. What is over CLAMD_LATE_MS after the last answer was not
 * watched, and counts nothing.
 *
 * Owner: clamd_init/clamd_fini.  Threads: one.
 * Errors: a clamd that is away, or talks nonsense, is logged once a minute.
 */

#define CLAMD_EVERY_MS    5000
#define CLAMD_DEADLINE_MS 8000 /* for an answer */
#define CLAMD_LATE_MS     15000
#define CLAMD_REPLY_BYTES 16384
#define CLAMD_THREADS     10000 /* more are not believed */

struct clamd {
    const char *where; /* borrowed; "": not asked */
    struct sockaddr_storage address;
    socklen_t address_len; /* 0: not asked */
    int fd;                /* -1: nothing is asked now */
    bool is_sent;
    char reply[CLAMD_REPLY_BYTES];
    size_t len;
    int64_t next_ms, deadline_ms, answered_ms; /* monotonic; answered_ms 0: never */
    uint64_t rest_ms;                          /* less than a second, not counted yet */
    struct log_problem problem;
};

/* `where`: "unix:/path" or "inet:ADDRESS:port" (settings_check_clamd). */
int clamd_init(struct clamd *c, const char *where, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
void clamd_fini(struct clamd *c); /* all zeros is allowed */

/* What it waits for, if anything. */
struct pollfd clamd_pollfd(const struct clamd *c) TG_NONNULL(1);
/* Asks, or takes of the answer what has come. True: an answer is complete and was counted.
 * `now_ms` is monotonic, `time_ms` Unix. */
bool clamd_turn(struct clamd *c, int64_t now_ms, int64_t time_ms, const struct sink *sink)
    TG_NONNULL(1, 4);

/* The threads that work, the one that answers among them, from a whole reply. */
bool clamd_working(struct slice reply, uint64_t *threads) TG_MUST_USE TG_NONNULL(2);

#endif
