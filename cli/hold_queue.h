#ifndef TG_CLI_HOLD_QUEUE_H
#define TG_CLI_HOLD_QUEUE_H

#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/err.h"
#include "lib/core/strmap.h"

/*
 * Postfix's hold queue, through postqueue(1) and postsuper(1) of PATH (and of the folders where
 * they usually are). `config_dir`: the folder of main.cf; NULL: Postfix's own. Errors:
 * EX_UNAVAILABLE; the text is that of the program.
 */

/* Queue id -> int64_t * (Unix seconds of its arrival) of every message on hold. Keys and values are
 * the arena's. */
int hold_queue_read(const char *config_dir, struct arena *arena, struct strmap *out,
                    struct err *err);
/* Takes one message off hold, and has it delivered now. */
int hold_queue_release(const char *config_dir, const char *id, struct err *err);

#endif
