#include "lib/core/hosted.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/limit_check.h"

#define SCRATCH_BYTES 16384 /* for one entry while it is made canonical */

struct hosted *hosted_new(size_t cap_bytes)
{
    struct hosted *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    arena_init(&w->arena, cap_bytes);
    w->users = true;
    w->user_delimiters = w->forward_delimiters = w->copy_delimiters = SLICE("+");
    return w;
}

void hosted_free(struct hosted *w)
{
    if (w == NULL)
        return;
    strmap_fini(&w->domains);
    strmap_fini(&w->owners);
    strmap_fini(&w->forwards);
    for (size_t i = 0; i < HOSTED_COPY_KINDS; i++)
        strmap_fini(&w->copies[i]);
    strmap_fini(&w->bare_forwards_domains);
    strmap_fini(&w->logins);
    strmap_fini(&w->plans);
    strmap_fini(&w->admins);
    strmap_fini(&w->customer_of);
    strmap_fini(&w->customer_names);
    arena_fini(&w->arena);
    free(w);
}

size_t hosted_bytes(const struct hosted *w)
{
    size_t slots = w->domains.room + w->owners.room + w->forwards.room +
                   w->bare_forwards_domains.room + w->logins.room + w->plans.room + w->admins.room +
                   w->customer_of.room + w->customer_names.room;

    for (size_t i = 0; i < HOSTED_COPY_KINDS; i++)
        slots += w->copies[i].room;

    return w->arena.used_bytes + slots * sizeof(struct strmap_slot);
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for domains, forwarders and logins");
}

/* Most entries share few owners, or customers: each name is kept once. */
static struct slice *name_keep(struct hosted *w, struct strmap *names, struct slice name)
{
    void **found = strmap_find(names, name);
    struct slice *kept;

    if (found != NULL)
        return *found;
    kept = arena_alloc(&w->arena, sizeof *kept);
    if (kept == NULL)
        return NULL;
    *kept = arena_copy(&w->arena, name);
    found = kept->ptr == NULL ? NULL : strmap_add(names, *kept, NULL);
    if (found != NULL)
        *found = kept;
    return found == NULL ? NULL : kept;
}

static int domain_add(struct hosted *w, struct slice name, struct slice owner,
                      struct arena *scratch, struct err *err)
{
    struct slice *charged = NULL;
    struct slice canonical;
    void **entry;

    if (owner.len > 0) {
        if (domain_canonical(owner, scratch, &canonical, err) != 0)
            return err_prefix(err, "owner of %.*s", SLICE_FMT(slice_to(name, 200)));
        owner = canonical;
        if (owner.ptr[0] == '.')
            return err_set(err, EX_DATAERR,
                           "owner '%.*s': a wildcard cannot be an owner: name a domain",
                           SLICE_FMT(owner));
    }
    if (domain_canonical(name, &w->arena, &canonical, err) != 0)
        return -1;
    /* An entry that is its own owner is charged as it appears. */
    if (owner.len > 0 && !slice_equal(owner, canonical)) {
        charged = name_keep(w, &w->owners, owner);
        if (charged == NULL)
            return no_memory(err);
    }
    entry = strmap_add(&w->domains, canonical, NULL);
    if (entry == NULL)
        return no_memory(err);
    *entry = charged;
    return 0;
}

int hosted_add_domain(struct hosted *w, struct slice name, struct slice owner, struct err *err)
{
    struct arena scratch;
    int result;

    arena_init(&scratch, SCRATCH_BYTES);
    result = domain_add(w, name, owner, &scratch, err);
    arena_fini(&scratch);
    return result;
}

/* "user@domain", "@domain", "user", in the form in which they are looked up. */
static int address_key(struct slice key, struct arena *arena, struct slice *out, struct err *err)
{
    struct address a = {SLICE_NONE, SLICE_NONE};
    char text[DOMAIN_MAX_BYTES + 1];

    if (key.len > 1 && key.ptr[0] == '@') {
        if (domain_canonical(slice_from(key, 1), arena, &a.domain, err) != 0)
            return -1;
        text[0] = '@';
        memcpy(text + 1, a.domain.ptr, a.domain.len);
        *out = arena_copy(arena, (struct slice){text, a.domain.len + 1});
    } else {
        if (address_parse(key, arena, &a, err) != 0)
            return -1;
        if (address_is_null(&a))
            return err_set(err, EX_DATAERR, "an entry without an address");
        *out = address_text(&a, arena);
    }
    return out->ptr == NULL ? no_memory(err) : 0;
}

/* alias(5) knows targets that are no addresses; they take mail nowhere else. */
bool hosted_target_is_address(struct slice target)
{
    return target.len > 0 && strchr("|/:", target.ptr[0]) == NULL &&
           !(target.len > 1 && target.ptr[0] == '"' && strchr("|/:", target.ptr[1]) != NULL);
}

/* A source route (`@a:user@b`) is an address. */
bool hosted_target_is_domain(struct slice target)
{
    return target.len > 1 && target.ptr[0] == '@' && slice_find_last(target, '@') == 0;
}

static int target_check(struct slice target, struct arena *scratch, struct err *err)
{
    struct address a;

    if (target.len == 0)
        return err_set(err, EX_DATAERR, "a forwarder without a target");
    if (hosted_target_is_domain(target))
        return domain_canonical(slice_from(target, 1), scratch, &a.domain, err);
    return hosted_target_is_address(target) ? address_parse(target, scratch, &a, err) : 0;
}

struct forward_entry {
    struct forward_targets targets; /* first: the table's values are cast to it */
    size_t room;
};

static struct forward_entry *forward_entry(struct hosted *w, struct slice key)
{
    void **entry = strmap_find(&w->forwards, key);
    struct slice kept;

    if (entry != NULL)
        return *entry;
    kept = arena_copy(&w->arena, key);
    entry = kept.ptr == NULL ? NULL : strmap_add(&w->forwards, kept, NULL);
    if (entry == NULL)
        return NULL;
    *entry = arena_alloc(&w->arena, sizeof(struct forward_entry));
    return *entry;
}

static int forward_add(struct hosted *w, struct slice key, struct slice target, struct err *err)
{
    struct forward_entry *f = forward_entry(w, key);
    struct slice kept = arena_copy(&w->arena, target), *grown;

    if (f == NULL || kept.ptr == NULL)
        return no_memory(err);
    grown = arena_grow(&w->arena, f->targets.list, f->targets.count, &f->room, sizeof *grown);
    if (grown == NULL)
        return no_memory(err);
    f->targets.list = grown;
    f->targets.list[f->targets.count++] = kept;
    return 0;
}

int hosted_add_forward(struct hosted *w, struct slice key, struct slice target, struct err *err)
{
    struct arena scratch;
    struct slice canonical;
    int result;

    arena_init(&scratch, SCRATCH_BYTES);
    target = slice_trim(target);
    result = address_key(slice_trim(key), &scratch, &canonical, err);
    if (result == 0)
        result = target_check(target, &scratch, err);
    if (result == 0)
        result = forward_add(w, canonical, target, err);
    arena_fini(&scratch);
    return result;
}

static int copy_add(struct hosted *w, enum hosted_copy kind, struct slice key, struct slice target,
                    struct err *err)
{
    struct address *a = arena_alloc(&w->arena, sizeof *a);
    struct slice kept = arena_copy(&w->arena, key);
    void **entry;

    if (a == NULL || kept.ptr == NULL)
        return no_memory(err);
    if (address_parse(target, &w->arena, a, err) != 0)
        return err_prefix(err, "copies of %.*s", SLICE_FMT(slice_to(key, 200)));
    if (address_is_null(a))
        return err_set(err, EX_DATAERR, "a copy without a target");
    entry = strmap_add(&w->copies[kind], kept, NULL);
    if (entry == NULL)
        return no_memory(err);
    *entry = a;
    return 0;
}

int hosted_add_copy(struct hosted *w, enum hosted_copy kind, struct slice key, struct slice target,
                    struct err *err)
{
    struct arena scratch;
    struct slice canonical;
    int result;

    arena_init(&scratch, SCRATCH_BYTES);
    result = address_key(slice_trim(key), &scratch, &canonical, err);
    if (result == 0)
        result = copy_add(w, kind, canonical, slice_trim(target), err);
    arena_fini(&scratch);
    return result;
}

int hosted_add_bare_forwards_domain(struct hosted *w, struct slice name, struct err *err)
{
    struct slice canonical;

    if (domain_canonical(name, &w->arena, &canonical, err) != 0)
        return -1;
    return strmap_add(&w->bare_forwards_domains, canonical, NULL) == NULL ? no_memory(err) : 0;
}

int hosted_add_login(struct hosted *w, struct slice login, struct slice address, struct err *err)
{
    struct slice key = arena_lower(&w->arena, slice_trim(login));
    struct address *a = arena_alloc(&w->arena, sizeof *a);
    void **entry;

    if (key.ptr == NULL || a == NULL)
        return no_memory(err);
    if (key.len == 0)
        return err_set(err, EX_DATAERR, "an empty login");
    if (address_parse(address, &w->arena, a, err) != 0)
        return err_prefix(err, "login %.*s", SLICE_FMT(slice_to(key, 200)));
    if (a->domain.len == 0 || a->local.len == 0)
        return err_set(err, EX_DATAERR,
                       "login %.*s: '%.*s' is not a whole address: write user@domain",
                       SLICE_FMT(slice_to(key, 200)), SLICE_FMT(slice_to(address, 200)));
    entry = strmap_add(&w->logins, key, NULL);
    if (entry == NULL)
        return no_memory(err);
    *entry = a;
    return 0;
}

/* "@customer:4711" stays as it is, a domain is made canonical. */
static int holder_key(struct hosted *w, struct slice holder, struct slice *key, struct err *err)
{
    if (!slice_starts(holder, SLICE(HOLDER_CUSTOMER)) ||
        !hosted_customer_is_name(slice_from(holder, sizeof HOLDER_CUSTOMER - 1)))
        return domain_canonical(holder, &w->arena, key, err);
    *key = arena_copy(&w->arena, holder);
    return key->ptr == NULL ? no_memory(err) : 0;
}

/* The text stands for the holder in the map. */
static int holder_add(struct hosted *w, struct strmap *map, struct slice holder, struct slice text,
                      struct err *err)
{
    struct slice key, *kept = arena_alloc(&w->arena, sizeof *kept);
    void **entry;

    if (holder_key(w, slice_trim(holder), &key, err) != 0)
        return -1;
    if (kept != NULL)
        *kept = arena_copy(&w->arena, slice_trim(text));
    entry = kept == NULL || kept->ptr == NULL ? NULL : strmap_add(map, key, NULL);
    if (entry == NULL)
        return no_memory(err);
    *entry = kept;
    return 0;
}

static struct slice holder_find(const struct strmap *map, struct slice holder)
{
    void **entry = strmap_find(map, holder);

    return entry == NULL ? SLICE_NONE : *(const struct slice *)*entry;
}

int hosted_add_plan(struct hosted *w, struct slice holder, struct slice plan, struct err *err)
{
    return holder_add(w, &w->plans, holder, plan, err);
}

struct slice hosted_plan(const struct hosted *w, struct slice holder)
{
    return holder_find(&w->plans, holder);
}

int hosted_add_admin(struct hosted *w, struct slice holder, struct slice address, struct err *err)
{
    struct address a;

    if (address_parse(slice_trim(address), &w->arena, &a, err) != 0)
        return err_prefix(err, "admin of %.*s", SLICE_FMT(slice_to(holder, 200)));
    if (a.domain.len == 0)
        return err_set(err, EX_DATAERR, "admin of %.*s: give an address, such as admin@example.com",
                       SLICE_FMT(slice_to(holder, 200)));
    return holder_add(w, &w->admins, holder, address, err);
}

struct slice hosted_admin(const struct hosted *w, struct slice holder)
{
    return holder_find(&w->admins, holder);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool hosted_customer_is_name(struct slice name)
{
    if (name.len == 0 || name.len > HOSTED_CUSTOMER_MAX || !is_name_byte(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_name_byte(name.ptr[i]) && memchr("._-+@", name.ptr[i], 5) == NULL)
            return false;
    return true;
}

int hosted_add_customer(struct hosted *w, struct slice domain, struct slice customer,
                        struct err *err)
{
    struct slice key, *name;
    void **entry;

    customer = slice_trim(customer);
    if (!hosted_customer_is_name(customer))
        return err_set(err, EX_DATAERR,
                       "customer '%.*s': write at most %d letters, digits and . _ - + @, a letter "
                       "or digit first",
                       SLICE_FMT(slice_to(customer, 200)), HOSTED_CUSTOMER_MAX);
    if (domain_canonical(slice_trim(domain), &w->arena, &key, err) != 0)
        return -1;
    name = name_keep(w, &w->customer_names, customer);
    entry = name == NULL ? NULL : strmap_add(&w->customer_of, key, NULL);
    if (entry == NULL)
        return no_memory(err);
    *entry = name;
    return 0;
}

struct slice hosted_customer(const struct hosted *w, struct slice account)
{
    void **entry = strmap_find(&w->customer_of, account);

    for (size_t i = 1; i < account.len && entry == NULL; i++)
        if (account.ptr[i] == '.')
            entry = strmap_find(&w->customer_of, slice_from(account, i));
    return entry == NULL ? SLICE_NONE : *(const struct slice *)*entry;
}

int hosted_add_network(struct hosted *w, struct networks *set, struct slice text, struct err *err)
{
    size_t room = set->count; /* full at each power of two: 0, 8, 16 ... */
    struct network n;

    if (network_parse(slice_trim(text), &n, err) != 0)
        return -1;
    if (room == 0 || (room >= 8 && (room & (room - 1)) == 0)) {
        struct network *grown = arena_grow(&w->arena, set->list, set->count, &room, sizeof *grown);

        if (grown == NULL)
            return no_memory(err);
        set->list = grown;
    }
    set->list[set->count++] = n;
    return 0;
}

int hosted_add_source(struct hosted *w, const char *list, struct slice name, size_t entries,
                      struct err *err)
{
    struct slice kept = arena_copy(&w->arena, name);
    struct hosted_source *grown =
        arena_grow(&w->arena, w->sources, w->source_count, &w->source_room, sizeof *grown);

    if (grown == NULL || kept.ptr == NULL)
        return no_memory(err);
    w->sources = grown;
    w->sources[w->source_count++] = (struct hosted_source){list, kept, entries};
    return 0;
}

int hosted_set_delimiters(struct hosted *w, struct slice users, struct slice forwards,
                          struct err *err)
{
    w->user_delimiters = arena_copy(&w->arena, users);
    w->forward_delimiters = arena_copy(&w->arena, forwards);
    return w->user_delimiters.ptr != NULL && w->forward_delimiters.ptr != NULL ? 0 : no_memory(err);
}

int hosted_set_copy_delimiters(struct hosted *w, struct slice delimiters, struct err *err)
{
    w->copy_delimiters = arena_copy(&w->arena, delimiters);
    return w->copy_delimiters.ptr != NULL ? 0 : no_memory(err);
}

int hosted_set_default_domain(struct hosted *w, struct slice name, struct err *err)
{
    w->default_domain = SLICE_NONE;
    return name.len == 0 ? 0 : domain_canonical(name, &w->arena, &w->default_domain, err);
}

int hosted_set_spam_header(struct hosted *w, struct slice name_and_value, struct err *err)
{
    struct slice value = name_and_value, name;

    w->spam_header = w->spam_value = SLICE_NONE;
    if (name_and_value.len == 0)
        return 0;
    (void)slice_cut(&value, ':', &name);
    name = slice_trim(name);
    if (name.len == 0)
        return err_set(err, EX_DATAERR, "'%.*s' is not a header: write it as X-Spam-Flag: YES",
                       SLICE_FMT(slice_to(name_and_value, 200)));
    w->spam_header = arena_copy(&w->arena, name);
    w->spam_value = arena_copy(&w->arena, slice_trim(value));
    return w->spam_header.ptr == NULL || w->spam_value.ptr == NULL ? no_memory(err) : 0;
}
