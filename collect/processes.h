#ifndef TG_COLLECT_PROCESSES_H
#define TG_COLLECT_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The processes of programs, from /proc, where no control group has them together: those that were
 * started by the program's path (their first argument), and all their descendants.
 *
 * Owner: zeroed memory is empty; processes_fini.  Threads: one.
 */

struct processes {
    struct process {
        pid_t pid, parent;
        ssize_t program;              /* index of the list; -1: of none */
        bool is_named;                /* by its path; else it descends from one that is */
        uint64_t start, cpu, threads; /* start and CPU time (with children that ended) in ticks */
        uint64_t rss;                 /* pages */
    } * items;
    size_t count, room;
};

/* Of one program together. */
struct processes_sum {
    size_t count;
    uint64_t start; /* changes when the program is started anew */
    uint64_t cpu_us, bytes, threads;
};

/* Reads all processes of `proc` (/proc), and finds which are of the programs that the list has:
 * entries without a slash are no programs. A process that ends meanwhile is left out. */
int processes_read(struct processes *p, const char *proc, const struct string_list *programs,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
struct processes_sum processes_add_up(const struct processes *p, size_t program) TG_NONNULL(1);
void processes_fini(struct processes *p) TG_NONNULL(1);

/* Its open files, 0 if it has ended; -1 if that is not permitted. */
int64_t processes_handles(const char *proc, pid_t pid) TG_NONNULL(1);

#endif
