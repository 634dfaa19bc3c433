#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/sources/listing.h"

#define WARNINGS_MAX 100

void listing_begin(struct listing *l, const char *where)
{
    l->where = where;
    l->line = 0;
    l->warning_count = 0;
    l->group++;
}

void listing_warn(struct listing *l, const char *what)
{
    if (++l->warning_count > WARNINGS_MAX || l->warnings == NULL)
        return;
    if (l->line > 0)
        (void)fprintf(l->warnings, "%s:%zu: %s\n", l->where, l->line, what);
    else
        (void)fprintf(l->warnings, "%s: %s\n", l->where, what);
}

void listing_end(struct listing *l)
{
    if (l->warning_count > WARNINGS_MAX && l->warnings != NULL)
        (void)fprintf(l->warnings, "%s: %zu more entries are ignored\n", l->where,
                      l->warning_count - WARNINGS_MAX);
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for the entries of sources");
}

/* 1: this group may add to the address, 0: another has it, -1: memory is out. */
static int take_address(struct listing *l, struct slice key, bool whole, struct err *err)
{
    struct slice kept = arena_lower(&l->taken_keys, key);
    bool added = false;
    void **group = kept.ptr != NULL ? strmap_add(&l->taken, kept, &added) : NULL;

    if (group == NULL)
        return no_memory(err);
    if (added)
        *group = (void *)l->group;
    return added || (!whole && (uintptr_t)*group == l->group) ? 1 : 0;
}

/* Bad data are the entry's fault, everything else is ours. */
static int judge(struct listing *l, int result, struct err *err)
{
    l->entries += result == 0;
    if (result == 0 || err->code != EX_DATAERR)
        return result;
    listing_warn(l, err->text);
    return 0;
}

static int add_forwards(struct listing *l, const struct source_entry *entry, bool whole,
                        struct err *err)
{
    struct slice rest = entry->value, target;
    int result = take_address(l, entry->key, whole, err);

    if (result <= 0)
        return result;
    result = 0;
    while (result == 0 && source_line_target_next(&rest, &target))
        if (hosted_target_is_address(target))
            result = judge(l, hosted_add_forward(l->hosted, entry->key, target, err), err);
    return result;
}

static void warn_list(struct listing *l, struct slice key)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "%.*s: Postfix sends a copy to one address only, and takes a list for one",
                   SLICE_FMT(slice_to(key, 200)));
    listing_warn(l, text);
}

static int add_copy(struct listing *l, const struct source_entry *entry, struct err *err)
{
    struct slice rest = entry->value, target = SLICE_NONE, more;
    struct buf key;
    int result;

    buf_init(&key, 4096);
    buf_addf(&key, "%d ", (int)l->copy);
    buf_add(&key, entry->key);
    result = key.failed ? no_memory(err) : take_address(l, buf_slice(&key), true, err);
    buf_fini(&key);
    if (result <= 0)
        return result;
    if (source_line_target_next(&rest, &target) && source_line_target_next(&rest, &more))
        warn_list(l, entry->key);
    return judge(l, hosted_add_copy(l->hosted, l->copy, entry->key, target, err), err);
}

static struct listing_owner *owner_new(struct listing *l, struct slice name, struct slice domain)
{
    struct listing_owner *o = arena_alloc(&l->taken_keys, sizeof *o), **grown;

    grown = arena_grow(&l->taken_keys, l->owners, l->owner_count, &l->owner_room, sizeof *grown);
    if (o == NULL || grown == NULL)
        return NULL;
    o->name = name;
    o->domain = arena_lower(&l->taken_keys, domain);
    o->where = arena_copy(&l->taken_keys, slice_str(l->where)).ptr;
    o->line = l->line;
    l->owners = grown;
    l->owners[l->owner_count++] = o;
    return o->where != NULL && o->domain.ptr != NULL ? o : NULL;
}

static int note_owner(struct listing *l, struct slice domain, struct slice owner, struct err *err)
{
    struct slice name;
    void **entry;
    bool added = false;

    if (domain_canonical(owner, &l->taken_keys, &name, err) != 0)
        return -1;
    entry = strmap_add(&l->owner_index, name, &added);
    if (entry != NULL && added)
        *entry = owner_new(l, name, domain);
    return entry != NULL && *entry != NULL ? 0 : no_memory(err);
}

static int add_domain(struct listing *l, const struct source_entry *entry, struct err *err)
{
    struct slice owner = source_line_owner(entry->value);
    int result = hosted_add_domain(l->hosted, entry->key, owner, err);

    if (result == 0 && owner.len > 0)
        result = note_owner(l, entry->key, owner, err);
    return judge(l, result, err);
}

static bool plan_exists(const struct settings *s, struct slice name)
{
    for (size_t i = 0; i < s->plan_count; i++)
        if (slice_equal(s->plans[i].name, name))
            return true;
    return false;
}

/* A domain with an unknown plan has the default one. */
static int add_plan(struct listing *l, const struct source_entry *entry, struct err *err)
{
    int result = judge(l, hosted_add_plan(l->hosted, entry->key, entry->value, err), err);
    char text[512];

    if (result == 0 && l->settings != NULL && entry->value.len > 0 &&
        !plan_exists(l->settings, entry->value)) {
        (void)snprintf(
            text, sizeof text, "%.*s: there is no plan \"%.*s\"; the plan \"default\" applies",
            SLICE_FMT(slice_to(entry->key, 200)), SLICE_FMT(slice_to(entry->value, 100)));
        listing_warn(l, text);
    }
    return result;
}

int listing_add(struct listing *l, const struct source_entry *entry, bool whole, struct err *err)
{
    struct err own;

    err = err != NULL ? err : &own;
    switch (l->use) {
    case SOURCE_DOMAINS:
        return add_domain(l, entry, err);
    case SOURCE_FORWARDS:
        return add_forwards(l, entry, whole, err);
    case SOURCE_LOGINS:
        return judge(l, hosted_add_login(l->hosted, entry->key, entry->value, err), err);
    case SOURCE_COPIES:
        return add_copy(l, entry, err);
    case SOURCE_CUSTOMERS:
        return judge(l, hosted_add_customer(l->hosted, entry->key, entry->value, err), err);
    case SOURCE_ADMINS:
        return judge(l, hosted_add_admin(l->hosted, entry->key, entry->value, err), err);
    case SOURCE_PLANS:
        break;
    }
    return add_plan(l, entry, err);
}

int listing_add_line(struct listing *l, struct slice line, struct err *err)
{
    struct source_entry entry;
    struct err what = {0};
    int found = source_line_parse(l->use, line, &entry, &what);

    if (found < 0)
        listing_warn(l, what.text);
    return found > 0 ? listing_add(l, &entry, false, err) : 0;
}

static bool is_listed(const struct string_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

int listing_copies(const struct settings *s, struct arena *arena, struct string_list *out,
                   struct err *err)
{
    const struct string_list *const lists[] = {&s->hosted.domains, &s->hosted.forwards};
    const char **items =
        arena_array(arena, s->hosted.domains.count + s->hosted.forwards.count, sizeof *items);

    *out = (struct string_list){.items = items};
    if (items == NULL)
        return no_memory(err);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->count; i++)
            if (slice_starts_nocase(slice_str(lists[k]->items[i]), SLICE("postfix:")) &&
                !is_listed(out, lists[k]->items[i]))
                items[out->count++] = lists[k]->items[i];
    return 0;
}

uint64_t listing_stamp_file(uint64_t stamp, const char *path)
{
    struct stat st = {0};
    uint64_t facts[7] = {0};

    if (stat(path, &st) == 0) {
        facts[0] = (uint64_t)st.st_mtim.tv_sec;
        facts[1] = (uint64_t)st.st_mtim.tv_nsec;
        facts[2] = (uint64_t)st.st_size;
        facts[3] = (uint64_t)st.st_ino;
        facts[4] = (uint64_t)st.st_dev;
        facts[5] = (uint64_t)st.st_ctim.tv_sec; /* who sets the other time back cannot set this */
        facts[6] = (uint64_t)st.st_ctim.tv_nsec;
    }
    return hash_add(stamp, (struct slice){(const char *)facts, sizeof facts});
}
