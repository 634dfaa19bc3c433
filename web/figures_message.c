#include "web/figures_message.h"

#include <ctype.h>
#include <sysexits.h>

#include "web/exchange.h"
#include "web/figures.h"

#define ID_MOST 64

/* Those of Postfix and Sendmail have nothing else. */
static bool is_queue_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!isalnum((unsigned char)id.ptr[i]))
            return false;
    }
    return id.len > 0 && id.len <= ID_MOST;
}

struct message_search {
    struct exchange *x;
    const struct scope *scope;
    struct figures_message *out;
};

static int take_violation(void *context, const struct violation_entry *entry, struct err *err)
{
    struct message_search *s = context;
    struct figures_message *f = s->out;

    if (!slice_equal(entry->v.queue_id, f->id) ||
        (s->scope->level == SCOPE_USER && !slice_equal(entry->v.user, s->scope->user)))
        return 0;
    if (violation_copy(&entry->v, &s->x->arena, &f->violations[f->violation_count], err) != 0)
        return -1;
    return ++f->violation_count == FIGURES_MESSAGE_VIOLATIONS;
}

static int add_held(struct exchange *x, const struct held_entry *e, struct held_entries *out,
                    struct err *err)
{
    out->items = arena_grow(&x->arena, out->items, out->count, &out->room, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    out->items[out->count++] = *e;
    return 0;
}

static int find_held(struct message_search *s, struct err *err)
{
    struct held_entries all;

    if (s->scope->level == SCOPE_USER)
        return 0; /* what is held does not say whose it is */
    if (figures_held(s->x, s->scope, &all, err) != 0)
        return -1;
    for (size_t i = 0; i < all.count; i++) {
        if (slice_equal(all.items[i].queue_id, s->out->id) &&
            add_held(s->x, &all.items[i], &s->out->held, err) != 0)
            return -1;
    }
    return 0;
}

static int search(struct exchange *x, struct slice domain, struct figures_message *out,
                  struct err *err)
{
    struct message_search s = {.x = x, .out = out};
    struct scope scope;

    s.scope = &scope;
    if (scope_choose(x, domain, SLICE_NONE, &scope, err) != 0 || exchange_store(x, err) != 0)
        return -1;
    if (out->violation_count < FIGURES_MESSAGE_VIOLATIONS &&
        read_violations_backward(&x->reader, scope.account, SIZE_MAX, take_violation, &s, err) < 0)
        return -1;
    return find_held(&s, err);
}

int figures_message(struct exchange *x, struct slice id, struct figures_message *out,
                    struct err *err)
{
    struct slice rest = x->who.domains, domain;

    *out = (struct figures_message){.id = id};
    if (!is_queue_id(id))
        return scope_nothing(err);
    out->violations = arena_array(&x->arena, FIGURES_MESSAGE_VIOLATIONS, sizeof *out->violations);
    if (out->violations == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (x->who.role != WEB_ROLE_DOMAIN)
        return search(x, SLICE_NONE, out, err);
    while (slice_cut(&rest, ',', &domain)) {
        if (search(x, domain, out, err) != 0)
            return -1;
    }
    return 0;
}

bool figures_message_is_known(const struct figures_message *f)
{
    return f->violation_count > 0 || f->held.count > 0;
}
