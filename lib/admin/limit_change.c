#include "lib/admin/limit_change.h"

#include <sysexits.h>

#include "lib/read/read.h"
#include "lib/sys/log.h"
#include "lib/throttle/account_change.h"

#define VALUE_BYTES ((size_t)64 << 10)

/* --- what is wanted -------------------------------------------------------------------------- */

/* From which a new limit takes over what is not said: the override of its name that holds, else the
 * strongest of the plan; NULL: none is there. */
static const struct limit *predecessor(const struct limit_change *c, const struct limit *l)
{
    const struct limit *found = holder_override(c->limits, l, c->now_s);
    const struct plan *plan = c->limits->plan;
    struct limit of_all = *l;

    of_all.subject = SLICE_NONE;
    if (found == NULL)
        found = holder_override(c->limits, &of_all, c->now_s);
    if (found != NULL || plan == NULL)
        return found;
    for (size_t i = 0; i < plan->count; i++) {
        const struct limit *planned = &plan->limits[i];

        if (limit_same_name(planned, &of_all) && (found == NULL || planned->action > found->action))
            found = planned;
    }
    return found;
}

static void take_over(const struct limit_change *c, struct limit *l)
{
    const struct limit *before = predecessor(c, l);

    if (before == NULL)
        return;
    l->action = before->action;
    l->soft_percent = before->soft_percent;
    l->forwards = before->forwards;
}

int limit_change_make(const struct limit_change *c, const struct limit_wish *wish,
                      struct limit *out, struct err *err)
{
    *out = (struct limit){.action = ACTION_DEFER};
    if (limit_parse_name(wish->name, c->arena, out, err) != 0 ||
        limit_parse_max(wish->max, out->metric, &out->max, err) != 0) {
        err->code = EX_USAGE;
        return -1;
    }
    out->subject = c->holder->subject;
    if (!holder_has_scope(c->holder, out->scope))
        return err_set(err, EX_USAGE, "%.*s has limits of scope %s, not %s",
                       SLICE_FMT(c->holder->typed), holder_scopes(c->holder),
                       limit_scope_name(out->scope));
    take_over(c, out);
    if (wish->action >= 0)
        out->action = (enum limit_action)wish->action;
    if (wish->soft != LIMIT_WISH_NO_SOFT)
        out->soft_percent = (unsigned)wish->soft;
    if (wish->forwards >= 0)
        out->forwards = wish->forwards == 1;
    out->until_s = wish->until_s;
    out->reason = c->reason;
    out->author = c->author;
    return 0;
}

/* --- the log --------------------------------------------------------------------------------- */

static struct slice client_of(const struct limit_change *c)
{
    return c->client.len > 0 ? c->client : SLICE("-");
}

/* The overrides of that name, as they were seen. */
static void add_before(const struct limit_change *c, const struct limit *name, struct buf *b)
{
    for (size_t i = 0; i < c->limits->said.count; i++) {
        const struct limit *o = &c->limits->said.overrides[i];

        if (!limit_same_name(o, name))
            continue;
        if (b->len > 0)
            buf_add_str(b, "; ");
        limit_print_override(o, b);
    }
    if (b->len == 0)
        buf_add_str(b, "none");
}

static void log_limit(const struct limit_change *c, struct slice name, const struct limit *before,
                      const struct limit *after)
{
    struct buf was, is;

    buf_init(&was, VALUE_BYTES);
    buf_init(&is, VALUE_BYTES);
    add_before(c, before, &was);
    if (after != NULL)
        limit_print_override(after, &is);
    else
        buf_add_str(&is, "none");
    log_event(LOG_NOTICE, "limit changed", LOG_TEXT("by", c->author),
              LOG_TEXT("client", client_of(c)), LOG_TEXT("holder", holder_title(c->holder)),
              LOG_TEXT("limit", name), LOG_TEXT("was", buf_slice(&was)),
              LOG_TEXT("is", buf_slice(&is)), LOG_TEXT("reason", c->reason));
    buf_fini(&was);
    buf_fini(&is);
}

static void log_plan(const struct limit_change *c, struct slice after)
{
    struct slice before = c->limits->said.plan;

    log_event(LOG_NOTICE, "plan changed", LOG_TEXT("by", c->author),
              LOG_TEXT("client", client_of(c)), LOG_TEXT("holder", holder_title(c->holder)),
              LOG_TEXT("was", before.len > 0 ? before : SLICE("none")),
              LOG_TEXT("is", after.len > 0 ? after : SLICE("none")), LOG_TEXT("reason", c->reason));
}

/* --- the change ------------------------------------------------------------------------------ */

static struct account_change change_of(const struct limit_change *c)
{
    return (struct account_change){.store = c->setup->store,
                                   .prefix = c->setup->settings->store.prefix,
                                   .holder = c->holder->rules,
                                   .timeout_ms = READ_TIMEOUT_MS,
                                   .seen = c->seen};
}

int limit_change_set(const struct limit_change *c, const struct limit *l, struct err *err)
{
    struct account_change change = change_of(c);
    struct buf name;
    int result = account_change_override_set(&change, l, err);

    if (result != 0)
        return result;
    buf_init(&name, VALUE_BYTES);
    limit_name(l, &name);
    log_limit(c, buf_slice(&name), l, l);
    buf_fini(&name);
    return 0;
}

/* As it stands in the store: with the user or client that it is of. */
static int field_make(const struct limit_change *c, struct slice name, struct slice *field,
                      struct err *err)
{
    struct buf b;

    buf_init(&b, VALUE_BYTES);
    if (c->holder->subject.len > 0)
        buf_addf(&b, "%.*s ", SLICE_FMT(c->holder->subject));
    buf_add(&b, name);
    *field = arena_copy(c->arena, buf_slice(&b));
    buf_fini(&b);
    return field->ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

int limit_change_unset(const struct limit_change *c, struct slice name, size_t *removed,
                       struct err *err)
{
    struct account_change change = change_of(c);
    struct limit l = {.action = ACTION_DEFER};
    struct slice field;
    int result;

    if (field_make(c, name, &field, err) != 0)
        return -1;
    result = account_change_override_unset(&change, field, removed, err);
    if (result == 0 && *removed > 0) {
        if (limit_parse_field(field, c->arena, &l, NULL) != 0)
            l = (struct limit){.subject = field}; /* of that name no limit was seen */
        log_limit(c, name, &l, NULL);
    }
    return result;
}

int limit_change_plan_set(const struct limit_change *c, struct slice plan, struct err *err)
{
    struct account_change change = change_of(c);
    int result;

    if (limit_rules_plan(c->setup->rules, plan) == NULL)
        return err_set(err, EX_USAGE, "unknown plan \"%.*s\"", SLICE_FMT(plan));
    result = account_change_plan_set(&change, plan, err);
    if (result == 0)
        log_plan(c, plan);
    return result;
}

int limit_change_plan_unset(const struct limit_change *c, bool *removed, struct err *err)
{
    struct account_change change = change_of(c);
    int result = account_change_plan_unset(&change, removed, err);

    if (result == 0 && *removed)
        log_plan(c, SLICE_NONE);
    return result;
}
