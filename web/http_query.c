#include "web/http_query.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/core/suggest.h"
#include "lib/core/utf8.h"

#define NAMES_MAX 32

/* --- percent-encoding ------------------------------------------------------------------------ */

static int hex(char c)
{
    c = slice_ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the front of *rest, decoded; -1 for a torn or wrong sequence. */
static int take_byte(struct slice *rest, bool form)
{
    char c = rest->ptr[0];
    int high, low;

    if (c != '%') {
        *rest = slice_from(*rest, 1);
        return form && c == '+' ? ' ' : (unsigned char)c;
    }
    if (rest->len < 3)
        return -1;
    high = hex(rest->ptr[1]);
    low = hex(rest->ptr[2]);
    *rest = slice_from(*rest, 3);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

struct slice http_query_decode(struct slice text, bool form, struct arena *arena)
{
    char *room = arena_alloc(arena, text.len + 1);
    struct slice out = {room, 0};

    if (room == NULL)
        return SLICE_NONE;
    while (text.len > 0) {
        int byte = take_byte(&text, form);

        if (byte < 0)
            return SLICE_NONE;
        room[out.len++] = (char)byte;
    }
    return utf8_is_text(out) ? out : SLICE_NONE;
}

/* --- parameters ------------------------------------------------------------------------------ */

struct slice http_query_get(const struct http_query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (slice_equal(q->items[i].name, slice_str(name)))
            return q->items[i].value;
    }
    return SLICE_NONE;
}

static bool is_given(const struct http_query *q, struct slice name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (slice_equal(q->items[i].name, name))
            return true;
    }
    return false;
}

static int add(struct http_query *q, struct slice pair, struct arena *arena, struct err *err)
{
    struct slice name, value;

    (void)slice_cut(&pair, '=', &name);
    name = http_query_decode(name, true, arena);
    value = http_query_decode(pair, true, arena);
    if (name.ptr == NULL || value.ptr == NULL || name.len > 64)
        return err_set(err, EX_USAGE,
                       "a parameter of the address is not percent-encoded UTF-8: remove it");
    if (value.len == 0)
        return 0;
    if (value.len > HTTP_QUERY_VALUE_BYTES)
        return err_set(err, EX_USAGE, "%.*s: the value is longer than %d bytes: shorten it",
                       SLICE_FMT(name), HTTP_QUERY_VALUE_BYTES);
    if (is_given(q, name))
        return err_set(err, EX_USAGE, "%.*s: given twice: give it once", SLICE_FMT(name));
    if (q->count == HTTP_QUERY_MAX)
        return err_set(err, EX_USAGE, "more than %d parameters: remove some", HTTP_QUERY_MAX);
    q->items[q->count++] = (struct http_parameter){name, value};
    return 0;
}

int http_query_parse(struct slice text, struct arena *arena, struct http_query *out,
                     struct err *err)
{
    struct slice pair;

    *out = (struct http_query){.count = 0};
    while (slice_cut(&text, '&', &pair)) {
        if (pair.len > 0 && add(out, pair, arena, err) != 0)
            return -1;
    }
    return 0;
}

static int unknown(struct slice name, const char *const *names, struct err *err)
{
    char typed[72], list[256] = "";
    size_t count = 0, len = 0;
    const char *nearest;

    for (; names[count] != NULL && count < NAMES_MAX; count++) {
        int added = snprintf(list + len, sizeof list - len, " %s", names[count]);

        len += added > 0 && (size_t)added < sizeof list - len ? (size_t)added : 0;
    }
    (void)snprintf(typed, sizeof typed, "%.*s", SLICE_FMT(slice_to(name, 64)));
    nearest = suggest_name(slice_str(typed), names, count);
    if (nearest != NULL)
        return err_set(err, EX_USAGE, "%s: unknown parameter: write %s", typed, nearest);
    return err_set(err, EX_USAGE, "%s: unknown parameter: remove it; this page takes%s", typed,
                   count > 0 ? list : " none");
}

int http_query_allow(const struct http_query *q, const char *const *names, struct err *err)
{
    for (size_t i = 0; i < q->count; i++) {
        const char *const *at = names;

        while (*at != NULL && !slice_equal(slice_str(*at), q->items[i].name))
            at++;
        if (*at == NULL)
            return unknown(q->items[i].name, names, err);
    }
    return 0;
}

int http_query_top(const struct http_query *q, size_t standard, size_t most, size_t *out,
                   struct err *err)
{
    struct slice typed = http_query_get(q, "top");
    uint64_t n = standard;

    if (typed.ptr != NULL && (!slice_number(typed, &n) || n == 0 || n > most))
        return err_set(err, EX_USAGE, "top: use a number from 1 to %zu", most);
    *out = (size_t)n;
    return 0;
}
