#ifndef TG_RELAY_CONTROL_H
#define TG_RELAY_CONTROL_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/queue.h"
#include "relay/scheduler.h"

/* The daemon's end of the queue's socket (see queue_command.h): a thread of its own. */
struct relay_control;
struct relay_control *control_start(struct queue *q, struct scheduler *s,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
void control_stop(struct relay_control *c);

#endif
