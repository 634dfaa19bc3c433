/* Forwarders: where mail to a hosted address goes besides (or instead of) its mailbox. */
#include "lib/core/forwarders.h"

#include <sysexits.h>

struct hop {
    struct address address;
    unsigned level;
};

/* Breadth first, so that each address is met at the least number of levels. */
struct forwarders_expansion {
    struct hop *hops;
    size_t count, room;
    struct strmap seen; /* addresses as text */
};

/* Puts the address in the queue, unless it has been there. */
static void hop_add(struct classify_work *k, struct forwarders_expansion *e, struct address address,
                    unsigned level)
{
    struct slice text = address_text(&address, k->arena);
    struct hop *grown = arena_grow(k->arena, e->hops, e->count, &e->room, sizeof *grown);
    bool added = false;

    if (text.ptr == NULL || grown == NULL || strmap_add(&e->seen, text, &added) == NULL) {
        k->failed = true;
        return;
    }
    e->hops = grown;
    if (added)
        e->hops[e->count++] = (struct hop){address, level};
}

/* `@example.org` is the same user there. */
static int target_parse(struct classify_work *k, const struct hop *from, struct slice target,
                        struct address *out, struct err *err)
{
    if (!hosted_target_is_domain(target))
        return address_parse(target, k->arena, out, err);
    out->local = from->address.local;
    return domain_canonical(slice_from(target, 1), k->arena, &out->domain, err);
}

/* A target without a domain is a user of the default domain, else of the forwarder's own. */
static void target_add(struct classify_work *k, struct forwarders_expansion *e,
                       const struct hop *from, struct slice target)
{
    struct address a;
    struct slice account;
    struct err err = {.code = 0};

    if (!hosted_target_is_address(target))
        return;
    if (target_parse(k, from, target, &a, &err) != 0 || address_is_null(&a)) {
        k->failed = k->failed || err.code == EX_OSERR;
        return;
    }
    a = classify_work_qualified(k, &a);
    if (a.domain.len == 0)
        a.domain = from->address.domain;
    /* Beyond the last level only what leaves the server is of interest. */
    if (from->level + 1 < FORWARD_LEVELS || !classify_work_hosted(k, a.domain, &account))
        hop_add(k, e, a, from->level + 1);
}

static void targets_add(struct classify_work *k, struct forwarders_expansion *e,
                        const struct hop *from)
{
    struct forward_targets targets;
    enum hosted_result found = hosted_forward(k->hosted, k->answers, &from->address, &targets);

    k->open = k->open || found == HOSTED_ASK;
    if (found != HOSTED_YES)
        return;
    for (size_t i = 0; i < targets.count && !k->failed; i++)
        target_add(k, e, from, targets.list[i]);
}

static void outside_add(struct classify_work *k, const struct address *target,
                        const struct decision *sample)
{
    struct decision *d = classify_work_decision(k);

    *d = *sample;
    d->destination = target->domain;
    d->target = address_text(target, k->arena);
    k->failed = k->failed || d->target.ptr == NULL;
}

void forwarders_expand(struct classify_work *k, const struct address *from,
                       const struct decision *sample)
{
    struct forwarders_expansion e = {.hops = NULL};
    struct forward_targets targets;
    struct slice account;
    enum hosted_result found = hosted_forward(k->hosted, k->answers, from, &targets);

    k->open = k->open || found == HOSTED_ASK;
    if (found != HOSTED_YES) /* most addresses: nothing is allocated for them */
        return;
    hop_add(k, &e, *from, 0);
    for (size_t i = 0; i < e.count && !k->failed; i++) {
        struct hop hop = e.hops[i];

        if (i == 0 || classify_work_hosted(k, hop.address.domain, &account))
            targets_add(k, &e, &hop);
        else
            outside_add(k, &hop.address, sample);
    }
    strmap_fini(&e.seen);
}
