#include "lib/core/classify_legs.h"

#include "lib/core/forwarders.h"

struct leg_maker {
    struct classify_work *work;
    const struct decision *sample;
};

static bool leg_add(void *user, const struct forwarders_place *place)
{
    const struct leg_maker *m = user;
    struct decision *d;

    if (place->kind != FORWARDERS_OUTSIDE)
        return true;
    d = classify_work_decision(m->work);
    *d = *m->sample;
    d->destination = place->address.domain;
    d->target = address_text(&place->address, m->work->arena);
    return d->target.ptr != NULL && !m->work->failed;
}

void classify_legs_forward(struct classify_work *k, const struct address *from,
                           const struct decision *sample)
{
    struct leg_maker maker = {k, sample};
    enum hosted_result found =
        forwarders_expand(k->hosted, k->answers, from, SLICE_NONE, k->arena, leg_add, &maker);

    k->open = k->open || found == HOSTED_ASK;
    k->failed = k->failed || found == HOSTED_FAILED;
}

static bool is_first(struct classify_work *k, const struct address *target)
{
    struct slice text = address_text(target, k->arena);
    bool added = false;

    if (text.ptr == NULL || strmap_add(&k->copied, text, &added) == NULL)
        k->failed = true;
    return added;
}

/* A message that the MTA itself writes has no copies: it comes by no SMTP, from the null sender. */
static bool may_have_copies(const struct classify_work *k)
{
    return !k->facts->without_copies && (k->facts->smtp || !k->out->null_sender);
}

void classify_legs_copy(struct classify_work *k, enum hosted_copy kind, const struct address *of,
                        const struct decision *sample)
{
    struct forwarders_place place = {.kind = FORWARDERS_OUTSIDE};
    struct leg_maker maker = {k, sample};
    enum hosted_result found = HOSTED_NO;
    struct slice account;

    if (may_have_copies(k))
        found = hosted_copy(k->hosted, k->answers, kind, of, k->arena, &place.address);
    k->open = k->open || found == HOSTED_ASK;
    k->failed = k->failed || found == HOSTED_FAILED;
    if (found != HOSTED_YES)
        return;
    place.address = classify_work_qualified(k, &place.address);
    if (!is_first(k, &place.address))
        return;
    if (classify_work_hosted(k, place.address.domain, &account))
        classify_legs_forward(k, &place.address, sample);
    else if (!leg_add(&maker, &place))
        k->failed = true;
}
