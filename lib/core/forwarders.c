#include "lib/core/forwarders.h"

#include <string.h>
#include <sysexits.h>

struct hop {
    struct forwarders_place place;
    unsigned level; /* of targets between the forwarder expanded and this address */
    bool keeps_copy;
};

/* From a forwarder to one of its targets, both as indices of hops. */
struct forwarders_link {
    size_t from, to;
};

/* Breadth first, so that each address is met at the least number of levels. */
struct forwarders_expansion {
    const struct hosted *hosted;
    struct answers *answers; /* may be NULL */
    struct arena *arena;
    struct hop *hops;
    size_t count, room;
    struct forwarders_link *links;
    size_t link_count, link_room;
    struct strmap seen; /* address as text -> index of its hop + 1 */
    bool open, failed;
};

static bool is_hosted(struct forwarders_expansion *e, struct slice domain)
{
    struct slice account;
    enum hosted_result found = hosted_domain(e->hosted, e->answers, domain, &account);

    e->open = e->open || found == HOSTED_ASK;
    return found == HOSTED_YES;
}

static void hop_add(struct forwarders_expansion *e, const struct hop *hop)
{
    struct hop *grown = arena_grow(e->arena, e->hops, e->count, &e->room, sizeof *grown);

    if (grown == NULL) {
        e->failed = true;
        return;
    }
    e->hops = grown;
    e->hops[e->count++] = *hop;
}

static void link_add(struct forwarders_expansion *e, size_t from, size_t to)
{
    struct forwarders_link *grown =
        arena_grow(e->arena, e->links, e->link_count, &e->link_room, sizeof *grown);

    if (grown == NULL) {
        e->failed = true;
        return;
    }
    e->links = grown;
    e->links[e->link_count++] = (struct forwarders_link){from, to};
}

/* --- one target ------------------------------------------------------------------------------ */

static struct slice joined(struct forwarders_expansion *e, struct slice local, const char *at,
                           struct slice domain)
{
    char *text = arena_alloc(e->arena, local.len + domain.len + 2);
    size_t len = local.len;

    if (text == NULL)
        return SLICE_NONE;
    if (len > 0)
        memcpy(text, local.ptr, len);
    if (at[0] != '\0')
        text[len++] = at[0];
    memcpy(text + len, domain.ptr, domain.len);
    return (struct slice){text, len + domain.len};
}

/* `@example.org` is the same user there. */
static int same_user(struct forwarders_expansion *e, const struct forwarders_place *from,
                     struct slice target, struct forwarders_place *to, struct err *err)
{
    ptrdiff_t at = slice_find_last(from->text, '@');

    to->address.local = from->address.local;
    to->text = joined(e, at < 0 ? from->text : slice_to(from->text, (size_t)at), "", target);
    return domain_canonical(slice_from(target, 1), e->arena, &to->address.domain, err);
}

static int with_domain(struct forwarders_expansion *e, const struct forwarders_place *from,
                       struct slice target, struct forwarders_place *to, struct err *err)
{
    struct slice ours = e->hosted->default_domain;

    to->text = target;
    if (address_parse(target, e->arena, &to->address, err) != 0 || address_is_null(&to->address))
        return -1;
    if (to->address.domain.len > 0)
        return 0;
    to->address.domain = ours.len > 0 ? ours : from->address.domain;
    to->text = joined(e, target, "@", to->address.domain);
    return 0;
}

/* False: it is no address, or the arena's cap is reached. */
static bool target_read(struct forwarders_expansion *e, const struct forwarders_place *from,
                        struct slice target, struct forwarders_place *to)
{
    struct err err = {.code = 0};
    int result;

    if (!hosted_target_is_address(target))
        return false;
    if (hosted_target_is_domain(target))
        result = same_user(e, from, target, to, &err);
    else
        result = with_domain(e, from, target, to, &err);
    e->failed = e->failed || err.code == EX_OSERR || to->text.ptr == NULL;
    return result == 0;
}

static void target_add(struct forwarders_expansion *e, size_t from, struct slice target,
                       size_t *addresses)
{
    struct hop hop = {.level = e->hops[from].level + 1};
    bool added = false;
    struct slice key;
    void **index;

    if (!target_read(e, &e->hops[from].place, target, &hop.place)) {
        hop.place = (struct forwarders_place){
            .kind = FORWARDERS_NO_ADDRESS, .text = target, .from = e->hops[from].place.text};
        hop_add(e, &hop);
        return;
    }
    (*addresses)++;
    key = address_text(&hop.place.address, e->arena);
    index = key.ptr != NULL ? strmap_add(&e->seen, key, &added) : NULL;
    if (index == NULL) {
        e->failed = true;
        return;
    }
    if (added) {
        hop.place.kind =
            is_hosted(e, hop.place.address.domain) ? FORWARDERS_MAILBOX : FORWARDERS_OUTSIDE;
        *index = (void *)(e->count + 1);
        hop_add(e, &hop);
    }
    link_add(e, from, (size_t)(uintptr_t)*index - 1);
}

/* --- one address ----------------------------------------------------------------------------- */

static void targets_add(struct forwarders_expansion *e, size_t from,
                        const struct forward_targets *targets)
{
    size_t addresses = 0;

    for (size_t i = 0; i < targets->count && !e->failed; i++)
        target_add(e, from, targets->list[i], &addresses);
    if (addresses == 0 && !e->failed)
        e->hops[from].keeps_copy = true; /* rather in its own mailbox than nowhere */
}

static void follow(struct forwarders_expansion *e, size_t index)
{
    struct hop *hop = &e->hops[index];
    struct forward_targets targets;
    enum hosted_result found = HOSTED_NO;

    if (hop->place.kind != FORWARDERS_MAILBOX)
        return;
    if (hop->level < FORWARDERS_LEVELS)
        found = hosted_forward(e->hosted, e->answers, &hop->place.address, &targets);
    e->open = e->open || found == HOSTED_ASK;
    if (found == HOSTED_YES)
        targets_add(e, index, &targets);
    else
        hop->keeps_copy = true;
}

/* --- loops ----------------------------------------------------------------------------------- */

/* Links stand in the order of their beginnings, so that few rounds are needed. */
static bool reaches(const struct forwarders_expansion *e, size_t start, size_t end, bool *met)
{
    bool grows = true;

    memset(met, 0, e->count * sizeof *met);
    met[start] = true;
    while (grows && !met[end]) {
        grows = false;
        for (size_t i = 0; i < e->link_count; i++)
            if (met[e->links[i].from] && !met[e->links[i].to])
                grows = met[e->links[i].to] = true;
    }
    return met[end];
}

/* Each loop has a link that leads to no deeper level: the address at its end keeps a copy, else
 * mail that goes round would be nowhere. */
static void loops_find(struct forwarders_expansion *e)
{
    bool *met = arena_array(e->arena, e->count, sizeof *met);

    if (met == NULL) {
        e->failed = true;
        return;
    }
    for (size_t i = 0; i < e->link_count; i++) {
        struct hop *from = &e->hops[e->links[i].from], *to = &e->hops[e->links[i].to];

        if (to->level <= from->level && !to->keeps_copy &&
            reaches(e, e->links[i].to, e->links[i].from, met))
            to->keeps_copy = true;
    }
}

/* --- all ------------------------------------------------------------------------------------- */

static void collect(struct forwarders_expansion *e, const struct address *from, struct slice text,
                    const struct forward_targets *targets)
{
    struct hop root = {.place = {.kind = FORWARDERS_MAILBOX, .address = *from}};
    struct slice key = address_text(from, e->arena);
    void **index = key.ptr != NULL ? strmap_add(&e->seen, key, NULL) : NULL;

    root.place.text = text.len > 0 ? text : key;
    if (index == NULL) {
        e->failed = true;
        return;
    }
    *index = (void *)1;
    hop_add(e, &root);
    if (!e->failed)
        targets_add(e, 0, targets);
    for (size_t i = 1; i < e->count && !e->failed; i++)
        follow(e, i);
    if (!e->failed && !e->open)
        loops_find(e);
    e->failed = e->failed || (e->answers != NULL && e->answers->failed);
}

static enum hosted_result visit_all(const struct forwarders_expansion *e, forwarders_visit *visit,
                                    void *user)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct hop *hop = &e->hops[i];

        if ((hop->place.kind != FORWARDERS_MAILBOX || hop->keeps_copy) && !visit(user, &hop->place))
            return HOSTED_FAILED;
    }
    return HOSTED_YES;
}

enum hosted_result forwarders_expand(const struct hosted *w, struct answers *answers,
                                     const struct address *from, struct slice text,
                                     struct arena *arena, forwarders_visit *visit, void *user)
{
    struct forwarders_expansion e = {.hosted = w, .answers = answers, .arena = arena};
    struct forward_targets targets;
    enum hosted_result found = hosted_forward(w, answers, from, &targets);

    if (found == HOSTED_ASK && answers->failed)
        return HOSTED_FAILED;
    if (found != HOSTED_YES) /* most addresses: nothing is allocated for them */
        return found;
    collect(&e, from, text, &targets);
    strmap_fini(&e.seen);
    if (e.failed)
        return HOSTED_FAILED;
    return e.open ? HOSTED_ASK : visit_all(&e, visit, user);
}
