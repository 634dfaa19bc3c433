/* What the findings of tollgate reconcile change in the figures, and writing it down. */
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/reconcile.h"
#include "lib/core/period.h"
#include "lib/sys/adjustment.h"
#include "lib/sys/clock.h"
#include "lib/throttle/account_change.h"

#define TIMEOUT_MS 5000

/* Findings about one record, or those still to come, by number. */
struct about {
    struct reconcile_finding **list;
    size_t count;
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory: compare a shorter time");
}

static struct reconcile_effect *effect_of(struct reconcile *w, struct reconcile_finding *f,
                                          struct slice account)
{
    struct slice name = slice_equal(account, SLICE(ACCOUNT_NODE)) ? w->node_account : account;
    struct reconcile_effect *e;

    for (e = f->effects; e != NULL; e = e->next) {
        if (slice_equal(e->account, name))
            return e;
    }
    e = arena_alloc(&w->arena, sizeof *e);
    if (e == NULL)
        return NULL;
    *e = (struct reconcile_effect){.next = f->effects, .account = arena_copy(&w->arena, name)};
    f->effects = e;
    return e->account.ptr != NULL ? e : NULL;
}

/* --- a message that was counted, and not queued
 * ---------------------------------------------------- */

static int take_back(struct reconcile *w, struct reconcile_finding *f, const struct record *r,
                     struct err *err)
{
    for (size_t i = 0; i < r->leg_count; i++) {
        struct tally tally = {0};
        struct reconcile_effect *e;

        if (r->legs[i].user.len > 0)
            continue;
        e = effect_of(w, f, r->legs[i].account);
        if (e == NULL)
            return no_memory(err);
        record_leg_count(r, &r->legs[i], &tally);
        for (size_t c = 0; c < COUNTER_COUNT; c++) {
            if (counter_table[c].group != GROUP_SMTP_IN) /* the session took place */
                e->amounts[c] -= (int64_t)tally.value[c];
        }
    }
    return 0;
}

/* --- a forward that no milter saw
 * ------------------------------------------------------------------- */

/* Whose mail was passed on: the hosted domain that pays, and the user. False: nobody's. */
static bool forwarder_of(struct reconcile *w, const struct finding *found, struct slice *account,
                         struct slice *user)
{
    struct address address;
    struct err ignored;
    bool is_hosted = false;

    if (address_parse(found->recipient, &w->arena, &address, &ignored) < 0 ||
        setup_domain(&w->setup, address.domain, &w->arena, &is_hosted, account, &ignored) < 0 ||
        !is_hosted)
        return false;
    *account = arena_copy(&w->arena, *account);
    *user = hosted_user(w->setup.hosted, &address, &w->arena);
    return account->ptr != NULL;
}

/* A forwarder that the hosted set knows was counted when the message came in. */
static bool is_counted(const struct record *r, struct slice account, struct slice user)
{
    bool has_users = false, has_account = false;

    for (size_t i = 0; i < r->leg_count; i++) {
        const struct leg *leg = &r->legs[i];

        if (leg->kind != LEG_FORWARD || !slice_equal(leg->account, account))
            continue;
        if (slice_equal(leg->user, user) && user.len > 0)
            return true;
        has_users = has_users || leg->user.len > 0;
        has_account = true;
    }
    return has_account && !has_users;
}

/* Does the account forward the message already, by the record or by an earlier finding of it? */
static bool has_forward(const struct about *about, const struct reconcile_finding *f,
                        const struct record *r, struct slice account)
{
    for (size_t i = 0; i < r->leg_count; i++) {
        if (r->legs[i].kind == LEG_FORWARD && slice_equal(r->legs[i].account, account))
            return true;
    }
    for (size_t i = 0; i < about->count && about->list[i] != f; i++) {
        const struct reconcile_finding *b = about->list[i];

        for (const struct reconcile_effect *e = b->effects; e != NULL; e = e->next) {
            if (b->found->kind == FINDING_FORWARD && slice_equal(e->account, account))
                return true;
        }
    }
    return false;
}

static uint64_t factor(const struct reconcile *w, const struct finding *found)
{
    switch (w->cli->settings->accounting.out_bytes) {
    case OUT_BYTES_RECIPIENT:
        return found->recipients;
    case OUT_BYTES_DESTINATION:
        return found->destinations;
    case OUT_BYTES_MESSAGE:
        break;
    }
    return 1;
}

static int add_forward(struct reconcile *w, const struct about *about, struct reconcile_finding *f,
                       const struct record *r, struct err *err)
{
    const struct finding *found = f->found;
    struct slice account = SLICE(ACCOUNT_UNATTRIBUTED), user = SLICE_NONE;
    struct slice accounts[2];

    (void)forwarder_of(w, found, &account, &user);
    if (is_counted(r, account, user)) {
        f->is_dropped = true;
        return 0;
    }
    accounts[0] = account;
    accounts[1] = w->node_account;
    for (size_t i = 0; i < 2; i++) {
        struct slice known = i == 0 ? account : SLICE(ACCOUNT_NODE);
        bool is_first = !has_forward(about, f, r, known) && !has_forward(about, f, r, accounts[i]);
        struct reconcile_effect *e = effect_of(w, f, accounts[i]);

        if (e == NULL)
            return no_memory(err);
        e->amounts[COUNTER_FORWARD_MESSAGES] += is_first;
        e->amounts[COUNTER_FORWARD_RECIPIENTS] += (int64_t)found->recipients;
        e->amounts[COUNTER_FORWARD_BYTES] += (int64_t)(found->bytes * factor(w, found));
    }
    return 0;
}

/* --- all
 * ------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct reconcile_finding *x = *(struct reconcile_finding *const *)a,
                                   *y = *(struct reconcile_finding *const *)b;

    if (x->found->number != y->found->number)
        return x->found->number < y->found->number ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int take_finding(struct reconcile *w, const struct about *about, struct reconcile_finding *f,
                        const struct record *r, struct err *err)
{
    if (f->found->kind == FINDING_NOT_QUEUED || f->found->kind == FINDING_DOUBT_LOST)
        return take_back(w, f, r, err);
    return f->found->kind == FINDING_FORWARD ? add_forward(w, about, f, r, err) : 0;
}

/* Findings and records both ascend by number: what is left of the findings moves along. */
static int take_record(struct reconcile *w, const struct record *r, void *context, struct err *err)
{
    struct about *left = context, about;

    while (left->count > 0 && left->list[0]->found->number < r->number)
        *left = (struct about){left->list + 1, left->count - 1};
    if (left->count == 0)
        return 1;
    if (r->kind != RECORD_MESSAGE && r->kind != RECORD_HELD)
        return 0;
    about = (struct about){left->list, 0};
    while (about.count < left->count && about.list[about.count]->found->number == r->number)
        about.count++;
    for (size_t i = 0; i < about.count; i++) {
        if (take_finding(w, &about, about.list[i], r, err) < 0)
            return -1;
    }
    return 0;
}

static bool concerns(const struct reconcile *w, const struct reconcile_finding *f)
{
    ptrdiff_t at = slice_find_last(f->found->sender, '@');

    if (f->found->time_ms < (int64_t)w->range.time.from * 1000 ||
        f->found->time_ms >= (int64_t)w->range.time.to * 1000)
        return false;
    if (w->domain.len == 0)
        return true;
    for (const struct reconcile_effect *e = f->effects; e != NULL; e = e->next) {
        if (slice_equal(e->account, w->domain))
            return true;
    }
    return at >= 0 && slice_equal_nocase(slice_from(f->found->sender, (size_t)at + 1), w->domain);
}

/* Those that are outside the range, or of none of the accounts asked for. */
static void mark_others(struct reconcile *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->list[i].is_dropped = w->list[i].is_dropped || !concerns(w, &w->list[i]);
}

int reconcile_effects(struct reconcile *w, struct err *err)
{
    struct about about = {
        .list = arena_array(&w->arena, w->findings.count + 1, sizeof(struct reconcile_finding *))};

    w->list = arena_array(&w->arena, w->findings.count + 1, sizeof *w->list);
    if (w->list == NULL || about.list == NULL)
        return no_memory(err);
    w->count = w->findings.count;
    for (size_t i = 0; i < w->count; i++) {
        w->list[i] = (struct reconcile_finding){.found = &w->findings.list[i]};
        if (w->list[i].found->number > 0)
            about.list[about.count++] = &w->list[i];
    }
    qsort(about.list, about.count, sizeof about.list[0], by_number);
    if (about.count > 0 && reconcile_records(w, take_record, &about, err) < 0)
        return -1;
    mark_others(w);
    return 0;
}

/* --- adjustments
 * ------------------------------------------------------------------------------------ */

static struct slice author(char room[256])
{
    const struct passwd *person = getpwuid(getuid());

    (void)snprintf(room, 256, "%s (tollgate reconcile)", person != NULL ? person->pw_name : "?");
    return slice_str(room);
}

static int adjust_one(struct reconcile *w, const struct finding *found,
                      const struct reconcile_effect *e, struct err *err)
{
    struct account_change change = {.store = w->cli->store,
                                    .prefix = w->cli->settings->store.prefix,
                                    .holder = e->account,
                                    .timeout_ms = TIMEOUT_MS};
    char month[PERIOD_TEXT], by[256];
    struct adjustment a = {.reason = slice_str(finding_kind_help(found->kind)),
                           .by = author(by),
                           .at_s = clock_unix_ms() / 1000};
    struct buf id, evidence;
    int rc;

    buf_init(&id, 1024);
    buf_init(&evidence, 4096);
    period_name(PERIOD_MONTH, (time_t)(found->time_ms / 1000), month);
    a.period = slice_str(month);
    buf_addf(&id, "%s/%" PRIu64, w->cli->settings->node, found->number);
    if (found->other_id.len > 0)
        buf_addf(&id, "/%.*s", SLICE_FMT(found->other_id));
    buf_addf(&evidence, "queue id %.*s: %.*s", SLICE_FMT(found->queue_id),
             SLICE_FMT(found->evidence));
    a.id = buf_slice(&id);
    a.evidence = buf_slice(&evidence);
    memcpy(a.amounts, e->amounts, sizeof a.amounts);
    rc = account_change_adjustment_add(&change, &a, err);
    buf_fini(&id);
    buf_fini(&evidence);
    return rc;
}

int reconcile_adjust(struct reconcile *w, size_t *written, struct err *err)
{
    *written = 0;
    for (size_t i = 0; i < w->count; i++) {
        for (const struct reconcile_effect *e = w->list[i].effects;
             e != NULL && !w->list[i].is_dropped; e = e->next) {
            if (adjust_one(w, w->list[i].found, e, err) < 0)
                return -1;
            ++*written;
        }
    }
    return 0;
}
