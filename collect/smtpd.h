#ifndef TG_COLLECT_SMTPD_H
#define TG_COLLECT_SMTPD_H

#include <stdbool.h>

#include "collect/machine.h"

/*
 * SMTP sessions of clients, from the lines of smtpd: one for each process at a time.
 *
 * A session counts at its start; its seconds accrue at ticks. It ends with "disconnect from", when
 * its process begins another, or when the daemons are started anew. After SMTPD_PAUSE_MS without a
 * line its seconds stand still until its end is read.
 *
 * Errors are counted at their own lines, or at the end by the summary of commands. They go to the
 * login's domain and user, too, but failed logins, which name nobody.
 *
 * Not counted: services of rules->internal, rules->ignore_clients, and what a content filter on
 * this host brings back (orig_client=). That is told only by the first message, so a session from
 * this host counts from there on, or at its end; each of its figures goes to its own time.
 */

#define SMTPD_PAUSE_MS 3600000
#define SMTPD_LOST_MS  (INT64_C(24) * 3600000)
#define SMTPD_MAX      100000 /* sessions; of more, the oldest is given up */

void smtpd_type(struct open_book *b) TG_NONNULL(1);
const struct shape *smtpd_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
void smtpd_tick(struct machine *m, int64_t now_ms, unsigned source) TG_NONNULL(1);
/* The daemons of the line's instance were stopped, or started anew. */
void smtpd_restarted(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);

#endif
