#include "lib/core/classify_work.h"

struct address classify_work_qualified(const struct classify_work *k, const struct address *a)
{
    struct address full = *a;

    if (full.local.len > 0 && full.domain.len == 0)
        full.domain = k->hosted->default_domain;
    return full;
}

bool classify_work_hosted(struct classify_work *k, struct slice domain, struct slice *account)
{
    enum hosted_result found = hosted_domain(k->hosted, k->answers, domain, account);

    k->open = k->open || found == HOSTED_ASK;
    return found == HOSTED_YES;
}

struct decision *classify_work_decision(struct classify_work *k)
{
    struct classified *c = k->out;
    struct decision *grown;

    if (k->dry)
        return &k->unused;
    grown = arena_grow(k->arena, c->decisions, c->count, &k->room, sizeof *grown);
    if (grown == NULL) {
        k->failed = true;
        return &k->unused;
    }
    c->decisions = grown;
    return &c->decisions[c->count++];
}
