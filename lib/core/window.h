#ifndef TG_CORE_WINDOW_H
#define TG_CORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"

/*
 * One rolling window: 60 slices, each exactly a sixtieth of it, and the partly expired oldest one
 * counts in full. So no window of that length ever holds more than the maximum, and room comes back
 * at most one slice later than it could. A running sum makes each step O(1) amortised. throttle.lua
 * does the same in Redis; this is used while the store is away, and by the programs that read
 * windows.
 *
 * A window that lies in the future, because the clock was ahead, is moved to now.
 *
 * Units: ms of any clock.
 */

#define WINDOW_SLICES 60

struct window {
    int64_t length_ms;
    int64_t head; /* number of the newest slice since the clock's 0 */
    uint64_t sum;
    uint64_t amount[WINDOW_SLICES + 1]; /* of slice n at n % 61 */
};

void window_init(struct window *w, int64_t window_ms) TG_NONNULL(1);
/* The number of the slice that a time lies in, counted from the clock's 0. */
int64_t window_slice(int64_t window_ms, int64_t ms);
/* The first millisecond of a slice, counted from the clock's 0. */
int64_t window_slice_start(int64_t window_ms, int64_t slice);
/* Drops what has expired at now_ms and returns what is consumed in the window that ends then. */
uint64_t window_used(struct window *w, int64_t now_ms) TG_NONNULL(1);
void window_consume(struct window *w, int64_t now_ms, uint64_t amount) TG_NONNULL(1);
/* In how many ms `amount` more fits under max; 0: now; -1: never (amount > max). */
int64_t window_retry_ms(struct window *w, int64_t now_ms, uint64_t amount, uint64_t max)
    TG_NONNULL(1);

#endif
