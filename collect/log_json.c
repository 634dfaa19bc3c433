#include "collect/log_json.h"

static void skip_blanks(struct slice *s)
{
    while (s->len > 0 &&
           (s->ptr[0] == ' ' || s->ptr[0] == '\t' || s->ptr[0] == '\n' || s->ptr[0] == '\r'))
        *s = slice_from(*s, 1);
}

static bool take(struct slice *s, char c)
{
    skip_blanks(s);
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* After the opening quote. */
static bool take_string(struct slice *s, struct slice *raw, bool *has_escapes)
{
    size_t at = 0;

    *has_escapes = false;
    for (; at < s->len && s->ptr[at] != '"'; at++) {
        if (s->ptr[at] == '\\') {
            *has_escapes = true;
            at++;
        }
    }
    if (at >= s->len)
        return false;
    *raw = slice_to(*s, at);
    *s = slice_from(*s, at + 1);
    return true;
}

/* An array or object, with all in it. */
static bool take_nested(struct slice *s, struct slice *raw)
{
    struct slice rest = *s, string;
    size_t depth = 0;
    bool has_escapes;

    do {
        char c;

        if (rest.len == 0)
            return false;
        c = rest.ptr[0];
        rest = slice_from(rest, 1);
        if (c == '"' && !take_string(&rest, &string, &has_escapes))
            return false;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
    } while (depth > 0);
    *raw = slice_to(*s, (size_t)(rest.ptr - s->ptr));
    *s = rest;
    return true;
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
           c == 'E';
}

static bool take_value(struct slice *s, struct log_json_value *value)
{
    size_t len = 0;

    *value = (struct log_json_value){0};
    skip_blanks(s);
    if (take(s, '"'))
        return take_string(s, &value->raw, &value->has_escapes);
    if (s->len > 0 && (s->ptr[0] == '{' || s->ptr[0] == '[')) {
        value->kind = s->ptr[0] == '{' ? LOG_JSON_OBJECT : LOG_JSON_ARRAY;
        return take_nested(s, &value->raw);
    }
    while (len < s->len && is_plain(s->ptr[len]))
        len++;
    value->raw = slice_to(*s, len);
    value->kind = len > 0 && (value->raw.ptr[0] < 'a') ? LOG_JSON_NUMBER : LOG_JSON_WORD;
    *s = slice_from(*s, len);
    return len > 0;
}

bool log_json_open(struct log_json *j, struct slice text)
{
    *j = (struct log_json){.rest = text};
    return take(&j->rest, '{');
}

bool log_json_next(struct log_json *j, struct slice *key, struct log_json_value *value)
{
    bool has_escapes;

    if (take(&j->rest, '}')) {
        j->has_ended = true;
        return false;
    }
    (void)take(&j->rest, ',');
    return take(&j->rest, '"') && take_string(&j->rest, key, &has_escapes) && take(&j->rest, ':') &&
           take_value(&j->rest, value);
}

/* --- texts --------------------------------------------------------------------------------------
 */

static bool take_hex(struct slice *s, uint32_t *value)
{
    *value = 0;
    if (s->len < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = slice_ascii_lower(s->ptr[i]);

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *value = *value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *s = slice_from(*s, 4);
    return true;
}

static void add_utf8(struct buf *to, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(to, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_add_char(to, (char)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_add_char(to, (char)(0xe0 | c >> 12));
        } else {
            buf_add_char(to, (char)(0xf0 | c >> 18));
            buf_add_char(to, (char)(0x80 | (c >> 12 & 0x3f)));
        }
        buf_add_char(to, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_add_char(to, (char)(0x80 | (c & 0x3f)));
}

/* After "\u": a character, or the half of one beyond U+FFFF that takes another \u. */
static void add_unicode(struct buf *to, struct slice *s)
{
    uint32_t c, low;
    struct slice rest;

    if (!take_hex(s, &c))
        return;
    rest = *s;
    if (c >= 0xd800 && c < 0xdc00 && rest.len > 2 && rest.ptr[0] == '\\' && rest.ptr[1] == 'u') {
        rest = slice_from(rest, 2);
        if (take_hex(&rest, &low) && low >= 0xdc00 && low < 0xe000) {
            *s = rest;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    add_utf8(to, c >= 0xd800 && c < 0xe000 ? '?' : c);
}

static void add_escape(struct buf *to, struct slice *s)
{
    char c = s->len > 0 ? s->ptr[0] : '\\';

    *s = slice_from(*s, 1);
    switch (c) {
    case 'n':
        buf_add_char(to, '\n');
        break;
    case 't':
        buf_add_char(to, '\t');
        break;
    case 'r':
        buf_add_char(to, '\r');
        break;
    case 'b':
        buf_add_char(to, '\b');
        break;
    case 'f':
        buf_add_char(to, '\f');
        break;
    case 'u':
        add_unicode(to, s);
        break;
    default: /* " \ / */
        buf_add_char(to, c);
    }
}

static void unescape(struct slice raw, struct buf *to)
{
    ptrdiff_t at;

    while ((at = slice_find(raw, '\\')) >= 0) {
        buf_add(to, slice_to(raw, (size_t)at));
        raw = slice_from(raw, (size_t)at + 1);
        add_escape(to, &raw);
    }
    buf_add(to, raw);
}

/* [98,97,100,32,255]: what is not UTF-8, in the journal. */
static void add_bytes(struct slice raw, struct buf *to)
{
    struct slice word;
    uint64_t byte;

    while (slice_word(&raw, "[], ", &word)) {
        if (slice_number(word, &byte) && byte < 256)
            buf_add_char(to, (char)byte);
    }
}

static struct slice added(const struct buf *to, size_t from)
{
    return slice_from(buf_slice(to), from);
}

struct slice log_json_text(const struct log_json_value *value, struct buf *to)
{
    struct slice rest = value->raw;
    struct log_json_value first;
    size_t from = to->len;

    if (value->kind == LOG_JSON_ARRAY) {
        if (take(&rest, '[') && take(&rest, '"')) {
            first = (struct log_json_value){0};
            return take_string(&rest, &first.raw, &first.has_escapes) ? log_json_text(&first, to)
                                                                      : SLICE_NONE;
        }
        add_bytes(value->raw, to);
        return added(to, from);
    }
    if (value->kind != LOG_JSON_STRING)
        return SLICE_NONE;
    if (!value->has_escapes)
        return value->raw;
    unescape(value->raw, to);
    return added(to, from);
}
