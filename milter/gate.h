#ifndef TG_MILTER_GATE_H
#define TG_MILTER_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/sys/journal.h"
#include "milter/limiter.h"
#include "milter/notices.h"
#include "milter/session.h"
#include "milter/site.h"

/*
 * Between the engines and the rest: what all connections share, and the errands of a session. An
 * engine turns its library's events into gate_* calls and gets back the one action that it hands to
 * the MTA (CONTINUE, REPLY or HOLD); it knows neither journal, resolver nor throttle.
 *
 * Threads: a connection by one at a time, whichever; the gate by all. The lock guards `site` and
 * the list of connections; nothing is done under it but to follow a pointer.
 */

struct gate_connection;

struct gate {
    struct journal *journal;
    struct notices notices;
    struct limiter limiter; /* throttle NULL: nothing is limited */
    size_t message_bytes;   /* memory cap of a message */
    unsigned session_max;   /* descriptors that there are for sessions */

    pthread_mutex_t lock;
    struct site *site;
    struct gate_connection *connections;

    atomic_uint sessions;      /* connections past their negotiation */
    atomic_uint open_messages; /* MAIL accepted, end not answered */
    atomic_uint busy;          /* calls under way */
    atomic_bool draining;      /* no new messages */
    atomic_bool closed;        /* nothing at all */
    atomic_bool lead_kept;     /* last negotiation: header values come with their leading blank */
};

/* `journal` is borrowed; the site is taken over. There is no end to it: an engine may call in as
 * long as the process lives, and is told to go then (gate_close). What it holds is the process's to
 * free. */
int gate_init(struct gate *g, struct journal *journal, struct site *site, struct err *err);

struct site *gate_site(struct gate *g);                 /* held for the caller */
void gate_site_swap(struct gate *g, struct site *site); /* taken over; the old one dropped */

/* Limits hold from now on. Both are borrowed; before the engine runs. */
void gate_limit(struct gate *g, struct throttle *throttle, struct violation_log *violations);

/* From now on MAIL is deferred; what is under way goes on. */
void gate_drain(struct gate *g);
/* Lets nobody in any more and waits until no call is under way, at most `wait_ms`. False: some
 * still are. */
bool gate_close(struct gate *g, int64_t wait_ms);
/* A clean end: no message is in doubt any more. */
void gate_slots_release(struct gate *g);

/* A connection. NULL when memory is out. */
struct gate_connection *gate_enter(struct gate *g);
/* `kept`: header values come with their leading blank (SMFIP_HDR_LEADSPC). */
void gate_lead(struct gate_connection *c, bool kept);
struct session_action gate_connect(struct gate_connection *c, const struct session_client *client,
                                   const struct session_macros *macros);
struct session_action gate_helo(struct gate_connection *c);
struct session_action gate_mail(struct gate_connection *c, struct slice path,
                                const struct session_macros *macros);
struct session_action gate_rcpt(struct gate_connection *c, struct slice path,
                                const struct session_macros *macros);
void gate_header(struct gate_connection *c, struct slice name, struct slice value);
void gate_body(struct gate_connection *c, size_t bytes);
struct session_action gate_end(struct gate_connection *c, const struct session_macros *macros);
void gate_abort(struct gate_connection *c);
void gate_leave(struct gate_connection *c); /* ends and frees it; NULL is let pass */

#endif
