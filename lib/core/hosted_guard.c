#include "lib/core/hosted_guard.h"

#include <string.h>
#include <sysexits.h>

static const struct hosted_source *find_source(const struct hosted *w,
                                               const struct hosted_source *like)
{
    for (size_t i = 0; i < w->source_count; i++)
        if (strcmp(w->sources[i].list, like->list) == 0 &&
            slice_equal(w->sources[i].name, like->name))
            return &w->sources[i];
    return NULL;
}

/* Without its domains the site is no site: there the last entry counts, too. */
static bool has_shrunk(const struct hosted_source *before, const struct hosted_source *after)
{
    size_t many = strcmp(before->list, "hosted.domains") == 0 ? 1 : HOSTED_GUARD_MANY;

    if (after->entries == 0)
        return before->entries >= many;
    return before->entries >= HOSTED_GUARD_MANY && after->entries < before->entries / 2;
}

static int find_shrunk(const struct hosted *before, const struct hosted *after, struct err *err)
{
    for (size_t i = 0; i < before->source_count; i++) {
        const struct hosted_source *was = &before->sources[i], *is = find_source(after, was);

        if (is != NULL && has_shrunk(was, is))
            return err_set(
                err, EX_DATAERR,
                "source \"%.*s\" of %s has shrunk from %zu to %zu entries: restore it, or "
                "reload (kill -USR1) to confirm that this is intended",
                SLICE_FMT(slice_to(was->name, 200)), was->list, was->entries, is->entries);
    }
    return 0;
}

int hosted_guard_check(struct hosted_guard *g, const struct hosted *before,
                       const struct hosted *after, bool is_asked_for, struct err *err)
{
    struct err found = {.code = 0};
    bool is_confirmed;

    if (before != NULL && find_shrunk(before, after, &found) != 0) {
        is_confirmed = is_asked_for && strcmp(found.text, g->complaint.text) == 0;
        g->complaint = found;
        if (!is_confirmed)
            return err_set(err, found.code, "%s", found.text);
    }
    g->complaint = (struct err){.code = 0};
    return 0;
}
