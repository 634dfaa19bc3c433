#include "lib/core/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/utf8.h"

/* --- figures: too many in a large table for printf; they are written from their ends ---------- */

static char *put_digits(char *end, uint64_t n)
{
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return end;
}

static char *put_count(char *end, uint64_t n)
{
    for (; n >= 1000; n /= 1000) {
        uint64_t three = n % 1000;

        *--end = (char)('0' + three % 10);
        *--end = (char)('0' + three / 10 % 10);
        *--end = (char)('0' + three / 100);
        *--end = ',';
    }
    return put_digits(end, n);
}

/* n/unit with one decimal (rounded), which never reads "1000.0": the caller has chosen the unit for
 * that. */
static char *put_tenths(char *end, uint64_t n, uint64_t unit)
{
    uint64_t whole = n / unit, rest = n % unit;
    uint64_t tenths = (rest + unit / 20) / (unit / 10);

    if (tenths >= 10) {
        whole++;
        tenths = 0;
    }
    *--end = (char)('0' + tenths);
    *--end = '.';
    return put_digits(end, whole);
}

static char *put_short(char *end, uint64_t n)
{
    static const char letters[] = "kMGTPE";
    uint64_t unit = 1000;
    size_t letter = 0;

    if (n < 10000)
        return put_digits(end, n);
    while (letter + 2 < sizeof letters && n / unit >= 1000) {
        unit *= 1000;
        letter++;
    }
    *--end = letters[letter];
    return n / (unit / 10) < 999 ? put_tenths(end, n, unit) : put_digits(end, n / unit);
}

/* n / 2^shift with one decimal, rounded as printf does: half to even. */
static char *put_binary_tenths(char *end, uint64_t n, unsigned shift)
{
    uint64_t mask = (UINT64_C(1) << shift) - 1, half = UINT64_C(1) << (shift - 1);
    uint64_t whole = n >> shift, tenfold = (n & mask) * 10;
    uint64_t tenths = tenfold >> shift, rest = tenfold & mask;

    tenths += rest > half || (rest == half && tenths % 2 == 1);
    *--end = (char)('0' + tenths % 10);
    *--end = '.';
    return put_digits(end, whole + tenths / 10);
}

/* Units of 1024, but the next one from 999.95 on, so that no figure is wider than "999.9". */
static char *put_bytes(char *end, uint64_t n)
{
    static const char units[] = "KMGTPE";
    double value = (double)n / 1024;
    size_t unit = 0;

    *--end = 'B';
    if (n < 1000) {
        *--end = ' ';
        *--end = ' ';
        return put_digits(end, n);
    }
    for (; value >= 999.95; value /= 1024)
        unit++;
    *--end = units[unit];
    *--end = ' ';
    return put_binary_tenths(end, n, 10 * ((unsigned)unit + 1));
}

char *format_value_before(char *end, enum counter_unit unit, uint64_t n, bool brief)
{
    return unit == UNIT_BYTES ? put_bytes(end, n) : brief ? put_short(end, n) : put_count(end, n);
}

void format_value(struct buf *b, enum counter_unit unit, uint64_t n, bool brief)
{
    char room[FORMAT_ROOM], *end = room + sizeof room;
    const char *begin = format_value_before(end, unit, n, brief);

    buf_add(b, (struct slice){begin, (size_t)(end - begin)});
}

void format_count(struct buf *b, uint64_t n)
{
    format_value(b, UNIT_MESSAGES, n, false);
}

void format_short(struct buf *b, uint64_t n)
{
    format_value(b, UNIT_MESSAGES, n, true);
}

void format_bytes(struct buf *b, uint64_t n)
{
    format_value(b, UNIT_BYTES, n, false);
}

/* --- texts ----------------------------------------------------------------------------------- */

/* A character of a text as it is shown. */
struct format_piece {
    struct slice text;
    size_t columns;
    char escape[12]; /* where `text` is not what stands there: \x1b, \u202e */
};

static void escape(struct format_piece *p, char letter, int digits, unsigned code)
{
    int len = snprintf(p->escape, sizeof p->escape, "\\%c%0*x", letter, digits, code);

    p->text = (struct slice){p->escape, (size_t)len};
    p->columns = (size_t)len;
}

/* Takes the first character of a text that is not empty. */
static void next_piece(struct slice *rest, struct format_piece *p)
{
    size_t len = utf8_length(*rest);
    unsigned byte = (unsigned char)rest->ptr[0];
    uint32_t code = len > 0 ? utf8_code(*rest, len) : 0;

    if (len == 0 || code < 0x20 || code == 0x7f) {
        escape(p, 'x', 2, byte);
    } else if (utf8_is_control(code)) {
        escape(p, 'u', 4, code);
    } else {
        p->text = slice_to(*rest, len);
        p->columns = utf8_columns(code);
    }
    *rest = slice_from(*rest, len == 0 ? 1 : len);
}

/* Eight bytes at once: none is below 0x20, 0x7f, or above. */
static bool is_plain_word(const char *bytes)
{
    const uint64_t ones = UINT64_MAX / 0xff;
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return ((word | (word - ones * 0x20) | (word + ones)) & ones * 0x80) == 0;
}

/* How many bytes from the start on are characters that stand as they are, in one column each: in
 * tables nearly all. */
static size_t plain_length(struct slice text)
{
    size_t len = 0;

    while (text.len - len >= sizeof(uint64_t) && is_plain_word(text.ptr + len))
        len += sizeof(uint64_t);
    while (len < text.len && text.ptr[len] >= 0x20 && text.ptr[len] < 0x7f)
        len++;
    return len;
}

size_t format_width(struct slice text)
{
    struct format_piece p;
    size_t width = 0;

    for (;;) {
        size_t plain = plain_length(text);

        width += plain;
        text = slice_from(text, plain);
        if (text.len == 0)
            return width;
        next_piece(&text, &p);
        width += p.columns;
    }
}

struct slice format_head(struct slice text, size_t width)
{
    struct slice rest = text, after = text;
    struct format_piece p;
    size_t used = 0;

    while (after.len > 0) {
        next_piece(&after, &p);
        used += p.columns;
        if (used > width)
            break;
        rest = after;
    }
    return slice_to(text, text.len - rest.len);
}

void format_text(struct buf *b, struct slice text)
{
    struct format_piece p;

    for (;;) {
        size_t plain = plain_length(text);

        buf_add(b, slice_to(text, plain));
        text = slice_from(text, plain);
        if (text.len == 0)
            return;
        next_piece(&text, &p);
        buf_add(b, p.text);
    }
}

void format_fill(struct buf *b, const char *piece, size_t times)
{
    static const char blanks[] = "                                ";
    const size_t most = sizeof blanks - 1;

    for (; piece[0] == ' ' && piece[1] == '\0' && times > 0; times -= times < most ? times : most)
        buf_add(b, (struct slice){blanks, times < most ? times : most});
    for (size_t i = 0; i < times; i++)
        buf_add_str(b, piece);
}

void format_left(struct buf *b, struct slice text, size_t width)
{
    size_t used = format_width(text);

    format_text(b, text);
    if (used < width)
        format_fill(b, " ", width - used);
}

void format_right(struct buf *b, struct slice text, size_t width)
{
    size_t used = format_width(text);

    format_fill(b, " ", used < width ? width - used : 0);
    format_text(b, text);
}

void format_fit(struct buf *b, struct slice text, size_t width, const char *ellipsis)
{
    size_t used = format_width(text), room;
    struct slice head;

    if (used <= width) {
        format_text(b, text);
        format_fill(b, " ", width - used);
        return;
    }
    room = width - format_width(slice_str(ellipsis));
    head = format_head(text, room);
    format_text(b, head);
    buf_add_str(b, ellipsis);
    format_fill(b, " ", room - format_width(head)); /* where a wide character did not fit */
}
