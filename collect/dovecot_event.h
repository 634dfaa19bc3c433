#ifndef TG_COLLECT_DOVECOT_EVENT_H
#define TG_COLLECT_DOVECOT_EVENT_H

#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * What Dovecot's event exporter writes into the log, as JSON: IMAP commands that were refused, and
 * (2.4) the bytes of POP sessions. All else in it is told by other lines, too.
 */

const struct shape *dovecot_event(struct machine *m, const struct log_line *line, struct slice json)
    TG_NONNULL(1, 2);
/* Are refused IMAP commands exported at that time? Then the line of a client that was thrown out
 * for them adds none. */
bool dovecot_event_exports(const struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);

#endif
