#ifndef TG_CLI_HOLD_QUEUE_H
#define TG_CLI_HOLD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/strmap.h"

/*
 * The messages that the mail servers of this machine have on hold: Postfix, through postqueue(1)
 * and postsuper(1), and tollgate-relay, through its queue command. The programs are found through
 * PATH and root's usual folders. Errors: EX_UNAVAILABLE with the program's own text.
 */

struct hold_queues {
    const char *config_dir; /* the folder of main.cf; NULL: Postfix's own */
    const char *relay_conf; /* tollgate-relay's configuration; NULL: it has no queue here */
    struct err problem;     /* with a relay: why Postfix could not be asked; code 0: it was */
};

struct on_hold {
    int64_t arrival_s; /* Unix time */
    bool in_relay;
};

/* Queue id -> struct on_hold * of every message on hold. Keys and values are the arena's. Where the
 * relay has a queue, Postfix may be missing or down: then q->problem says so, and what is not found
 * may still be there. */
int hold_queue_read(struct hold_queues *q, struct arena *arena, struct strmap *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Takes one message off hold, and has it delivered now. */
int hold_queue_release(const struct hold_queues *q, const char *id, const struct on_hold *m,
                       struct err *err) TG_MUST_USE;

#endif
