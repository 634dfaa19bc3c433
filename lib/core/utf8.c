#include "lib/core/utf8.h"

/* Second bytes are bounded so that over-long forms, surrogates and values over U+10FFFF are
 * refused. */
static const struct utf8_row {
    unsigned char first_low, first_high, second_low, second_high;
    size_t length;
} utf8_rows[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool row_fits(const struct utf8_row *row, const unsigned char *p, size_t len)
{
    if (p[0] < row->first_low || p[0] > row->first_high || len < row->length)
        return false;
    if (row->length > 1 && (p[1] < row->second_low || p[1] > row->second_high))
        return false;
    for (size_t i = 2; i < row->length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

size_t utf8_length(struct slice s)
{
    if (s.len == 0)
        return 0;
    if ((unsigned char)s.ptr[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof utf8_rows / sizeof utf8_rows[0]; i++) {
        if (row_fits(&utf8_rows[i], (const unsigned char *)s.ptr, s.len))
            return utf8_rows[i].length;
    }
    return 0;
}

uint32_t utf8_code(struct slice s, size_t length)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = (const unsigned char *)s.ptr;
    uint32_t code = p[0] & lead[length];

    for (size_t i = 1; i < length; i++)
        code = code << 6 | (p[i] & 0x3f);
    return code;
}

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

bool utf8_valid(struct slice s)
{
    while (s.len > 0) {
        size_t length = utf8_length(s);

        if (length == 0)
            return false;
        s = slice_from(s, length);
    }
    return true;
}

bool utf8_is_text(struct slice s)
{
    size_t length;

    for (; s.len > 0; s = slice_from(s, length)) {
        length = utf8_length(s);
        if (length == 0 || utf8_is_control(utf8_code(s, length)))
            return false;
    }
    return true;
}
