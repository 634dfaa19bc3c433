#include "relay/deliver.h"

#include <sysexits.h>

#include "lib/core/address.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "relay/bounce.h"
#include "relay/deliver_maildir.h"
#include "relay/deliver_smtp.h"
#include "relay/queue.h"
#include "relay/smtp_command.h"
#include "relay/smtp_reply.h"

#define LINES_MAX_BYTES ((size_t)64 << 20)
#define NOTES_MAX_BYTES ((uint64_t)8 << 20) /* beyond, only final outcomes are noted */
/* Journal lines of a recipient that fails (F with its reply, then B), and of the attempt (R). */
#define NOTE_BYTES  ((uint64_t)SMTP_REPLY_CLEAN_MAX_BYTES + 160)
#define RETRY_BYTES ((uint64_t)64)

/* One attempt: an outcome for each pending recipient, by its index. */
struct attempt {
    struct relay *relay;
    struct hosting_view *view;
    struct queue_file file;
    struct smtp_target *targets; /* one for each recipient; NONE for those not pending */
    int64_t now_ms;              /* Unix time at the start */
    struct buf lines;
    struct deliver_bounced bounced;
};

static void settle(struct attempt *a, size_t i, enum smtp_outcome outcome, const char *text)
{
    a->targets[i].outcome = outcome;
    a->targets[i].text = smtp_reply_clean(slice_str(text), &a->file.arena);
}

static void to_maildir(struct attempt *a, size_t i, const struct address *address)
{
    struct err err = {.code = 0};

    if (deliver_maildir(&a->file, i, address, a->relay->maildir_root, a->relay->hostname, &err) ==
        0)
        settle(a, i, SMTP_OUTCOME_DONE, "250 2.0.0 Delivered to Maildir");
    else if (err.code == EX_NOUSER)
        settle(a, i, SMTP_OUTCOME_NEVER, "550 5.1.1 No such user");
    else
        settle(a, i, SMTP_OUTCOME_LATER, err.text);
}

/* True: the recipient goes to another server, of that domain. */
static bool is_elsewhere(struct attempt *a, size_t i, struct slice *domain)
{
    struct slice text = a->file.envelope.recipients[i].address;
    struct address address;

    if (address_parse(text, &a->file.arena, &address, NULL) != 0 || address.domain.len == 0 ||
        smtp_command_has_control(text)) {
        settle(a, i, SMTP_OUTCOME_NEVER, "550 5.1.3 Bad recipient address");
        return false;
    }
    *domain = address.domain;
    switch (hosting_hosts(a->view, address.domain)) {
    case HOSTING_YES:
        to_maildir(a, i, &address);
        return false;
    case HOSTING_UNKNOWN:
        settle(a, i, SMTP_OUTCOME_LATER, "451 4.3.0 Temporary look-up failure");
        return false;
    case HOSTING_NO:
        break;
    }
    return true;
}

/* A recipient that goes to another server. */
struct outgoing {
    size_t index;
    struct slice domain;
    bool is_sent;
};

/* Sends to all recipients with the same destination as list[first]: its domain, or the next hop. */
static void send_group(struct attempt *a, struct outgoing *list, size_t count, size_t first)
{
    bool one_hop = a->relay->settings->relay.next_hop[0] != '\0';
    struct smtp_target *targets = arena_array(&a->file.arena, count, sizeof *targets);
    size_t *index = arena_array(&a->file.arena, count, sizeof *index);
    size_t n = 0;

    for (size_t i = first; i < count; i++) {
        if (list[i].is_sent || (!one_hop && !slice_equal(list[i].domain, list[first].domain)))
            continue;
        list[i].is_sent = true;
        if (targets == NULL || index == NULL) {
            settle(a, list[i].index, SMTP_OUTCOME_LATER, "451 4.3.0 Out of memory");
            continue;
        }
        index[n] = list[i].index;
        targets[n++].address = a->file.envelope.recipients[list[i].index].address;
    }
    if (n > 0)
        deliver_smtp(a->relay, &a->file, list[first].domain, targets, n, &a->file.arena);
    for (size_t i = 0; i < n; i++)
        a->targets[index[i]] = targets[i];
}

/* Without a record of its outcome, a message would be sent again at each attempt. */
static int reserve_notes(struct attempt *a, struct err *err)
{
    size_t pending = envelope_count(&a->file.envelope, RECIPIENT_PENDING);

    return queue_reserve(&a->file, pending * NOTE_BYTES + RETRY_BYTES, err);
}

static int try_all(struct attempt *a, struct err *err)
{
    struct envelope *e = &a->file.envelope;
    struct outgoing *list = arena_array(&a->file.arena, e->recipient_count, sizeof *list);
    size_t count = 0;

    a->targets = arena_array(&a->file.arena, e->recipient_count, sizeof *a->targets);
    if (a->targets == NULL || list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < e->recipient_count; i++) {
        if (e->recipients[i].state != RECIPIENT_PENDING || !is_elsewhere(a, i, &list[count].domain))
            continue;
        list[count++].index = i;
    }
    for (size_t i = 0; i < count; i++) {
        if (!list[i].is_sent)
            send_group(a, list, count, i);
    }
    return 0;
}

/* --- what came of it ------------------------------------------------------------------------- */

static const char *word_of(char kind)
{
    return kind == 'D' ? "delivered" : kind == 'F' ? "failed" : "deferred";
}

/* A reply that equals the last one is not written again: a message may be tried for days. */
static bool is_news(const struct attempt *a, const struct recipient *r, struct slice text)
{
    uint64_t journal_bytes = a->file.whole_at - a->file.text_at - a->file.envelope.text_bytes;

    return !slice_equal(r->text, text) && journal_bytes < NOTES_MAX_BYTES;
}

static void note_recipient(struct attempt *a, size_t i, bool expired)
{
    struct smtp_target *t = &a->targets[i];
    struct recipient *r = &a->file.envelope.recipients[i];
    char kind = 'T';

    if (t->outcome == SMTP_OUTCOME_NONE)
        return;
    if (t->outcome == SMTP_OUTCOME_DONE)
        kind = 'D';
    else if (t->outcome == SMTP_OUTCOME_NEVER || expired)
        kind = 'F';
    r->state = kind == 'D' ? RECIPIENT_DONE : kind == 'F' ? RECIPIENT_FAILED : RECIPIENT_PENDING;
    if (kind != 'T' || is_news(a, r, t->text))
        envelope_journal_recipient(&a->lines, kind, i, a->now_ms, t->text);
    r->text = t->text;
    log_event(kind == 'D' ? LOG_INFO : LOG_NOTICE, word_of(kind),
              LOG_TEXT("qid", a->file.envelope.id), LOG_TEXT("to", r->address),
              LOG_TEXT("reply", t->text));
}

static int write_notes(struct attempt *a, struct err *err)
{
    int result = a->lines.failed ? err_set(err, EX_OSERR, "out of memory")
                                 : queue_note(&a->file, buf_slice(&a->lines), err);

    buf_reset(&a->lines);
    return result;
}

/* A message from the null sender is never returned (RFC 5321 6.1). */
static int return_to_sender(struct attempt *a, struct err *err)
{
    struct envelope *e = &a->file.envelope;
    char id[QUEUE_ID_BYTES] = "nobody";

    if (envelope_count(e, RECIPIENT_FAILED) == 0)
        return 0;
    if (e->sender.len > 0) {
        if (bounce_send(a->relay, &a->file, id, err) != 0)
            return -1;
        a->bounced.queued(a->bounced.user, slice_str(id));
    }
    log_event(LOG_NOTICE, e->sender.len > 0 ? "returned to sender" : "given up",
              LOG_TEXT("qid", e->id), LOG_TEXT("sender", e->sender), LOG_STR("bounce", id));
    for (size_t i = 0; i < e->recipient_count; i++) {
        if (e->recipients[i].state != RECIPIENT_FAILED)
            continue;
        e->recipients[i].state = RECIPIENT_BOUNCED;
        envelope_journal_recipient(&a->lines, 'B', i, a->now_ms, slice_str(id));
    }
    return write_notes(a, err);
}

static int64_t next_try(const struct attempt *a)
{
    int64_t wait = a->relay->settings->relay.retry_first_ms;
    int64_t most = a->relay->settings->relay.retry_max_ms;

    for (unsigned i = 0; i < a->file.envelope.tries && wait < most; i++)
        wait *= 2;
    return clock_unix_ms() + (wait < most ? wait : most);
}

static int note_outcomes(struct attempt *a, struct err *err)
{
    struct envelope *e = &a->file.envelope;
    bool expired = a->now_ms - e->created_ms >= a->relay->settings->relay.expire_ms;

    for (size_t i = 0; i < e->recipient_count; i++)
        note_recipient(a, i, expired);
    return a->lines.len > 0 ? write_notes(a, err) : 0;
}

/* After the outcomes are on the disk: queues a bounce, then removes the message or returns the time
 * of the next attempt. */
static int64_t conclude(struct attempt *a)
{
    struct envelope *e = &a->file.envelope;
    struct err err = {.code = 0};
    int64_t next_ms = next_try(a);

    if (return_to_sender(a, &err) != 0)
        log_event(LOG_ERR, "bounce not queued", LOG_TEXT("qid", e->id), LOG_ERROR("error", &err));
    else if (envelope_count(e, RECIPIENT_PENDING) > 0)
        ;
    else if (queue_remove(&a->relay->queue, e->id, &err) == 0)
        return 0;
    else
        log_event(LOG_ERR, "message not removed", LOG_TEXT("qid", e->id), LOG_ERROR("error", &err));
    envelope_journal_retry(&a->lines, next_ms, e->tries + 1);
    if (write_notes(a, &err) != 0)
        log_event(LOG_ERR, "retry not recorded", LOG_TEXT("qid", e->id), LOG_ERROR("error", &err));
    return next_ms;
}

static int64_t attempt(struct attempt *a)
{
    struct slice id = a->file.envelope.id;
    struct err err = {.code = 0};

    if (reserve_notes(a, &err) != 0 || try_all(a, &err) != 0) {
        log_event(LOG_ERR, "not tried", LOG_TEXT("qid", id), LOG_ERROR("error", &err));
        return next_try(a);
    }
    if (note_outcomes(a, &err) == 0)
        return conclude(a);
    /* An outcome that is not recorded is repeated: as late as possible. */
    log_event(LOG_ERR, "delivery not recorded", LOG_TEXT("qid", id), LOG_ERROR("error", &err));
    return clock_unix_ms() + a->relay->settings->relay.retry_max_ms;
}

int64_t deliver_message(struct relay *relay, struct slice id, struct deliver_bounced bounced)
{
    struct attempt a = {.relay = relay, .now_ms = clock_unix_ms(), .bounced = bounced};
    struct err err = {.code = 0};
    int64_t next_ms;

    if (queue_load(&relay->queue, id, &a.file, &err) != 0) {
        log_event(LOG_ERR, "message cannot be read", LOG_TEXT("qid", id), LOG_ERROR("error", &err));
        return err.code == EX_NOINPUT ? 0 : a.now_ms + relay->settings->relay.retry_max_ms;
    }
    buf_init(&a.lines, LINES_MAX_BYTES);
    a.view = hosting_take(relay->hosting);
    next_ms = attempt(&a);
    hosting_give_back(a.view);
    buf_fini(&a.lines);
    queue_unload(&a.file);
    return next_ms;
}
