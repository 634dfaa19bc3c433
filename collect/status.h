#ifndef TG_COLLECT_STATUS_H
#define TG_COLLECT_STATUS_H

#include <stdint.h>

#include "collect/sink.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The server's status: CPU time, memory and threads of the units in collect.units, from their
 * control groups (version 2), and established connections of mail services, every STATUS_EVERY_MS.
 * Each reading is multiplied by the time since the one before; what was not watched counts nothing.
 * Open files and the queue cannot be read without privileges; notes say so (collect/notes.h).
 *
 * Owner: status_init/status_fini; units are borrowed.  Threads: one.
 */

#define STATUS_EVERY_MS 10000

struct status {
    const struct string_list *units;
    const char *root;   /* of control groups; tests have their own */
    const char *tcp[2]; /* the kernel's tables of connections */
    uint64_t *cpu_us;   /* of each unit, at the last reading; UINT64_MAX: none yet */
    int64_t last_ms;    /* monotonic, of that; 0: none */
    struct status_rest {
        uint64_t ms, cpu_us, byte_ms, thread_ms, connection_ms;
    } rest; /* what was too little to be counted */
};

int status_init(struct status *s, const struct string_list *units, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
void status_fini(struct status *s) TG_NONNULL(1);
/* A reading, if one is due: true where it told the sink something. `now_ms` is monotonic,
 * `time_ms` Unix. */
bool status_take(struct status *s, int64_t now_ms, int64_t time_ms, const struct sink *sink)
    TG_NONNULL(1, 4);

#endif
