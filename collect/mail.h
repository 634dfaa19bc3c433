#ifndef TG_COLLECT_MAIL_H
#define TG_COLLECT_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/machine.h"
#include "lib/core/mail_trace.h"

/*
 * Messages in the queue, by instance and queue id (OPEN_MAIL): where each came from, who pays for
 * its deliveries, and its story, which goes to the sink when it has left the queue.
 *
 * A message that left stays for MAIL_GRACE_MS among OPEN_GONE, for lines that come late: of the
 * delivery (other processes write them), of the bounce that was made of it. Short queue ids are
 * used again soon; what is begun under a known id is a new message.
 *
 * Owner of a message (who is charged for its deliveries), as tollgated has it for sent mail:
 *   - the login; else, where there was one, or from pickup, or from networks.host or .customers:
 *     the sender;
 *   - of a notification (bounce) the owner of the message that it is about; of a copy that local(8)
 *     made (.forward, aliases) the recipient whose copy it is;
 *   - of what a content filter brings back the owner of what the filter got.
 * Else the recipient whose alias led out of the server (orig_to=), each for his own deliveries.
 *
 * Limits: what no line mentions for MAIL_LOST_MS is handed out as lost from sight, and so is the
 * oldest where there are more than MAIL_MAX.
 */

#define MAIL_GRACE_MS 10000
#define MAIL_LOST_MS  (INT64_C(8) * 86400 * 1000)
#define MAIL_MAX      200000

enum mail_flag {
    MAIL_BY_SMTP = 1,
    MAIL_BY_PICKUP = 2,
    MAIL_BY_PARENT = 4,  /* made of another message, whose payer is here */
    MAIL_WAS_QUEUED = 8, /* "queue active" */
    MAIL_ON_HOLD = 16,
    MAIL_MAYBE_FILTERED = 32, /* from this host by SMTP: the way back from a content filter? */
    MAIL_SESSION_ENDED = 64   /* before it was queued, as far as the log tells yet */
};

struct mail {
    int64_t first_ms, last_ms;
    unsigned flags;  /* enum mail_flag */
    unsigned source; /* of its last line */
    uint64_t size;   /* bytes, as qmgr has it */
    struct slice client, login, sender;
    struct slice domain, user;               /* MAIL_BY_PARENT: who pays; may be empty */
    struct slice failed_domain, failed_user; /* the hosted recipient that failed last */
    struct mail_trace trace;
};

void mail_type(struct open_book *b) TG_NONNULL(1);

/* The message of an id, in the queue or just gone; NULL where there is none. */
struct open_entry *mail_entry(const struct machine *m, struct slice instance, struct slice id)
    TG_NONNULL(1);
/* The same, and if it is not there: a new one, first seen in this line. NULL: out of memory. */
struct open_entry *mail_take(struct machine *m, const struct log_line *line, struct slice id)
    TG_NONNULL(1, 2);
/* A line that begins a message: one that is there under that id has been lost from sight. */
struct open_entry *mail_begin(struct machine *m, const struct log_line *line, struct slice id)
    TG_NONNULL(1, 2);
/* A line of a message that is being received: it may be known already that it will not be queued.
 */
struct open_entry *mail_received(struct machine *m, const struct log_line *line, struct slice id)
    TG_NONNULL(1, 2);
/* A line of a message in the queue: one that is gone has had the id before. */
struct open_entry *mail_in_queue(struct machine *m, const struct log_line *line, struct slice id)
    TG_NONNULL(1, 2);
/* Adds to its story; the event's time is set to the line's. `e` may be NULL. */
void mail_tell(struct machine *m, struct open_entry *e, const struct log_line *line,
               struct mail_event event) TG_NONNULL(1, 3);
/* It leaves the queue. */
void mail_leave(struct machine *m, struct open_entry *e, int64_t now_ms) TG_NONNULL(1, 2);

/* What smtpd's "client=" line tells. */
struct mail_client {
    struct slice address, login;
    struct slice orig_address, orig_id; /* where a content filter had it from */
    bool is_held;
};
void mail_client(struct machine *m, const struct log_line *line, struct slice id,
                 const struct mail_client *client) TG_NONNULL(1, 2, 4);
/* A proxy filter before the queue has taken it from a session with that login (may be empty). */
void mail_proxied(struct machine *m, const struct log_line *line, struct slice id,
                  struct slice login) TG_NONNULL(1, 2);
/* Its session has ended, or begun another message. */
void mail_session_ended(struct machine *m, const struct log_line *line, struct slice id)
    TG_NONNULL(1, 2);
/* One delivery (or failure) of a recipient; returns its message. */
struct open_entry *mail_delivery(struct machine *m, const struct log_line *line, struct slice id,
                                 struct slice text) TG_NONNULL(1, 2);

/* Who pays. False: not known yet, a line may still tell; *payer is the best guess. */
bool mail_owner(struct machine *m, const struct mail *mail, struct payer *payer)
    TG_NONNULL(1, 2, 3);
/* `child` was made of `parent`; `payer` pays for it. */
void mail_link(struct machine *m, const struct log_line *line, struct slice parent,
               struct slice child, const struct payer *payer) TG_NONNULL(1, 2, 5);

/* cleanup, pickup, qmgr, bounce, postsuper, and those that deliver here. */
const struct shape *mail_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
void mail_tick(struct machine *m, int64_t now_ms, unsigned source) TG_NONNULL(1);

#endif
