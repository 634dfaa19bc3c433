#ifndef TG_COLLECT_MAIL_MACHINES_H
#define TG_COLLECT_MAIL_MACHINES_H

#include "collect/machine.h"

/*
 * The machines for mail transport as one: Postfix's daemons, Sendmail, and what the syslog daemons
 * say of lines that were lost.
 *
 * They tick by themselves with each new second of a source, for what that source told, so that what
 * they find does not depend on how the lines were cut into folds. mail_machines_tick is for the
 * time that all sources have reached.
 */

/* How their things are kept in the book; before the first line, and before open_restore. */
void mail_machines_types(struct open_book *b) TG_NONNULL(1);
/* NULL: no line of theirs, or an unknown one. */
const struct shape *mail_machines_line(struct machine *m, const struct log_line *line)
    TG_NONNULL(1, 2);
void mail_machines_tick(struct machine *m, int64_t now_ms) TG_NONNULL(1);

#endif
