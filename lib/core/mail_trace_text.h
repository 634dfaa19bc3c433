#ifndef TG_CORE_MAIL_TRACE_TEXT_H
#define TG_CORE_MAIL_TRACE_TEXT_H

#include "lib/core/contract.h"
#include "lib/core/mail_trace.h"

/* What an event of a message's story says, without its time, in words for people: "to b@far.test:
 * sent by mx.far.test, dsn 2.0.0: 250 ok". */
void mail_trace_text(const struct mail_event *e, struct buf *b) TG_NONNULL(1, 2);

#endif
