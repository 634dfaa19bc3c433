#include "lib/core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t cap_bytes)
{
    *b = (struct buf){.cap_bytes = cap_bytes};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.cap_bytes = b->cap_bytes};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

char *buf_space(struct buf *b, size_t len)
{
    size_t need, room;
    char *p;

    if (b->failed || len > b->cap_bytes || b->len > b->cap_bytes - len) {
        b->failed = true;
        return NULL;
    }
    need = b->len + len + 1;
    if (need <= b->room)
        return b->data + b->len;
    room = b->room < 64 ? 64 : b->room * 2;
    if (room < need)
        room = need;
    p = realloc(b->data, room);
    if (p == NULL) {
        b->failed = true;
        return NULL;
    }
    b->data = p;
    b->room = room;
    return b->data + b->len;
}

void buf_add(struct buf *b, struct slice s)
{
    char *p = buf_space(b, s.len);

    if (p == NULL)
        return;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    b->len += s.len;
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, (struct slice){&c, 1});
}

void buf_add_str(struct buf *b, const char *text)
{
    buf_add(b, slice_str(text));
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list ap, again;
    int len;
    char *p;

    va_start(ap, format);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    p = len < 0 ? NULL : buf_space(b, (size_t)len);
    if (p != NULL) {
        (void)vsnprintf(p, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_add_varint(struct buf *b, uint64_t value)
{
    char bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
    buf_add(b, (struct slice){bytes, n});
}

void buf_add_u32(struct buf *b, uint32_t value)
{
    char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};

    buf_add(b, (struct slice){bytes, 4});
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data != NULL ? b->data : "", b->len};
}

bool slice_take(struct slice *s, size_t len, struct slice *head)
{
    if (len > s->len)
        return false;
    *head = slice_to(*s, len);
    *s = (struct slice){s->ptr + len, s->len - len};
    return true;
}

bool slice_take_varint(struct slice *s, uint64_t *value)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->len && i < 10; i++) {
        uint64_t bits = (unsigned char)s->ptr[i] & 0x7f;

        if (i == 9 && bits > 1)
            return false;
        n |= bits << (7 * i);
        if (((unsigned char)s->ptr[i] & 0x80) == 0) {
            *value = n;
            *s = (struct slice){s->ptr + i + 1, s->len - i - 1};
            return true;
        }
    }
    return false;
}

bool slice_take_u32(struct slice *s, uint32_t *value)
{
    const unsigned char *p = (const unsigned char *)s->ptr;

    if (s->len < 4)
        return false;
    *value = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *s = (struct slice){s->ptr + 4, s->len - 4};
    return true;
}
