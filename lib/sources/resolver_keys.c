#include "lib/sources/resolver_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/domain.h"
#include "lib/core/source_line.h"
#include "lib/redis/keys.h"
#include "lib/sources/listing.h"

#define KEY_MAX_BYTES    ((size_t)4096)
#define TARGET_MAX_BYTES ((size_t)4 << 20)

struct resolver_postfix *resolver_postfix_new(const char *dir, struct err *err)
{
    struct resolver_postfix *site = calloc(1, sizeof *site);
    const char *kept;

    if (site == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory for the settings of Postfix");
        return NULL;
    }
    arena_init(&site->arena, (size_t)16 << 20);
    kept = arena_copy(&site->arena, slice_str(dir)).ptr;
    site->bare = hosted_new((size_t)256 << 20);
    if (kept == NULL || site->bare == NULL)
        (void)err_set(err, EX_OSERR, "out of memory for the settings of Postfix");
    else if (postfix_config_read(kept, &site->arena, &site->config, err) == 0 &&
             listing_postfix_bare_domains(&site->config, site->bare, err) == 0)
        return site;
    resolver_postfix_free(site);
    return NULL;
}

void resolver_postfix_free(struct resolver_postfix *site)
{
    if (site == NULL)
        return;
    hosted_free(site->bare);
    arena_fini(&site->arena);
    free(site);
}

/* --- keys
 * ----------------------------------------------------------------------------------------- */

static bool add_key(struct lookup_keys *k, struct slice key, struct arena *arena)
{
    k->keys[k->count] = arena_copy(arena, key);
    return k->keys[k->count++].ptr != NULL;
}

static bool add_wildcards(struct lookup_keys *k, struct slice domain, struct arena *arena)
{
    for (size_t i = 1; i < domain.len; i++)
        if (domain.ptr[i] == '.' && !add_key(k, slice_from(domain, i), arena))
            return false;
    return true;
}

static bool add_one(struct lookup_keys *k, const struct address *a, struct arena *arena)
{
    char text[ADDRESS_TEXT_ROOM];
    size_t len = a->domain.len > 0 ? address_write(a, text, sizeof text)
                                   : address_write_local(a, text, sizeof text);

    return len == 0 || add_key(k, (struct slice){text, len}, arena);
}

/* As it is, then without its extension. */
static bool add_both_parts(struct lookup_keys *k, const struct address *a, struct slice delimiters,
                           struct arena *arena)
{
    struct address cut = address_without_extension(a, delimiters);

    return add_one(k, a, arena) && (cut.local.len == a->local.len || add_one(k, &cut, arena));
}

static bool add_catch_all(struct lookup_keys *k, const struct address *a, struct arena *arena)
{
    char text[DOMAIN_MAX_BYTES + 1] = "@";

    if (a->domain.len == 0 || a->domain.len > DOMAIN_MAX_BYTES)
        return true;
    memcpy(text + 1, a->domain.ptr, a->domain.len);
    return add_key(k, (struct slice){text, a->domain.len + 1}, arena);
}

static bool add_address_keys(struct lookup_keys *k, enum key_form form,
                             const struct resolver_postfix *site, struct slice delimiters,
                             struct slice question, struct arena *arena)
{
    struct address whole, bare;
    bool local;

    if (address_parse(question, arena, &whole, NULL) != 0)
        return true;
    bare = (struct address){.local = whole.local};
    local = site != NULL && strmap_find(&site->bare->bare_forwards_domains, whole.domain) != NULL;
    if (form != FORM_ALIAS && !add_both_parts(k, &whole, delimiters, arena))
        return false;
    if (form != FORM_ADDRESS && local && !add_both_parts(k, &bare, delimiters, arena))
        return false;
    return form == FORM_ALIAS || add_catch_all(k, &whole, arena);
}

static bool add_popauth_key(struct lookup_keys *k, const char *prefix, struct slice ip,
                            struct arena *arena)
{
    struct buf key;
    bool good;

    buf_init(&key, KEY_MAX_BYTES);
    key_popauth(&key, prefix, ip);
    good = !key.failed && add_key(k, buf_slice(&key), arena);
    buf_fini(&key);
    return good;
}

bool resolver_keys_make(enum key_form form, const struct resolver_postfix *site,
                        const struct resolver_names *names, struct slice question,
                        struct arena *arena, struct lookup_keys *out)
{
    struct slice delimiters = site != NULL ? site->config.recipient_delimiter : names->delimiters;
    size_t room = 6; /* of an address: two parts with the domain, two without, and the domain */

    for (size_t i = 0; form == FORM_WILDCARDS && i < question.len; i++)
        room += question.ptr[i] == '.';
    *out = (struct lookup_keys){.keys = arena_array(arena, room, sizeof *out->keys)};
    if (out->keys == NULL)
        return false;
    switch (form) {
    case FORM_NAME:
    case FORM_PATTERN:
        return add_key(out, question, arena);
    case FORM_WILDCARDS:
        return add_key(out, question, arena) && add_wildcards(out, question, arena);
    case FORM_POPAUTH:
        return add_popauth_key(out, names->prefix, question, arena);
    case FORM_ADDRESS:
    case FORM_VIRTUAL:
    case FORM_ALIAS:
        break;
    }
    return add_address_keys(out, form, site, delimiters, question, arena);
}

/* --- values
 * --------------------------------------------------------------------------------------- */

static struct slice owner_or_wildcard(const struct lookup_keys *found)
{
    struct slice owner = source_line_owner(found->value);

    if (owner.len > 0 && owner.ptr[0] != '.')
        return owner;
    return found->at > 0 ? found->keys[found->at] : SLICE_NONE;
}

bool resolver_value_read(enum key_form form, const struct resolver_postfix *site,
                         const struct lookup_keys *found, struct arena *arena, struct slice *out)
{
    struct slice value = form == FORM_WILDCARDS ? owner_or_wildcard(found) : found->value;
    struct err unread = {0};
    struct buf targets;

    if (site != NULL && form == FORM_NAME)
        value = SLICE_NONE; /* what a table of domains says besides is no owner */
    if (form != FORM_VIRTUAL && form != FORM_PATTERN && form != FORM_ALIAS) {
        *out = arena_copy(arena, value);
        return out->ptr != NULL;
    }
    buf_init(&targets, TARGET_MAX_BYTES);
    postfix_targets(&site->config, value, form == FORM_ALIAS ? POSTFIX_ALIAS : POSTFIX_VIRTUAL,
                    &targets, &unread);
    *out = arena_copy(arena, buf_slice(&targets));
    buf_fini(&targets);
    return out->ptr != NULL;
}

static bool read_targets(struct slice value, struct arena *arena, struct forward_targets *out)
{
    struct slice target, *grown;
    size_t room = 0;

    while (source_line_target_next(&value, &target)) {
        grown = arena_grow(arena, out->list, out->count, &room, sizeof *grown);
        if (grown == NULL)
            return false;
        out->list = grown;
        out->list[out->count++] = target;
    }
    return true;
}

bool resolver_answer_read(enum question_kind kind, struct slice value, struct arena *arena,
                          struct answer *out)
{
    struct err err;

    switch (kind) {
    case QUESTION_DOMAIN:
        if (value.len > 0 && value.ptr[0] == '.')
            out->wildcard = value;
        else if (source_line_owner(value).len > 0 &&
                 domain_canonical(value, arena, &out->owner, &err) != 0)
            out->owner = SLICE_NONE; /* no domain: charged as it appears */
        return true;
    case QUESTION_FORWARD:
    case QUESTION_RECIPIENT_COPY:
    case QUESTION_SENDER_COPY:
        return read_targets(value, arena, &out->targets);
    case QUESTION_LOGIN:
    case QUESTION_POPAUTH:
    case QUESTION_KINDS:
        break;
    }
    out->login = value;
    return true;
}
