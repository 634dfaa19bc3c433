#ifndef TG_SYS_RELAY_QUEUE_H
#define TG_SYS_RELAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/sys/settings.h"

/* Where the queue of tollgate-relay is: relay.queue_dir, else below state_dir. */
void relay_queue_dir(const struct settings *s, char *path, size_t room);
/* Has tollgate-relay ever run here? */
bool relay_queue_exists(const struct settings *s);

#endif
