#ifndef TG_CORE_MAIL_TRACE_H
#define TG_CORE_MAIL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The story of one message as a mail log tells it: where it came from, when it was queued, what
 * happened to each recipient, how it left the queue. The collector writes it, `tollgate why` and
 * `tollgate reconcile` read it.
 *
 * Units: times are Unix milliseconds.
 * Limits: MAIL_TRACE_EVENTS events and MAIL_TRACE_BYTES bytes; the last MAIL_TRACE_RESERVED events
 * are kept for others than deliveries, so that the end of a message for thousands is there. What
 * does not fit is counted in `left_out`. Texts are cut.
 * Versions: a reader skips fields that it does not know, and refuses another version.
 */

#define MAIL_TRACE_EVENTS   64
#define MAIL_TRACE_RESERVED 8
#define MAIL_TRACE_BYTES    8192
#define MAIL_TRACE_TEXT     120 /* bytes of a reply; others: MAIL_TRACE_NAME */
#define MAIL_TRACE_NAME     256
#define MAIL_TRACE_ID       64 /* bytes of a queue id that one asks for */

/* May it be a queue id? Those of Postfix and Sendmail are letters and digits. */
bool mail_trace_is_id(struct slice text);

/* The numbers are stored. */
enum mail_event_kind {
    MAIL_CLIENT = 1,   /* smtpd took it from `client`; other_id: where a filter had it from */
    MAIL_SUBMITTED,    /* pickup: uid, sender; other_id: requeued from */
    MAIL_MESSAGE_ID,   /* text */
    MAIL_QUEUED,       /* the first "queue active", or Sendmail's from=: sender, size, nrcpt */
    MAIL_RETRIED,      /* "queue active" once more */
    MAIL_DELIVERY,     /* recipient, orig_to, relay, dsn, status, text; other_id: passed on as */
    MAIL_REJECTED,     /* text: by whom and why, after it was received */
    MAIL_HELD,         /* text */
    MAIL_RELEASED,     /* from hold */
    MAIL_REQUEUED,     /* goes on under another id */
    MAIL_DISCARDED,    /* text */
    MAIL_CANCELED,     /* cleanup: removed (canceled) */
    MAIL_EXPIRED,      /* in the queue for too long */
    MAIL_NOTIFICATION, /* other_id: the notification that was made of it; text: what kind */
    MAIL_MADE_OF,      /* other_id: the message that it is a notification or a copy of */
    MAIL_DELETED,      /* by postsuper */
    MAIL_REMOVED,      /* done: left the queue */
    MAIL_UNFINISHED,   /* its SMTP session ended, and it was not queued */
    MAIL_LOST_SIGHT    /* no line tells its end */
};
#define MAIL_EVENT_KINDS (MAIL_LOST_SIGHT + 1)

/* What does not apply is empty or 0. */
struct mail_event {
    int64_t time_ms;
    enum mail_event_kind kind;
    struct slice client, login, sender, recipient, orig_to, relay, dsn, status, text, other_id;
    uint64_t size, nrcpt, uid;
};

/* "queued"; NULL: no such kind. */
const char *mail_trace_kind_name(unsigned kind);

/* --- writing ---------------------------------------------------------------------------------- */

struct mail_trace {
    struct buf events;
    uint32_t count;
    uint64_t left_out;
    int64_t last_ms;
};

void mail_trace_init(struct mail_trace *t) TG_NONNULL(1);
void mail_trace_fini(struct mail_trace *t) TG_NONNULL(1);
void mail_trace_add(struct mail_trace *t, const struct mail_event *event) TG_NONNULL(1, 2);

/* What stands before the events. `domain` and `user` paid for it; empty: nobody. */
struct mail_trace_head {
    struct slice instance, domain, user;
    uint64_t left_out; /* events; of a trace that is written: its own number */
    uint64_t count;
};
void mail_trace_encode(const struct mail_trace *t, const struct mail_trace_head *head,
                       struct buf *out) TG_NONNULL(1, 2, 3);
/* Continues a trace that was encoded. `t` is empty before. -1: not one, or out of memory. */
int mail_trace_continue(struct mail_trace *t, struct slice bytes, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* --- reading ---------------------------------------------------------------------------------- */

struct mail_trace_reader {
    struct slice rest;
    uint64_t left;
    int64_t last_ms;
};

/* -1: not a trace, or of another version. The slices are parts of `bytes`. */
int mail_trace_open(struct mail_trace_reader *r, struct slice bytes, struct mail_trace_head *head,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* 1; 0 at the end; -1: torn or damaged. */
int mail_trace_next(struct mail_trace_reader *r, struct mail_event *event,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
