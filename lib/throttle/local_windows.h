#ifndef TG_THROTTLE_LOCAL_WINDOWS_H
#define TG_THROTTLE_LOCAL_WINDOWS_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"

/*
 * Windows in this process's memory, used while the store is away: the same tests and the same
 * all-or-nothing as throttle.lua, with each limit divided by the number of nodes (at least 1).
 *
 * They go on from what is known: while the store answers they note what this process accepted,
 * and how much the store says is used by all. Of that, the share of this process counts as used,
 * until its window has passed.
 *
 * Units: ms of Unix time, by the store's clock as far as it is known.
 * Threads: all; one lock, never held across I/O.
 * Limits: LOCAL_WINDOWS_MAX windows; when they are used up, those go in which nothing is used, and
 * else the emptier half. What these had used counts as used in every new window of their kind,
 * until their length has passed (lib/throttle/window_floors).
 */

#define LOCAL_WINDOWS_MAX 100000

struct local_windows;

void local_windows_free(struct local_windows *w);
struct local_windows *local_windows_new(struct err *err) TG_FREED_BY(local_windows_free);

/* What the store answered; `consumed`: the message passed. */
void local_windows_note(struct local_windows *w, const struct limit_checks *d, uint64_t nodes,
                        bool consumed, int64_t now_ms, const struct test_answer *answers)
    TG_NONNULL(1);
/* answers: one for each test. Returns false when memory is out: then nothing is limited. */
bool local_windows_ask(struct local_windows *w, const struct limit_checks *d, uint64_t nodes,
                       bool observe, bool consume, int64_t now_ms, struct test_answer *answers)
    TG_NONNULL(1);

#endif
