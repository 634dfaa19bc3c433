/* An override in the store: name=value words, quoted where they contain blanks. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/limit.h"

struct word {
    struct slice name, value;
};

/* The value of a quoted word, its backslashes resolved, off the front of *rest. */
static bool take_quoted(struct slice *rest, struct arena *arena, struct slice *value)
{
    char *text = arena_alloc(arena, rest->len + 1);
    size_t len = 0, at = 1;

    if (text == NULL)
        return false;
    for (; at < rest->len && rest->ptr[at] != '"'; at++) {
        if (rest->ptr[at] == '\\' && at + 1 < rest->len)
            at++;
        text[len++] = rest->ptr[at];
    }
    if (at == rest->len)
        return false;
    *value = (struct slice){text, len};
    *rest = slice_from(*rest, at + 1);
    return true;
}

static int take_word(struct slice *rest, struct arena *arena, struct word *w)
{
    ptrdiff_t at;

    *rest = slice_trim(*rest);
    if (rest->len == 0)
        return 0;
    at = slice_find(*rest, '=');
    if (at <= 0)
        return -1;
    w->name = slice_to(*rest, (size_t)at);
    *rest = slice_from(*rest, (size_t)at + 1);
    w->value = SLICE_NONE;
    if (rest->len == 0 || rest->ptr[0] == ' ')
        return 1;
    if (rest->ptr[0] == '"')
        return take_quoted(rest, arena, &w->value) ? 1 : -1;
    return slice_word(rest, " ", &w->value) ? 1 : -1;
}

static bool apply_number(struct slice text, uint64_t most, uint64_t *number)
{
    return slice_number(text, number) && *number <= most;
}

static int apply_word(struct limit *l, const struct word *w, struct err *err)
{
    uint64_t n;

    if (slice_equal(w->name, SLICE("max")))
        return limit_parse_max(w->value, l->metric, &l->max, err);
    if (slice_equal(w->name, SLICE("reason")))
        return l->reason = w->value, 0;
    if (slice_equal(w->name, SLICE("author")))
        return l->author = w->value, 0;
    if (slice_equal(w->name, SLICE("action")) && limit_action_parse(w->value, &l->action))
        return 0;
    if (slice_equal(w->name, SLICE("forwards")) && slice_equal(w->value, SLICE("yes")))
        return l->forwards = true, 0;
    if (slice_equal(w->name, SLICE("soft")) && apply_number(w->value, 99, &n))
        return l->soft_percent = (unsigned)n, 0;
    if (slice_equal(w->name, SLICE("until")) && apply_number(w->value, INT64_MAX, &n))
        return l->until_s = (int64_t)n, 0;
    return err_set(err, EX_DATAERR, "\"%.*s=%.*s\" is not a property of a limit",
                   SLICE_FMT(w->name), SLICE_FMT(w->value));
}

/* A user may have blanks in it, the name of a limit has none. */
int limit_parse_field(struct slice text, struct arena *arena, struct limit *out, struct err *err)
{
    size_t at = text.len;

    while (at > 0 && text.ptr[at - 1] != ' ')
        at--;
    if (limit_parse_name(slice_from(text, at), arena, out, err) != 0)
        return -1;
    out->subject = at > 0 ? slice_to(text, at - 1) : SLICE_NONE;
    if (at == 0 || (at > 1 && (out->scope == LIMIT_USER || out->scope == LIMIT_CLIENT)))
        return 0;
    return err_set(err, EX_DATAERR, "\"%.*s\": only limits of users and clients have one for each",
                   SLICE_FMT(text));
}

void limit_field(const struct limit *l, struct buf *b)
{
    if (l->subject.len > 0)
        buf_addf(b, "%.*s ", SLICE_FMT(l->subject));
    limit_name(l, b);
}

int limit_parse_override(struct slice field, struct slice value, struct arena *arena,
                         struct limit *out, struct err *err)
{
    struct slice rest = value;
    struct word w;
    int got;

    *out = (struct limit){.max = LIMIT_UNLIMITED, .action = ACTION_DEFER};
    if (limit_parse_field(field, arena, out, err) != 0)
        return -1;
    while ((got = take_word(&rest, arena, &w)) > 0) {
        if (apply_word(out, &w, err) != 0)
            return -1;
    }
    if (got < 0)
        return err_set(err, EX_DATAERR, "\"%.*s\" is not a list of name=value words",
                       SLICE_FMT(value));
    return 0;
}

static void add_quoted(struct buf *b, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buf_addf(b, " %s=\"", name);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '"' || c == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
    }
    buf_add_char(b, '"');
}

void limit_print_override(const struct limit *l, struct buf *value)
{
    if (l->max == LIMIT_UNLIMITED)
        buf_add_str(value, "max=unlimited");
    else
        buf_addf(value, "max=%" PRIu64, l->max);
    buf_addf(value, " action=%s", limit_action_name(l->action));
    if (l->soft_percent != 0)
        buf_addf(value, " soft=%u", l->soft_percent);
    if (l->forwards)
        buf_add_str(value, " forwards=yes");
    if (l->until_s != 0)
        buf_addf(value, " until=%" PRId64, l->until_s);
    add_quoted(value, "reason", l->reason);
    add_quoted(value, "author", l->author);
}
