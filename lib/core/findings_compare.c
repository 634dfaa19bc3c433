/* The comparison itself: records, stories and what became of each. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/findings.h"
#include "lib/core/findings_work.h"

/* Times of a log are whole seconds, its lines may be late by a few. */
#define SLACK_MS   INT64_C(5000)
#define SECOND_MS  1000
#define CHAIN_MAX  16 /* forwards of forwards */
#define PASS_ON_MS INT64_C(3600000)

static int finding_add(struct findings *f, const struct finding *found, struct err *err)
{
    size_t room = f->room > 0 ? 2 * f->room : 64;

    if (f->count == f->room) {
        struct finding *list = arena_array(&f->arena, room, sizeof *list);

        if (list == NULL)
            return err_set(err, EX_OSERR, "out of memory: compare a shorter time");
        if (f->count > 0)
            memcpy(list, f->list, f->count * sizeof *list);
        f->list = list;
        f->room = room;
    }
    f->list[f->count++] = *found;
    return 0;
}

/* --- which story goes with a record ------------------------------------------------------------
 */

static int64_t distance(const struct findings_mail *m, int64_t time_ms)
{
    int64_t at = m->queued_ms != 0 ? m->queued_ms : m->last_ms;

    if (m->first_ms - SLACK_MS > time_ms || at + SLACK_MS < time_ms)
        return INT64_MAX;
    return at > time_ms ? at - time_ms : time_ms - at;
}

static struct findings_mail *mail_of(const struct findings *f, const struct findings_record *r)
{
    void **place = r->queue_id.len > 0 ? strmap_find(&f->mails, r->queue_id) : NULL;
    struct findings_mail *best = NULL;
    int64_t least = INT64_MAX;

    for (struct findings_mail *m = place != NULL ? *place : NULL; m != NULL; m = m->same_id) {
        int64_t d = distance(m, r->time_ms);

        if (d < least && (m->record == NULL || m->record == r)) {
            least = d;
            best = m;
        }
    }
    return best;
}

/* The message that this one was made of, if any story says so. */
static const struct findings_link *link_of(const struct findings *f, const struct findings_mail *m)
{
    void **place = strmap_find(&f->children, m->queue_id);
    const struct findings_link *link = place != NULL ? *place : NULL;

    while (link != NULL && (link->of == m || link->of->first_ms - SLACK_MS > m->last_ms ||
                            link->of->last_ms + PASS_ON_MS < m->first_ms))
        link = link->same_id;
    return link;
}

/* --- records ------------------------------------------------------------------------------------
 */

static bool is_in_gap(const struct findings *f, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < f->gap_count; i++) {
        if (f->gaps[i].from_ms <= to_ms && f->gaps[i].to_ms >= from_ms)
            return true;
    }
    return false;
}

/* Does the log say enough to miss a line? */
static bool is_covered(const struct findings *f, int64_t time_ms)
{
    return time_ms - SLACK_MS >= f->log_from_ms && time_ms + FINDINGS_WAIT_MS <= f->log_to_ms &&
           !is_in_gap(f, time_ms - SLACK_MS, time_ms + FINDINGS_WAIT_MS);
}

static int say_not_queued(struct findings *f, const struct findings_record *r,
                          const struct findings_mail *m, struct slice evidence, struct err *err)
{
    return finding_add(
        f,
        &(struct finding){.kind = r->in_doubt ? FINDING_DOUBT_LOST : FINDING_NOT_QUEUED,
                          .time_ms = r->time_ms,
                          .number = r->number,
                          .queue_id = r->queue_id,
                          .instance = m != NULL ? m->instance : SLICE_NONE,
                          .bytes = r->bytes,
                          .evidence = evidence},
        err);
}

static int say_queued(struct findings *f, const struct findings_record *r,
                      const struct findings_mail *m, struct err *err)
{
    f->agreed++;
    if (!r->in_doubt)
        return 0;
    return finding_add(f,
                       &(struct finding){.kind = FINDING_DOUBT_QUEUED,
                                         .time_ms = r->time_ms,
                                         .number = r->number,
                                         .queue_id = r->queue_id,
                                         .instance = m->instance,
                                         .bytes = r->bytes,
                                         .evidence = SLICE("queue active")},
                       err);
}

static int judge_record(struct findings *f, const struct findings_record *r,
                        const struct findings_mail *m, struct err *err)
{
    if (r->is_held)
        return 0;
    f->counted++;
    if (m != NULL && m->queued_ms != 0)
        return say_queued(f, r, m, err);
    if (m != NULL && m->end.len > 0)
        return say_not_queued(f, r, m, m->end, err);
    if (m != NULL && m->is_held) {
        f->waiting++;
        return 0;
    }
    if (r->queue_id.len == 0 || !is_covered(f, r->time_ms)) {
        f->unjudged++;
        return 0;
    }
    return say_not_queued(f, r, m, SLICE("no line of the queue manager within an hour"), err);
}

static int judge_records(struct findings *f, struct err *err)
{
    for (size_t i = 0; i < f->record_count; i++) {
        struct findings_mail *m = mail_of(f, &f->records[i]);

        if (m != NULL)
            m->record = &f->records[i];
        if (judge_record(f, &f->records[i], m, err) < 0)
            return -1;
    }
    return 0;
}

/* --- stories that no record goes with ------------------------------------------------------------
 */

static int judge_missed(struct findings *f, const struct findings_mail *m, struct err *err)
{
    bool came_in = (m->has_client || m->is_submitted) && !m->is_made_here && !m->is_filtered;

    if (m->record != NULL || !came_in || link_of(f, m) != NULL ||
        m->queued_ms < f->journal_from_ms || m->queued_ms + SECOND_MS > f->journal_to_ms)
        return 0;
    return finding_add(f,
                       &(struct finding){.kind = FINDING_MISSED,
                                         .time_ms = m->queued_ms,
                                         .queue_id = m->queue_id,
                                         .instance = m->instance,
                                         .sender = m->sender,
                                         .bytes = m->size,
                                         .evidence = SLICE("queue active, and no record of it")},
                       err);
}

static struct slice domain_of(struct slice address)
{
    ptrdiff_t at = slice_find_last(address, '@');

    return at >= 0 ? slice_from(address, (size_t)at + 1) : SLICE_NONE;
}

/* Targets on other servers, and their domains, each once. */
static void count_targets(const struct findings *f, const struct findings_mail *m,
                          struct finding *out)
{
    for (const struct findings_name *t = m->targets; t != NULL; t = t->next) {
        struct slice domain = domain_of(t->text);
        bool is_new = true;

        if (domain.len == 0 || (f->is_hosted != NULL && f->is_hosted(f->context, domain)))
            continue;
        out->recipients++;
        for (const struct findings_name *b = m->targets; b != t; b = b->next)
            is_new = is_new && !slice_equal_nocase(domain, domain_of(b->text));
        out->destinations += is_new;
    }
}

/* The message that came in, from which this one was forwarded, maybe by several steps; *recipient:
 * whose mail it was first. */
static const struct findings_mail *
origin_of(const struct findings *f, const struct findings_link *link, struct slice *recipient)
{
    const struct findings_mail *m = link->of;

    *recipient = link->recipient;
    for (int i = 0; i < CHAIN_MAX && m->record == NULL; i++) {
        const struct findings_link *up = link_of(f, m);

        if (up == NULL || up->kind == LINK_NOTIFICATION)
            break;
        if (up->kind == LINK_FORWARD)
            *recipient = up->recipient;
        m = up->of;
    }
    return m;
}

static int judge_forward(struct findings *f, const struct findings_mail *m, struct err *err)
{
    const struct findings_link *link = link_of(f, m);
    const struct findings_mail *origin;
    struct finding found = {.kind = FINDING_FORWARD, .other_id = m->queue_id};

    if (m->has_client || m->is_submitted || link == NULL || link->kind != LINK_FORWARD)
        return 0;
    count_targets(f, m, &found);
    if (found.recipients == 0)
        return 0;
    origin = origin_of(f, link, &found.recipient);
    found.time_ms = origin->record != NULL ? origin->record->time_ms : m->queued_ms;
    found.number = origin->record != NULL ? origin->record->number : 0;
    found.bytes = origin->record != NULL ? origin->record->bytes : origin->size;
    found.queue_id = origin->queue_id;
    found.instance = m->instance;
    found.evidence = SLICE("forwarded by local(8)");
    return finding_add(f, &found, err);
}

static int judge_passed_on(struct findings *f, const struct findings_mail *m, struct err *err)
{
    void **place = m->message_id.len > 0 ? strmap_find(&f->message_ids, m->message_id) : NULL;
    const struct findings_mail *from = place != NULL ? *place : NULL;

    if (!m->is_from_here || m->is_made_here)
        return 0;
    while (from != NULL && (from == m || !from->is_delivered_here || from->first_ms > m->first_ms ||
                            from->last_ms + PASS_ON_MS < m->first_ms))
        from = from->same_message_id;
    if (from == NULL)
        return 0;
    return finding_add(
        f,
        &(struct finding){.kind = FINDING_PASSED_ON,
                          .time_ms = m->first_ms,
                          .number = from->record != NULL ? from->record->number : 0,
                          .queue_id = from->queue_id,
                          .other_id = m->queue_id,
                          .instance = m->instance,
                          .bytes = m->size,
                          .evidence =
                              SLICE("delivered here, then submitted with the same message id")},
        err);
}

static int by_time(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;

    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return slice_compare(x->queue_id, y->queue_id);
}

int findings_compare(struct findings *f, struct err *err)
{
    int rc = judge_records(f, err);

    for (const struct findings_mail *m = f->first_mail; m != NULL && rc == 0; m = m->next) {
        rc = m->queued_ms != 0 ? judge_missed(f, m, err) : 0;
        if (rc == 0)
            rc = judge_forward(f, m, err);
        if (rc == 0)
            rc = judge_passed_on(f, m, err);
    }
    if (rc == 0 && f->count > 0)
        qsort(f->list, f->count, sizeof *f->list, by_time);
    return rc;
}
