#include "lib/core/charged.h"

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t s;

    return __builtin_add_overflow(a, b, &s) ? UINT64_MAX : s;
}

static bool leg_leaves(const struct leg *leg)
{
    return leg->kind == LEG_OUT || leg->kind == LEG_FORWARD;
}

bool charged_leg_wants(const struct leg *leg)
{
    return leg_leaves(leg) || leg->bounces > 0;
}

static void wants_add(struct wants *w, const struct leg *leg)
{
    if (leg_leaves(leg)) {
        w->of[METRIC_RECIPIENTS] = sum(w->of[METRIC_RECIPIENTS], leg->recipients);
        w->of[METRIC_MESSAGES] = sum(w->of[METRIC_MESSAGES], leg->messages);
        w->of[METRIC_BYTES] = sum(w->of[METRIC_BYTES], leg->bytes);
    }
    w->of[METRIC_BOUNCES] = sum(w->of[METRIC_BOUNCES], leg->bounces);
    w->sends = w->sends || leg->sends;
}

/* The index: an account by its name; a user behind a blank and, where the user has no domain and so
 * may be in several accounts, the account. */
static struct slice key_of(const struct leg *leg, struct arena *arena)
{
    bool has_domain = slice_find(leg->user, '@') >= 0;
    struct slice text;
    struct buf key;

    if (leg->user.len == 0)
        return leg->account;
    buf_init(&key, 1024);
    if (!has_domain)
        buf_add(&key, leg->account);
    buf_add_char(&key, ' ');
    buf_add(&key, leg->user);
    text = arena_copy(arena, buf_slice(&key));
    buf_fini(&key);
    return text;
}

static void user_chain(struct charged *p)
{
    struct charged_party *user = &p->list[p->count - 1];
    void **entry = strmap_find(&p->index, user->account);
    struct charged_party *account;

    if (user->user.len == 0 || entry == NULL)
        return;
    account = &p->list[(uintptr_t)*entry - 1];
    user->next = account->users;
    account->users = p->count;
}

static struct charged_party *party_of(struct charged *p, struct arena *arena, const struct leg *leg)
{
    struct slice key = key_of(leg, arena);
    void **entry = key.len > 0 ? strmap_add(&p->index, key, NULL) : NULL;
    struct charged_party *grown;

    if (entry == NULL)
        return NULL;
    if (*entry != NULL)
        return &p->list[(uintptr_t)*entry - 1];
    grown = arena_grow(arena, p->list, p->count, &p->room, sizeof *grown);
    if (grown == NULL)
        return NULL;
    p->list = grown;
    p->list[p->count] = (struct charged_party){.account = leg->account, .user = leg->user};
    *entry = (void *)(uintptr_t)(++p->count);
    user_chain(p);
    return &p->list[p->count - 1];
}

static bool is_of_node(const struct leg *leg)
{
    return slice_equal(leg->account, SLICE(ACCOUNT_NODE));
}

int charged_fill(struct charged *p, const struct leg *legs, size_t count, struct arena *arena)
{
    *p = (struct charged){0};
    strmap_init(&p->index);
    for (size_t i = 0; i < count; i++) {
        struct charged_party *party;

        if (!charged_leg_wants(&legs[i]) || is_of_node(&legs[i]))
            continue;
        party = party_of(p, arena, &legs[i]);
        if (party == NULL)
            return -1;
        wants_add(&party->wants, &legs[i]);
    }
    return 0;
}

void charged_fini(struct charged *p)
{
    strmap_fini(&p->index);
}

struct wants charged_node_wants(const struct leg *legs, size_t count)
{
    struct wants w = {.sends = false};

    for (size_t i = 0; i < count; i++) {
        if (is_of_node(&legs[i]))
            wants_add(&w, &legs[i]);
    }
    return w;
}
