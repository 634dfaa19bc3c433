#ifndef TG_RELAY_CONTROL_H
#define TG_RELAY_CONTROL_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/queue.h"
#include "relay/scheduler.h"

/* The daemon's side of the queue's socket (relay/queue_command.h), in a thread of its own. */
struct relay_control;
struct relay_control *control_start(struct queue *q, struct scheduler *s,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
void control_stop(struct relay_control *c);

#endif
