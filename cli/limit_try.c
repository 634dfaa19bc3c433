#include "cli/limit_try.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/text.h"
#include "lib/read/read_customers.h"
#include "lib/read/read_report.h"
#include "lib/sys/clock.h"

#define PARTS_MAX 4096 /* users of one message that are told apart */

/* A message: the rows of its account, or of its users. */
struct try_message {
    uint64_t number; /* of its record; 0: none yet */
    int64_t time_ms;
    struct slice user;
    uint64_t recipients, bytes;
    struct limit_replay_part parts[PARTS_MAX];
    size_t count;
};

struct try_reading {
    struct limit_try *w;
    struct try_message message;
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory: ask for fewer days");
}

/* --- the limit ------------------------------------------------------------------------------- */

int limit_try_parse(struct limit_try *w, struct slice metric, struct slice rate, struct err *err)
{
    ptrdiff_t slash = slice_find(rate, '/');
    struct limit *l = &w->limit;

    *l = (struct limit){.action = ACTION_DEFER};
    if (!limit_metric_parse(metric, &l->metric))
        return err_set(err, EX_USAGE,
                       "\"%.*s\" is no metric: choose recipients, messages, bytes or bounces",
                       SLICE_FMT(metric));
    if (slash <= 0)
        return err_set(err, EX_USAGE, "\"%.*s\": expected a maximum and a window, such as 300/hour",
                       SLICE_FMT(rate));
    if (limit_parse_max(slice_to(rate, (size_t)slash), l->metric, &l->max, err) != 0 ||
        limit_parse_per(slice_from(rate, (size_t)slash + 1), &w->arena, &l->window_ms, &l->per,
                        err) != 0) {
        err->code = EX_USAGE;
        return -1;
    }
    if (l->max == LIMIT_UNLIMITED)
        return err_set(err, EX_USAGE, "unlimited stops nothing: give a number");
    return 0;
}

/* --- message by message ---------------------------------------------------------------------- */

static uint64_t amount_of(const struct limit_try *w, const struct message_row *row)
{
    bool leaves = row->kind == LEG_OUT || row->kind == LEG_FORWARD;

    switch (w->limit.metric) {
    case METRIC_RECIPIENTS:
        return leaves ? row->recipients : 0;
    case METRIC_MESSAGES:
        return leaves ? row->messages : 0;
    case METRIC_BYTES:
        return leaves ? row->bytes : 0;
    case METRIC_BOUNCES:
    case METRIC_COUNT:
        break;
    }
    return row->bounces;
}

static struct try_stop *stop_new(struct limit_try *w, struct slice window, int64_t time_ms)
{
    struct try_exact *e = &w->exact;
    struct try_stop *grown = arena_grow(&w->arena, e->stops, e->count, &e->room, sizeof *grown);
    struct slice name = arena_copy(&w->arena, window);
    void **place = name.ptr != NULL ? strmap_add(&w->open, name, NULL) : NULL;

    if (grown == NULL || place == NULL)
        return NULL;
    e->stops = grown;
    *place = (void *)(uintptr_t)(e->count + 1);
    grown[e->count] = (struct try_stop){.from_ms = time_ms};
    return &grown[e->count++];
}

/* The stop that goes on, or a new one. */
static struct try_stop *stop_of(struct limit_try *w, struct slice window, int64_t time_ms,
                                bool is_new)
{
    void **place = strmap_find(&w->open, window);

    if (is_new || place == NULL)
        return stop_new(w, window, time_ms);
    return &w->exact.stops[(uintptr_t)*place - 1];
}

static struct try_person *person_of(struct limit_try *w, struct slice user)
{
    struct try_exact *e = &w->exact;
    struct slice key = user.len > 0 ? user : SLICE("-");
    void **place = strmap_find(&w->persons, key);
    struct try_person *grown;

    if (place != NULL)
        return &e->people[(uintptr_t)*place - 1];
    grown = arena_grow(&w->arena, e->people, e->people_count, &e->people_room, sizeof *grown);
    key = arena_copy(&w->arena, key);
    place = grown != NULL && key.ptr != NULL ? strmap_add(&w->persons, key, NULL) : NULL;
    if (place == NULL)
        return NULL;
    e->people = grown;
    *place = (void *)(uintptr_t)(e->people_count + 1);
    grown[e->people_count] = (struct try_person){.user = user.len > 0 ? key : SLICE_NONE};
    return &grown[e->people_count++];
}

/* Of a message of several users it is the first's, as its stop is. */
static int person_add(struct limit_try *w, const struct try_message *m, struct err *err)
{
    struct try_person *p = person_of(w, m->user);

    if (p == NULL)
        return no_memory(err);
    p->messages++;
    p->recipients += m->recipients;
    p->bytes += m->bytes;
    return 0;
}

static int most_messages(const void *left, const void *right)
{
    const struct try_person *a = left, *b = right;

    if (a->messages != b->messages)
        return a->messages > b->messages ? -1 : 1;
    return slice_compare(a->user, b->user);
}

static int stop_add(struct limit_try *w, const struct try_message *m,
                    const struct limit_replay_answer *a, struct err *err)
{
    const struct limit_replay_part *part = &m->parts[a->part];
    struct slice window = part->subject.len > 0 ? part->subject : SLICE("-");
    struct try_stop *s = stop_of(w, window, m->time_ms, a->crossing);

    if (s == NULL)
        return no_memory(err);
    if (s->messages == 0) {
        s->user = arena_copy(&w->arena, part->subject.len > 0 ? part->subject : m->user);
        if (s->user.ptr == NULL)
            return no_memory(err);
    }
    s->to_ms = m->time_ms;
    s->messages++;
    s->recipients += m->recipients;
    s->bytes += m->bytes;
    if (a->used + part->amount > s->most)
        s->most = a->used + part->amount;
    return part->subject.len > 0 ? 0 : person_add(w, m, err);
}

static int message_end(struct try_reading *r, struct err *err)
{
    struct limit_try *w = r->w;
    struct try_message *m = &r->message;
    struct limit_replay_answer answer;
    struct message_row *sum;

    if (m->count == 0)
        return 0;
    if (limit_replay_message(&w->replay, m->time_ms, m->parts, m->count, &answer, err) != 0)
        return -1;
    sum = answer.stopped ? &w->exact.stopped : &w->exact.passed;
    sum->messages++;
    sum->recipients += m->recipients;
    sum->bytes += m->bytes;
    return answer.stopped ? stop_add(w, m, &answer, err) : 0;
}

static struct limit_replay_part *part_of(struct try_message *m, struct slice subject)
{
    for (size_t i = 0; i < m->count; i++) {
        if (slice_equal(m->parts[i].subject, subject))
            return &m->parts[i];
    }
    if (m->count == PARTS_MAX)
        return NULL;
    m->parts[m->count] = (struct limit_replay_part){.subject = subject};
    return &m->parts[m->count++];
}

/* Of a customer the messages of all accounts are read. */
static bool is_charged(const struct limit_try *w, struct slice account)
{
    return w->holder.kind != HOLDER_IS_CUSTOMER ||
           (!slice_equal(account, slice_str(ACCOUNT_UNATTRIBUTED)) &&
            slice_equal(hosted_customer(w->setup->hosted, account), holder_customer(&w->holder)));
}

static int message_begin(struct try_reading *r, const struct message_row *row, struct err *err)
{
    struct try_message *m = &r->message;

    if (m->number == row->number)
        return 0;
    if (message_end(r, err) != 0)
        return -1;
    m->number = row->number;
    m->time_ms = row->time_ms;
    m->user = SLICE_NONE;
    m->recipients = m->bytes = 0;
    m->count = 0;
    return 0;
}

/* Names of a row live until it is taken, so they are kept. */
static int take_row(void *context, const struct message_row *row, struct err *err)
{
    struct try_reading *r = context;
    struct limit_try *w = r->w;
    bool is_user = w->users || w->holder.kind == HOLDER_IS_USER;
    uint64_t amount = amount_of(w, row);
    struct limit_replay_part *part;
    struct slice user;

    if (amount == 0 || !is_charged(w, row->account))
        return 0;
    if (message_begin(r, row, err) != 0)
        return -1;
    user = row->user.len > 0 ? arena_copy(&w->arena, row->user) : SLICE_NONE;
    if (row->user.len > 0 && user.ptr == NULL)
        return no_memory(err);
    part = part_of(&r->message, is_user ? user : SLICE_NONE);
    if (part == NULL)
        return err_set(err, EX_DATAERR, "a message with more than %d users", PARTS_MAX);
    part->amount += amount;
    part->sends = part->sends || row->kind == LEG_OUT || w->limit.metric == METRIC_BOUNCES;
    if (r->message.user.len == 0)
        r->message.user = user;
    r->message.recipients += row->recipients;
    r->message.bytes += row->bytes;
    return 0;
}

static int exact_read(struct limit_try *w, struct err *err)
{
    struct messages_query query = {.settings = w->cli->settings,
                                   .from_ms = (int64_t)w->exact.from * 1000,
                                   .to_ms = (int64_t)w->exact.to * 1000,
                                   .account = w->holder.kind == HOLDER_IS_CUSTOMER ? SLICE_NONE
                                                                                   : w->holder.name,
                                   .user = w->holder.subject,
                                   .users = w->users,
                                   .kind = -1};
    struct try_reading *r = arena_alloc(&w->arena, sizeof *r);
    struct messages_known known;
    int result;

    if (r == NULL)
        return no_memory(err);
    *r = (struct try_reading){.w = w};
    limit_replay_init(&w->replay, &w->limit, &w->arena);
    strmap_init(&w->open);
    strmap_init(&w->persons);
    result = messages_read(&query, take_row, r, &known, err);
    if (result == 0)
        result = message_end(r, err);
    w->exact.others = known.released;
    if (w->exact.people_count > 1)
        qsort(w->exact.people, w->exact.people_count, sizeof *w->exact.people, most_messages);
    strmap_fini(&w->persons);
    strmap_fini(&w->open);
    limit_replay_fini(&w->replay);
    return result;
}

/* --- by hours -------------------------------------------------------------------------------- */

static const struct counter_list *counters_of(enum limit_metric metric)
{
    static const struct counter_list lists[METRIC_COUNT] = {
        [METRIC_RECIPIENTS] = {.count = 2,
                               .ids = {COUNTER_OUT_RECIPIENTS, COUNTER_FORWARD_RECIPIENTS}},
        [METRIC_MESSAGES] = {.count = 2, .ids = {COUNTER_OUT_MESSAGES, COUNTER_FORWARD_MESSAGES}},
        [METRIC_BYTES] = {.count = 2, .ids = {COUNTER_OUT_BYTES, COUNTER_FORWARD_BYTES}},
        [METRIC_BOUNCES] = {.count = 1, .ids = {COUNTER_BOUNCES_RECEIVED}}};

    return &lists[metric];
}

struct hour_reading {
    const struct counter_list *counters;
    struct limit_replay_hour *hour;
};

static int hour_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct hour_reading *r = context;

    (void)name;
    (void)err;
    r->hour->sent += sum->value[r->counters->ids[0]];
    for (size_t i = 0; i < r->counters->count; i++)
        r->hour->all += sum->value[r->counters->ids[i]];
    return 0;
}

/* The accounts that the limit is about. */
static int accounts_find(struct limit_try *w, struct name_list *out, struct err *err)
{
    *out = (struct name_list){.items = &w->holder.name, .count = 1};
    return w->holder.kind != HOLDER_IS_CUSTOMER
               ? 0
               : read_customers_accounts(&w->cli->reader, w->setup->hosted,
                                         holder_customer(&w->holder), &w->arena, out, err);
}

static int hours_read(struct limit_try *w, struct err *err)
{
    struct name_list accounts;
    struct try_hours *h = &w->hours;
    struct stored_periods all;

    if (accounts_find(w, &accounts, err) != 0 ||
        period_range_stored(h->from, h->to, w->range.time.now, true, &w->arena, &all, err) != 0)
        return -1;
    h->hours = arena_array(&w->arena, all.count + 1, sizeof *h->hours);
    if (h->hours == NULL)
        return no_memory(err);
    for (; h->count < all.count; h->count++) {
        struct stored_periods one = {.items = &all.items[h->count], .count = 1};
        struct hour_reading r = {counters_of(w->limit.metric), &h->hours[h->count]};

        h->hours[h->count] =
            (struct limit_replay_hour){.start_ms = (int64_t)one.items->start * 1000};
        if (read_counters(&w->cli->reader, &accounts, &one, r.counters, hour_row, &r, err) != 0)
            return -1;
    }
    h->at_least = limit_replay_hours(&w->limit, h->hours, h->count);
    for (size_t i = 0; i < h->count; i++) {
        h->may += h->hours[i].may_stop;
        h->at_most += h->hours[i].may_stop ? h->hours[i].all : 0;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

/* Where the kept messages begin: at the first whole hour that has all of its. */
static int parts_split(struct limit_try *w, struct err *err)
{
    const struct report_time *time = &w->range.time;
    struct messages_query nothing = {.settings = w->cli->settings, .kind = -1};
    struct messages_known known;
    time_t oldest, now = time->now + 1, to = time->to < now ? time->to : now;

    if (messages_read(&nothing, take_row, NULL, &known, err) != 0)
        return -1;
    oldest = known.oldest.number == 0 ? to : (time_t)(known.oldest.time_ms / 1000);
    if (known.oldest.number == 1)
        oldest = time->from;
    else if (oldest > time->from)
        oldest = period_end(PERIOD_HOUR, oldest);
    w->exact.from = oldest > time->from ? oldest : time->from;
    if (w->exact.from > to)
        w->exact.from = to;
    w->exact.to = to;
    w->hours.from = time->from;
    w->hours.to = w->exact.from;
    return 0;
}

static int nodes_find(struct limit_try *w, struct err *err)
{
    struct node_infos nodes;

    if (read_node_infos(&w->cli->reader, &w->arena, &nodes, err) != 0)
        return -1;
    w->nodes.items = arena_array(&w->arena, nodes.count + 1, sizeof *w->nodes.items);
    if (w->nodes.items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < nodes.count; i++) {
        const struct node_info *node = &nodes.items[i];

        if (!node->is_collector_only && !node->is_renamed &&
            !slice_equal(node->name, slice_str(w->cli->settings->node)))
            w->nodes.items[w->nodes.count++] = node->name;
    }
    return 0;
}

/* Figures of hours are those of accounts. */
static int hours_check(const struct limit_try *w, struct err *err)
{
    bool is_user = w->users || w->holder.kind == HOLDER_IS_USER;
    time_t kept = w->range.time.now - (time_t)w->range.time.hours_kept_s;
    struct buf b;

    if (w->hours.from >= w->hours.to || (!is_user && w->hours.from >= kept))
        return 0;
    buf_init(&b, 64);
    text_time(&b, is_user ? (int64_t)w->exact.from : (int64_t)period_end(PERIOD_DAY, kept));
    (void)err_set(err, EX_USAGE,
                  is_user ? "messages are kept from %.*s on, and hours have no users: give a later "
                            "--from (ledger.keep_messages)"
                          : "hours are kept from %.*s on: give a later --from (store.keep_hours)",
                  SLICE_FMT(buf_slice(&b)));
    buf_fini(&b);
    return -1;
}

int limit_try(struct limit_try *w)
{
    struct err err = {0};

    if (w->holder.kind != HOLDER_IS_DOMAIN && w->holder.kind != HOLDER_IS_USER &&
        w->holder.kind != HOLDER_IS_CUSTOMER)
        return cli_usage(
            "limit", "limit try needs a domain, a user or a customer: no node knows the messages "
                     "of all servers, or of a client");
    if (w->users && w->holder.kind == HOLDER_IS_CUSTOMER)
        return cli_usage("limit", "--users needs a domain");
    if ((w->users || w->holder.kind == HOLDER_IS_USER) && !w->cli->settings->accounting.users)
        return cli_usage("limit", "users are not counted here (accounting.users)");
    w->limit.scope = w->users || w->holder.kind == HOLDER_IS_USER ? LIMIT_USER
                     : w->holder.kind == HOLDER_IS_CUSTOMER       ? LIMIT_CUSTOMER
                                                                  : LIMIT_DOMAIN;
    if (range_parse(w->cli, &w->range, w->from_text != NULL ? w->from_text : "-7days", w->to_text,
                    true, &err) != 0 ||
        parts_split(w, &err) != 0 || hours_check(w, &err) != 0 || nodes_find(w, &err) != 0)
        return cli_fail(&err);
    if ((w->hours.from < w->hours.to && hours_read(w, &err) != 0) ||
        (w->exact.from < w->exact.to && exact_read(w, &err) != 0))
        return cli_fail(&err);
    return limit_try_show(w);
}
