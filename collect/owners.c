#include "collect/owners.h"

#define ARENA_BYTES ((size_t)4 << 20)

void owners_init(struct owners *o, const struct hosted *hosted)
{
    *o = (struct owners){.hosted = hosted};
    arena_init(&o->arena, ARENA_BYTES);
    answers_init(&o->answers, &o->arena);
}

void owners_fini(struct owners *o)
{
    answers_fini(&o->answers);
    arena_fini(&o->arena);
}

void owners_reset(struct owners *o)
{
    answers_fini(&o->answers);
    arena_reset(&o->arena);
    answers_init(&o->answers, &o->arena);
}

/* True: the questions have been answered, and the look-up is to be repeated. */
static bool ask(struct owners *o, enum hosted_result result)
{
    if (result != HOSTED_ASK)
        return false;
    if (o->resolve == NULL || o->resolve(o->context, &o->answers, &o->err) < 0) {
        o->failed = true;
        return false;
    }
    answers_none_open(&o->answers);
    return true;
}

static bool charge(struct owners *o, const struct address *address, struct payer *payer)
{
    enum hosted_result result;
    struct slice domain;

    do {
        result = hosted_domain(o->hosted, &o->answers, address->domain, &domain);
    } while (ask(o, result));
    if (result != HOSTED_YES)
        return false;
    payer->domain = domain;
    if (o->hosted->users)
        payer->user = hosted_user(o->hosted, address, &o->arena);
    return true;
}

bool owners_login(struct owners *o, struct slice login, struct payer *payer)
{
    enum hosted_result result;
    struct address address;

    *payer = PAYER_NONE;
    do {
        result = hosted_login(o->hosted, &o->answers, login, &o->arena, &address);
    } while (ask(o, result));
    return result == HOSTED_YES && charge(o, &address, payer);
}

bool owners_address(struct owners *o, struct slice text, struct payer *payer)
{
    struct address address;
    struct err err;

    *payer = PAYER_NONE;
    if (address_parse(text, &o->arena, &address, &err) < 0 || address_is_null(&address))
        return false;
    return charge(o, &address, payer);
}

bool owners_is_host(const struct owners *o, struct slice client)
{
    struct ip ip;

    return networks_ip_parse(client, &ip) && networks_contain(&o->hosted->host, &ip);
}

bool owners_is_customer(const struct owners *o, struct slice client)
{
    struct ip ip;

    return networks_ip_parse(client, &ip) && networks_contain(&o->hosted->customers, &ip);
}
