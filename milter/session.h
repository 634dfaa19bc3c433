#ifndef TG_MILTER_SESSION_H
#define TG_MILTER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/classify.h"
#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/core/limit_check.h"
#include "lib/core/record.h"

/*
 * One milter connection as a state machine that does no I/O: events go in, what to do comes out. It
 * knows no socket, thread, log or library, so the same cases run against it in a test and behind
 * any engine.
 *
 * An event returns one action. CONTINUE, REPLY and HOLD are final: they go to the MTA. ASK, LIMIT
 * and COMMIT are requests for I/O: the caller looks up the answers (asks the throttle, appends the
 * record) and reports the result with session_answered (session_limited, session_committed), which
 * return the next action. Only session_end makes requests, and session_rcpt where limits apply.
 *
 * Limits are tested at the end of message, where all of it is known. At RCPT they are only looked
 * at, to refuse a recipient for which there is no room; local mail of the same sender continues. A
 * recipient of mail that does not come by SMTP is never refused: the MTA cannot report it.
 *
 * A message begins at MAIL and ends at the end of message, an abort, a HELO, the next MAIL or the
 * end of the connection, whichever is seen first; an event out of order is ignored and counts
 * nowhere. Each message uses the hosted set that was in force at its MAIL.
 *
 * Bytes: each header as name, colon, value (line feeds in it count as CRLF) and CRLF, then CRLF,
 * then the body: the size on the wire.
 *
 * Owner: session_new/session_free; slices passed in are copied where they are kept; what a request
 * points to lives until it is answered.  Threads: one at a time, any.
 * Limits: memory_bytes a message; beyond it 452 4.5.3.
 */

struct session;
struct visited; /* milter/visited.h */

/* The hosted set that a message uses, and how to give it back (milter/snapshot.h counts it). */
struct session_world {
    const struct hosted *hosted; /* NULL: none could be loaded; mail is deferred */
    void (*release)(void *owner);
    void *owner;
    bool limits; /* the throttle is to be asked */
};

/* Macros of the MTA. ptr NULL: not sent; len 0: sent empty. */
struct session_macros {
    struct slice queue_id;                          /* i */
    struct slice version;                           /* v */
    struct slice client_addr;                       /* {client_addr} */
    struct slice auth_authen;                       /* {auth_authen} */
    struct slice mail_addr;                         /* {mail_addr} */
    struct slice rcpt_addr, rcpt_mailer, rcpt_host; /* {rcpt_addr} and so on */
};

enum session_family { FAMILY_UNKNOWN, FAMILY_UNIX, FAMILY_INET, FAMILY_INET6 };

struct session_client {
    struct slice host; /* name, or [address] */
    enum session_family family;
    uint16_t port;
    struct slice address; /* text */
};

enum session_do {
    SESSION_CONTINUE,
    SESSION_REPLY,
    SESSION_HOLD, /* accepted into the MTA's hold queue; `text` is the reason */
    SESSION_ASK,
    SESSION_LIMIT,
    SESSION_COMMIT,
    SESSION_WAIT /* never a session's: milter/dispatch.h */
};

/* What the throttle is asked about. */
struct limit_question {
    const struct classified *classified;
    const struct facts *facts;
    const struct hosted *hosted;
    struct slice queue_id;
    bool is_look;        /* at RCPT, of one recipient: nothing is consumed */
    struct arena *arena; /* for the answer */
};

struct limit_answer {
    bool is_unknown;   /* the limits could not be checked: the mail is deferred */
    bool is_too_large; /* the question needs more memory than a message may have */
    struct limit_checks checks;
    struct test_answer *tests; /* NULL: no limit applies, or none could be checked */
    bool is_by_store;          /* the store has answered, and consumed if the message passed */
    struct throttle_verdict verdict;
    struct slice reply_more; /* throttle.reply_text and reply_url, of the snapshot */
};

struct session_action {
    enum session_do what;
    /* REPLY: 4xx or 5xx, an enhanced code (RFC 3463) of the same class, and a text of one line.
     * `why` is for the log: what is wrong here, NULL where nothing is. */
    const char *code, *enhanced, *text, *why;
    struct answers *answers;             /* ASK: with open questions */
    const struct limit_question *limits; /* LIMIT */
    struct record *record;               /* COMMIT */
    const struct classified *classified; /* COMMIT of a message: its classification */
};

void session_free(struct session *s); /* NULL is a no-op */
struct session *session_new(size_t memory_bytes) TG_FREED_BY(session_free);

struct session_action session_connect(struct session *s, const struct session_client *client,
                                      const struct session_macros *macros) TG_NONNULL(1);
struct session_action session_helo(struct session *s) TG_NONNULL(1);
/* Takes over *w: its release is called when the session no longer uses it. `path` is the argument
 * without its parameters, with or without angle brackets; the empty string is the null sender too.
 */
struct session_action session_mail(struct session *s, const struct session_world *w,
                                   struct slice path, const struct session_macros *macros)
    TG_NONNULL(1);
/* At which recipients limits are looked: none where a refusal would not be heard, those of the null
 * sender where no window is known to be full. All, until it is said. */
enum session_looks { SESSION_LOOKS_ALL, SESSION_LOOKS_BOUNCES, SESSION_LOOKS_NONE };
void session_look_at(struct session *s, enum session_looks which) TG_NONNULL(1);
struct session_action session_rcpt(struct session *s, struct slice path,
                                   const struct session_macros *macros) TG_NONNULL(1);
/* `value` has its leading blank if the MTA sends it (SMFIP_HDR_LEADSPC); `lead` is 1 if the MTA has
 * removed one. */
void session_header(struct session *s, struct slice name, struct slice value, size_t lead)
    TG_NONNULL(1);
void session_body(struct session *s, size_t bytes) TG_NONNULL(1);
struct session_action session_end(struct session *s, const struct session_macros *macros)
    TG_NONNULL(1);
struct session_action session_answered(struct session *s, bool known) TG_NONNULL(1);
struct session_action session_limited(struct session *s, const struct limit_answer *answer)
    TG_NONNULL(1);
struct session_action session_committed(struct session *s, bool written) TG_NONNULL(1);
void session_abort(struct session *s) TG_NONNULL(1);
void session_close(struct session *s);

/* Is a message under way (from MAIL until its end is answered)? */
bool session_is_open(const struct session *s) TG_NONNULL(1);
/* No SMTP client: the sendmail command or the like; no recipient of such mail may be refused. */
bool session_is_smtp(const struct session *s) TG_NONNULL(1);
/* For whom the SMTP session has delivered or sent, until the next session_connect or _close. */
const struct visited *session_visited(const struct session *s) TG_NONNULL(1);
/* That of the same session in another process (visited_save), after session_connect. */
bool session_visited_restore(struct session *s, struct slice *in) TG_MUST_USE TG_NONNULL(1, 2);
size_t session_memory_bytes(const struct session *s) TG_NONNULL(1);

#endif
