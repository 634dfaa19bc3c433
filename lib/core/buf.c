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
    size_t room = b->failed ? 0 : b->room - b->len;
    int len;
    char *p;

    va_start(ap, format);
    va_copy(again, ap);
    len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, format, ap);
    va_end(ap);
    p = len < 0 ? NULL : buf_space(b, (size_t)len);
    if (p == NULL && room > 0)
        b->data[b->len] = '\0'; /* nothing was added */
    if (p != NULL && (size_t)len >= room)
        (void)vsnprintf(p, (size_t)len + 1, format, again);
    if (p != NULL)
        b->len += (size_t)len;
    va_end(again);
}

void buf_add_number(struct buf *b, uint64_t value)
{
    char room[SLICE_NUMBER_ROOM];

    buf_add(b, slice_of_number(value, room));
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

void buf_add_text(struct buf *b, struct slice text)
{
    buf_add_u32(b, (uint32_t)text.len);
    buf_add(b, text);
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data != NULL ? b->data : "", b->len};
}

void buf_drain(struct buf *b)
{
    if (b->sink == NULL || b->failed || b->len < BUF_DRAIN_BYTES)
        return;
    b->failed = !b->sink(b->sink_context, buf_slice(b));
    b->len = 0;
}
