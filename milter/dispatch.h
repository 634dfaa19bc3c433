#ifndef TG_MILTER_DISPATCH_H
#define TG_MILTER_DISPATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/sys/journal.h"
#include "lib/sys/log_limit.h"
#include "lib/sys/mutex.h"
#include "lib/sys/name_quota.h"
#include "milter/errands.h"
#include "milter/limiter.h"
#include "milter/meter.h"
#include "milter/session.h"
#include "milter/snapshot.h"

/*
 * Between the engines and the rest of the daemon: what all connections share, and the I/O that a
 * session asks for. An engine turns its library's events into dispatch_* calls and passes the one
 * action that each returns (CONTINUE, REPLY or HOLD) to the MTA; it knows neither journal, resolver
 * nor throttle.
 *
 * Threads: a connection is used by one thread at a time, any; the dispatch by all. Nothing is done
 * under the lock but to follow a pointer.
 *
 * Waiting: an engine whose thread serves many connections must not wait in a call. It makes one
 * errands object a thread (dispatch_errands_new), polls it (errands.h), and gives it to each
 * connection (dispatch_wait_with). dispatch_rcpt and dispatch_end may then return SESSION_WAIT: the
 * call goes on, and its action comes later by `resumed`, out of errands_run. Until then no other
 * function is called for that connection, but dispatch_leave: the MTA is gone, and what it was to
 * be answered is let go. A message whose record was not begun to be written by then counts nowhere.
 * For an engine that gives no errands, every call is finished when it returns.
 *
 * End: dispatch_close shuts the door. A call that comes later returns at once (a message gets 451)
 * and touches nothing but the dispatch, its connection and the snapshot that its message holds. So
 * after dispatch_close (true) and dispatch_detach, journal, throttle and violation log may be
 * freed, though an engine's threads may still call in. The dispatch itself is never freed.
 */

struct dispatch_connection;

/* What a dispatch is made of: borrowed until dispatch_detach, but for the snapshot. */
struct dispatch_parts {
    struct journal *journal;
    struct snapshot *snapshot; /* taken over */
    struct throttle *throttle; /* NULL: nothing is limited */
    struct violation_log *violations;
    unsigned sessions_max; /* open files left for sessions; 0: unknown */
};

MUTEX_NAME(dispatch_lock)

struct dispatch {
    struct journal *journal;
    struct log_limit log_limit;
    struct limiter limiter;
    struct meter meter;
    struct name_quota names; /* under wildcard entries; outlives the snapshots */
    size_t message_bytes;    /* memory cap of a message */
    unsigned sessions_max;

    struct mutex lock;
    struct snapshot *snapshot MUTEX_GUARDS(dispatch_lock);
    struct dispatch_connection *connections MUTEX_GUARDS(dispatch_lock);
    bool detached MUTEX_GUARDS(dispatch_lock); /* the parts may be gone */

    atomic_uint sessions;      /* connections past their negotiation */
    atomic_uint open_messages; /* MAIL accepted, end not answered */
    atomic_uint busy;          /* calls under way */
    atomic_bool draining;      /* no new messages */
    atomic_bool closed;        /* no calls: read after `busy` was raised, set before it is read */
    atomic_bool lead_kept;     /* last negotiation: header values come with their leading blank */
};

void dispatch_init(struct dispatch *g, const struct dispatch_parts *parts) TG_NONNULL(1, 2);

/* The snapshot in force, held for the caller. */
struct snapshot *dispatch_snapshot(struct dispatch *g) TG_NONNULL(1) TG_EXCLUDES(dispatch_lock);
void dispatch_snapshot_swap(struct dispatch *g, struct snapshot *snapshot) TG_NONNULL(1)
    TG_EXCLUDES(dispatch_lock); /* taken over; the old one is dropped */

/* Defers every MAIL from now on; messages under way continue. */
void dispatch_drain(struct dispatch *g) TG_NONNULL(1);
/* Shuts the door and waits until no call is under way, at most `wait_ms`; a connection that waits
 * is in a call, until its engine has run its errands. False: one still is, and what it uses must
 * not be freed. */
bool dispatch_close(struct dispatch *g, int64_t wait_ms) TG_MUST_USE TG_NONNULL(1);
/* After dispatch_close was true: the parts are not used any more. `clean`: the MTA received every
 * answer, so that no message is in doubt. */
void dispatch_detach(struct dispatch *g, bool clean) TG_NONNULL(1) TG_EXCLUDES(dispatch_lock);

/* About once a second: the sessions that have ended go into the journal. The last time after
 * dispatch_detach, which ends the sessions that are still open. */
void dispatch_tick(struct dispatch *g) TG_NONNULL(1);

/* A connection. NULL when memory is out. */
struct dispatch_connection *dispatch_enter(struct dispatch *g) TG_NONNULL(1);

/* For one thread of an engine; freed by errands_free, when its connections have been left and
 * before dispatch_close. */
struct errands *dispatch_errands_new(struct dispatch *g, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
struct dispatch_waiter {
    struct errands *errands; /* of the connection's thread */
    /* Any call may be made in it, and the connection be left. */
    void (*resumed)(void *context, struct session_action a);
    void *context;
};
/* Once, before the connection's first event. Copied. */
void dispatch_wait_with(struct dispatch_connection *c, const struct dispatch_waiter *waiter)
    TG_NONNULL(1, 2);

/* Replies that the MTA does not wait for. */
struct dispatch_quiet {
    bool mail, rcpt;
};
/* Which ones a connection that begins now can do without: that to MAIL; and that to RCPT, unless
 * there is something to refuse. Sources that are not read yet, a full journal, a stop, a window
 * that is full or a limit on bounces are best told before the message is sent. */
struct dispatch_quiet dispatch_quiet(struct dispatch *g) TG_NONNULL(1) TG_EXCLUDES(dispatch_lock);
/* What was agreed (all are answered, until it is said): what refuses the message is then said at
 * the next event that the MTA waits for. */
void dispatch_unheard(struct dispatch_connection *c, struct dispatch_quiet which) TG_NONNULL(1);
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

/* A session between messages goes to another process at that time of clock_monotonic_ms, up to
 * which it is counted here; 0: it stays, after all. NULL is a no-op. */
void dispatch_hand_over(struct dispatch_connection *c, int64_t now_ms);
/* Then: what the other one needs to count on. NULL: a session that has not begun. */
void dispatch_save(const struct dispatch_connection *c, struct buf *out) TG_NONNULL(2);
/* There, after its dispatch_connect: removes what was saved from the front of *in. False: it is
 * none, and the session one that begins now. */
bool dispatch_restore(struct dispatch_connection *c, struct slice *in) TG_MUST_USE TG_NONNULL(1, 2);

/* Ends and frees it; while it waits, as soon as that has ended, and `resumed` does not come any
 * more. NULL is a no-op. */
void dispatch_leave(struct dispatch_connection *c);

#endif
