/* tollgate why ADDRESS, domain, client or @server: what is known of who sends. */
#include "cli/why_sender.h"

#include <string.h>
#include <sysexits.h>

#include "lib/admin/holder_usage.h"

#define SEARCHED 1000

/* --- who ------------------------------------------------------------------------------------- */

static bool is_among(const struct strmap *set, struct slice name)
{
    return name.len > 0 && strmap_find(set, name) != NULL;
}

/* The mail of an alias domain is charged to another: whose limits are those that count. */
static int find_holder(struct why *w, struct why_sender *s, const char *typed, struct err *err)
{
    if (s->address != NULL)
        typed = arena_copy(&w->arena, s->address->domain).ptr;
    if (typed == NULL || holder_parse(&w->setup, slice_str(typed), &w->arena, &s->holder, err) != 0)
        return -1;
    if (s->holder.is_hosted || s->holder.charged.len == 0)
        return 0;
    s->alias = s->holder.name;
    return holder_parse(&w->setup, s->holder.charged, &w->arena, &s->holder, err);
}

static void find_network(struct why *w, struct why_sender *s)
{
    const struct hosted *hosted = w->setup.hosted;
    struct ip ip;

    if (s->holder.kind != HOLDER_IS_CLIENT ||
        !networks_ip_parse(slice_from(s->holder.name, sizeof HOLDER_CLIENT - 1), &ip))
        return;
    s->network = networks_contain(&hosted->host, &ip)        ? WHY_HOST
                 : networks_contain(&hosted->customers, &ip) ? WHY_CUSTOMER
                                                             : WHY_OUTSIDE;
}

static void find_exempt(struct why *w, struct why_sender *s)
{
    const struct exemptions *x = &w->setup.rules->exempt;

    s->is_exempt_user = is_among(&x->users, s->user);
    s->is_exempt_recipient = is_among(&x->recipients, s->user);
    s->is_exempt = s->is_exempt_user || s->holder.is_exempt;
}

/* --- may they send? -------------------------------------------------------------------------- */

static int64_t wait_of(const struct usage_row *row)
{
    return row->reopens_ms < 0 ? INT64_MAX : row->reopens_ms;
}

/* Of two full limits the stronger, then the one that reopens later. */
static bool decides(const struct usage_row *row, const struct usage_row *before)
{
    if (before == NULL)
        return true;
    if (row->limit->action != before->limit->action)
        return row->limit->action > before->limit->action;
    return wait_of(row) > wait_of(before);
}

const struct usage_row *why_sender_full(const struct why_sender *s, bool bounces)
{
    const struct usage_row *found = NULL;

    for (size_t i = 0; i < s->usage.count; i++) {
        const struct usage_row *row = &s->usage.list[i];

        if (row->reopens_ms == 0 || (row->limit->metric == METRIC_BOUNCES) != bounces)
            continue;
        if (decides(row, found))
            found = row;
    }
    return found;
}

const struct usage_row *why_sender_fullest(const struct why_sender *s)
{
    const struct usage_row *found = NULL;

    for (size_t i = 0; i < s->usage.count; i++) {
        const struct usage_row *row = &s->usage.list[i];

        if (row->limit->metric != METRIC_BOUNCES && row->limit->action != ACTION_LOG &&
            (found == NULL || read_usage_compare(row, found) < 0))
            found = row;
    }
    return found;
}

/* --- the store ------------------------------------------------------------------------------- */

struct picking {
    struct why *w;
    struct why_sender *s;
};

static int pick(void *context, const struct violation_entry *entry, struct err *err)
{
    struct picking *p = context;
    struct violation_entry *e = &p->s->violations[p->s->violation_count];
    struct slice subject = violation_subject(&entry->v);

    if (p->s->address != NULL && subject.len > 0 && !slice_equal(subject, p->s->user))
        return 0;
    e->id = entry->id;
    if (violation_copy(&entry->v, &p->w->arena, &e->v, err) != 0)
        return -1;
    return ++p->s->violation_count == WHY_VIOLATIONS_SHOWN;
}

static int read_store(struct why *w, struct why_sender *s, struct err *err)
{
    struct name_list users = {.items = &s->user, .count = s->user.len > 0 ? 1 : 0};
    struct picking p = {w, s};
    struct reader *r = &w->cli->reader;

    if (holder_limits_read(&w->setup, &s->holder, w->now_s, &w->arena, &s->limits, err) != 0 ||
        holder_usage_of(r, &s->holder, &s->limits, &users, &w->arena, &s->usage, err) != 0 ||
        holder_usage_add_customer(&w->setup, r, &s->holder, w->now_s, &w->arena, &s->usage, err) !=
            0)
        return -1;
    if (s->holder.kind == HOLDER_IS_DOMAIN && read_held(r, s->holder.name, &s->held, err) != 0)
        return -1;
    return read_violations_backward(r, s->holder.name, SEARCHED, pick, &p, err) < 0 ? -1 : 0;
}

/* --------------------------------------------------------------------------------------------- */

int why_sender_read(struct why *w, const struct address *address, const char *holder,
                    struct why_sender *s, struct err *err)
{
    *s = (struct why_sender){.address = address};
    if (address != NULL) {
        s->user = hosted_user(w->setup.hosted, address, &w->arena);
        if (s->user.ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    if (find_holder(w, s, holder, err) != 0)
        return -1;
    if (!s->holder.is_hosted)
        return 0;
    if (s->holder.kind == HOLDER_IS_CLIENTS)
        return err_set(err, EX_USAGE,
                       "each client has limits of its own: name one by its IP address");
    find_network(w, s);
    find_exempt(w, s);
    if (address != NULL)
        s->is_forwarder =
            setup_forward(&w->setup, address, &w->arena, &s->targets, &s->forward_unread);
    return read_store(w, s, err);
}
