#include "lib/core/window.h"

#include <string.h>

#include "lib/core/err.h"

#define SLOTS (WINDOW_SLICES + 1)

void window_init(struct window *w, int64_t window_ms)
{
    TG_ASSERT(window_ms > 0);
    *w = (struct window){.length_ms = window_ms};
}

/* In whole windows and the rest, so that slices are exact whatever the length and nothing
 * overflows. */
int64_t window_slice(int64_t window_ms, int64_t ms)
{
    return ms / window_ms * WINDOW_SLICES + ms % window_ms * WINDOW_SLICES / window_ms;
}

int64_t window_slice_start(int64_t window_ms, int64_t slice)
{
    int64_t part = slice % WINDOW_SLICES * window_ms;

    return slice / WINDOW_SLICES * window_ms + (part + WINDOW_SLICES - 1) / WINDOW_SLICES;
}

static void slot_clear(struct window *w, int64_t slice)
{
    uint64_t *slot = &w->amount[slice % SLOTS];

    w->sum -= *slot;
    *slot = 0;
}

static int64_t slot_of(int64_t slice)
{
    return (slice % SLOTS + SLOTS) % SLOTS;
}

/* The clock was ahead: the slices keep their order and distance, the newest becomes that of now. */
static void move(struct window *w, int64_t head)
{
    struct window old = *w;

    for (int64_t back = 0; back < SLOTS; back++)
        w->amount[slot_of(head - back)] = old.amount[slot_of(old.head - back)];
    w->head = head;
}

/* Each slice between the old head and the new takes the place of one that has expired. */
static void advance(struct window *w, int64_t now_ms)
{
    int64_t head = window_slice(w->length_ms, now_ms);

    if (head < w->head - 1)
        move(w, head);
    if (head <= w->head)
        return;
    if (head - w->head >= SLOTS) {
        memset(w->amount, 0, sizeof w->amount);
        w->sum = 0;
    } else {
        for (int64_t slice = w->head + 1; slice <= head; slice++)
            slot_clear(w, slice);
    }
    w->head = head;
}

uint64_t window_used(struct window *w, int64_t now_ms)
{
    advance(w, now_ms);
    return w->sum;
}

void window_consume(struct window *w, int64_t now_ms, uint64_t amount)
{
    advance(w, now_ms);
    w->amount[w->head % SLOTS] += amount;
    w->sum += amount;
}

int64_t window_retry_ms(struct window *w, int64_t now_ms, uint64_t amount, uint64_t max)
{
    uint64_t left = window_used(w, now_ms);
    int64_t slice = w->head - WINDOW_SLICES;

    if (amount > max)
        return -1;
    if (left <= max - amount)
        return 0;
    for (; slice <= w->head; slice++) {
        left -= slice < 0 ? 0 : w->amount[slice % SLOTS];
        if (left <= max - amount)
            break;
    }
    return window_slice_start(w->length_ms, slice + SLOTS) - now_ms;
}
