#include "lib/core/source_line.h"

#include <string.h>
#include <sysexits.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice cut_comment(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '#' && (i == 0 || is_blank(line.ptr[i - 1])))
            return slice_to(line, i);
    return line;
}

struct slice source_line_content(struct slice line)
{
    return slice_trim(cut_comment(line));
}

bool source_line_continues(enum source_use use, struct slice line)
{
    return use == SOURCE_FORWARDS && line.len > 0 && is_blank(line.ptr[0]);
}

/* The length of what stands before the first separator outside double quotes. */
static size_t token_len(struct slice s, bool (*is_separator)(char))
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < s.len && (quoted || !is_separator(s.ptr[i])); i++) {
        if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (quoted && s.ptr[i] == '\\' && i + 1 < s.len)
            i++;
    }
    return i;
}

static bool is_target_separator(char c)
{
    return c == ',' || is_blank(c);
}

bool source_line_target_next(struct slice *rest, struct slice *target)
{
    size_t len;

    while (rest->len > 0 && is_target_separator(rest->ptr[0]))
        *rest = slice_from(*rest, 1);
    if (rest->len == 0)
        return false;
    len = token_len(*rest, is_target_separator);
    *target = slice_to(*rest, len);
    *rest = slice_from(*rest, len);
    return true;
}

struct slice source_line_owner(struct slice value)
{
    return slice_find(value, '.') >= 0 ? value : SLICE_NONE;
}

static int bad_line(struct err *err, const char *what)
{
    return err_set(err, EX_DATAERR, "%s", what);
}

static int check_value(enum source_use use, struct slice value, struct err *err)
{
    bool one_word = token_len(value, is_blank) == value.len;

    switch (use) {
    case SOURCE_DOMAINS:
        return one_word ? 0 : bad_line(err, "write a domain, and at most its owner after it");
    case SOURCE_FORWARDS:
        return value.len > 0 ? 0 : bad_line(err, "write an address and its targets after it");
    case SOURCE_LOGINS:
        return value.len > 0 && one_word ? 0
                                         : bad_line(err, "write a login and its address after it");
    case SOURCE_CUSTOMERS:
        return value.len > 0 && one_word
                   ? 0
                   : bad_line(err, "write a domain and its customer after it");
    case SOURCE_ADMINS:
        return value.len > 0 && one_word
                   ? 0
                   : bad_line(err, "write a domain and the address of its admin after it");
    case SOURCE_PLANS:
    case SOURCE_COPIES:
        break;
    }
    return value.len > 0 && one_word ? 0 : bad_line(err, "write a domain and its plan after it");
}

int source_line_parse(enum source_use use, struct slice line, struct source_entry *out,
                      struct err *err)
{
    size_t len;

    line = source_line_content(line);
    if (line.len == 0)
        return 0;
    if (memchr(line.ptr, '\0', line.len) != NULL)
        return bad_line(err, "there is a NUL byte in it");
    len = token_len(line, is_blank);
    out->key = slice_to(line, len);
    out->value = slice_trim(slice_from(line, len));
    return check_value(use, out->value, err) == 0 ? 1 : -1;
}
