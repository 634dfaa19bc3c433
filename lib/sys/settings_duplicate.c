#include "lib/sys/settings_duplicate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    32
#define SETTINGS_MAX 4000

struct seen {
    struct slice name;
    unsigned group, line;
};

struct walk {
    struct slice rest;
    unsigned line;
    unsigned groups[DEPTH_MAX], depth, group_count; /* numbers of the open ones, the root first */
    struct seen *list;
    size_t count;
};

static char at(const struct walk *w, size_t i)
{
    return i < w->rest.len ? w->rest.ptr[i] : '\0';
}

static void skip(struct walk *w, size_t bytes)
{
    for (size_t i = 0; i < bytes && i < w->rest.len; i++)
        w->line += w->rest.ptr[i] == '\n';
    w->rest = slice_from(w->rest, bytes);
}

/* Bytes up to the end of a line, or behind that text. */
static size_t length_to(const struct walk *w, const char *end)
{
    const char *found = memmem(w->rest.ptr, w->rest.len, end, strlen(end));

    return found == NULL ? w->rest.len : (size_t)(found - w->rest.ptr) + strlen(end);
}

static size_t length_of_text(const struct walk *w)
{
    size_t i = 1;

    while (i < w->rest.len && at(w, i) != '"')
        i += at(w, i) == '\\' ? 2 : 1;
    return i + 1;
}

/* Skips blanks, comments and texts in quotes. */
static void skip_between(struct walk *w)
{
    for (;;) {
        if (isspace((unsigned char)at(w, 0)))
            skip(w, 1);
        else if (at(w, 0) == '#' || (at(w, 0) == '/' && at(w, 1) == '/'))
            skip(w, length_to(w, "\n"));
        else if (at(w, 0) == '/' && at(w, 1) == '*')
            skip(w, length_to(w, "*/"));
        else if (at(w, 0) == '"')
            skip(w, length_of_text(w));
        else
            return;
    }
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

static struct slice name_take(struct walk *w)
{
    struct slice name;
    size_t len = 0;

    while (is_of_name(at(w, len)))
        len++;
    name = slice_to(w->rest, len);
    skip(w, len);
    return name;
}

static bool note(struct walk *w, struct slice name, unsigned line, struct settings_duplicate *out)
{
    unsigned group = w->groups[w->depth];

    for (size_t i = 0; i < w->count; i++) {
        if (w->list[i].group == group && slice_equal(w->list[i].name, name)) {
            *out = (struct settings_duplicate){name, w->list[i].line, line};
            return true;
        }
    }
    if (w->count < SETTINGS_MAX)
        w->list[w->count++] = (struct seen){name, group, line};
    return false;
}

static void bracket(struct walk *w)
{
    if (at(w, 0) == '{' && w->depth + 1 < DEPTH_MAX)
        w->groups[++w->depth] = ++w->group_count;
    else if (at(w, 0) == '}' && w->depth > 0)
        w->depth--;
    skip(w, 1);
}

static bool walk(struct walk *w, struct settings_duplicate *out)
{
    for (skip_between(w); w->rest.len > 0; skip_between(w)) {
        unsigned line = w->line;
        struct slice name;

        if (!is_of_name(at(w, 0))) {
            bracket(w);
            continue;
        }
        name = name_take(w);
        skip_between(w);
        if ((at(w, 0) == '=' || at(w, 0) == ':') && note(w, name, line, out))
            return true;
    }
    return false;
}

bool settings_duplicate_find(struct slice text, struct settings_duplicate *out)
{
    struct walk w = {.rest = text, .line = 1};
    bool found;

    w.list = calloc(SETTINGS_MAX, sizeof *w.list);
    found = w.list != NULL && walk(&w, out);
    free(w.list);
    return found;
}
