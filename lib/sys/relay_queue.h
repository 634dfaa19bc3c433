#ifndef TG_SYS_RELAY_QUEUE_H
#define TG_SYS_RELAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/* Where the queue of tollgate-relay is: relay.queue_dir, else below state_dir. */
void relay_queue_dir(const struct settings *s, char *path, size_t room) TG_NONNULL(1);
/* Whether tollgate-relay has ever run here. */
bool relay_queue_exists(const struct settings *s) TG_NONNULL(1);

#endif
