/* What a value of virtual(5) or aliases(5) says, as addresses. */
#include <stdio.h>
#include <string.h>

#include "lib/core/source_line.h"
#include "lib/sources/postfix.h"
#include "lib/sys/files.h"

#define INCLUDE_DEPTH     3
#define INCLUDE_MAX_BYTES ((size_t)4 << 20)

struct postfix_reading {
    const struct postfix_config *config;
    enum postfix_map map;
    struct buf *out;
    struct err *unread;
};

static void add_list(const struct postfix_reading *r, struct slice list, unsigned depth);

static bool take_prefix(struct slice *s, const char *prefix)
{
    bool found = slice_starts_nocase(*s, slice_str(prefix));

    if (found)
        *s = slice_from(*s, strlen(prefix));
    return found;
}

/* "one address a line", with comments; also the lists that aliases(5) allows. */
static void add_include(const struct postfix_reading *r, struct slice path, unsigned depth)
{
    char name[1024];
    struct slice rest, line;
    struct buf text;

    if (depth >= INCLUDE_DEPTH ||
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(path)) >= (int)sizeof name)
        return;
    buf_init(&text, INCLUDE_MAX_BYTES);
    if (file_read(name, &text, r->unread) == 0) {
        rest = buf_slice(&text);
        while (slice_cut(&rest, '\n', &line))
            if (line.len > 0 && line.ptr[0] != '#')
                add_list(r, line, depth + 1);
    }
    buf_fini(&text);
}

static void add_address(const struct postfix_reading *r, struct slice address)
{
    if (r->out->len > 0)
        buf_add_char(r->out, ',');
    buf_add(r->out, address);
    if (slice_find(address, '@') < 0 && r->config->myorigin.len > 0) {
        buf_add_char(r->out, '@');
        buf_add(r->out, r->config->myorigin);
    }
}

/* \name is the mailbox itself; a backslash before a whole address means nothing. */
static void add_target(const struct postfix_reading *r, struct slice target, unsigned depth)
{
    bool whole = slice_find(target, '@') >= 0, alias = r->map == POSTFIX_ALIAS;

    if (target.ptr[0] == '\\')
        target = whole ? slice_from(target, 1) : SLICE_NONE;
    if (target.len > 2 && target.ptr[0] == '"' && target.ptr[target.len - 1] == '"')
        target = slice_from(slice_to(target, target.len - 1), 1);
    if (alias && take_prefix(&target, ":include:"))
        add_include(r, target, depth);
    else if (target.len > 0 && (!alias || strchr("|/:", target.ptr[0]) == NULL))
        add_address(r, target);
}

static void add_list(const struct postfix_reading *r, struct slice list, unsigned depth)
{
    struct slice target;

    while (source_line_target_next(&list, &target))
        add_target(r, target, depth);
}

void postfix_targets(const struct postfix_config *c, struct slice value, enum postfix_map map,
                     struct buf *out, struct err *unread)
{
    const struct postfix_reading r = {c, map, out, unread};

    unread->code = 0;
    add_list(&r, value, 0);
}
