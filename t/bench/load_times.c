#include <stdio.h>
#include <stdlib.h>

#include "t/bench/load.h"

enum { FIRST_ROOM = 1 << 16 };

void load_times_add(struct load_times *t, int64_t us)
{
    if (t->count == t->room) {
        size_t room = t->room > 0 ? t->room * 2 : FIRST_ROOM;
        uint32_t *grown = realloc(t->us, room * sizeof *grown);

        if (grown == NULL)
            return;
        t->us = grown;
        t->room = room;
    }
    t->us[t->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t quantile(const struct load_times *t, double part)
{
    size_t at = (size_t)((double)t->count * part);

    return t->us[at < t->count ? at : t->count - 1];
}

void load_times_print(struct load_times *t)
{
    if (t->count == 0) {
        (void)printf("null");
        return;
    }
    qsort(t->us, t->count, sizeof *t->us, by_size);
    (void)printf("{\"p50\": %u, \"p90\": %u, \"p99\": %u, \"p999\": %u, \"max\": %u}",
                 quantile(t, .5), quantile(t, .9), quantile(t, .99), quantile(t, .999),
                 t->us[t->count - 1]);
}

void load_times_fini(struct load_times *t)
{
    free(t->us);
}
