#ifndef TG_SYS_JOURNAL_INFLIGHT_H
#define TG_SYS_JOURNAL_INFLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The in-flight table of lib/sys/journal: a file mapped shared, with a slot for each session at its
 * end of message and, behind the slots, the numbers that earlier crashes left.
 *
 * Threads: all; the lock guards the list of free slots only, a slot itself belongs to who took it.
 * A kill keeps what is in it, a power failure may not.
 */

#define INFLIGHT_SLOTS 16384

struct inflight;

/* Opens or makes the file DIR/inflight. What a crash left in slots moves to the numbers in doubt;
 * numbers from `next` on were never written and are dropped. A file of another size or version is
 * made anew. */
struct inflight *journal_inflight_open(const char *dir, uint64_t next, struct err *err) TG_MUST_USE;
void journal_inflight_close(struct inflight *t);

int journal_inflight_take(struct inflight *t) TG_NONNULL(1); /* -1: none free */
void journal_inflight_set(struct inflight *t, int slot, uint64_t number)
    TG_NONNULL(1); /* 0 clears */
void journal_inflight_release(struct inflight *t, int slot);

size_t journal_inflight_in_doubt(struct inflight *t, uint64_t *numbers, size_t max) TG_NONNULL(1);
void journal_inflight_forget(struct inflight *t) TG_NONNULL(1);

#endif
