#include "lib/core/milter_wire.h"

enum milter_wire_take milter_wire_take(struct slice *in, size_t max_bytes,
                                       struct milter_wire_packet *out)
{
    struct slice rest = *in, body;
    uint32_t len;

    if (!slice_take_u32(&rest, &len))
        return WIRE_MORE;
    if (len == 0 || len - 1 > max_bytes)
        return WIRE_BAD;
    if (!slice_take(&rest, len, &body))
        return WIRE_MORE;
    out->command = body.ptr[0];
    out->data = (struct slice){body.ptr + 1, body.len - 1};
    *in = rest;
    return WIRE_PACKET;
}

void milter_wire_add(struct buf *b, char command, size_t parts, const struct slice *part)
{
    size_t begun = milter_wire_begin(b, command);

    for (size_t i = 0; i < parts; i++)
        buf_add(b, part[i]);
    milter_wire_end(b, begun);
}

bool milter_wire_take_string(struct slice *data, struct slice *text)
{
    ptrdiff_t end = slice_find(*data, '\0');

    if (end < 0)
        return false;
    *text = slice_to(*data, (size_t)end);
    *data = (struct slice){data->ptr + end + 1, data->len - (size_t)end - 1};
    return true;
}

size_t milter_wire_begin(struct buf *b, char command)
{
    size_t begun = b->len;

    buf_add_u32(b, 0);
    buf_add_char(b, command);
    return begun;
}

void milter_wire_end(struct buf *b, size_t begun)
{
    size_t len;

    if (b->failed)
        return;
    len = b->len - begun - 4;
    for (int i = 0; i < 4; i++)
        b->data[begun + (size_t)i] = (char)(unsigned char)(len >> (24 - 8 * i));
}

void milter_wire_add_string(struct buf *b, struct slice text)
{
    ptrdiff_t nul = slice_find(text, '\0');

    buf_add(b, nul < 0 ? text : slice_to(text, (size_t)nul));
    buf_add_char(b, '\0');
}
