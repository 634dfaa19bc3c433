#include "lib/core/suggest.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_BYTES 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the table are enough. */
static size_t distance(struct slice a, struct slice b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];

            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *suggest_name(struct slice typed, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = typed.len / 3 + 2;

    if (typed.len > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_str(names[i]);
        size_t d;

        if (name.len > NAME_MAX_BYTES)
            continue;
        d = distance(typed, name);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
