#ifndef TG_COLLECT_DOVECOT_H
#define TG_COLLECT_DOVECOT_H

#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * POP and IMAP sessions as Dovecot 2.3 and 2.4 log them.
 *
 * Connections are logins and logins that came to nothing; bytes, errors and ends are counted at a
 * session's last line. Charged to the node and to the login's domain and user; failed logins to no
 * user, since strangers invent names. Commands that were refused are known one by one where the
 * server exports events (contrib/dovecot); else only those that got a client thrown out.
 */

void dovecot_types(struct open_book *b) TG_NONNULL(1);
/* The line's shape; NULL: not known, or of another daemon. */
const struct shape *dovecot_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
/* now_ms: all lines up to there have been read. */
void dovecot_tick(struct machine *m, int64_t now_ms) TG_NONNULL(1);

#endif
