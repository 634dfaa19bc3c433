#include "lib/core/format.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/core/utf8.h"

/* A large table has millions of figures: too many for printf, and for one call a digit. They are
 * written from their ends. */
struct format_figure {
    char text[32];
    size_t at;
};
#define FIGURE ((struct format_figure){.at = sizeof((struct format_figure *)0)->text})

static void put(struct format_figure *f, char c)
{
    f->text[--f->at] = c;
}

static void put_digits(struct format_figure *f, uint64_t n)
{
    do {
        put(f, (char)('0' + n % 10));
        n /= 10;
    } while (n > 0);
}

static void add_figure(struct buf *b, const struct format_figure *f)
{
    buf_add(b, (struct slice){f->text + f->at, sizeof f->text - f->at});
}

void format_count(struct buf *b, uint64_t n)
{
    struct format_figure f = FIGURE;
    size_t digits = 0;

    do {
        if (digits > 0 && digits % 3 == 0)
            put(&f, ',');
        put(&f, (char)('0' + n % 10));
        n /= 10;
        digits++;
    } while (n > 0);
    add_figure(b, &f);
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

/* n / 2^shift with one decimal, rounded as printf does: half to even. */
static void put_binary_tenths(struct format_figure *f, uint64_t n, unsigned shift)
{
    uint64_t mask = (UINT64_C(1) << shift) - 1, half = UINT64_C(1) << (shift - 1);
    uint64_t whole = n >> shift, tenfold = (n & mask) * 10;
    uint64_t tenths = tenfold >> shift, rest = tenfold & mask;

    tenths += rest > half || (rest == half && tenths % 2 == 1);
    put_digits(f, tenths % 10);
    put(f, '.');
    put_digits(f, whole + tenths / 10);
}

/* Units of 1024, but the next one from 999.95 on, so that no figure is wider than "999.9". */
void format_bytes(struct buf *b, uint64_t n)
{
    static const char units[] = "KMGTPE";
    struct format_figure f = FIGURE;
    double value = (double)n / 1024;
    size_t unit = 0;

    put(&f, 'B');
    if (n < 1000) {
        put(&f, ' ');
        put(&f, ' ');
        put_digits(&f, n);
    } else {
        for (; value >= 999.95; value /= 1024)
            unit++;
        put(&f, units[unit]);
        put(&f, ' ');
        put_binary_tenths(&f, n, 10 * ((unsigned)unit + 1));
    }
    add_figure(b, &f);
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

/* How many bytes from the start on are characters that stand as they are, in one column each: in
 * tables nearly all. */
static size_t plain_length(struct slice text)
{
    size_t len = 0;

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
