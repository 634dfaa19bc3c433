#ifndef TG_CLI_HOLD_QUEUE_H
#define TG_CLI_HOLD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/strmap.h"

/*
 * The queues of the mail servers of this machine, each under a name that it keeps: every instance
 * of Postfix, through postqueue(1) and postsuper(1), under the folder of its main.cf; Sendmail,
 * where hold is the quarantine, and tollgate-relay, through its queue command, each under its own
 * name. The programs are found through PATH and root's usual folders. Errors: EX_UNAVAILABLE with
 * the program's own text.
 */

#define HOLD_QUEUE_MAX   64
#define HOLD_QUEUE_RELAY "tollgate-relay"

enum hold_queue_kind { HOLD_QUEUE_POSTFIX, HOLD_QUEUE_SENDMAIL, HOLD_QUEUE_TOLLGATE_RELAY };

struct hold_queue {
    enum hold_queue_kind kind;
    const char *name;
    const char *config; /* Postfix's folder (NULL: its own default), or the relay's file */
    struct err problem; /* why it could not be read; code 0: it was */
};

struct hold_queues {
    struct hold_queue list[HOLD_QUEUE_MAX];
    size_t count;
    bool is_every; /* all that the machine is known to have */
};

/* A message in a queue. */
struct queued {
    const struct hold_queue *queue;
    int64_t
        arrival_s; /* Unix time; 0: never another message's (ids of Sendmail do not come back) */
    bool is_on_hold;
    struct queued *next; /* with the same id in another queue */
};

/* The instance of Postfix with that folder, or, where it is NULL, all that postmulti(1) lists, and
 * Sendmail's queue; and the relay's, where it has a configuration (else NULL). */
int hold_queue_find_all(struct hold_queues *q, const char *config_dir, const char *relay_conf,
                        struct arena *arena, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Queue id -> struct queued * of every message in them. Keys and values are the arena's. A queue
 * that cannot be read says so in its problem; -1 where memory is out. */
int hold_queue_read_all(struct hold_queues *q, struct arena *arena, struct strmap *out,
                        struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Takes one message off hold and has it delivered now (Sendmail: at its next run of the queue). */
int hold_queue_release(const struct hold_queue *q, const char *id, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
