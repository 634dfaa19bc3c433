#ifndef TG_COLLECT_SENDMAIL_H
#define TG_COLLECT_SENDMAIL_H

#include "collect/machine.h"

/*
 * Sendmail's lines. Its sessions are not in the log at the usual levels: connections and seconds of
 * SMTP in are those of the milter. Errors are counted as they are logged, terminations at most once
 * a process, which serves one client. Whether it was blocked is known when it has been silent for
 * SENDMAIL_IDLE_MS: then it is counted, at the time of the refusal.
 *
 * SMTP out: each "to=" line of an SMTP mailer is a delivery of all its recipients; reused
 * connections are not told, so connections are "at most". xdelay= (whole seconds) is its time.
 *
 * Messages are kept as Postfix's are (collect/mail.h), their instance is the tag. Its "from=" line
 * does not prove that a message was accepted.
 */

#define SENDMAIL_IDLE_MS 600000
#define SENDMAIL_MAX     100000

void sendmail_type(struct open_book *b) TG_NONNULL(1);
const struct shape *sendmail_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
void sendmail_tick(struct machine *m, int64_t now_ms, unsigned source) TG_NONNULL(1);

#endif
