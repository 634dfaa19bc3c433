#include "lib/core/findings.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/findings_work.h"
#include "lib/core/mail_trace.h"

#define ARENA_BYTES ((size_t)4 << 30)

static const struct {
    const char *name, *field, *help;
} kinds[FINDING_KINDS] = {
    [FINDING_NOT_QUEUED] = {"not-queued", "reconcile_not_queued",
                            "counted, but not queued by the mail server"},
    [FINDING_DOUBT_QUEUED] = {"doubt-queued", "reconcile_doubt_queued",
                              "in doubt after a crash: queued, the count is right"},
    [FINDING_DOUBT_LOST] = {"doubt-lost", "reconcile_doubt_lost",
                            "in doubt after a crash: not queued"},
    [FINDING_MISSED] = {"missed", "reconcile_missed", "queued, but never seen by tollgated"},
    [FINDING_FORWARD] = {"forward", "reconcile_forward",
                         "forwarded by .forward or :include:, which no milter sees"},
    [FINDING_PASSED_ON] = {"passed-on", "reconcile_passed_on",
                           "sent on by Sieve or a program, and counted then"}};

const char *finding_kind_field(enum finding_kind kind)
{
    return kinds[kind].field;
}

const char *finding_kind_name(enum finding_kind kind)
{
    return kinds[kind].name;
}

const char *finding_kind_help(enum finding_kind kind)
{
    return kinds[kind].help;
}

void findings_init(struct findings *f)
{
    *f = (struct findings){.log_to_ms = INT64_MAX, .journal_to_ms = INT64_MAX};
    arena_init(&f->arena, ARENA_BYTES);
    strmap_init(&f->mails);
    strmap_init(&f->message_ids);
    strmap_init(&f->children);
    f->last_mail = &f->first_mail;
}

void findings_fini(struct findings *f)
{
    strmap_fini(&f->mails);
    strmap_fini(&f->message_ids);
    strmap_fini(&f->children);
    arena_fini(&f->arena);
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory: compare a shorter time");
}

/* Room for one more in a list of the arena, which doubles; NULL: out of memory. */
static void *list_grow(struct findings *f, const void *list, size_t count, size_t *room,
                       size_t size)
{
    size_t more = *room > 0 ? 2 * *room : 256;
    void *grown;

    if (count < *room)
        return (void *)(uintptr_t)list;
    grown = arena_array(&f->arena, more, size);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, list, count * size);
    *room = more;
    return grown;
}

int findings_add_record(struct findings *f, const struct findings_record *r, struct err *err)
{
    struct findings_record *list =
        list_grow(f, f->records, f->record_count, &f->record_room, sizeof *list);
    struct slice id = arena_copy(&f->arena, r->queue_id);

    if (list == NULL || (id.ptr == NULL && r->queue_id.len > 0))
        return no_memory(err);
    f->records = list;
    list[f->record_count] = *r;
    list[f->record_count++].queue_id = id;
    return 0;
}

int findings_add_gap(struct findings *f, const struct findings_gap *gap, struct err *err)
{
    struct findings_gap *list = list_grow(f, f->gaps, f->gap_count, &f->gap_room, sizeof *list);

    if (list == NULL)
        return no_memory(err);
    f->gaps = list;
    list[f->gap_count++] = *gap;
    return 0;
}

/* --- stories -----------------------------------------------------------------------------------
 */

static bool link_add(struct findings *f, struct findings_mail *of, enum findings_link_kind kind,
                     struct slice child, struct slice recipient)
{
    struct findings_link *link = arena_alloc(&f->arena, sizeof *link);
    struct slice id = arena_copy(&f->arena, child);
    void **place = link != NULL && id.ptr != NULL ? strmap_add(&f->children, id, NULL) : NULL;

    if (place == NULL)
        return false;
    *link = (struct findings_link){
        .same_id = *place, .of = of, .kind = kind, .recipient = arena_copy(&f->arena, recipient)};
    *place = link;
    return true;
}

static bool target_add(struct findings *f, struct findings_mail *m, struct slice recipient)
{
    struct findings_name *name;

    for (name = m->targets; name != NULL; name = name->next) {
        if (slice_equal(name->text, recipient))
            return true;
    }
    name = arena_alloc(&f->arena, sizeof *name);
    if (name == NULL)
        return false;
    *name = (struct findings_name){.next = m->targets, .text = arena_copy(&f->arena, recipient)};
    m->targets = name;
    return true;
}

/* "250 2.0.0 Ok: queued as 4jWnX03VvBz1cTBS" */
static struct slice queued_as(struct slice text)
{
    static const char words[] = "queued as ";
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, words, sizeof words - 1) : NULL;
    struct slice rest, id = SLICE_NONE;

    if (at == NULL)
        return SLICE_NONE;
    rest = slice_from(text, (size_t)(at - text.ptr) + sizeof words - 1);
    return slice_word(&rest, " )>;,", &id) ? id : SLICE_NONE;
}

/* Only what has a network address is another host: local, virtual, a pipe and a socket are not. */
static bool take_delivery(struct findings *f, struct findings_mail *m, const struct mail_event *e)
{
    bool is_remote = slice_find(e->relay, '[') > 0 || slice_equal(e->relay, SLICE("none"));
    struct slice filtered = is_remote ? queued_as(e->text) : SLICE_NONE;

    if (e->other_id.len > 0)
        return link_add(f, m, LINK_FORWARD, e->other_id,
                        e->orig_to.len > 0 ? e->orig_to : e->recipient);
    if (!is_remote) {
        m->is_delivered_here = m->is_delivered_here || slice_equal_nocase(e->status, SLICE("sent"));
        return true;
    }
    if (filtered.len > 0 && !link_add(f, m, LINK_FILTERED, filtered, SLICE_NONE))
        return false;
    return m->has_client || m->is_submitted || target_add(f, m, e->recipient);
}

static bool is_of_sendmail(struct slice instance)
{
    return slice_equal(instance, SLICE("sendmail")) || slice_equal(instance, SLICE("sm-mta"));
}

/* Sendmail writes its from= line for messages that it then drops; its first to= line is the proof.
 */
static void take_queued(struct findings_mail *m, const struct mail_event *e)
{
    bool is_proof = is_of_sendmail(m->instance) ? e->kind == MAIL_DELIVERY
                                                : e->kind == MAIL_QUEUED || e->kind == MAIL_RETRIED;

    if (is_proof && m->queued_ms == 0)
        m->queued_ms = e->time_ms;
}

static void take_end(struct findings *f, struct findings_mail *m, const struct mail_event *e)
{
    if (m->queued_ms != 0 || m->end.len > 0)
        return;
    m->end =
        arena_copy(&f->arena, e->text.len > 0 ? e->text : slice_str(mail_trace_kind_name(e->kind)));
}

static bool is_loopback(struct slice client)
{
    return slice_starts_nocase(client, SLICE("127.")) || slice_equal(client, SLICE("::1"));
}

static bool take_event(struct findings *f, struct findings_mail *m, const struct mail_event *e)
{
    take_queued(m, e);
    switch (e->kind) {
    case MAIL_CLIENT:
        m->has_client = true;
        m->is_from_here = is_loopback(e->client);
        m->is_filtered = m->is_filtered || e->other_id.len > 0;
        return true;
    case MAIL_SUBMITTED:
        m->is_submitted = m->is_from_here = true;
        m->is_made_here = m->is_made_here || e->other_id.len > 0;
        return true;
    case MAIL_MESSAGE_ID:
        m->message_id = arena_copy(&f->arena, e->text);
        return true;
    case MAIL_QUEUED:
        m->size = e->size;
        m->sender = arena_copy(&f->arena, e->sender);
        return true;
    case MAIL_DELIVERY:
        return take_delivery(f, m, e);
    case MAIL_REJECTED:
    case MAIL_DISCARDED:
    case MAIL_CANCELED:
    case MAIL_UNFINISHED:
        take_end(f, m, e);
        return true;
    case MAIL_HELD:
    case MAIL_RELEASED:
        m->is_held = e->kind == MAIL_HELD;
        return true;
    case MAIL_REQUEUED:
        return e->other_id.len == 0 || link_add(f, m, LINK_REQUEUED, e->other_id, SLICE_NONE);
    case MAIL_NOTIFICATION:
        return e->other_id.len == 0 || link_add(f, m, LINK_NOTIFICATION, e->other_id, SLICE_NONE);
    case MAIL_MADE_OF:
        m->is_made_here = true;
        return true;
    case MAIL_RETRIED:
    case MAIL_EXPIRED:
    case MAIL_DELETED:
    case MAIL_REMOVED:
    case MAIL_LOST_SIGHT:
        break;
    }
    return true;
}

static int take_events(struct findings *f, struct findings_mail *m, struct mail_trace_reader *r,
                       struct err *err)
{
    struct mail_event e;
    int rc;

    while ((rc = mail_trace_next(r, &e, err)) == 1) {
        if (m->first_ms == 0 || e.time_ms < m->first_ms)
            m->first_ms = e.time_ms;
        if (e.time_ms > m->last_ms)
            m->last_ms = e.time_ms;
        if (!take_event(f, m, &e))
            return no_memory(err);
    }
    return rc;
}

/* Among those of its queue id and of its message id. */
static bool mail_enter(struct findings *f, struct findings_mail *m)
{
    void **place = strmap_add(&f->mails, m->queue_id, NULL);

    if (place == NULL)
        return false;
    m->same_id = *place;
    *place = m;
    if (m->message_id.len > 0) {
        place = strmap_add(&f->message_ids, m->message_id, NULL);
        if (place == NULL)
            return false;
        m->same_message_id = *place;
        *place = m;
    }
    *f->last_mail = m;
    f->last_mail = &m->next;
    return true;
}

int findings_add_trace(struct findings *f, struct slice queue_id, struct slice instance,
                       struct slice trace, struct err *err)
{
    struct findings_mail *m = arena_alloc(&f->arena, sizeof *m);
    struct mail_trace_reader r;
    struct mail_trace_head head;

    if (m == NULL)
        return no_memory(err);
    *m = (struct findings_mail){.queue_id = arena_copy(&f->arena, queue_id)};
    if (mail_trace_open(&r, trace, &head, err) < 0)
        return -1;
    m->instance = arena_copy(&f->arena, instance);
    if (take_events(f, m, &r, err) < 0)
        return -1;
    return m->queue_id.ptr != NULL && mail_enter(f, m) ? 0 : no_memory(err);
}
