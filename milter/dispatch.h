#ifndef TG_MILTER_DISPATCH_H
#define TG_MILTER_DISPATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/sys/journal.h"
#include "lib/sys/log_limit.h"
#include "lib/sys/mutex.h"
#include "milter/limiter.h"
#include "milter/session.h"
#include "milter/snapshot.h"

/*
 * Between the engines and the rest of the daemon: what all connections share, and the I/O that a
 * session asks for. An engine turns its library's events into dispatch_* calls and passes the one
 * action that each returns (CONTINUE, REPLY or HOLD) to the MTA; it knows neither journal, resolver
 * nor throttle.
 *
 * Threads: a connection is used by one thread at a time, any; the dispatch by all. The lock guards
 * `snapshot` and the list of connections; nothing is done under it but to follow a pointer.
 */

struct dispatch_connection;

struct dispatch {
    struct journal *journal;
    struct log_limit log_limit;
    struct limiter limiter; /* throttle NULL: nothing is limited */
    size_t message_bytes;   /* memory cap of a message */
    unsigned session_max;   /* open files left for sessions */

    struct mutex lock;
    struct snapshot *snapshot;
    struct dispatch_connection *connections;

    atomic_uint sessions;      /* connections past their negotiation */
    atomic_uint open_messages; /* MAIL accepted, end not answered */
    atomic_uint busy;          /* calls under way */
    atomic_bool draining;      /* no new messages */
    atomic_bool closed;        /* nothing at all */
    atomic_bool lead_kept;     /* last negotiation: header values come with their leading blank */
};

/* `journal` is borrowed; the snapshot is taken over. There is no end to it: an engine may call in
 * as long as the process lives, and is told to go then (dispatch_close). What it holds is the
 * process's to free. */
void dispatch_init(struct dispatch *g, struct journal *journal, struct snapshot *snapshot)
    TG_NONNULL(1);

struct snapshot *dispatch_snapshot(struct dispatch *g) TG_NONNULL(1); /* held for the caller */
void dispatch_snapshot_swap(struct dispatch *g, struct snapshot *snapshot)
    TG_NONNULL(1); /* taken over; the old one dropped */

/* Turns limits on. Both are borrowed. Called before the engine runs. */
void dispatch_limit(struct dispatch *g, struct throttle *throttle, struct violation_log *violations)
    TG_NONNULL(1);

/* Defers every MAIL from now on; messages under way continue. */
void dispatch_drain(struct dispatch *g) TG_NONNULL(1);
/* Lets nobody in any more and waits until no call is under way, at most `wait_ms`. False: some
 * still are. */
bool dispatch_close(struct dispatch *g, int64_t wait_ms);
/* At a clean stop: no message is in doubt any more. */
void dispatch_slots_release(struct dispatch *g);

/* A connection. NULL when memory is out. */
struct dispatch_connection *dispatch_enter(struct dispatch *g) TG_NONNULL(1);
/* `kept`: header values come with their leading blank (SMFIP_HDR_LEADSPC). */
void dispatch_lead(struct dispatch_connection *c, bool kept) TG_NONNULL(1);
struct session_action dispatch_connect(struct dispatch_connection *c,
                                       const struct session_client *client,
                                       const struct session_macros *macros) TG_NONNULL(1);
struct session_action dispatch_helo(struct dispatch_connection *c) TG_NONNULL(1);
struct session_action dispatch_mail(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros) TG_NONNULL(1);
struct session_action dispatch_rcpt(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros) TG_NONNULL(1);
void dispatch_header(struct dispatch_connection *c, struct slice name, struct slice value)
    TG_NONNULL(1);
void dispatch_body(struct dispatch_connection *c, size_t bytes) TG_NONNULL(1);
struct session_action dispatch_end(struct dispatch_connection *c,
                                   const struct session_macros *macros) TG_NONNULL(1);
void dispatch_abort(struct dispatch_connection *c) TG_NONNULL(1);
void dispatch_leave(struct dispatch_connection *c); /* ends and frees it; NULL is a no-op */

#endif
