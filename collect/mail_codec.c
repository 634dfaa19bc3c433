#include "collect/mail_codec.h"

#include <stdlib.h>
#include <string.h>

void mail_codec_clear(struct slice *own)
{
    free((void *)(uintptr_t)own->ptr);
    *own = SLICE_NONE;
}

void mail_codec_set(struct slice *own, struct slice text)
{
    char *copy = text.len > 0 ? malloc(text.len) : NULL;

    if (copy != NULL)
        memcpy(copy, text.ptr, text.len);
    mail_codec_clear(own);
    if (copy != NULL)
        *own = (struct slice){copy, text.len};
}

void mail_codec_text(struct buf *b, struct slice text)
{
    buf_add_varint(b, text.len);
    buf_add(b, text);
}

void mail_codec_int(struct buf *b, int64_t value)
{
    buf_add_varint(b, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

bool mail_codec_take_text(struct slice *s, struct slice *text)
{
    uint64_t len;

    return slice_take_varint(s, &len) && len <= s->len && slice_take(s, (size_t)len, text);
}

bool mail_codec_take_own(struct slice *s, struct slice *own)
{
    struct slice text;

    if (!mail_codec_take_text(s, &text))
        return false;
    mail_codec_set(own, text);
    return own->len == text.len;
}

bool mail_codec_take_int(struct slice *s, int64_t *value)
{
    uint64_t zigzag;

    if (!slice_take_varint(s, &zigzag))
        return false;
    *value = (int64_t)((zigzag >> 1) ^ (zigzag & 1 ? UINT64_MAX : 0));
    return true;
}

bool mail_codec_take_flags(struct slice *s, unsigned *flags)
{
    uint64_t value;

    if (!slice_take_varint(s, &value) || value > UINT32_MAX)
        return false;
    *flags = (unsigned)value;
    return true;
}
