#include "lib/core/slice.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && slice_starts_nocase(a, b);
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return slice_equal(slice_to(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (slice_ascii_lower(s.ptr[i]) != slice_ascii_lower(prefix.ptr[i]))
            return false;
    }
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t slice_find_last(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memrchr(s.ptr, byte, s.len);

    return at == NULL ? -1 : at - s.ptr;
}

bool slice_cut(struct slice *rest, char separator, struct slice *head)
{
    ptrdiff_t at;

    if (rest->ptr == NULL)
        return false;
    at = slice_find(*rest, separator);
    if (at < 0) {
        *head = *rest;
        *rest = SLICE_NONE;
        return true;
    }
    *head = slice_to(*rest, (size_t)at);
    *rest = (struct slice){rest->ptr + at + 1, rest->len - (size_t)at - 1};
    return true;
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

bool slice_word(struct slice *rest, const char *separators, struct slice *word)
{
    size_t start = 0, end;

    while (start < rest->len && is_in(rest->ptr[start], separators))
        start++;
    if (start == rest->len) {
        *rest = SLICE_NONE;
        return false;
    }
    end = start;
    while (end < rest->len && !is_in(rest->ptr[end], separators))
        end++;
    *word = (struct slice){rest->ptr + start, end - start};
    *rest = slice_from(*rest, end);
    return true;
}

bool slice_number(struct slice s, uint64_t *value)
{
    uint64_t n = 0;
    size_t i = 0;

    if (s.len == 0)
        return false;
    /* So many digits are a number in any case. */
    for (; i < s.len && i < 19; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n))
            return false;
    }
    *value = n;
    return true;
}

struct slice slice_of_number(uint64_t value, char room[SLICE_NUMBER_ROOM])
{
    size_t at = SLICE_NUMBER_ROOM;

    do {
        room[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return (struct slice){room + at, SLICE_NUMBER_ROOM - at};
}

bool slice_take_varint(struct slice *s, uint64_t *value)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->len && i < 10; i++) {
        uint64_t bits = (unsigned char)s->ptr[i] & 0x7f;

        if (i == 9 && bits > 1)
            return false;
        n |= bits << (7 * i);
        if (((unsigned char)s->ptr[i] & 0x80) == 0) {
            *value = n;
            *s = (struct slice){s->ptr + i + 1, s->len - i - 1};
            return true;
        }
    }
    return false;
}

bool slice_take_text(struct slice *s, struct slice *text)
{
    uint32_t len;

    return slice_take_u32(s, &len) && slice_take(s, len, text);
}
