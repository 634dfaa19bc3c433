#include "cli/top_data.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/admin/holder_usage.h"
#include "lib/core/strmap.h"
#include "lib/sys/clock.h"

#define NAMES_BYTES      ((size_t)1 << 30)
#define FRAME_BYTES      ((size_t)256 << 20)
#define NAMES_AGE_MS     60000
#define ACTIVE_MS        60000
#define ACCOUNTS_AT_ONCE 20000
#define LOOKED_AT_FIRST  500 /* accounts whose limits are looked at without having sent */
#define SENDERS_LOOKED   50
#define NEAR_PERCENT     50 /* from which on a limit is looked at again */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

/* --- names ----------------------------------------------------------------------------------- */

static int accounts_make(struct arena *arena, const struct name_list *names, bool nodes,
                         struct top_account **out, struct err *err)
{
    *out = arena_array(arena, names->count + 1, sizeof **out);
    if (*out == NULL)
        return no_memory(err);
    for (size_t i = 0; i < names->count; i++) {
        struct buf name;

        buf_init(&name, 1024);
        buf_addf(&name, "%s%.*s", nodes ? "@" : "", SLICE_FMT(names->items[i]));
        (*out)[i].name = arena_copy(arena, buf_slice(&name));
        buf_fini(&name);
        if ((*out)[i].name.ptr == NULL)
            return no_memory(err);
    }
    return 0;
}

/* Who was known keeps what was read. Both lists are sorted. */
static void keep_known(struct top_account *fresh, size_t fresh_count, const struct top_account *old,
                       size_t old_count)
{
    for (size_t i = 0, j = 0; i < fresh_count && j < old_count;) {
        int order = slice_compare(fresh[i].name, old[j].name);

        if (order == 0) {
            struct slice name = fresh[i].name;

            fresh[i] = old[j++];
            fresh[i++].name = name;
        } else if (order < 0) {
            i++;
        } else {
            j++;
        }
    }
}

static int read_names(struct top_data *d, struct err *err)
{
    struct reader *r = &d->cli->reader;
    struct name_list accounts, nodes;
    struct top_account *fresh, *fresh_nodes;
    struct arena arena;

    arena_init(&arena, NAMES_BYTES);
    if (read_accounts(r, &d->frame, &accounts, err) != 0 ||
        read_nodes(r, &d->frame, &nodes, err) != 0 ||
        accounts_make(&arena, &accounts, false, &fresh, err) != 0 ||
        accounts_make(&arena, &nodes, true, &fresh_nodes, err) != 0) {
        arena_fini(&arena);
        return -1;
    }
    keep_known(fresh, accounts.count, d->accounts, d->account_count);
    keep_known(fresh_nodes, nodes.count, d->nodes, d->node_count);
    d->accounts = fresh;
    d->account_count = accounts.count;
    d->nodes = fresh_nodes;
    d->node_count = nodes.count;
    d->names_ms = clock_monotonic_ms();
    arena_fini(&d->names);
    d->names = arena;
    return 0;
}

/* --- counters -------------------------------------------------------------------------------- */

static const struct counter_list counters = {
    .count = 9,
    .ids = {COUNTER_IN_MESSAGES, COUNTER_OUT_MESSAGES, COUNTER_OUT_RECIPIENTS, COUNTER_OUT_BYTES,
            COUNTER_FORWARD_MESSAGES, COUNTER_FORWARD_RECIPIENTS, COUNTER_FORWARD_BYTES,
            COUNTER_THROTTLED_MESSAGES, COUNTER_OBSERVED_MESSAGES}};

struct counting {
    struct top_account **list;
    size_t at;
    int64_t now_ms;
    bool observe;
};

static void values_of(const struct tally *t, bool observe, uint64_t value[TOP_VALUES])
{
    const uint64_t *v = t->value;

    value[TOP_MESSAGES] = v[COUNTER_OUT_MESSAGES] + v[COUNTER_FORWARD_MESSAGES];
    value[TOP_RECIPIENTS] = v[COUNTER_OUT_RECIPIENTS] + v[COUNTER_FORWARD_RECIPIENTS];
    value[TOP_BYTES] = v[COUNTER_OUT_BYTES] + v[COUNTER_FORWARD_BYTES];
    value[TOP_IN] = v[COUNTER_IN_MESSAGES];
    value[TOP_STOPPED] = v[observe ? COUNTER_OBSERVED_MESSAGES : COUNTER_THROTTLED_MESSAGES];
}

static int take_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct counting *c = context;
    struct top_account *a = c->list[c->at++];
    double seconds = (double)(c->now_ms - a->read_ms) / 1000;
    uint64_t value[TOP_VALUES];

    (void)name;
    (void)err;
    values_of(sum, c->observe, value);
    for (int i = 0; i < TOP_VALUES; i++) {
        bool grew = a->is_known && seconds > 0 && value[i] > a->value[i];

        a->rate[i] = grew ? (double)(value[i] - a->value[i]) / seconds : 0;
        a->active_ms = grew ? c->now_ms : a->active_ms;
        a->value[i] = value[i];
    }
    a->is_known = true;
    a->read_ms = c->now_ms;
    return 0;
}

static int read_values(struct top_data *d, struct top_account **list, size_t count, struct err *err)
{
    struct counting c = {
        .list = list, .now_ms = clock_monotonic_ms(), .observe = d->setup.rules->observe};
    struct stored_period total = {.kind = PERIOD_TOTAL};
    struct stored_periods periods = {.items = &total, .count = 1};
    struct name_list names = {.count = count};

    names.items = arena_array(&d->frame, count + 1, sizeof *names.items);
    if (names.items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        names.items[i] = list[i]->name;
    return read_counters(&d->cli->reader, &names, &periods, &counters, take_row, &c, err);
}

static bool is_active(const struct top_account *a, int64_t now_ms)
{
    return a->active_ms != 0 && now_ms - a->active_ms < ACTIVE_MS;
}

static int read_senders(struct top_data *d, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    size_t count = 0, most = d->readings < 2 ? d->account_count : ACCOUNTS_AT_ONCE;
    struct top_account **list = arena_array(&d->frame, d->account_count + 1, sizeof(*list));

    if (list == NULL)
        return no_memory(err);
    for (size_t i = 0; i < d->account_count; i++) {
        if (is_active(&d->accounts[i], now_ms))
            list[count++] = &d->accounts[i];
    }
    for (size_t i = 0; i < d->account_count && count < most; i++) {
        struct top_account *a = &d->accounts[d->cursor++ % d->account_count];

        if (!is_active(a, now_ms))
            list[count++] = a;
    }
    return read_values(d, list, count, err);
}

static int read_server(struct top_data *d, struct err *err)
{
    struct top_account **list = arena_array(&d->frame, d->node_count + 1, sizeof(*list));

    if (list == NULL)
        return no_memory(err);
    for (size_t i = 0; i < d->node_count; i++)
        list[i] = &d->nodes[i];
    if (read_values(d, list, d->node_count, err) != 0)
        return -1;
    memset(d->server, 0, sizeof d->server);
    for (size_t i = 0; i < d->node_count; i++) {
        for (int v = 0; v < TOP_VALUES; v++)
            d->server[v] += d->nodes[i].rate[v];
    }
    return 0;
}

static int sender_compare(const void *a, const void *b)
{
    const struct top_account *x = *(struct top_account *const *)a,
                             *y = *(struct top_account *const *)b;
    static const enum top_value order[] = {TOP_RECIPIENTS, TOP_MESSAGES, TOP_STOPPED, TOP_IN};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (x->rate[order[i]] != y->rate[order[i]])
            return x->rate[order[i]] > y->rate[order[i]] ? -1 : 1;
    }
    return slice_compare(x->name, y->name);
}

static bool has_rate(const struct top_account *a)
{
    for (int i = 0; i < TOP_VALUES; i++) {
        if (a->rate[i] > 0)
            return true;
    }
    return false;
}

static int sort_senders(struct top_data *d, struct err *err)
{
    d->senders = arena_array(&d->frame, d->account_count + 1, sizeof(*d->senders));
    if (d->senders == NULL)
        return no_memory(err);
    d->sender_count = 0;
    for (size_t i = 0; i < d->account_count; i++) {
        if (has_rate(&d->accounts[i]))
            d->senders[d->sender_count++] = &d->accounts[i];
    }
    if (d->sender_count > 0)
        qsort(d->senders, d->sender_count, sizeof(*d->senders), sender_compare);
    return 0;
}

/* --- limits ---------------------------------------------------------------------------------- */

/* Whose limits are looked at: holder -> struct name_list * of users. */
struct looking {
    struct top_data *d;
    struct strmap holders;
    struct top_limit *list;
    size_t count, room;
};

static int look_at(struct looking *l, struct slice holder, struct slice user, struct err *err)
{
    struct name_list *users;
    struct slice *items;
    void **place;
    bool added;

    if (holder.len == 0 || holder.ptr[0] == '_')
        return 0;
    place = strmap_add(&l->holders, holder, &added);
    if (place != NULL && added)
        *place = arena_alloc(&l->d->frame, sizeof *users);
    if (place == NULL || *place == NULL)
        return no_memory(err);
    users = *place;
    for (size_t i = 0; i < users->count; i++) {
        if (slice_equal(users->items[i], user))
            return 0;
    }
    if (user.len == 0)
        return 0;
    items = arena_grow(&l->d->frame, users->items, users->count, &users->room, sizeof *items);
    if (items == NULL)
        return no_memory(err);
    users->items = items;
    users->items[users->count++] = user;
    return 0;
}

/* What was near to full at the last reading; their names are copied out of that frame. */
static int copy_near(const struct top_data *d, struct arena *arena, struct name_list *holders,
                     struct name_list *users, struct err *err)
{
    *holders = *users = (struct name_list){0};
    holders->items = arena_array(arena, d->limit_count + 1, sizeof *holders->items);
    users->items = arena_array(arena, d->limit_count + 1, sizeof *users->items);
    if (holders->items == NULL || users->items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < d->limit_count && d->limits[i].row.percent >= NEAR_PERCENT; i++) {
        holders->items[holders->count++] = arena_copy(arena, d->limits[i].holder);
        users->items[users->count++] = arena_copy(arena, d->limits[i].row.user);
        if (holders->items[i].ptr == NULL || users->items[i].ptr == NULL)
            return no_memory(err);
    }
    return 0;
}

static int choose(struct looking *l, const struct name_list *near, const struct name_list *users,
                  bool first, struct err *err)
{
    const struct top_data *d = l->d;
    int result = look_at(l, SLICE(HOLDER_SERVER), SLICE_NONE, err);

    for (size_t i = 0; result == 0 && first && i < d->account_count && i < LOOKED_AT_FIRST; i++)
        result = look_at(l, d->accounts[i].name, SLICE_NONE, err);
    for (size_t i = 0; result == 0 && i < d->sender_count && i < SENDERS_LOOKED; i++)
        result = look_at(l, d->senders[i]->name, SLICE_NONE, err);
    for (size_t i = 0; result == 0 && i < near->count; i++)
        result = look_at(l, arena_copy(&l->d->frame, near->items[i]),
                         arena_copy(&l->d->frame, users->items[i]), err);
    for (size_t i = 0; result == 0 && i < d->violations.count; i++)
        result = look_at(l, d->violations.items[i].v.domain,
                         violation_subject(&d->violations.items[i].v), err);
    return result;
}

static int read_holder(struct looking *l, struct slice name, const struct name_list *users,
                       struct err *err)
{
    struct top_data *d = l->d;
    struct holder_limits limits;
    struct usage_rows rows;
    struct err unknown = {0};
    struct holder h;

    if (holder_parse(&d->setup, name, &d->frame, &h, &unknown) != 0 || h.is_exempt)
        return 0; /* a name that no configuration knows any more */
    if (holder_limits_read(&d->setup, &h, clock_unix_ms() / 1000, &d->frame, &limits, err) != 0 ||
        holder_usage_of(&d->cli->reader, &h, &limits, users, &d->frame, &rows, err) != 0)
        return -1;
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.list[i].used == 0)
            continue;
        l->list = arena_grow(&d->frame, l->list, l->count, &l->room, sizeof *l->list);
        if (l->list == NULL)
            return no_memory(err);
        l->list[l->count++] = (struct top_limit){h.name, rows.list[i]};
    }
    d->store_ms = rows.count > 0 ? rows.now_ms : d->store_ms;
    return 0;
}

static int limit_compare(const void *a, const void *b)
{
    const struct top_limit *x = a, *y = b;
    int order = read_usage_compare(&x->row, &y->row);

    return order != 0 ? order : slice_compare(x->holder, y->holder);
}

static int read_limits(struct top_data *d, const struct name_list *near,
                       const struct name_list *users, bool first, struct err *err)
{
    struct looking l = {.d = d};
    size_t at = 0;
    struct slice name;
    void *value;
    int result;

    strmap_init(&l.holders);
    d->store_ms = 0;
    result = choose(&l, near, users, first, err);
    while (result == 0 && strmap_next(&l.holders, &at, &name, &value))
        result = read_holder(&l, arena_copy(&d->frame, name), value, err);
    d->holders_looked_at = l.holders.count;
    strmap_fini(&l.holders);
    d->limits = l.list;
    d->limit_count = result == 0 ? l.count : 0;
    if (d->limit_count > 0)
        qsort(d->limits, d->limit_count, sizeof *d->limits, limit_compare);
    return result;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int read_all(struct top_data *d, const struct name_list *near, const struct name_list *users,
                    struct err *err)
{
    bool first = d->readings == 0;

    if ((d->names_ms == 0 || clock_monotonic_ms() - d->names_ms > NAMES_AGE_MS) &&
        read_names(d, err) != 0)
        return -1;
    if (read_senders(d, err) != 0 || read_server(d, err) != 0 || sort_senders(d, err) != 0 ||
        read_violations_last(&d->cli->reader, SLICE_NONE, TOP_VIOLATIONS, &d->frame, &d->violations,
                             err) != 0)
        return -1;
    return read_limits(d, near, users, first, err);
}

int top_data_read(struct top_data *d, struct err *err)
{
    struct name_list near, users;
    struct arena carried;
    int result;

    arena_init(&carried, FRAME_BYTES);
    result = copy_near(d, &carried, &near, &users, err);
    arena_reset(&d->frame);
    d->sender_count = d->limit_count = d->violations.count = 0;
    if (result == 0)
        result = read_all(d, &near, &users, err);
    arena_fini(&carried);
    d->readings += result == 0 ? 1 : 0;
    return result;
}

int top_data_open(struct top_data *d, struct cli *cli)
{
    int code = cli_setup(&d->setup, cli);

    d->cli = cli;
    arena_init(&d->names, NAMES_BYTES);
    arena_init(&d->frame, FRAME_BYTES);
    d->setup.warn = NULL;
    return code;
}

void top_data_close(struct top_data *d)
{
    setup_close(&d->setup);
    arena_fini(&d->names);
    arena_fini(&d->frame);
}
