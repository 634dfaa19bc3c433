/* Look-ups in the hosted set. They allocate nothing but questions, so that they can be many. */
#include <string.h>
#include <sysexits.h>

#include "lib/core/classify.h"
#include "lib/core/hosted.h"
#include "lib/core/srs.h"

static bool domain_entry(const struct hosted *w, struct slice key, struct slice domain,
                         struct slice *charged)
{
    void **entry = strmap_find(&w->domains, key);

    if (entry == NULL)
        return false;
    *charged = *entry != NULL ? *(struct slice *)*entry : domain;
    return true;
}

static bool wildcard_entry(const struct hosted *w, struct slice entry, struct slice domain,
                           struct slice *charged)
{
    if (!domain_entry(w, entry, domain, charged))
        return false;
    if (charged->ptr == domain.ptr && w->name_has_account != NULL &&
        !w->name_has_account(w->names_context, entry, domain))
        *charged = slice_from(entry, 1);
    return true;
}

/* An answer's owner comes from outside: it was made canonical by who brought it. */
static enum hosted_result domain_ask(struct answers *a, struct slice domain, struct slice *charged)
{
    const struct answer *answer = answers_get(a, QUESTION_DOMAIN, domain);

    if (answer == NULL)
        return HOSTED_ASK;
    if (!answer->found)
        return HOSTED_NO;
    *charged = answer->owner.len > 0 ? answer->owner : domain;
    return HOSTED_YES;
}

enum hosted_result hosted_domain(const struct hosted *w, struct answers *a, struct slice domain,
                                 struct slice *charged)
{
    if (domain.len == 0 || domain.ptr[0] == '[')
        return HOSTED_NO;
    if (domain_entry(w, domain, domain, charged))
        return HOSTED_YES;
    if (w->domains_asked && a != NULL) {
        enum hosted_result found = domain_ask(a, domain, charged);

        if (found != HOSTED_NO)
            return found;
    }
    for (size_t i = 1; i < domain.len; i++) {
        if (domain.ptr[i] == '.' && wildcard_entry(w, slice_from(domain, i), domain, charged))
            return HOSTED_YES;
    }
    return HOSTED_NO;
}

static bool forward_entry(const struct hosted *w, struct slice key, struct forward_targets *targets)
{
    void **entry = strmap_find(&w->forwards, key);

    if (entry == NULL)
        return false;
    *targets = *(const struct forward_targets *)*entry;
    return true;
}

static bool forward_whole(const struct hosted *w, const struct address *address,
                          struct forward_targets *targets)
{
    char text[ADDRESS_TEXT_ROOM];
    struct slice key = {text, address_write(address, text, sizeof text)};

    return forward_entry(w, key, targets);
}

/* As it is, then without its extension. */
static bool forward_parts(const struct hosted *w, const struct address *address,
                          struct forward_targets *targets)
{
    struct address cut = address_without_extension(address, w->forward_delimiters);

    return forward_whole(w, address, targets) ||
           (cut.local.len < address->local.len && forward_whole(w, &cut, targets));
}

/* alias_maps: the user alone, for the domains that are delivered to the system's own users. */
static bool forward_bare(const struct hosted *w, const struct address *address,
                         struct forward_targets *targets)
{
    struct address bare = {.local = address->local};

    if (address->domain.len > 0 && strmap_find(&w->bare_forwards_domains, address->domain) == NULL)
        return false;
    return forward_parts(w, &bare, targets);
}

/* Without a source to ask there may still be an answer that came unasked. */
static enum hosted_result forward_ask(const struct hosted *w, struct answers *a,
                                      const struct address *address,
                                      struct forward_targets *targets)
{
    char text[ADDRESS_TEXT_ROOM];
    struct slice key = {text, address_write(address, text, sizeof text)};
    const struct answer *answer = w->forwards_asked ? answers_get(a, QUESTION_FORWARD, key)
                                                    : answers_find(a, QUESTION_FORWARD, key);

    if (answer == NULL)
        return w->forwards_asked ? HOSTED_ASK : HOSTED_NO;
    *targets = answer->targets;
    return answer->found ? HOSTED_YES : HOSTED_NO;
}

static bool forward_catch_all(const struct hosted *w, const struct address *address,
                              struct forward_targets *targets)
{
    char text[DOMAIN_MAX_BYTES + 1] = "@";

    if (address->domain.len == 0 || address->domain.len > DOMAIN_MAX_BYTES)
        return false;
    memcpy(text + 1, address->domain.ptr, address->domain.len);
    return forward_entry(w, (struct slice){text, address->domain.len + 1}, targets);
}

enum hosted_result hosted_forward(const struct hosted *w, struct answers *a,
                                  const struct address *address, struct forward_targets *targets)
{
    if (address_is_null(address))
        return HOSTED_NO;
    if (w->forwards.count > 0 &&
        (forward_parts(w, address, targets) || forward_bare(w, address, targets)))
        return HOSTED_YES;
    if (a != NULL && (w->forwards_asked || a->known.count > 0)) {
        enum hosted_result found = forward_ask(w, a, address, targets);

        if (found != HOSTED_NO)
            return found;
    }
    return forward_catch_all(w, address, targets) ? HOSTED_YES : HOSTED_NO;
}

static enum hosted_result login_parse(const struct hosted *w, struct slice login,
                                      struct arena *arena, struct address *out)
{
    struct err err;

    if (address_parse(login, arena, out, &err) != 0)
        return err.code == EX_OSERR ? HOSTED_FAILED : HOSTED_NO;
    if (out->domain.len == 0)
        out->domain = w->default_domain;
    return out->local.len > 0 && out->domain.len > 0 ? HOSTED_YES : HOSTED_NO;
}

enum hosted_result hosted_login(const struct hosted *w, struct answers *a, struct slice login,
                                struct arena *arena, struct address *address)
{
    struct slice key = arena_lower(arena, slice_trim(login));
    void **entry = key.ptr == NULL ? NULL : strmap_find(&w->logins, key);

    if (key.len == 0)
        return key.ptr == NULL ? HOSTED_FAILED : HOSTED_NO;
    if (entry != NULL) {
        *address = *(const struct address *)*entry;
        return HOSTED_YES;
    }
    if (w->logins_asked && a != NULL) {
        const struct answer *answer = answers_get(a, QUESTION_LOGIN, key);

        if (answer == NULL)
            return HOSTED_ASK;
        if (answer->found)
            login = answer->login;
    }
    return login_parse(w, login, arena, address);
}

struct slice hosted_user(const struct hosted *w, const struct address *a, struct arena *arena)
{
    struct address plain = *a;

    if (srs_is(a->local))
        return SLICE(USER_SRS);
    plain.local = srs_untagged(a->local);
    return address_user_by(&plain, w->user_delimiters, arena);
}
