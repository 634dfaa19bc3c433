#ifndef TG_COLLECT_STATUS_H
#define TG_COLLECT_STATUS_H

#include <stdint.h>

#include "collect/processes.h"
#include "collect/queue_watch.h"
#include "collect/sink.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The server's status: CPU time, memory, threads and open files of the units in collect.units,
 * every STATUS_EVERY_MS. A systemd unit is read from its control group (version 2); an entry that
 * is the path of a program, from /proc (collect/processes.h). With them, the established
 * connections of mail services. Each reading is multiplied by the time since the one before; what
 * was not watched counts nothing, nor does a time in which none of the units was there.
 *
 * The length of the queue is that of the last look (collect/queue_watch.h).
 *
 * Open files of other accounts' processes are not for everyone to read, nor is the queue; the signs
 * of notes (collect/notes.h) say so.
 *
 * Owner: status_init/status_fini; units are borrowed.  Threads: one.
 */

#define STATUS_EVERY_MS 10000

struct status {
    const struct string_list *units;
    const char *root;   /* of control groups; tests have their own, and their own */
    const char *proc;   /* /proc */
    const char *tcp[2]; /* the kernel's tables of connections */
    struct status_unit {
        uint64_t cpu_us; /* at the last reading; UINT64_MAX: none yet */
        uint64_t start;  /* of a program: changes when it is started anew */
    } * last;            /* of each unit */
    struct processes processes;
    struct queue_watch queue;
    int64_t last_ms; /* monotonic, of the last reading; 0: none */
    uint64_t signs;  /* what the last one lacked */
    struct status_rest {
        uint64_t ms, cpu_us, byte_ms, thread_ms, handle_ms, connection_ms, message_ms;
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
