#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/sources/answer_cache.h"
#include "lib/sources/asked_keys.h"
#include "lib/sources/listing.h"
#include "lib/sources/lookup.h"
#include "lib/sources/resolver.h"
#include "lib/sources/resolver_keys.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define FRESH_MS         30000
#define POPAUTH_FOUND_MS 60000
#define POPAUTH_NONE_MS  1000
#define POPAUTH_LOG_MS   60000
#define SCRATCH_BYTES    ((size_t)256 << 20)
#define VALUE_BYTES      ((size_t)128 << 10)
#define RESOLVER_BYTES   ((size_t)64 << 20)

/* A source that a kind of question goes to. */
struct way {
    enum question_kind kind;
    enum key_form form;
    struct lookup *asked;
    const struct resolver_postfix *site; /* of the forms of Postfix */
};

struct resolver {
    struct arena arena;
    struct resolver_names names;
    struct way *ways; /* in the order in which they are asked */
    size_t count, room;
    struct resolver_postfix **sites; /* to be freed */
    size_t site_count, site_room;
    struct answer_cache *cache;
    struct asked_keys asked;
    _Atomic int64_t popauth_logged_ms; /* 0: never */
};

/* --- making one
 * ----------------------------------------------------------------------------------- */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for the resolver");
}

/* Takes `asked` over. */
static int add_way(struct resolver *r, enum question_kind kind, enum key_form form,
                   struct lookup *asked, const struct resolver_postfix *site, struct err *err)
{
    struct way *grown;

    if (asked == NULL)
        return -1;
    grown = arena_grow(&r->arena, r->ways, r->count, &r->room, sizeof *grown);
    if (grown == NULL) {
        lookup_free(asked);
        return no_memory(err);
    }
    r->ways = grown;
    r->ways[r->count++] = (struct way){kind, form, asked, site};
    return 0;
}

/* The tables of one setting that cannot be listed. */
static int add_tables(struct resolver *r, const struct resolver_postfix *site, struct slice list,
                      enum question_kind kind, enum key_form form, struct err *err)
{
    struct postfix_item item;

    while (postfix_list_next(&list, &item)) {
        if (item.kind != POSTFIX_TABLE || item.listable || item.negated)
            continue;
        if (add_way(r, kind, item.is_pattern && form == FORM_VIRTUAL ? FORM_PATTERN : form,
                    lookup_postfix_new(site->config.dir, item.text, err), site, err) != 0)
            return -1;
    }
    return 0;
}

static struct resolver_postfix *add_site(struct resolver *r, const char *dir, struct err *err)
{
    struct resolver_postfix **grown = arena_grow(&r->arena, r->sites, r->site_count, &r->site_room,
                                                 sizeof(struct resolver_postfix *));

    if (grown == NULL) {
        (void)no_memory(err);
        return NULL;
    }
    r->sites = grown;
    r->sites[r->site_count] = resolver_postfix_new(dir, err);
    return r->sites[r->site_count] != NULL ? r->sites[r->site_count++] : NULL;
}

static int add_postfix(struct resolver *r, enum source_use use, const char *dir, struct err *err)
{
    struct resolver_postfix *site = use == SOURCE_LOGINS ? NULL : add_site(r, dir, err);
    const struct postfix_config *c;

    if (site == NULL)
        return use == SOURCE_LOGINS ? 0 : -1;
    c = &site->config;
    if (use == SOURCE_COPIES)
        return add_tables(r, site, c->recipient_bcc_maps, QUESTION_RECIPIENT_COPY, FORM_VIRTUAL,
                          err) != 0
                   ? -1
                   : add_tables(r, site, c->sender_bcc_maps, QUESTION_SENDER_COPY, FORM_VIRTUAL,
                                err);
    if (use == SOURCE_FORWARDS)
        return add_tables(r, site, c->virtual_alias_maps, QUESTION_FORWARD, FORM_VIRTUAL, err) != 0
                   ? -1
                   : add_tables(r, site, postfix_has_aliases(c) ? c->alias_maps : SLICE_NONE,
                                QUESTION_FORWARD, FORM_ALIAS, err);
    if (add_tables(r, site, c->mydestination, QUESTION_DOMAIN, FORM_NAME, err) != 0 ||
        add_tables(r, site, c->virtual_alias_domains, QUESTION_DOMAIN, FORM_NAME, err) != 0)
        return -1;
    return add_tables(r, site, c->virtual_mailbox_domains, QUESTION_DOMAIN, FORM_NAME, err);
}

static int add_source(struct resolver *r, enum source_use use, const char *text, struct err *err)
{
    static const enum question_kind kinds[] = {QUESTION_DOMAIN, QUESTION_FORWARD, QUESTION_LOGIN};
    static const enum key_form forms[] = {FORM_WILDCARDS, FORM_ADDRESS, FORM_NAME};
    struct source_name name;
    struct arena scratch;
    int result;

    arena_init(&scratch, 65536);
    result = source_name_parse(slice_str(text), &scratch, &name, err);
    if (result == 0 && name.kind == SOURCE_SOCKETMAP)
        result = add_way(r, kinds[use], forms[use], lookup_socketmap_new(&name, err), NULL, err);
    else if (result == 0 && name.kind == SOURCE_POSTFIX)
        result = add_postfix(r, use, name.path.ptr, err);
    arena_fini(&scratch);
    return result;
}

/* The later source counts, so it is asked first. */
static int add_list(struct resolver *r, enum source_use use, const struct string_list *list,
                    struct err *err)
{
    for (size_t i = list->count; i > 0; i--)
        if (add_source(r, use, list->items[i - 1], err) != 0)
            return -1;
    return 0;
}

static int add_copies(struct resolver *r, const struct settings *s, struct err *err)
{
    struct string_list copies;

    if (listing_copies(s, &r->arena, &copies, err) != 0)
        return -1;
    return add_list(r, SOURCE_COPIES, &copies, err);
}

static int set_up(struct resolver *r, const struct settings *s, struct err *err)
{
    r->names.prefix = arena_copy(&r->arena, slice_str(s->store.prefix)).ptr;
    r->names.delimiters = arena_copy(&r->arena, slice_str(s->accounting.delimiter));
    r->cache = answer_cache_new();
    if (r->names.prefix == NULL || r->names.delimiters.ptr == NULL || r->cache == NULL)
        return no_memory(err);
    if (add_list(r, SOURCE_DOMAINS, &s->hosted.domains, err) != 0 ||
        add_list(r, SOURCE_FORWARDS, &s->hosted.forwards, err) != 0 ||
        add_list(r, SOURCE_LOGINS, &s->hosted.logins, err) != 0)
        return -1;
    if (add_copies(r, s, err) != 0)
        return -1;
    return add_way(r, QUESTION_POPAUTH, FORM_POPAUTH, lookup_redis_new(s, err), NULL, err);
}

struct resolver *resolver_new(const struct settings *s, struct err *err)
{
    struct resolver *r = calloc(1, sizeof *r);

    if (r == NULL) {
        (void)no_memory(err);
        return NULL;
    }
    arena_init(&r->arena, RESOLVER_BYTES);
    asked_keys_init(&r->asked);
    if (set_up(r, s, err) == 0)
        return r;
    resolver_free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        lookup_free(r->ways[i].asked);
    for (size_t i = 0; i < r->site_count; i++)
        resolver_postfix_free(r->sites[i]);
    answer_cache_free(r->cache);
    asked_keys_fini(&r->asked);
    arena_fini(&r->arena);
    free(r);
}

void resolver_inherit(struct resolver *r, struct resolver *before)
{
    struct answer_cache *own = r->cache;

    r->cache = answer_cache_share(before->cache);
    answer_cache_free(own);
}

/* --- answering
 * ------------------------------------------------------------------------------------ */

/* A question for which the sources have to be asked. */
struct pending {
    const struct question *question;
    struct lookup_keys keys;
    bool found;
    struct slice value; /* as the cache keeps it */
};

/* The questions of one kind of one message. */
struct batch {
    struct resolver *r;
    struct answers *answers;
    struct arena *scratch;
    struct pending *list;
    struct lookup_keys *keys;
    size_t count;
    enum question_kind kind;
};

/* What a value says, for the hosted set. */
static int put_answer(struct batch *b, const struct question *q, bool found, struct slice value,
                      struct err *err)
{
    struct answer answer = {.found = found};

    if (found && !resolver_answer_read(q->kind, value, b->scratch, &answer))
        return no_memory(err);
    if (answers_put(b->answers, q->kind, q->key, &answer) != 0)
        return no_memory(err);
    return 0;
}

/* 1: answered, 0: nothing known (or, unless `stale` will do, nothing fresh). */
static int put_cached(struct batch *b, const struct question *q, bool stale, struct err *err)
{
    enum cached cached;
    struct buf value;
    bool found;
    int result = 0;

    buf_init(&value, VALUE_BYTES);
    cached = answer_cache_get(b->r->cache, q->kind, q->key, clock_monotonic_ms(), &found, &value);
    if (cached == CACHED_FRESH || (cached == CACHED_STALE && stale))
        result = put_answer(b, q, found, buf_slice(&value), err) == 0 ? 1 : -1;
    buf_fini(&value);
    return result;
}

static int64_t fresh_ms(enum question_kind kind, bool found)
{
    if (kind != QUESTION_POPAUTH)
        return FRESH_MS;
    return found ? POPAUTH_FOUND_MS : POPAUTH_NONE_MS;
}

/* Makes the keys of those that are still open; how many there are. -1: memory is out. */
static ptrdiff_t make_keys(struct batch *b, const struct way *way)
{
    size_t count = 0;

    for (size_t i = 0; i < b->count; i++) {
        struct lookup_keys *k = &b->keys[count];

        if (b->list[i].found)
            continue;
        *k = (struct lookup_keys){.keys = NULL};
        if (!resolver_keys_make(way->form, way->site, &b->r->names, b->list[i].question->key,
                                b->scratch, k))
            return -1;
        count++;
    }
    return (ptrdiff_t)count;
}

/* The answers that came for the open ones, in the same order. */
static int take_values(struct batch *b, const struct way *way, struct err *err)
{
    const struct lookup_keys *k = b->keys;

    for (size_t i = 0; i < b->count; i++) {
        struct pending *p = &b->list[i];

        if (p->found)
            continue;
        p->found = k->found;
        if (p->found && !resolver_value_read(way->form, way->site, k, b->scratch, &p->value))
            return no_memory(err);
        k++;
    }
    return 0;
}

static int ask_way(struct batch *b, const struct way *way, struct err *err)
{
    ptrdiff_t count = make_keys(b, way);

    if (count < 0)
        return no_memory(err);
    if (count == 0)
        return 0;
    if (lookup_ask(way->asked, b->keys, (size_t)count, b->scratch, err) != 0)
        return -1;
    return take_values(b, way, err);
}

static int ask_ways(struct batch *b, struct err *err)
{
    for (size_t i = 0; i < b->r->count; i++)
        if (b->r->ways[i].kind == b->kind && ask_way(b, &b->r->ways[i], err) != 0)
            return -1;
    return 0;
}

static int keep_answers(struct batch *b, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < b->count; i++) {
        const struct pending *p = &b->list[i];

        answer_cache_put(b->r->cache, b->kind, p->question->key, p->found, p->value,
                         now_ms + fresh_ms(b->kind, p->found));
        if (put_answer(b, p->question, p->found, p->value, err) != 0)
            return -1;
    }
    return 0;
}

/* POP-before-SMTP is a help, not a need: without Redis nobody has logged in. */
static int popauth_away(struct batch *b, const struct question *q, const struct err *why,
                        struct err *err)
{
    int64_t now_ms = clock_monotonic_ms(), before = b->r->popauth_logged_ms;

    if ((before == 0 || now_ms - before >= POPAUTH_LOG_MS) &&
        atomic_compare_exchange_strong(&b->r->popauth_logged_ms, &before, now_ms))
        log_event(LOG_WARNING, "POP-before-SMTP cannot be looked up", LOG_ERROR("error", why));
    return put_answer(b, q, false, SLICE_NONE, err);
}

/* The sources failed (*why): what was known before has to do. */
static int use_stale(struct batch *b, const struct err *why, struct err *err)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct question *q = b->list[i].question;
        int result = put_cached(b, q, true, err);

        if (result == 0 && b->kind == QUESTION_POPAUTH)
            result = popauth_away(b, q, why, err) == 0 ? 1 : -1;
        if (result == 0)
            return err_set(err, why->code, "%s", why->text);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* *why: code 0, or why the sources could not be asked. */
static int ask_sources(struct batch *b, struct err *why, struct err *err)
{
    why->code = 0;
    if (b->count == 0)
        return 0;
    if (ask_ways(b, why) == 0)
        return keep_answers(b, err);
    return use_stale(b, why, err);
}

/* Those that other threads have asked for. An answer that is too long for the cache is asked for
 * again. */
static int take_others(struct batch *b, const struct asked_batch *asked, struct err *err)
{
    struct pending *list = b->list;
    int result = 0;

    b->count = 1;
    for (size_t i = 0; result == 0 && i < asked->count; i++) {
        const struct asked_key *k = &asked->keys[i];
        struct err why;

        if (!k->is_others)
            continue;
        b->list = &list[i];
        if (k->err.code != 0)
            result = use_stale(b, &k->err, err);
        else if ((result = put_cached(b, list[i].question, true, err)) == 0)
            result = ask_sources(b, &why, err);
        result = result < 0 ? -1 : 0;
    }
    b->list = list;
    return result;
}

static int ask_with_others(struct batch *b, struct err *err)
{
    struct asked_key keys[ASKED_KEYS_MAX];
    struct asked_batch asked = {.kind = b->kind, .keys = keys, .count = b->count};
    struct pending *list = b->list, own[ASKED_KEYS_MAX];
    struct err why;
    int result;

    for (size_t i = 0; i < asked.count; i++)
        keys[i].key = list[i].question->key;
    asked_keys_begin(&b->r->asked, &asked);
    b->list = own;
    b->count = 0;
    for (size_t i = 0; i < asked.count; i++) {
        if (!keys[i].is_others)
            own[b->count++] = list[i];
    }
    result = ask_sources(b, &why, err);
    asked_keys_end(&b->r->asked, &asked, why.code != 0 ? &why : NULL);
    asked_keys_await(&b->r->asked, &asked);
    b->list = list;
    return result == 0 ? take_others(b, &asked, err) : result;
}

static int answer_batch(struct batch *b, struct err *err)
{
    struct err why;

    if (b->count == 0)
        return 0;
    return b->count <= ASKED_KEYS_MAX ? ask_with_others(b, err) : ask_sources(b, &why, err);
}

/* Answers the questions of one kind: from the cache, then from the sources. */
static int answer_kind(struct batch *b, struct err *err)
{
    const struct answers *a = b->answers;

    b->count = 0;
    for (size_t i = 0; i < a->open_count; i++) {
        int cached = a->open[i].kind == b->kind ? put_cached(b, &a->open[i], false, err) : 1;

        if (cached < 0)
            return -1;
        if (cached == 0)
            b->list[b->count++] = (struct pending){.question = &a->open[i]};
    }
    return answer_batch(b, err);
}

bool resolver_answer_known(struct resolver *r, struct answers *answers)
{
    struct arena scratch;
    struct batch b = {.r = r, .answers = answers, .scratch = &scratch};
    bool all = true;

    arena_init(&scratch, SCRATCH_BYTES);
    for (size_t i = 0; all && i < answers->open_count; i++) {
        b.kind = answers->open[i].kind;
        all = put_cached(&b, &answers->open[i], false, NULL) > 0;
    }
    arena_fini(&scratch);
    if (all)
        answers_none_open(answers);
    return all;
}

int resolver_answer(struct resolver *r, struct answers *answers, struct err *err)
{
    struct arena scratch;
    struct batch b = {.r = r, .answers = answers, .scratch = &scratch};
    int result = 0;

    arena_init(&scratch, SCRATCH_BYTES);
    b.list = arena_array(&scratch, answers->open_count, sizeof *b.list);
    b.keys = arena_array(&scratch, answers->open_count, sizeof *b.keys);
    if (b.list == NULL || b.keys == NULL)
        result = no_memory(err);
    for (int kind = 0; kind < QUESTION_KINDS && result == 0; kind++) {
        b.kind = (enum question_kind)kind;
        result = answer_kind(&b, err);
    }
    arena_fini(&scratch);
    if (result == 0)
        answers_none_open(answers);
    return result;
}
