#ifndef TG_COLLECT_SMTP_OUT_H
#define TG_COLLECT_SMTP_OUT_H

#include "collect/machine.h"

/*
 * Deliveries to other mail servers, from the lines of smtp and of lmtp over TCP.
 *
 * All recipients of one delivery share process, queue id, relay, conn_use= and the first three
 times
 * of delays= (before the queue, in the queue, connecting), and stand together in the log of that
 * process; the fourth, sending, grows while recipients are refused one by one. They are one group.
 What a process logs before it (servers that were
 * tried in vain) belongs to the group that comes next. A group is charged when it has ended, to the
 * owner of its message; where a line may still tell the owner, it waits for SMTP_OUT_OWNER_MS.
 *
 * Not counted: loopback, sockets, and rules->internal_relays.
 *
 * Units: seconds are those of connecting and sending (the third and fourth of delays=), summed in
 * milliseconds for each domain.
 */

#define SMTP_OUT_IDLE_MS  5000  /* then a group has ended */
#define SMTP_OUT_OWNER_MS 10000 /* as long as a message that left is known */
#define SMTP_OUT_LOST_MS  3600000

void smtp_out_type(struct open_book *b) TG_NONNULL(1);
const struct shape *smtp_out_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
/* Before mail_tick. */
void smtp_out_tick(struct machine *m, int64_t now_ms, unsigned source) TG_NONNULL(1);
/* The daemons of an instance were started anew. */
void smtp_out_restarted(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);

#endif
