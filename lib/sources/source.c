#include "lib/sources/source.h"

#include <sysexits.h>

#include "lib/sources/listing.h"
#include "lib/sources/postfix.h"

#define WORLD_MAX_BYTES ((size_t)1 << 30)

/* One of the settings' lists of sources. */
struct source_list {
    enum source_use use;
    const char *setting;
    const struct string_list *names;
    bool *asked; /* set where one of them can only be asked */
};

static int list_one(const struct source_name *name, struct listing *l, bool *asked, struct err *err)
{
    switch (name->kind) {
    case SOURCE_FILE:
        return listing_file(name, l, err);
    case SOURCE_REDIS:
        return listing_redis(name, l, err);
    case SOURCE_POSTFIX:
        return listing_postfix(name, l, asked, err);
    case SOURCE_SOCKETMAP:
        break;
    }
    *asked = true;
    return 0;
}

/* The store is connected to when the first redis: source is met. */
static int need_store(struct listing *l, const struct settings *s, const struct source_name *name,
                      struct err *err)
{
    if (name->kind == SOURCE_REDIS && l->store == NULL)
        l->store = store_new(s, err);
    return name->kind == SOURCE_REDIS && l->store == NULL ? -1 : 0;
}

static int list_named(const char *text, const struct source_list *list, struct listing *l,
                      const struct settings *s, struct err *err)
{
    struct source_name name;
    struct arena scratch;
    int result;

    l->entries = 0;
    arena_init(&scratch, 65536);
    result = source_name_parse(slice_str(text), &scratch, &name, err);
    if (result == 0)
        result = need_store(l, s, &name, err);
    if (result == 0)
        result = list_one(&name, l, list->asked, err);
    arena_fini(&scratch);
    if (result != 0)
        return -1;
    return hosted_add_source(l->hosted, list->setting, slice_str(text), l->entries, err);
}

/* In a table of domains or logins a later entry replaces an earlier one; with forwarders the first
 * that is listed stays. Hence they are listed from the last source to the first. */
static int list_all(const struct source_list *list, struct listing *l, const struct settings *s,
                    struct err *err)
{
    size_t count = list->names->count;

    l->use = list->use;
    for (size_t i = 0; i < count; i++) {
        bool last_first = list->use == SOURCE_FORWARDS || list->use == SOURCE_COPIES;
        size_t at = last_first ? count - 1 - i : i;

        if (list_named(list->names->items[at], list, l, s, err) != 0)
            return -1;
    }
    return 0;
}

static int list_each(struct listing *l, const struct settings *s, const struct string_list *copies,
                     struct err *err)
{
    struct hosted *w = l->hosted;
    bool never = false; /* can be listed (settings_check_listed_source); copies are told */
    const struct source_list lists[] = {
        {SOURCE_DOMAINS, "hosted.domains", &s->hosted.domains, &w->domains_asked},
        {SOURCE_FORWARDS, "hosted.forwards", &s->hosted.forwards, &w->forwards_asked},
        {SOURCE_LOGINS, "hosted.logins", &s->hosted.logins, &w->logins_asked},
        {SOURCE_PLANS, "throttle.assign", &s->throttle.assign, &never},
        {SOURCE_ADMINS, "throttle.admins", &s->throttle.admins, &never},
        {SOURCE_CUSTOMERS, "billing.customers", &s->billing.customers, &never},
        {SOURCE_COPIES, "recipient_bcc_maps and sender_bcc_maps", copies, &never},
    };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (list_all(&lists[i], l, s, err) != 0)
            return -1;
    listing_owners_check(l);
    return 0;
}

static int list_sources(struct listing *l, const struct settings *s, struct err *err)
{
    struct string_list copies;
    struct arena scratch;
    int result;

    arena_init(&scratch, WORLD_MAX_BYTES);
    result = listing_copies(s, &scratch, &copies, err);
    if (result == 0)
        result = list_each(l, s, &copies, err);
    arena_fini(&scratch);
    return result;
}

static int add_networks(struct hosted *w, struct networks *set, const struct string_list *list,
                        struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (hosted_add_network(w, set, slice_str(list->items[i]), err) != 0)
            return -1;
    return 0;
}

static int set_up(struct hosted *w, const struct settings *s, struct err *err)
{
    w->out_bytes = s->accounting.out_bytes;
    w->users = s->accounting.users;
    w->popauth_asked = true;
    if (hosted_set_delimiters(w, slice_str(s->accounting.delimiter),
                              slice_str(s->accounting.delimiter), err) != 0)
        return -1;
    if (hosted_set_default_domain(w, slice_str(s->hosted.default_domain), err) != 0)
        return err_prefix(err, "hosted.default_domain");
    if (hosted_set_spam_header(w, slice_str(s->accounting.spam_header), err) != 0)
        return err_prefix(err, "accounting.spam_header");
    if (add_networks(w, &w->host, &s->networks.host, err) != 0)
        return err_prefix(err, "networks.host");
    if (add_networks(w, &w->customers, &s->networks.customers, err) != 0)
        return err_prefix(err, "networks.customers");
    return 0;
}

/* Lists some of the settings' sources. */
typedef int list_some(struct listing *l, const struct settings *s, struct err *err);

static struct hosted *load(const struct settings *s, list_some *list, FILE *warnings,
                           struct err *err)
{
    struct listing l = {.hosted = hosted_new(WORLD_MAX_BYTES), .settings = s, .warnings = warnings};
    struct err own;
    int result;

    if (l.hosted == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory for domains, forwarders and logins");
        return NULL;
    }
    err = err != NULL ? err : &own;
    strmap_init(&l.taken);
    arena_init(&l.taken_keys, WORLD_MAX_BYTES);
    result = set_up(l.hosted, s, err);
    if (result == 0)
        result = list(&l, s, err);
    strmap_fini(&l.taken);
    strmap_fini(&l.owner_index);
    arena_fini(&l.taken_keys);
    store_free(l.store);
    if (result == 0)
        return l.hosted;
    hosted_free(l.hosted);
    return NULL;
}

struct hosted *source_load(const struct settings *s, FILE *warnings, struct err *err)
{
    return load(s, list_sources, warnings, err);
}

static int list_customers(struct listing *l, const struct settings *s, struct err *err)
{
    bool never = false;
    const struct source_list list = {SOURCE_CUSTOMERS, "billing.customers", &s->billing.customers,
                                     &never};

    return list_all(&list, l, s, err);
}

struct hosted *source_load_customers(const struct settings *s, FILE *warnings, struct err *err)
{
    return load(s, list_customers, warnings, err);
}

/* --- delimiters
 * ---------------------------------------------------------------------------------------------- */

static int delimiters_take(const struct string_list *list, struct arena *arena, struct slice *out,
                           struct err *err)
{
    struct postfix_config config;
    struct source_name name;

    for (size_t i = 0; i < list->count; i++) {
        if (source_name_parse(slice_str(list->items[i]), arena, &name, err) != 0)
            return -1;
        if (name.kind != SOURCE_POSTFIX)
            continue;
        if (postfix_config_read(name.path.ptr, arena, &config, err) != 0)
            return err_prefix(err, "source \"%s\"", list->items[i]);
        if (config.recipient_delimiter.len > 0)
            *out = config.recipient_delimiter;
    }
    return 0;
}

int source_user_delimiters(const struct settings *s, struct arena *arena, struct slice *out,
                           struct err *err)
{
    *out = slice_str(s->accounting.delimiter);
    return delimiters_take(&s->hosted.domains, arena, out, err) == 0
               ? delimiters_take(&s->hosted.forwards, arena, out, err)
               : -1;
}
