#ifndef TG_ADMIN_THRESHOLD_H
#define TG_ADMIN_THRESHOLD_H

#include "lib/admin/setup.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * Tells the admins of domains and customers which part of a month's limit is used: runs
 * throttle.notify as `PROGRAM threshold ACCOUNT LIMIT` for each percentage of throttle.notify_at,
 * once a month for each window, by all nodes together. Who has passed several since the last look
 * hears of the highest alone.
 *
 * What was told stands in the store (key_window_told), and is written when the program has ended
 * well; until then a claim of a minute at most keeps other nodes away. So each threshold is told at
 * least once: a program that fails is run again, and where a node dies while it runs, or behind its
 * end before that is written, another one runs it once the claim is over. The program may be run
 * twice for one threshold then, and by no other way. Without the store nothing is told.
 *
 * Limits: THRESHOLD_MOST at a look, the fullest first; the others at the next one.
 */

#define THRESHOLD_MOST 100

/* True: no more is to be told. */
typedef bool threshold_stop(void *context);

/* One look. No more than one node does it in throttle.notify_every; for the others it is a trip.
 * -1: the store cannot be read, or the program fails. */
int threshold_look(const struct setup *s, struct reader *r, int64_t now_s, threshold_stop *stop,
                   void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 6);

#endif
