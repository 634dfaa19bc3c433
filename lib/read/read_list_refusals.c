#include "lib/read/read_list_work.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/classify.h"
#include "lib/core/strmap.h"
#include "lib/read/read_lists.h"

#define TEXT_BYTES 65536

/* Whose mail was refused, in a group. */
struct refused_domain {
    struct slice name;
    uint64_t count;
};

struct refusal_group {
    struct slice provider, list;
    uint64_t count, greetings;
    int64_t first_ms, last_ms;
    struct slice node, relay, text; /* of the latest */
    struct strmap domains;          /* name -> struct refused_domain * */
    const struct refused_domain *most;
};

struct refusing {
    const struct list_question *q;
    struct arena *arena;
    struct strmap groups; /* provider NUL list -> struct refusal_group * */
    struct refusal_group **items;
    size_t count, room;
    struct buf key;
};

enum refusal_column {
    COL_PROVIDER,
    COL_LIST,
    COL_COUNT,
    COL_GREETINGS,
    COL_FIRST,
    COL_LAST,
    COL_DOMAIN,
    COL_DOMAIN_COUNT,
    COL_DOMAINS,
    COL_NODE,
    COL_RELAY,
    COL_TEXT
};
static const struct table_column columns[] = {
    [COL_PROVIDER] = {.name = "provider", .head = "provider", .cut = 16},
    [COL_LIST] = {.name = "list", .head = "list", .cut = 16},
    [COL_COUNT] = {.name = "refusals", .head = "times", .right = true},
    [COL_GREETINGS] = {.name = "greetings", .head = "connect", .right = true},
    [COL_FIRST] = {.name = "first"},
    [COL_LAST] = {.name = "last", .head = "last"},
    [COL_DOMAIN] = {.name = "domain", .head = "mail of", .cut = 14},
    [COL_DOMAIN_COUNT] = {.name = "domain_refusals"},
    [COL_DOMAINS] = {.name = "domains"},
    [COL_NODE] = {.name = "node"},
    [COL_RELAY] = {.name = "relay"},
    [COL_TEXT] = {.name = "text"},
};

/* --- groups ---------------------------------------------------------------------------------- */

static int out_of_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

static struct refusal_group *group_new(struct refusing *r, const struct refusal_entry *e)
{
    struct refusal_group *g = arena_alloc(r->arena, sizeof *g);
    struct slice key = arena_copy(r->arena, buf_slice(&r->key));
    struct refusal_group **items =
        arena_grow(r->arena, r->items, r->count, &r->room, sizeof *items);
    void **place;

    if (g == NULL || key.ptr == NULL || items == NULL)
        return NULL;
    r->items = items;
    place = strmap_add(&r->groups, key, NULL);
    if (place == NULL)
        return NULL;
    *place = items[r->count++] = g;
    g->provider = slice_to(key, e->provider.len);
    g->list = slice_from(key, e->provider.len + 1);
    g->first_ms = e->time_ms;
    strmap_init(&g->domains);
    return g;
}

static struct refusal_group *group_of(struct refusing *r, const struct refusal_entry *e)
{
    void **place;

    buf_reset(&r->key);
    buf_add(&r->key, e->provider);
    buf_add_char(&r->key, '\0');
    buf_add(&r->key, e->list);
    place = strmap_find(&r->groups, buf_slice(&r->key));
    return place != NULL ? *place : group_new(r, e);
}

static int domain_add(struct refusing *r, struct refusal_group *g, struct slice name)
{
    void **place = strmap_find(&g->domains, name);
    struct refused_domain *d = place != NULL ? *place : NULL;

    if (d == NULL) {
        d = arena_alloc(r->arena, sizeof *d);
        if (d == NULL || (d->name = arena_copy(r->arena, name)).ptr == NULL ||
            (place = strmap_add(&g->domains, d->name, NULL)) == NULL)
            return -1;
        *place = d;
    }
    d->count++;
    if (g->most == NULL || d->count > g->most->count)
        g->most = d;
    return 0;
}

static int latest_set(struct refusing *r, struct refusal_group *g, const struct refusal_entry *e)
{
    g->last_ms = e->time_ms;
    g->node = arena_copy(r->arena, e->node);
    g->relay = arena_copy(r->arena, e->relay);
    g->text = arena_copy(r->arena, e->text);
    return g->node.ptr != NULL && g->relay.ptr != NULL && g->text.ptr != NULL ? 0 : -1;
}

static int take(void *context, const struct refusal_entry *e, struct err *err)
{
    struct refusing *r = context;
    struct slice domain = e->domain.len > 0 ? e->domain : SLICE(ACCOUNT_UNATTRIBUTED);
    struct refusal_group *g;

    if (r->q->domain.len > 0 && !slice_equal(domain, r->q->domain))
        return 0;
    g = group_of(r, e);
    if (g == NULL || domain_add(r, g, domain) != 0)
        return out_of_memory(err);
    g->count++;
    g->greetings += e->is_greeting;
    if (e->time_ms < g->first_ms)
        g->first_ms = e->time_ms;
    return e->time_ms < g->last_ms || latest_set(r, g, e) == 0 ? 0 : out_of_memory(err);
}

static int groups_compare(const void *left, const void *right)
{
    const struct refusal_group *a = *(struct refusal_group *const *)left,
                               *b = *(struct refusal_group *const *)right;
    int order = slice_compare(a->provider, b->provider);

    if (a->last_ms != b->last_ms)
        return a->last_ms > b->last_ms ? -1 : 1;
    return order != 0 ? order : slice_compare(a->list, b->list);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void add_row(struct table *t, const struct refusal_group *g)
{
    table_row(t);
    table_text(t, COL_PROVIDER, g->provider);
    table_text(t, COL_LIST, g->list);
    table_number(t, COL_COUNT, g->count, SLICE_NONE);
    table_number(t, COL_GREETINGS, g->greetings, SLICE_NONE);
    table_time(t, COL_FIRST, g->first_ms);
    table_time(t, COL_LAST, g->last_ms);
    table_text(t, COL_DOMAIN, g->most->name);
    table_number(t, COL_DOMAIN_COUNT, g->most->count, SLICE_NONE);
    table_number(t, COL_DOMAINS, g->domains.count, SLICE_NONE);
    table_text(t, COL_NODE, g->node);
    table_text(t, COL_RELAY, g->relay);
    table_text(t, COL_TEXT, g->text);
}

/* "outlook.com (mx.outlook.com) to mx1: 550 5.7.1 ..." */
bool read_list_refusals_text(const struct table *t, size_t row, struct buf *b)
{
    const struct cell *cells = &t->cells[row * t->column_count];

    if (cells[COL_TEXT].text.len == 0)
        return false;
    buf_add(b, cells[COL_PROVIDER].text);
    if (cells[COL_RELAY].text.len > 0)
        buf_addf(b, " (%.*s)", SLICE_FMT(cells[COL_RELAY].text));
    if (cells[COL_NODE].text.len > 0)
        buf_addf(b, " to %.*s", SLICE_FMT(cells[COL_NODE].text));
    buf_addf(b, ": %.*s", SLICE_FMT(cells[COL_TEXT].text));
    return true;
}

static void fill(const struct refusing *r, struct list_report *out)
{
    size_t shown = r->q->top > 0 && r->q->top < r->count ? r->q->top : r->count;

    for (size_t i = 0; i < shown; i++)
        add_row(&out->table, r->items[i]);
    out->more = r->count - shown;
}

int read_list_refusals(struct reader *reader, const struct list_question *q, struct arena *arena,
                       struct list_report *out, struct err *err)
{
    struct refusing r = {.q = q, .arena = arena};
    int result;

    table_init(&out->table, columns, sizeof columns / sizeof columns[0], arena);
    strmap_init(&r.groups);
    buf_init(&r.key, TEXT_BYTES);
    result = read_lists_refusals(reader, (int64_t)q->range->time.from * 1000,
                                 (int64_t)q->range->time.to * 1000, take, &r, err);
    if (result == 0) {
        if (r.count > 1)
            qsort(r.items, r.count, sizeof r.items[0], groups_compare);
        fill(&r, out);
    }
    for (size_t i = 0; i < r.count; i++)
        strmap_fini(&r.items[i]->domains);
    buf_fini(&r.key);
    strmap_fini(&r.groups);
    return result;
}
