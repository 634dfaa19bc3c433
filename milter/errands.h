#ifndef TG_MILTER_ERRANDS_H
#define TG_MILTER_ERRANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * What a loop with many connections must not wait for: work that blocks is done by threads apart,
 * and its end is told to the loop. One object a loop.
 *
 * Its descriptors are in an epoll set, errands_fd(). The loop may poll that for reading and call
 * errands_run() when it is ready. Or it waits on the set itself, with descriptors of its own in it,
 * and asks errands_take() of each event: a set within a set costs a call of epoll_wait(2) more for
 * each answer. Each errand that has ended is handed over there, in the loop's thread.
 *
 * Kinds of work have lanes of their own, so that a map that hangs keeps no message from its limits.
 * A lane has a bounded number of threads, which are started as they are needed; what finds all of
 * them busy waits its turn. Each errand bounds its own time.
 *
 * What does not block by itself, but has descriptors (a pipeline to the store), may be served with
 * it: one thing, a guest, in the same epoll set.
 *
 * Owner: an errand is part of its owner's struct, which must stay until `done`; nothing is
 * allocated. Threads: all functions are the loop's; `work` is called in another thread. The lock
 * guards the queues and is held while neither `work` nor `done` runs.
 */

struct errands;

enum errand_lane { ERRAND_SOURCES, ERRAND_STORE, ERRAND_JOURNAL, ERRAND_LANES };

struct errand {
    void (*work)(struct errand *e); /* may block, but not for ever */
    void (*done)(struct errand *e); /* in errands_run; the errand may be begun again, or freed */
    struct errand *next;            /* the queue's */
};

struct errands *errands_new(struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Awaits what was begun, at most `wait_ms`, and calls its `done`. False: some has not ended; then
 * nothing is freed, and what that work uses must not be. */
bool errands_free(struct errands *e, int64_t wait_ms) TG_MUST_USE;

/* Descriptors with the errands object as data.ptr are the guest's: when one is ready, its `run` is
 * called. errands_free calls `free`. Once. */
struct errands_guest {
    void (*run)(void *guest);
    void (*gather)(void *guest, bool on); /* errands_gather; NULL: of no use */
    void (*free)(void *guest);
    void *guest;
};
void errands_serve(struct errands *e, const struct errands_guest *guest) TG_NONNULL(1, 2);
void *errands_guest(const struct errands *e) TG_NONNULL(1); /* NULL: none */
/* Something of the guest's is under way, or has ended: errands_free awaits it. */
void errands_guest_begin(struct errands *e) TG_NONNULL(1);
void errands_guest_end(struct errands *e) TG_NONNULL(1);

/* The loop serves several events from `on` until it is off: the guest may send what they begin
 * together. */
void errands_gather(struct errands *e, bool on) TG_NONNULL(1);

int errands_fd(const struct errands *e) TG_NONNULL(1);
void errands_run(struct errands *e) TG_NONNULL(1);
/* An event with that data.ptr. False: it is none of the errands' and their guest's. */
bool errands_take(struct errands *e, const void *data) TG_MUST_USE TG_NONNULL(1);

/* Where no thread can be started, the work is done before this returns; `done` comes by errands_run
 * all the same. */
void errands_begin(struct errands *e, enum errand_lane lane, struct errand *errand)
    TG_NONNULL(1, 3);

#endif
