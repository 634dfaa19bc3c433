#ifndef TG_COLLECT_ACTIVITY_H
#define TG_COLLECT_ACTIVITY_H

#include <stdint.h>

#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * The jump alarm: what a stolen account looks like. For each user and domain it counts connections
 * with a login, recipients of sent mail and distinct client addresses in an hour, and compares them
 * with the busiest hour of the subject's own last weeks (ACTIVITY_WEEKS, and this one so far).
 * Crossing the threshold is told once an hour and metric.
 *
 * Client addresses are counted in a bitmap: exact up to about ten, within 5 % up to some hundreds.
 * IPv6 clients count by /64.
 *
 * Limits: ACTIVITY_SUBJECTS subjects, those idle for longest go; one that is idle for longer than
 * the weeks compared goes, too. Lines over an hour late are ignored.
 */

#define ACTIVITY_WEEKS    4
#define ACTIVITY_SUBJECTS 50000

/* For the book, once. */
void activity_init(struct machine *m) TG_NONNULL(1);

/* A login of the payer from that client (its IP address as text; empty: not known). */
void activity_login(struct machine *m, int64_t time_ms, const struct payer *payer,
                    struct slice client) TG_NONNULL(1, 3);
/* A message that the payer sends. */
void activity_sent(struct machine *m, int64_t time_ms, const struct payer *payer,
                   uint64_t recipients) TG_NONNULL(1, 3);

/* "connections", "recipients", "clients" */
const char *activity_metric_name(enum activity_metric metric);

#endif
