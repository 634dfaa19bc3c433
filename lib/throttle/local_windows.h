#ifndef TG_THROTTLE_LOCAL_WINDOWS_H
#define TG_THROTTLE_LOCAL_WINDOWS_H

#include "lib/core/demand.h"

/*
 * Windows in this process's memory, for the time that the store is away: the same test and the same
 * all-or-nothing as the script in Redis makes, each limit divided by the number of nodes (at least
 * 1). They begin empty and are not told to the store.
 *
 * Threads: all; one lock, never held across I/O.
 * Limits: WINDOWS_MAX windows; then the table starts afresh.
 */

#define WINDOWS_MAX 100000

struct windows;

struct windows *windows_new(struct err *err);
void windows_free(struct windows *w);

/* answers: one for each test. Returns false when memory is out: then nothing is limited. */
bool windows_ask(struct windows *w, const struct demands *d, uint64_t nodes, bool observe,
                 bool consume, int64_t now_ms, struct test_answer *answers);

#endif
