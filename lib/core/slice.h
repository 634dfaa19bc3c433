#ifndef TG_CORE_SLICE_H
#define TG_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/core/contract.h"

/*
 * A borrowed run of bytes. Never owns, never ends in NUL by promise, may hold any byte.
 * An empty slice has len 0; its ptr may then be NULL. What the way of a message calls hundreds of
 * times stands here, so that the compiler puts it where it is called.
 */

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})
/* for printf: printf("%.*s", SLICE_FMT(s)) */
#define SLICE_FMT(s) (int)(s).len, ((s).ptr != NULL ? (s).ptr : "")

/* NULL gives an empty slice */
static inline struct slice slice_str(const char *text)
{
    return (struct slice){text, text == NULL ? 0 : strlen(text)};
}

/* start beyond the end: empty */
static inline struct slice slice_from(struct slice s, size_t start)
{
    if (start >= s.len)
        return SLICE_NONE;
    return (struct slice){s.ptr + start, s.len - start};
}

/* the first len bytes at most */
static inline struct slice slice_to(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

struct slice slice_trim(struct slice s); /* blanks, tabs, CR, LF off both ends */

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII case only */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
int slice_compare(struct slice a, struct slice b); /* as memcmp, shorter first */

/* Index of the first (last) such byte, or -1. */
static inline ptrdiff_t slice_find(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, byte, s.len);

    return at == NULL ? -1 : at - s.ptr;
}

ptrdiff_t slice_find_last(struct slice s, char byte);

/* Takes the part before the first `separator` off *rest (all of it where there is none) into *head;
 * false once *rest is used up (its ptr is NULL then). Empty parts are given too. */
bool slice_cut(struct slice *rest, char separator, struct slice *head) TG_NONNULL(1);

/* The next run of bytes that are not in `separators`; false at the end. */
bool slice_word(struct slice *rest, const char *separators, struct slice *word) TG_NONNULL(1);

/* Decimal digits only, no sign, no overflow. */
bool slice_number(struct slice s, uint64_t *value);
/* The other way: the digits stand at the end of `room`. */
#define SLICE_NUMBER_ROOM 20
struct slice slice_of_number(uint64_t value, char room[SLICE_NUMBER_ROOM]) TG_NONNULL(2);

static inline char slice_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Takes a varint (a big-endian u32) off the front of *s; false where it is torn or too long. */
bool slice_take_varint(struct slice *s, uint64_t *value) TG_NONNULL(1);

TG_NONNULL(1, 2) static inline bool slice_take_u32(struct slice *s, uint32_t *value)
{
    const unsigned char *p = (const unsigned char *)s->ptr;

    if (s->len < 4)
        return false;
    *value = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *s = (struct slice){s->ptr + 4, s->len - 4};
    return true;
}

TG_NONNULL(1, 3) static inline bool slice_take(struct slice *s, size_t len, struct slice *head)
{
    if (len > s->len)
        return false;
    *head = slice_to(*s, len);
    *s = (struct slice){s->ptr + len, s->len - len};
    return true;
}

/* A u32 and so many bytes; false where they are torn, and *s is used up in part. */
bool slice_take_text(struct slice *s, struct slice *text) TG_NONNULL(1, 2);

#endif
