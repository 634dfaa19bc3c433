#ifndef TG_LEDGER_COLLECT_FILE_H
#define TG_LEDGER_COLLECT_FILE_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * What this node's collector knows of messages (STATE_DIR/collect/collect.db), read only, beside a
 * tollgate-collect that may be running or not.
 *
 * Errors: EX_NOINPUT where there is no such file, EX_NOPERM, EX_IOERR.
 */

struct collect_file;

void collect_file_close(struct collect_file *c); /* NULL is allowed */
struct collect_file *collect_file_open(const char *state_dir, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

struct collect_file_story {
    struct slice queue_id, instance, trace;
};
/* The stories (lib/core/mail_trace) of messages that were in the log at some time of [from, to]:
 * all, or those of one queue id. `take` returns 0, or -1 with *err, which ends it. */
struct collect_file_query {
    struct slice queue_id; /* empty: all */
    int64_t from_ms, to_ms;
    int (*take)(void *context, const struct collect_file_story *story, struct err *err);
    void *context;
};
int collect_file_traces(struct collect_file *c, const struct collect_file_query *q,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
int collect_file_gaps(struct collect_file *c,
                      int (*take)(void *context, int64_t from_ms, int64_t to_ms, struct err *err),
                      void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* What the logs that it reads cover: from the latest of their beginnings to the earliest of their
 * ends. */
int collect_file_cover(struct collect_file *c, int64_t *from_ms, int64_t *to_ms,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
