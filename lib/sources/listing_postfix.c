#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sources/listing.h"
#include "lib/sources/postfix.h"
#include "lib/sys/files.h"

#define NESTED_MAX      4 /* files named in files */
#define FILE_MAX_BYTES  ((size_t)64 << 20)
#define ARENA_MAX_BYTES ((size_t)1 << 30)

/* One listing of one directory. */
struct postfix_work {
    struct listing *l;
    struct arena *arena;
    const struct postfix_config *config;
    struct strmap excluded; /* !name, in the setting at hand */
    bool *asked;
    bool may_be_missing; /* a table of forwarders or copies without its file is none */
    bool bare_domains;   /* mydestination as the domains of alias_maps, not as domains */
};

typedef int each_pair(struct postfix_work *w, struct slice key, struct slice value,
                      struct err *err);

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for the tables of Postfix");
}

static int prefix(const struct postfix_work *w, int result, struct err *err)
{
    if (result < 0)
        (void)err_prefix(err, "source \"postfix:%s\"", w->config->dir);
    return result;
}

/* Postfix delivers as long as it need not ask that table. */
static int warn_missing(struct postfix_work *w, const char *table)
{
    listing_begin(w->l, table);
    listing_warn(w->l,
                 "the table is missing, and its entries are not known: make it with postmap or "
                 "postalias, or take it out of main.cf");
    listing_end(w->l);
    return 1;
}

/* 1: listed, 0: the table can only be asked. */
static int list_table(struct postfix_work *w, struct slice table, each_pair *each, struct err *err)
{
    struct slice name = arena_copy(w->arena, table), rest, key, value;
    struct buf pairs;
    int result;

    if (name.ptr == NULL)
        return no_memory(err);
    result = postfix_table_list(w->config->dir, name.ptr, &pairs, err);
    if (result < 0 && w->may_be_missing && strstr(err->text, "No such file") != NULL)
        return warn_missing(w, name.ptr);
    if (result <= 0)
        return prefix(w, result, err);
    listing_begin(w->l, name.ptr);
    rest = buf_slice(&pairs);
    result = 0;
    while (result == 0 && postfix_pair_next(&rest, &key, &value))
        result = each(w, key, value, err);
    listing_end(w->l);
    buf_fini(&pairs);
    return result == 0 ? 1 : -1;
}

/* A file of items or addresses, comments and all; warns where it cannot be read. */
static bool read_file(struct postfix_work *w, const char *path, struct buf *text)
{
    struct err err;

    buf_init(text, FILE_MAX_BYTES);
    if (file_read(path, text, &err) == 0)
        return true;
    listing_warn(w->l, err.text);
    buf_fini(text);
    return false;
}

/* --- domains
 * -------------------------------------------------------------------------------------- */

static int add_domain(struct postfix_work *w, struct slice name, struct err *err)
{
    struct source_entry entry = {name, SLICE_NONE};
    struct slice lower = arena_lower(w->arena, name);

    if (lower.ptr == NULL)
        return no_memory(err);
    if (strmap_find(&w->excluded, lower) != NULL)
        return 0;
    if (!w->bare_domains)
        return listing_add(w->l, &entry, true, err);
    if (hosted_add_bare_forwards_domain(w->l->hosted, name, err) != 0 && err->code != EX_DATAERR)
        return -1;
    return 0; /* a name that is no domain is reported with the domains */
}

static int exclude(struct postfix_work *w, struct slice name, struct err *err)
{
    struct slice lower = arena_lower(w->arena, name);

    return lower.ptr != NULL && strmap_add(&w->excluded, lower, NULL) != NULL ? 0 : no_memory(err);
}

/* virtual_alias_domains = $virtual_alias_maps is the default: addresses in such a table are no
 * domains. */
static int each_domain(struct postfix_work *w, struct slice key, struct slice value,
                       struct err *err)
{
    (void)value;
    return slice_find(key, '@') >= 0 ? 0 : add_domain(w, key, err);
}

static int add_domain_table(struct postfix_work *w, const struct postfix_item *item,
                            struct err *err)
{
    int result = 0;

    if (item->negated) {
        listing_warn(w->l, "a negated table (!) is ignored");
        return 0;
    }
    if (item->listable)
        result = list_table(w, item->text, each_domain, err);
    if (result == 0 && !w->bare_domains)
        *w->asked = true;
    return result < 0 ? -1 : 0;
}

static int add_domains(struct postfix_work *w, struct slice list, unsigned depth, struct err *err);

static int add_domain_file(struct postfix_work *w, struct slice path, unsigned depth,
                           struct err *err)
{
    struct slice name = arena_copy(w->arena, path), rest, line;
    struct buf text;
    int result = 0;

    if (name.ptr == NULL)
        return no_memory(err);
    listing_begin(w->l, name.ptr);
    if (depth >= NESTED_MAX || !read_file(w, name.ptr, &text))
        return 0;
    rest = buf_slice(&text);
    while (result == 0 && slice_cut(&rest, '\n', &line)) {
        line = slice_trim(line);
        if (line.len > 0 && line.ptr[0] != '#')
            result = add_domains(w, line, depth + 1, err);
    }
    buf_fini(&text);
    return result;
}

static int add_domains(struct postfix_work *w, struct slice list, unsigned depth, struct err *err)
{
    const char *where = w->l->where;
    struct postfix_item item;
    int result = 0;

    while (result == 0 && postfix_list_next(&list, &item)) {
        if (item.kind == POSTFIX_TABLE)
            result = add_domain_table(w, &item, err);
        else if (item.kind == POSTFIX_FILE)
            result = add_domain_file(w, item.text, depth, err);
        else if (item.negated)
            result = exclude(w, item.text, err);
        else
            result = add_domain(w, item.text, err);
        w->l->where = where;
    }
    return result;
}

static int add_setting(struct postfix_work *w, const char *name, struct slice list, struct err *err)
{
    int result;

    listing_begin(w->l, name);
    strmap_init(&w->excluded);
    result = add_domains(w, list, 0, err);
    strmap_fini(&w->excluded);
    return result;
}

static int list_domains(struct postfix_work *w, struct err *err)
{
    const struct postfix_config *c = w->config;

    if (add_setting(w, "mydestination", c->mydestination, err) != 0 ||
        add_setting(w, "virtual_alias_domains", c->virtual_alias_domains, err) != 0)
        return -1;
    return add_setting(w, "virtual_mailbox_domains", c->virtual_mailbox_domains, err);
}

/* --- forwarders
 * ----------------------------------------------------------------------------------- */

static int add_targets(struct postfix_work *w, struct slice key, struct slice value,
                       enum postfix_map map, struct err *err)
{
    struct source_entry entry = {key, SLICE_NONE};
    struct err unread = {0};
    struct buf targets;
    int result;

    buf_init(&targets, FILE_MAX_BYTES);
    postfix_targets(w->config, value, map, &targets, &unread);
    if (unread.code != 0)
        listing_warn(w->l, unread.text);
    entry.value = buf_slice(&targets);
    result = targets.failed ? no_memory(err) : listing_add(w->l, &entry, true, err);
    buf_fini(&targets);
    return result;
}

static int each_virtual(struct postfix_work *w, struct slice key, struct slice value,
                        struct err *err)
{
    return add_targets(w, key, value, POSTFIX_VIRTUAL, err);
}

/* A file of an alias database ends with these, which are no aliases. */
static bool is_bookkeeping(struct slice key)
{
    return slice_equal(key, SLICE("@")) || slice_equal(key, SLICE("YP_LAST_MODIFIED")) ||
           slice_equal(key, SLICE("YP_MASTER_NAME"));
}

static int each_alias(struct postfix_work *w, struct slice key, struct slice value, struct err *err)
{
    if (is_bookkeeping(key) || slice_find(key, '@') >= 0)
        return 0;
    return add_targets(w, key, value, POSTFIX_ALIAS, err);
}

static int list_address_maps(struct postfix_work *w, struct slice list, each_pair *each,
                             struct err *err)
{
    struct postfix_item item;

    while (postfix_list_next(&list, &item)) {
        int result = 0;

        if (item.kind == POSTFIX_TABLE && item.listable)
            result = list_table(w, item.text, each, err);
        if (result < 0)
            return -1;
        if (item.kind == POSTFIX_TABLE && result == 0)
            *w->asked = true;
    }
    return 0;
}

/* virtual(5) and aliases(5) have entries without a domain, of these. */
static int list_bare_domains(struct postfix_work *w, struct err *err)
{
    w->may_be_missing = false;
    w->bare_domains = true;
    return add_setting(w, "mydestination", w->config->mydestination, err);
}

/* Of several tables the first that knows an address counts, as with Postfix; the listing keeps the
 * first. */
static int list_forwards(struct postfix_work *w, struct err *err)
{
    const struct postfix_config *c = w->config;

    w->may_be_missing = true;
    if (hosted_set_delimiters(w->l->hosted, w->l->hosted->user_delimiters, c->recipient_delimiter,
                              err) != 0 ||
        list_address_maps(w, c->virtual_alias_maps, each_virtual, err) != 0)
        return -1;
    if (postfix_has_aliases(c) && list_address_maps(w, c->alias_maps, each_alias, err) != 0)
        return -1;
    return list_bare_domains(w, err);
}

/* --- copies
 * --------------------------------------------------------------------------------------- */

static int list_copies(struct postfix_work *w, struct err *err)
{
    const struct postfix_config *c = w->config;
    const struct slice maps[] = {
        [HOSTED_COPY_RECIPIENT] = c->recipient_bcc_maps, [HOSTED_COPY_SENDER] = c->sender_bcc_maps};

    if (maps[0].len == 0 && maps[1].len == 0)
        return 0;
    w->may_be_missing = true;
    if (hosted_set_copy_delimiters(w->l->hosted, c->recipient_delimiter, err) != 0)
        return -1;
    for (int kind = 0; kind < HOSTED_COPY_KINDS; kind++) {
        w->l->copy = (enum hosted_copy)kind;
        w->asked = &w->l->hosted->copies_asked[kind];
        if (list_address_maps(w, maps[kind], each_virtual, err) != 0)
            return -1;
    }
    return list_bare_domains(w, err);
}

int listing_postfix_bare_domains(const struct postfix_config *config, struct hosted *hosted,
                                 struct err *err)
{
    struct listing l = {.hosted = hosted, .use = SOURCE_FORWARDS};
    struct arena arena;
    struct postfix_work w = {.l = &l, .arena = &arena, .config = config, .bare_domains = true};
    int result;

    arena_init(&arena, ARENA_MAX_BYTES);
    result = add_setting(&w, "mydestination", config->mydestination, err);
    arena_fini(&arena);
    return result;
}

static int list_use(struct postfix_work *w, struct err *err)
{
    if (w->l->use == SOURCE_COPIES)
        return list_copies(w, err);
    return w->l->use == SOURCE_DOMAINS ? list_domains(w, err) : list_forwards(w, err);
}

int listing_postfix(const struct source_name *name, struct listing *l, bool *asked, struct err *err)
{
    struct postfix_config config;
    struct arena arena;
    struct postfix_work w = {.l = l, .arena = &arena, .config = &config, .asked = asked};
    int result;

    if (l->use == SOURCE_LOGINS)
        return err_set(
            err, EX_CONFIG,
            "source \"postfix:%s\": Postfix has no list of logins: use file:, redis: or socketmap:",
            name->path.ptr);
    arena_init(&arena, ARENA_MAX_BYTES);
    result = prefix(&w, postfix_config_read(name->path.ptr, &arena, &config, err), err);
    if (result == 0 && config.recipient_delimiter.len > 0)
        result = hosted_set_delimiters(l->hosted, config.recipient_delimiter,
                                       l->hosted->forward_delimiters, err);
    if (result == 0)
        result = list_use(&w, err);
    arena_fini(&arena);
    return result;
}
