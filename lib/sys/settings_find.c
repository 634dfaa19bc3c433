/* Rows of the table of settings by their names. */
#include "lib/core/suggest.h"
#include "lib/sys/settings_table.h"

const struct setting *setting_find(struct slice path)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (slice_equal(slice_str(settings_table[i].path), path))
            return &settings_table[i];
    }
    return NULL;
}

static struct slice group_of(struct slice path)
{
    ptrdiff_t dot = slice_find(path, '.');

    return dot < 0 ? SLICE_NONE : slice_to(path, (size_t)dot);
}

bool setting_is_group(struct slice name)
{
    for (size_t i = 0; i < settings_count; i++) {
        struct slice path = slice_str(settings_table[i].path);

        if (name.len > 0 && path.len > name.len && path.ptr[name.len] == '.' &&
            slice_equal(slice_to(path, name.len), name))
            return true;
    }
    return false;
}

static struct slice last_part(struct slice path)
{
    ptrdiff_t dot = slice_find_last(path, '.');

    return dot < 0 ? path : slice_from(path, (size_t)dot + 1);
}

const char *setting_nearest(struct slice path, struct arena *arena)
{
    const char **names = arena_array(arena, 2 * settings_count, sizeof *names);
    struct slice group = SLICE_NONE;
    size_t count = 0;

    if (names == NULL)
        return NULL;
    for (size_t i = 0; i < settings_count; i++) {
        struct slice known = slice_str(settings_table[i].path);

        if (slice_equal(last_part(known), last_part(path)))
            return settings_table[i].path; /* the right name in another group */
        names[count++] = settings_table[i].path;
        if (slice_equal(group_of(known), group))
            continue;
        group = arena_copy(arena, group_of(known));
        if (group.len > 0)
            names[count++] = group.ptr;
    }
    return suggest_name(path, names, count);
}
