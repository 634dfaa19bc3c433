#ifndef TG_CORE_FINDINGS_H
#define TG_CORE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/core/strmap.h"

/*
 * Two witnesses compared: what the milter accepted (records of the journal) and what became of it
 * (stories of messages in the mail log). Pure: the caller brings both, in any order, and takes the
 * findings. Most messages agree and are only counted.
 *
 * What proves that a message was queued is the queue manager's "queue active", not the cleanup line
 * before it. What proves that it was not is a line that ends it after the milter's answer; or no
 * line within FINDINGS_WAIT_MS, where the log has no gap there. Mail on hold is in neither.
 *
 * Queue ids may be short and come again within minutes: a record goes with the story of its id that
 * is nearest in time. Ids are joined as a graph, not by the order of lines: notifications and
 * copies may be logged before the message that they were made of.
 *
 * Units: ms, Unix.  Owner: findings_init/findings_fini; all memory in one arena, what is given is
 * copied.  Limits: about 100 bytes a record and 200 a story.  Errors: EX_OSERR.
 */

#define FINDINGS_WAIT_MS INT64_C(3600000)

enum finding_kind {
    FINDING_NOT_QUEUED,   /* counted, and the mail server did not take it */
    FINDING_DOUBT_QUEUED, /* in doubt after a crash: it was queued, the count is right */
    FINDING_DOUBT_LOST,   /* in doubt after a crash: it was not */
    FINDING_MISSED,       /* queued, and never seen by the milter */
    FINDING_FORWARD,      /* passed on by .forward or :include:, which no milter sees */
    FINDING_PASSED_ON     /* by Sieve or a program, and counted where it came in again */
};
#define FINDING_KINDS (FINDING_PASSED_ON + 1)

/* "not-queued" and so on, and what it means. */
const char *finding_kind_name(enum finding_kind kind);
const char *finding_kind_help(enum finding_kind kind);
/* "reconcile_not_queued": its number in the collector's hash. */
const char *finding_kind_field(enum finding_kind kind);

/* A message of the journal that counts. */
struct findings_record {
    uint64_t number;
    int64_t time_ms;
    struct slice queue_id;
    uint64_t bytes;
    bool in_doubt;
    bool is_held; /* kept back and not released: it does not count, and is not missed */
};

struct finding {
    enum finding_kind kind;
    int64_t time_ms;        /* of the record; else of the log */
    uint64_t number;        /* of the record; 0: there is none */
    struct slice queue_id;  /* empty: not known */
    struct slice other_id;  /* FORWARD, PASSED_ON: the message that it became */
    struct slice instance;  /* of the mail server */
    struct slice sender;    /* MISSED */
    struct slice recipient; /* FORWARD: whose mail was passed on, as the sender wrote it */
    uint64_t bytes;         /* of the message */
    uint64_t recipients, destinations; /* FORWARD: targets on other servers, their domains */
    struct slice evidence;             /* line of the log that says so, or why there is none */
};

struct findings_gap {
    int64_t from_ms, to_ms;
};

struct findings_mail;

struct findings {
    struct arena arena;
    struct strmap mails;       /* queue id -> struct findings_mail *, chained */
    struct strmap message_ids; /* the same by message id */
    struct strmap children;    /* queue id -> what it was made of */
    struct findings_mail *first_mail, **last_mail;
    struct findings_record *records;
    size_t record_count, record_room;
    struct findings_gap *gaps;
    size_t gap_count, gap_room;
    /* Is the domain hosted? NULL: none is. */
    bool (*is_hosted)(void *context, struct slice domain);
    void *context;
    int64_t log_from_ms, log_to_ms;         /* what the log covers */
    int64_t journal_from_ms, journal_to_ms; /* what the journal covers */
    struct finding *list;
    size_t count, room;
    uint64_t counted, agreed, waiting,
        unjudged; /* records: all; queued; on hold; outside the log */
};

void findings_init(struct findings *f) TG_NONNULL(1);
void findings_fini(struct findings *f);

/* Records in the order of the journal. */
int findings_add_record(struct findings *f, const struct findings_record *r,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* A story (lib/core/mail_trace) of that instance of the mail server. EX_DATAERR: it cannot be read,
 * and is left out. */
int findings_add_trace(struct findings *f, struct slice queue_id, struct slice instance,
                       struct slice trace, struct err *err) TG_MUST_USE TG_NONNULL(1);
int findings_add_gap(struct findings *f, const struct findings_gap *gap,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* Compares, after log_* and journal_* were set. The list is in the order of time. */
int findings_compare(struct findings *f, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
