#ifndef TG_CLI_HOLD_TRACE_H
#define TG_CLI_HOLD_TRACE_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "lib/core/strmap.h"

/*
 * What the lines of a mail log tell about a held message that its queue no longer has: whether it
 * was let out of the hold queue or deleted there. Lines of Postfix, Sendmail and tollgate-relay, as
 * syslog and postlogd write them; no I/O.
 *
 * `postsuper -H ALL`, `-r ALL` and `-d ALL` name no queue ids. The queue manager names each message
 * that it begins to deliver, and pickup(8) the former id of each requeued one. So a message was
 * deleted, too, if a log has it going into hold and nothing of it afterwards.
 */

enum hold_fate {
    HOLD_FATE_UNKNOWN,
    HOLD_FATE_OUT, /* delivered, or on its way, perhaps under another queue id */
    HOLD_FATE_DELETED
};

struct hold_trace {
    bool is_shared;    /* two held messages have this queue id: lines may be of either */
    bool is_covered;   /* the log has it going into hold */
    bool is_off_hold;  /* postsuper took it off hold, or requeued it */
    bool is_scheduled; /* the MTA has begun to deliver it */
    bool is_deleted;   /* by postsuper */
    bool is_over;      /* later lines are of another message with the same queue id */
};

/* Applies a line, without its end, to the trace of its message. traces: queue id -> struct
 * hold_trace *, of the messages that are looked for; lines of others are ignored. Lines have to
 * come in the order of the log. */
void hold_trace_line(const struct strmap *traces, struct slice line) TG_NONNULL(1);
enum hold_fate hold_trace_fate(const struct hold_trace *t, struct slice id) TG_NONNULL(1);

#endif
