#include "relay/smtp_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/buf.h"
#include "lib/core/utf8.h"

static void clean(struct smtp_reply *r)
{
    for (size_t i = 0; i < r->len; i++) {
        unsigned char c = (unsigned char)r->text[i];

        if ((c < ' ' && c != '\r' && c != '\n') || c == 0x7f)
            r->text[i] = ' ';
    }
}

void smtp_reply_set(struct smtp_reply *r, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(r->text, sizeof r->text, format, ap);
    va_end(ap);
    r->len = len < 0 ? 0 : (size_t)len < sizeof r->text ? (size_t)len : sizeof r->text - 1;
    clean(r);
}

void smtp_reply_copy(struct smtp_reply *r, struct slice text)
{
    smtp_reply_set(r, "%.*s", SLICE_FMT(text));
}

int smtp_reply_code(const struct smtp_reply *r)
{
    if (r->len < 3)
        return 0;
    return (r->text[0] - '0') * 100 + (r->text[1] - '0') * 10 + (r->text[2] - '0');
}

struct slice smtp_reply_slice(const struct smtp_reply *r)
{
    return (struct slice){r->text, r->len};
}

/* C1 controls, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: all two or three bytes long. */
static bool moves_cursor(struct slice character)
{
    const unsigned char *p = (const unsigned char *)character.ptr;

    if (character.len == 2)
        return p[0] == 0xc2 && p[1] < 0xa0;
    return character.len == 3 && p[0] == 0xe2 &&
           ((p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
            (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

static void add_clean(struct buf *out, struct slice character)
{
    unsigned char c = (unsigned char)character.ptr[0];

    if (utf8_length(character) == 0 || moves_cursor(character))
        buf_add_char(out, '?');
    else if (c < ' ' || c == 0x7f)
        buf_add_char(out, ' ');
    else
        buf_add(out, character);
}

struct slice smtp_reply_clean(struct slice text, struct arena *arena)
{
    struct slice clean;
    struct buf b;

    buf_init(&b, SMTP_REPLY_CLEAN_MAX_BYTES + 4);
    while (text.len > 0) {
        size_t length = utf8_length(text);

        length = length == 0 ? 1 : length;
        if (b.len + length > SMTP_REPLY_CLEAN_MAX_BYTES)
            break;
        add_clean(&b, slice_to(text, length));
        text = slice_from(text, length);
    }
    clean = arena_copy(arena, buf_slice(&b));
    buf_fini(&b);
    return clean.ptr != NULL ? clean : SLICE("");
}

bool smtp_reply_is_good(const struct smtp_reply *r)
{
    int code = smtp_reply_code(r);

    return code >= 200 && code < 400;
}
