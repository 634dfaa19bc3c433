#include "relay/due.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/err.h"

void due_fini(struct due *d)
{
    free(d->heap);
    *d = (struct due){.heap = NULL};
}

static void swap(struct due_entry *a, struct due_entry *b)
{
    struct due_entry c = *a;

    *a = *b;
    *b = c;
}

static void sift_up(struct due *d, size_t i)
{
    while (i > 0 && d->heap[i].due_ms < d->heap[(i - 1) / 2].due_ms) {
        swap(&d->heap[i], &d->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct due *d, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < d->count; child++) {
            if (d->heap[child].due_ms < d->heap[least].due_ms)
                least = child;
        }
        if (least == i)
            return;
        swap(&d->heap[i], &d->heap[least]);
        i = least;
    }
}

static bool grow(struct due *d)
{
    size_t room = d->room == 0 ? 64 : d->room * 2;
    struct due_entry *heap = reallocarray(d->heap, room, sizeof *heap);

    if (heap == NULL)
        return false;
    d->heap = heap;
    d->room = room;
    return true;
}

bool due_add(struct due *d, struct slice id, int64_t due_ms)
{
    struct due_entry *e;

    if (id.len == 0 || id.len >= QUEUE_ID_BYTES || (d->count == d->room && !grow(d)))
        return false;
    e = &d->heap[d->count];
    memcpy(e->id, id.ptr, id.len);
    e->id[id.len] = '\0';
    e->due_ms = due_ms;
    sift_up(d, d->count++);
    return true;
}

const struct due_entry *due_first(const struct due *d)
{
    return d->count > 0 ? &d->heap[0] : NULL;
}

static void remove_at(struct due *d, size_t i)
{
    d->heap[i] = d->heap[--d->count];
    if (i < d->count) {
        sift_up(d, i);
        sift_down(d, i);
    }
}

void due_take(struct due *d, char id[QUEUE_ID_BYTES])
{
    TG_ASSERT(d->count > 0);
    memcpy(id, d->heap[0].id, QUEUE_ID_BYTES);
    remove_at(d, 0);
}

bool due_remove(struct due *d, struct slice id)
{
    for (size_t i = 0; i < d->count; i++) {
        if (slice_equal(id, slice_str(d->heap[i].id))) {
            remove_at(d, i);
            return true;
        }
    }
    return false;
}

size_t due_hasten(struct due *d, struct slice id)
{
    size_t n = 0;

    for (size_t i = 0; i < d->count; i++) {
        if (id.len > 0 && !slice_equal(id, slice_str(d->heap[i].id)))
            continue;
        d->heap[i].due_ms = 0;
        n++;
    }
    for (size_t i = d->count / 2; n > 0 && i-- > 0;)
        sift_down(d, i);
    return n;
}
