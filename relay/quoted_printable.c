#include "relay/quoted_printable.h"

#define LINE_MAX_BYTES 998 /* RFC 5322 2.1.1 */
#define CODED_MAX      76  /* of an encoded line, with the `=` of a soft end */

static bool is_plain(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c < 0x7f);
}

static bool is_line_end(struct slice text)
{
    return text.len >= 2 && text.ptr[0] == '\r' && text.ptr[1] == '\n';
}

bool quoted_printable_is_needed(struct slice text)
{
    size_t column = 0;

    while (text.len > 0) {
        bool ends = is_line_end(text);

        if (!ends && !is_plain((unsigned char)text.ptr[0]))
            return true;
        column = ends ? 0 : column + 1;
        if (column > LINE_MAX_BYTES)
            return true;
        text = slice_from(text, ends ? 2 : 1);
    }
    return false;
}

/* A blank at the end of a line would be lost on the way. */
static bool is_literal(struct slice text)
{
    unsigned char c = (unsigned char)text.ptr[0];
    bool is_last = text.len == 1 || is_line_end(slice_from(text, 1));

    return is_plain(c) && c != '=' && ((c != ' ' && c != '\t') || !is_last);
}

void quoted_printable_add(struct buf *out, struct slice text)
{
    size_t column = 0;

    while (text.len > 0) {
        size_t width;

        if (is_line_end(text)) {
            buf_add(out, SLICE("\r\n"));
            column = 0;
            text = slice_from(text, 2);
            continue;
        }
        width = is_literal(text) ? 1 : 3;
        if (column + width > CODED_MAX - 1) {
            buf_add(out, SLICE("=\r\n"));
            column = 0;
        }
        if (width == 1)
            buf_add_char(out, text.ptr[0]);
        else
            buf_addf(out, "=%02X", (unsigned)(unsigned char)text.ptr[0]);
        column += width;
        text = slice_from(text, 1);
    }
}
