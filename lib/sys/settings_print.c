#include <string.h>
#include <sysexits.h>

#include "lib/core/store_url.h"
#include "lib/sys/settings_plans.h"
#include "lib/sys/settings_table.h"

#define VALUE_BYTES ((size_t)1 << 20)

/* A text in libconfig's quotes. */
static void quote(struct buf *b, struct slice s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, s.ptr[i]);
    }
    buf_add_char(b, '"');
}

static void print_list(struct buf *b, const struct string_list *list)
{
    buf_add_char(b, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_add_str(b, i == 0 ? "" : ", ");
        quote(b, slice_str(list->items[i]));
    }
    buf_add_char(b, ']');
}

static void print_secret(struct buf *b, struct slice value)
{
    struct arena arena;

    arena_init(&arena, 65536);
    quote(b, store_url_masked(value, &arena));
    arena_fini(&arena);
}

/* The value as written in the file. */
static void print_value(struct buf *b, const struct setting *row, const struct settings *s,
                        bool masked)
{
    struct buf value;

    if (row->type == SETTING_LIST) {
        print_list(b, (const struct string_list *)((const void *)((const char *)s + row->at)));
        return;
    }
    if (row->type == SETTING_PLANS) {
        settings_plans_print(s, b);
        return;
    }
    buf_init(&value, VALUE_BYTES);
    setting_format(row, s, &value);
    if (row->type == SETTING_BOOL || row->type == SETTING_NUMBER)
        buf_add(b, buf_slice(&value));
    else if (row->secret && masked)
        print_secret(b, buf_slice(&value));
    else
        quote(b, buf_slice(&value));
    buf_fini(&value);
}

/* The length of the groups' part of a path: of "throttle.exempt" in "throttle.exempt.users". */
static size_t group_length(const char *path)
{
    ptrdiff_t dot = slice_find_last(slice_str(path), '.');

    return dot < 0 ? 0 : (size_t)dot;
}

static unsigned depth_of(struct slice groups)
{
    unsigned depth = groups.len > 0;

    for (size_t i = 0; i < groups.len; i++)
        depth += groups.ptr[i] == '.';
    return depth;
}

static void indent(FILE *out, unsigned depth)
{
    (void)fprintf(out, "%*s", (int)depth * 4, "");
}

/* How many groups both are in. */
static unsigned common_depth(struct slice a, struct slice b)
{
    struct slice one, other;
    unsigned depth = 0;

    if (a.len == 0 || b.len == 0)
        return 0;
    while (slice_cut(&a, '.', &one) && slice_cut(&b, '.', &other) && slice_equal(one, other))
        depth++;
    return depth;
}

unsigned settings_groups_print(FILE *out, const char *before, const char *path)
{
    struct slice old =
        before == NULL ? SLICE_NONE : slice_to(slice_str(before), group_length(before));
    struct slice now = path == NULL ? SLICE_NONE : slice_to(slice_str(path), group_length(path));
    unsigned common = common_depth(old, now), depth = depth_of(old);
    struct slice name;

    while (depth > common) {
        indent(out, --depth);
        (void)fputs("};\n", out);
    }
    for (depth = 0; now.len > 0 && slice_cut(&now, '.', &name); depth++) {
        if (depth < common)
            continue;
        indent(out, depth);
        (void)fprintf(out, "%.*s: {\n", SLICE_FMT(name));
    }
    return depth;
}

static bool is_changed(const struct setting *row, const struct settings *old,
                       const struct settings *new_)
{
    struct buf a, b;
    bool changed;

    buf_init(&a, VALUE_BYTES);
    buf_init(&b, VALUE_BYTES);
    print_value(&a, row, old, false);
    print_value(&b, row, new_, false);
    changed = !slice_equal(buf_slice(&a), buf_slice(&b));
    buf_fini(&a);
    buf_fini(&b);
    return changed;
}

/* unlike: only what the configuration sets to another value than this; NULL: everything. */
static void print_rows(const struct settings *s, const struct settings *unlike, FILE *out)
{
    const char *before = NULL;
    struct buf value;

    buf_init(&value, VALUE_BYTES);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];
        size_t group = group_length(row->path);

        if (unlike != NULL && (s->places[i].file == NULL || !is_changed(row, unlike, s)))
            continue;
        buf_reset(&value);
        print_value(&value, row, s, true);
        indent(out, settings_groups_print(out, before, row->path));
        (void)fprintf(out, "%s = %.*s;\n", row->path + (group > 0 ? group + 1 : 0),
                      SLICE_FMT(buf_slice(&value)));
        before = row->path;
    }
    (void)settings_groups_print(out, before, NULL);
    buf_fini(&value);
}

void settings_print(const struct settings *s, FILE *out)
{
    print_rows(s, NULL, out);
}

int settings_changed_print(const struct settings *s, FILE *out, struct err *err)
{
    struct settings *defaults = settings_defaults(err);

    if (defaults == NULL)
        return -1;
    print_rows(s, defaults, out);
    settings_free(defaults);
    return 0;
}

struct slice settings_fixed_changes(const struct settings *old, const struct settings *new_,
                                    struct arena *arena)
{
    struct slice names;
    struct buf b;

    buf_init(&b, 4096);
    for (size_t i = 0; i < settings_count; i++) {
        if (!settings_table[i].reloadable && is_changed(&settings_table[i], old, new_))
            buf_addf(&b, "%s%s", b.len == 0 ? "" : ", ", settings_table[i].path);
    }
    names = arena_copy(arena, buf_slice(&b));
    buf_fini(&b);
    return names;
}

static int keep(const struct setting *row, struct settings *fresh, const struct settings *old,
                struct err *err)
{
    const char *text;
    struct buf b;
    int done;

    if (row->type == SETTING_TEXT) { /* may be empty, or completed since it was set (node) */
        memcpy(&text, (const char *)old + row->at, sizeof text);
        text = arena_copy(&fresh->arena, slice_str(text)).ptr;
        memcpy((char *)fresh + row->at, &text, sizeof text);
        return text != NULL ? 0 : err_set(err, EX_OSERR, "%s: out of memory", row->path);
    }
    buf_init(&b, VALUE_BYTES);
    setting_format(row, old, &b);
    done = setting_set(row, fresh, buf_slice(&b), err);
    buf_fini(&b);
    return done;
}

int settings_keep_fixed(struct settings *fresh, const struct settings *old, struct err *err)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (!settings_table[i].reloadable && keep(&settings_table[i], fresh, old, err) != 0)
            return -1;
    }
    return 0;
}
