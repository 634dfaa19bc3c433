#include "lib/throttle/window_floors.h"

static bool kinds_equal(const struct window_kind *a, const struct window_kind *b)
{
    return a->scope == b->scope && a->metric == b->metric && a->window_ms == b->window_ms;
}

/* Its floor, or a place that is free or over; NULL: the list is full. */
static struct window_floor *floor_of(struct window_floors *f, const struct window_kind *kind,
                                     int64_t now_ms)
{
    struct window_floor *over = NULL;

    for (size_t i = 0; i < f->count; i++) {
        if (kinds_equal(&f->list[i].kind, kind))
            return &f->list[i];
        if (f->list[i].until_ms <= now_ms)
            over = &f->list[i];
    }
    if (over == NULL && f->count < WINDOW_FLOORS_MAX)
        over = &f->list[f->count++];
    if (over != NULL)
        *over = (struct window_floor){.kind = *kind};
    return over;
}

void window_floors_raise(struct window_floors *f, const struct window_kind *kind, uint64_t used,
                         int64_t until_ms, int64_t now_ms)
{
    struct window_floor *floor = floor_of(f, kind, now_ms);

    if (floor == NULL)
        floor = &f->any;
    if (floor->until_ms <= now_ms)
        floor->used = 0;
    floor->used = used > floor->used ? used : floor->used;
    floor->until_ms = until_ms > floor->until_ms ? until_ms : floor->until_ms;
}

static void floor_count(const struct window_floor *floor, int64_t now_ms, uint64_t *used,
                        int64_t *until_ms)
{
    if (floor->until_ms <= now_ms)
        return;
    *used = floor->used > *used ? floor->used : *used;
    *until_ms = floor->until_ms > *until_ms ? floor->until_ms : *until_ms;
}

uint64_t window_floors_used(const struct window_floors *f, const struct window_kind *kind,
                            int64_t now_ms, int64_t *until_ms)
{
    uint64_t used = 0;

    *until_ms = 0;
    floor_count(&f->any, now_ms, &used, until_ms);
    for (size_t i = 0; i < f->count; i++) {
        if (kinds_equal(&f->list[i].kind, kind))
            floor_count(&f->list[i], now_ms, &used, until_ms);
    }
    return used;
}
