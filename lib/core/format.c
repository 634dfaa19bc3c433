#include "lib/core/format.h"

#include <inttypes.h>

void format_count(struct buf *b, uint64_t n)
{
    uint64_t unit = 1;

    while (n / unit >= 1000)
        unit *= 1000;
    buf_addf(b, "%" PRIu64, n / unit);
    while (unit > 1) {
        n %= unit;
        unit /= 1000;
        buf_addf(b, ",%03" PRIu64, n / unit);
    }
}

/* n/unit with one decimal (rounded), which never reads "1000.0": the caller has chosen the unit for
 * that. */
static void add_tenths(struct buf *b, uint64_t n, uint64_t unit)
{
    uint64_t whole = n / unit, rest = n % unit;
    uint64_t tenths = (rest + unit / 20) / (unit / 10);

    if (tenths >= 10) {
        whole++;
        tenths = 0;
    }
    buf_addf(b, "%" PRIu64 ".%" PRIu64, whole, tenths);
}

void format_short(struct buf *b, uint64_t n)
{
    static const char letters[] = "kMGTPE";
    uint64_t unit = 1000;
    size_t letter = 0;

    if (n < 10000) {
        buf_addf(b, "%" PRIu64, n);
        return;
    }
    while (letter + 2 < sizeof letters && n / unit >= 1000) {
        unit *= 1000;
        letter++;
    }
    if (n / (unit / 10) < 999)
        add_tenths(b, n, unit);
    else
        buf_addf(b, "%" PRIu64, n / unit);
    buf_add_char(b, letters[letter]);
}

/* Units of 1024, but the next one from 999.95 on, so that no figure is wider than "999.9". */
void format_bytes(struct buf *b, uint64_t n)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)n / 1024;
    size_t unit = 0;

    if (n < 1000) {
        buf_addf(b, "%" PRIu64 "  B", n);
        return;
    }
    while (value >= 999.95) {
        value /= 1024;
        unit++;
    }
    buf_addf(b, "%.1f %s", value, units[unit]);
}

void format_value(struct buf *b, enum counter_unit unit, uint64_t n, bool brief)
{
    if (unit == UNIT_BYTES)
        format_bytes(b, n);
    else if (brief)
        format_short(b, n);
    else
        format_count(b, n);
}

/* Length of the UTF-8 character at the front of s (RFC 3629; over-long forms and surrogates are
 * none); 0: none. */
static size_t character_len(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;

    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return len;
}

static bool is_control(struct slice s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    return p[0] < 0x20 || p[0] == 0x7f || (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

size_t format_width(struct slice text)
{
    size_t width = 0;

    while (text.len > 0) {
        size_t len = character_len(text);

        text = slice_from(text, len == 0 ? 1 : len);
        width++;
    }
    return width;
}

struct slice format_head(struct slice text, size_t width)
{
    struct slice rest = text;

    while (rest.len > 0 && width-- > 0) {
        size_t len = character_len(rest);

        rest = slice_from(rest, len == 0 ? 1 : len);
    }
    return slice_to(text, text.len - rest.len);
}

void format_text(struct buf *b, struct slice text)
{
    while (text.len > 0) {
        size_t len = character_len(text);

        if (len == 0 || is_control(text, len))
            buf_add_char(b, '?');
        else
            buf_add(b, slice_to(text, len));
        text = slice_from(text, len == 0 ? 1 : len);
    }
}

void format_fill(struct buf *b, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buf_add_str(b, piece);
}

void format_left(struct buf *b, struct slice text, size_t width)
{
    size_t used = format_width(text);

    format_text(b, text);
    format_fill(b, " ", used < width ? width - used : 0);
}

void format_right(struct buf *b, struct slice text, size_t width)
{
    size_t used = format_width(text);

    format_fill(b, " ", used < width ? width - used : 0);
    format_text(b, text);
}
