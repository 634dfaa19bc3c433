#include "lib/core/postfix_list.h"

#include <string.h>

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands before the next separator outside braces. */
static size_t item_len(struct slice s)
{
    size_t depth = 0, i;

    for (i = 0; i < s.len && (depth > 0 || !is_separator(s.ptr[i])); i++) {
        if (s.ptr[i] == '{')
            depth++;
        else if (s.ptr[i] == '}' && depth > 0)
            depth--;
    }
    return i;
}

static bool is_type_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* The length of `type` in type:name, or 0. */
static size_t type_len(struct slice s)
{
    size_t i = 0;

    while (i < s.len && is_type_char(s.ptr[i]))
        i++;
    return i < s.len && s.ptr[i] == ':' ? i : 0;
}

static bool is_listable(struct slice type, bool *has_file)
{
    static const char *const files[] = {"hash", "btree", "lmdb", "dbm", "sdbm", "cdb", "texthash"};

    *has_file = false;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && !*has_file; i++)
        *has_file = slice_equal(type, slice_str(files[i]));
    return *has_file || slice_equal(type, SLICE("inline"));
}

/* Postfix asks these for no part of an address, neither without its extension nor for @domain. */
static bool is_pattern(struct slice type)
{
    return slice_equal(type, SLICE("regexp")) || slice_equal(type, SLICE("pcre")) ||
           slice_equal(type, SLICE("cidr"));
}

static void set_kind(struct postfix_item *item)
{
    size_t type = type_len(item->text);
    bool has_file = false;

    item->kind = POSTFIX_NAME;
    if (item->text.len > 0 && item->text.ptr[0] == '/')
        item->kind = POSTFIX_FILE;
    if (type == 0)
        return;
    item->kind = POSTFIX_TABLE;
    item->listable = is_listable(slice_to(item->text, type), &has_file);
    item->is_pattern = is_pattern(slice_to(item->text, type));
    if (has_file)
        item->path = slice_from(item->text, type + 1);
}

bool postfix_list_next(struct slice *rest, struct postfix_item *item)
{
    size_t len;

    *item = (struct postfix_item){.text = SLICE_NONE};
    while (rest->len > 0 && is_separator(rest->ptr[0]))
        *rest = slice_from(*rest, 1);
    if (rest->len == 0)
        return false;
    len = item_len(*rest);
    item->text = slice_to(*rest, len);
    *rest = slice_from(*rest, len);
    while (item->text.len > 0 && item->text.ptr[0] == '!') {
        item->negated = !item->negated;
        item->text = slice_from(item->text, 1);
    }
    while (item->text.len > 6 && memcmp(item->text.ptr, "proxy:", 6) == 0)
        item->text = slice_from(item->text, 6);
    set_kind(item);
    return true;
}

bool postfix_list_setting(struct slice line, struct slice *name, struct slice *value)
{
    ptrdiff_t equals = slice_find(line, '=');

    if (equals < 0)
        return false;
    *name = slice_trim(slice_to(line, (size_t)equals));
    *value = slice_trim(slice_from(line, (size_t)equals + 1));
    return name->len > 0;
}
