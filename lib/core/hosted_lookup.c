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

/* Who is charged for a name under a wildcard without an owner. */
static struct slice charged_under(const struct hosted *w, struct slice entry, struct slice domain)
{
    bool has_account =
        w->name_has_account == NULL || w->name_has_account(w->names_context, entry, domain);

    return has_account ? domain : slice_from(entry, 1);
}

static bool wildcard_entry(const struct hosted *w, struct slice entry, struct slice domain,
                           struct slice *charged)
{
    if (!domain_entry(w, entry, domain, charged))
        return false;
    if (charged->ptr == domain.ptr)
        *charged = charged_under(w, entry, domain);
    return true;
}

/* An answer's owner comes from outside: it was made canonical by who brought it. */
static enum hosted_result domain_ask(const struct hosted *w, struct answers *a, struct slice domain,
                                     struct slice *charged)
{
    const struct answer *answer = answers_get(a, QUESTION_DOMAIN, domain);

    if (answer == NULL)
        return HOSTED_ASK;
    if (!answer->found)
        return HOSTED_NO;
    *charged = answer->owner.len > 0 ? answer->owner : domain;
    if (answer->wildcard.len > 0)
        *charged = charged_under(w, answer->wildcard, domain);
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
        enum hosted_result found = domain_ask(w, a, domain, charged);

        if (found != HOSTED_NO)
            return found;
    }
    for (size_t i = 1; i < domain.len; i++) {
        if (domain.ptr[i] == '.' && wildcard_entry(w, slice_from(domain, i), domain, charged))
            return HOSTED_YES;
    }
    return HOSTED_NO;
}

/* --- tables of addresses --- */

/* What is asked where such a table does not know an address. */
struct address_table {
    const struct strmap *entries;
    struct slice delimiters;
    enum question_kind kind;
    bool asked;
};

static const void *entry_of(const struct address_table *t, struct slice key)
{
    void **entry = strmap_find(t->entries, key);

    return entry != NULL ? *entry : NULL;
}

static const void *entry_whole(const struct address_table *t, const struct address *address)
{
    char text[ADDRESS_TEXT_ROOM];

    return entry_of(t, (struct slice){text, address_write(address, text, sizeof text)});
}

/* As it is, then without its extension. */
static const void *entry_parts(const struct address_table *t, const struct address *address)
{
    struct address cut = address_without_extension(address, t->delimiters);
    const void *entry = entry_whole(t, address);

    return entry != NULL || cut.local.len == address->local.len ? entry : entry_whole(t, &cut);
}

/* The user alone, for the domains that are delivered to the system's own users. */
static const void *entry_bare(const struct hosted *w, const struct address_table *t,
                              const struct address *address)
{
    struct address bare = {.local = address->local};

    if (address->domain.len > 0 && strmap_find(&w->bare_forwards_domains, address->domain) == NULL)
        return NULL;
    return entry_parts(t, &bare);
}

static const void *entry_catch_all(const struct address_table *t, const struct address *address)
{
    char text[DOMAIN_MAX_BYTES + 1] = "@";

    if (address->domain.len == 0 || address->domain.len > DOMAIN_MAX_BYTES)
        return NULL;
    memcpy(text + 1, address->domain.ptr, address->domain.len);
    return entry_of(t, (struct slice){text, address->domain.len + 1});
}

/* Without a source to ask there may still be an answer that came unasked. */
static enum hosted_result table_ask(const struct address_table *t, struct answers *a,
                                    const struct address *address, const struct answer **answer)
{
    char text[ADDRESS_TEXT_ROOM];
    struct slice key = {text, address_write(address, text, sizeof text)};

    *answer = t->asked ? answers_get(a, t->kind, key) : answers_find(a, t->kind, key);
    if (*answer == NULL)
        return t->asked ? HOSTED_ASK : HOSTED_NO;
    return (*answer)->found ? HOSTED_YES : HOSTED_NO;
}

/* HOSTED_YES: one of *entry (the table's value) and *answer is set. */
static enum hosted_result table_find(const struct hosted *w, const struct address_table *t,
                                     struct answers *a, const struct address *address,
                                     const void **entry, const struct answer **answer)
{
    *entry = NULL;
    *answer = NULL;
    if (address_is_null(address))
        return HOSTED_NO;
    if (t->entries->count > 0) {
        *entry = entry_parts(t, address);
        *entry = *entry != NULL ? *entry : entry_bare(w, t, address);
    }
    if (*entry == NULL && a != NULL && (t->asked || a->known.count > 0)) {
        enum hosted_result found = table_ask(t, a, address, answer);

        if (found != HOSTED_NO)
            return found;
    }
    if (*entry == NULL)
        *entry = entry_catch_all(t, address);
    return *entry != NULL ? HOSTED_YES : HOSTED_NO;
}

enum hosted_result hosted_forward(const struct hosted *w, struct answers *a,
                                  const struct address *address, struct forward_targets *targets)
{
    const struct address_table table = {&w->forwards, w->forward_delimiters, QUESTION_FORWARD,
                                        w->forwards_asked};
    const struct answer *answer;
    const void *entry;
    enum hosted_result found = table_find(w, &table, a, address, &entry, &answer);

    if (found == HOSTED_YES)
        *targets = entry != NULL ? *(const struct forward_targets *)entry : answer->targets;
    return found;
}

static enum hosted_result copy_parse(const struct answer *answer, struct arena *arena,
                                     struct address *target)
{
    struct err err = {.code = 0};

    if (answer->targets.count == 0)
        return HOSTED_NO;
    if (address_parse(answer->targets.list[0], arena, target, &err) == 0)
        return address_is_null(target) ? HOSTED_NO : HOSTED_YES;
    return err.code == EX_OSERR ? HOSTED_FAILED : HOSTED_NO;
}

enum hosted_result hosted_copy(const struct hosted *w, struct answers *a, enum hosted_copy kind,
                               const struct address *address, struct arena *arena,
                               struct address *target)
{
    static const enum question_kind questions[] = {[HOSTED_COPY_RECIPIENT] =
                                                       QUESTION_RECIPIENT_COPY,
                                                   [HOSTED_COPY_SENDER] = QUESTION_SENDER_COPY};
    const struct address_table table = {&w->copies[kind], w->copy_delimiters, questions[kind],
                                        w->copies_asked[kind]};
    const struct answer *answer;
    const void *entry;
    enum hosted_result found;

    if (table.entries->count == 0 && !table.asked)
        return HOSTED_NO;
    found = table_find(w, &table, a, address, &entry, &answer);
    if (found != HOSTED_YES)
        return found;
    if (entry == NULL)
        return copy_parse(answer, arena, target);
    *target = *(const struct address *)entry;
    return HOSTED_YES;
}

/* --- logins --- */

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

bool hosted_has_open_names(const struct hosted *w)
{
    struct slice name;
    size_t at = 0;
    void *owner;

    if (w->domains_asked)
        return true;
    while (strmap_next(&w->domains, &at, &name, &owner)) {
        if (name.ptr[0] == '.' && owner == NULL)
            return true;
    }
    return false;
}
