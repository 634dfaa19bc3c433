/* Owners that nobody hosts: no account is theirs, so their domains are charged as they appear. */
#include <stdio.h>

#include "lib/sources/listing.h"

/* The name of a wildcard entry, without its dot, is an account in any case. */
static bool is_hosted(const struct hosted *w, struct slice entry, struct slice owner)
{
    struct slice charged;

    return (entry.ptr[0] == '.' && slice_equal(slice_from(entry, 1), owner)) ||
           hosted_domain(w, NULL, owner, &charged) == HOSTED_YES;
}

static void owner_take(struct listing *l, struct slice entry, struct slice owner)
{
    void **found = strmap_find(&l->owner_index, owner);
    struct listing_owner *o = found != NULL ? *found : NULL;

    found = strmap_find(&l->hosted->domains, entry);
    if (o == NULL || found == NULL)
        return;
    *found = NULL;
    o->count++;
}

static void owner_warn(struct listing *l, const struct listing_owner *o)
{
    char others[64] = "", text[1024];

    if (o->count > 1)
        (void)snprintf(others, sizeof others, " and %zu other domain%s", o->count - 1,
                       o->count == 2 ? "" : "s");
    (void)snprintf(text, sizeof text,
                   "the owner %.*s is not hosted: %.*s%s %s charged as %s; add %.*s to a source of "
                   "hosted.domains, or remove the owner",
                   SLICE_FMT(slice_to(o->name, 200)), SLICE_FMT(slice_to(o->domain, 200)), others,
                   o->count > 1 ? "are" : "is", o->count > 1 ? "they appear" : "it appears",
                   SLICE_FMT(slice_to(o->name, 200)));
    l->where = o->where;
    l->line = o->line;
    listing_warn(l, text);
}

void listing_owners_check(struct listing *l)
{
    const struct hosted *w = l->hosted;
    struct slice entry;
    size_t at = 0;
    void *value;

    if (l->owner_count == 0 || w->domains_asked)
        return;
    while (strmap_next(&w->domains, &at, &entry, &value)) {
        const struct slice *owner = value;

        if (owner != NULL && !is_hosted(w, entry, *owner))
            owner_take(l, entry, *owner);
    }
    l->warning_count = 0;
    for (size_t i = 0; i < l->owner_count; i++)
        if (l->owners[i]->count > 0)
            owner_warn(l, l->owners[i]);
}
