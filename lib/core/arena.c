#include "lib/core/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)4096)
#define SMALL_BYTES ((size_t)256)

struct arena_block {
    struct arena_block *next;
    size_t size, used; /* what is not used is zero */
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t cap_bytes)
{
    *a = (struct arena){.cap_bytes = cap_bytes, .block_bytes = BLOCK_BYTES};
}

void arena_init_small(struct arena *a, size_t cap_bytes)
{
    *a = (struct arena){.cap_bytes = cap_bytes, .block_bytes = SMALL_BYTES};
}

static void free_until(struct arena *a, const struct arena_block *keep)
{
    while (a->blocks != keep) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
}

void arena_fini(struct arena *a)
{
    free_until(a, NULL);
    a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->blocks;

    while (first != NULL && first->next != NULL)
        first = first->next;
    free_until(a, first);
    if (first != NULL) {
        memset(first->data, 0, first->used);
        first->used = 0;
    }
    a->used_bytes = 0;
}

/* A large array comes as zero pages, which take memory when they are first written to. */
static struct arena_block *block_add(struct arena *a, size_t need)
{
    size_t size = need > a->block_bytes ? need : a->block_bytes;
    struct arena_block *b = calloc(1, sizeof *b + size);

    if (b == NULL)
        return NULL;
    b->next = a->blocks;
    b->size = size;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t unit = alignof(max_align_t);
    struct arena_block *b = a->blocks;
    size_t need;
    void *p;

    if (size > a->cap_bytes)
        return NULL;
    need = (size + unit - 1) / unit * unit;
    if (need > a->cap_bytes - a->used_bytes)
        return NULL;
    if (b == NULL || b->size - b->used < need)
        b = block_add(a, need);
    if (b == NULL)
        return NULL;
    p = b->data + b->used;
    b->used += need;
    a->used_bytes += need;
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(a, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);

    if (p == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return (struct slice){p, s.len};
}

struct slice arena_lower(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);

    if (p == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < s.len; i++)
        p[i] = slice_ascii_lower(s.ptr[i]);
    return (struct slice){p, s.len};
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 8 : *room * 2;
    void *p;

    if (count < *room)
        return items;
    p = arena_array(a, wanted, size);
    if (p == NULL)
        return NULL;
    if (count > 0)
        memcpy(p, items, count * size);
    *room = wanted;
    return p;
}
