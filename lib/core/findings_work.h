#ifndef TG_CORE_FINDINGS_WORK_H
#define TG_CORE_FINDINGS_WORK_H

#include "lib/core/findings.h"

/* Shared by the files of findings, of no use to others. */

struct findings_name {
    struct findings_name *next;
    struct slice text;
};

enum findings_link_kind {
    LINK_FORWARD,      /* passed on by local(8) */
    LINK_REQUEUED,     /* the same message under another id */
    LINK_NOTIFICATION, /* made by the mail server itself */
    LINK_FILTERED      /* came back from a content filter */
};

/* How one message came of another. */
struct findings_link {
    struct findings_link *same_id;
    struct findings_mail *of;
    enum findings_link_kind kind;
    struct slice recipient; /* LINK_FORWARD */
};

/* What a story comes to. */
struct findings_mail {
    struct findings_mail *next, *same_id, *same_message_id;
    struct slice queue_id, instance, message_id, sender;
    int64_t first_ms, last_ms;
    int64_t queued_ms; /* 0: never */
    struct slice end;  /* what ended it before it was queued */
    uint64_t size;
    bool has_client, is_submitted, is_from_here, is_made_here, is_filtered, is_held,
        is_delivered_here;
    const struct findings_record *record; /* that goes with it */
    struct findings_name *targets;        /* recipients of its deliveries to other hosts */
};

#endif
