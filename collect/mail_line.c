#include "collect/activity.h"
#include "collect/mail.h"

#include "collect/mail_codec.h"
#include "collect/mail_text.h"

/* What a line of a message tells: the text behind "ID: ". */
struct told {
    struct slice id, text;
};

static const struct shape message_id = {"cleanup: message-id", true},
                          canceled = {"cleanup: removed", true},
                          rejected = {"cleanup: reject", true}, held = {"cleanup: hold", true},
                          discarded = {"cleanup: discard", true},
                          cleanup_other = {"cleanup: other", false},
                          submitted = {"pickup: uid", true}, active = {"qmgr: queue active", true},
                          removed = {"qmgr: removed", true}, expired = {"qmgr: expired", true},
                          qmgr_other = {"qmgr: other", false},
                          notified = {"bounce: notification", true},
                          superuser = {"postsuper: queue id", true},
                          superuser_sum = {"postsuper: other", false},
                          delivered = {"delivery", true}, warned = {"warning", false};

static void tell(struct machine *m, const struct log_line *line, const struct told *t,
                 enum mail_event_kind kind)
{
    mail_tell(m, mail_take(m, line, t->id), line,
              (struct mail_event){.kind = kind, .text = t->text});
}

/* The last that is told of it in the queue. */
static void tell_end(struct machine *m, const struct log_line *line, const struct told *t,
                     enum mail_event_kind kind)
{
    struct open_entry *e = mail_take(m, line, t->id);

    if (e == NULL)
        return;
    mail_tell(m, e, line, (struct mail_event){.kind = kind, .text = t->text});
    mail_leave(m, e, line->time_ms);
}

/* --- smtpd ------------------------------------------------------------------------------------ */

void mail_client(struct machine *m, const struct log_line *line, struct slice id,
                 const struct mail_client *client)
{
    struct open_entry *e = mail_begin(m, line, id), *from;
    bool is_filter = client->orig_address.len > 0 || client->orig_id.len > 0;
    struct mail *mail;
    struct payer payer;

    if (e == NULL)
        return;
    mail = e->thing;
    mail->flags |= MAIL_BY_SMTP | (client->is_held ? MAIL_ON_HOLD : 0);
    if (is_filter || (client->login.len == 0 && (mail_text_is_loopback(client->address) ||
                                                 owners_is_host(m->owners, client->address))))
        mail->flags |= MAIL_MAYBE_FILTERED;
    mail_codec_set(&mail->client, is_filter ? client->orig_address : client->address);
    mail_codec_set(&mail->login, client->login);
    mail_tell(m, e, line,
              (struct mail_event){.kind = MAIL_CLIENT,
                                  .client = mail->client,
                                  .login = client->login,
                                  .other_id = client->orig_id});
    from = client->orig_id.len > 0 ? mail_entry(m, line->instance, client->orig_id) : NULL;
    if (from != NULL && mail_owner(m, from->thing, &payer))
        mail_link(m, line, client->orig_id, id, &payer);
}

void mail_proxied(struct machine *m, const struct log_line *line, struct slice id,
                  struct slice login)
{
    struct open_entry *e = mail_entry(m, line->instance, id);
    struct mail *mail = e != NULL ? e->thing : NULL;

    if (mail == NULL || login.len == 0 || (mail->flags & MAIL_MAYBE_FILTERED) == 0)
        return;
    mail->flags &= ~(unsigned)MAIL_MAYBE_FILTERED;
    mail_codec_set(&mail->login, login);
    mail_tell(m, e, line, (struct mail_event){.kind = MAIL_CLIENT, .login = login});
}

void mail_session_ended(struct machine *m, const struct log_line *line, struct slice id)
{
    struct open_entry *e = mail_entry(m, line->instance, id);
    struct mail *mail;

    if (e == NULL || e->kind != OPEN_MAIL)
        return;
    mail = e->thing;
    if ((mail->flags & (MAIL_WAS_QUEUED | MAIL_ON_HOLD)) != 0)
        return;
    mail->flags |= MAIL_SESSION_ENDED;
    mail_leave(m, e, line->time_ms);
}

/* --- deliveries ------------------------------------------------------------------------------- */

/* Who pays for what is made of a delivery to that recipient: its own domain, if it is hosted. */
static bool recipient_pays(struct machine *m, const struct mail_delivery *d, struct payer *payer)
{
    return owners_address(m->owners, d->to, payer) ||
           (d->orig_to.len > 0 && owners_address(m->owners, d->orig_to, payer));
}

/* Of a failed recipient: who pays for the notification where the message has no owner. */
static void note_failed(struct machine *m, struct mail *mail, const struct mail_delivery *d)
{
    struct payer payer;

    if (!slice_equal(d->status, SLICE("bounced")) || !recipient_pays(m, d, &payer))
        return;
    mail_codec_set(&mail->failed_domain, payer.domain);
    mail_codec_set(&mail->failed_user, payer.user);
}

/* The content filter brought it back under another id. */
static void link_filtered(struct machine *m, const struct log_line *line, struct slice id,
                          struct slice child, const struct mail *mail)
{
    struct open_entry *e = mail_entry(m, line->instance, child);
    struct payer payer;

    if (e != NULL && !slice_equal(child, id) &&
        (((struct mail *)e->thing)->flags & MAIL_MAYBE_FILTERED) != 0 &&
        (((struct mail *)e->thing)->flags & MAIL_BY_PARENT) == 0 && mail_owner(m, mail, &payer))
        mail_link(m, line, id, child, &payer);
}

struct open_entry *mail_delivery(struct machine *m, const struct log_line *line, struct slice id,
                                 struct slice text)
{
    struct open_entry *e = mail_take(m, line, id);
    struct mail_delivery d;
    struct slice copy, again;
    struct payer payer;

    if (e == NULL || !mail_text_delivery(text, &d))
        return NULL;
    copy = mail_text_starts(d.text, SLICE("forwarded as "))
               ? mail_text_id_of(slice_from(d.text, sizeof "forwarded as " - 1))
               : SLICE_NONE;
    again = mail_text_id_of(mail_text_after(d.text, SLICE("queued as ")));
    mail_tell(m, e, line,
              (struct mail_event){.kind = MAIL_DELIVERY,
                                  .recipient = d.to,
                                  .orig_to = d.orig_to,
                                  .relay = d.relay,
                                  .dsn = d.dsn,
                                  .status = d.status,
                                  .text = d.text,
                                  .other_id = copy});
    note_failed(m, e->thing, &d);
    if (copy.len > 0 && recipient_pays(m, &d, &payer))
        mail_link(m, line, id, copy, &payer);
    else if (copy.len > 0)
        mail_link(m, line, id, copy, &PAYER_NONE);
    else if (again.len > 0)
        link_filtered(m, line, id, again, e->thing);
    return e;
}

/* --- cleanup ---------------------------------------------------------------------------------- */

static bool begins_verb(struct slice text, struct slice verb)
{
    return mail_text_take(&text, SLICE("milter-")), mail_text_starts(text, verb);
}

static const struct shape *cleanup_line(struct machine *m, const struct log_line *line,
                                        const struct told *t)
{
    struct open_entry *e;

    if (mail_text_starts(t->text, SLICE("message-id=")) ||
        mail_text_starts(t->text, SLICE("resent-message-id="))) {
        mail_tell(m, mail_received(m, line, t->id), line,
                  (struct mail_event){
                      .kind = MAIL_MESSAGE_ID,
                      .text = slice_from(t->text, (size_t)(slice_find(t->text, '=') + 1))});
        return &message_id;
    }
    if (mail_text_starts(t->text, SLICE("to="))) {
        TG_IGNORE(mail_delivery(m, line, t->id, t->text)); /* a bounce without queue */
        return &delivered;
    }
    if (begins_verb(t->text, SLICE("reject: "))) {
        tell_end(m, line, t, MAIL_REJECTED);
        return &rejected;
    }
    if (mail_text_starts(t->text, SLICE("removed"))) {
        tell_end(m, line, t, MAIL_CANCELED);
        return &canceled;
    }
    if (begins_verb(t->text, SLICE("discard: "))) {
        tell(m, line, t, MAIL_DISCARDED);
        return &discarded;
    }
    if (begins_verb(t->text, SLICE("hold: "))) {
        e = mail_take(m, line, t->id);
        if (e != NULL)
            ((struct mail *)e->thing)->flags |= MAIL_ON_HOLD;
        tell(m, line, t, MAIL_HELD);
        return &held;
    }
    return &cleanup_other;
}

/* --- pickup, qmgr, bounce, postsuper ---------------------------------------------------------- */

/* "uid=103 from=<u@host.test> orig_id=4jcCy44KRVz1ckSX" */
static const struct shape *pickup_line(struct machine *m, const struct log_line *line,
                                       const struct told *t)
{
    struct mail_event event = {.kind = MAIL_SUBMITTED};
    struct slice rest = t->text, name, value;
    struct open_entry *e, *before;
    struct payer payer;

    while (mail_text_pair(&rest, false, &name, &value)) {
        if (slice_equal(name, SLICE("uid")) && !slice_number(value, &event.uid))
            event.uid = 0;
        else if (slice_equal(name, SLICE("from")))
            event.sender = value;
        else if (slice_equal(name, SLICE("orig_id")))
            event.other_id = value;
    }
    e = mail_begin(m, line, t->id);
    if (e == NULL)
        return &submitted;
    ((struct mail *)e->thing)->flags |= MAIL_BY_PICKUP;
    mail_codec_set(&((struct mail *)e->thing)->sender, event.sender);
    mail_tell(m, e, line, event);
    before = event.other_id.len > 0 ? mail_entry(m, line->instance, event.other_id) : NULL;
    if (before != NULL && mail_owner(m, before->thing, &payer))
        mail_link(m, line, event.other_id, t->id, &payer);
    return &submitted;
}

/* The sender is known from this line at the latest. */
static void note_sent(struct machine *m, const struct log_line *line, struct mail *mail,
                      const struct mail_event *event)
{
    struct payer payer;

    if (event->sender.len > 0 && mail->sender.len == 0)
        mail_codec_set(&mail->sender, event->sender);
    TG_IGNORE(mail_owner(m, mail, &payer));
    activity_sent(m, line->time_ms, &payer, event->nrcpt);
}

/* "from=<a@b>, size=377, nrcpt=1 (queue active)", "from=<a@b>, status=expired, returned to sender"
 */
static const struct shape *queue_from(struct machine *m, const struct log_line *line,
                                      const struct told *t)
{
    struct mail_event event = {.kind = MAIL_QUEUED};
    struct slice rest = t->text, name, value;
    struct open_entry *e;
    struct mail *mail;

    while (mail_text_pair(&rest, false, &name, &value)) {
        if (slice_equal(name, SLICE("status"))) {
            tell(m, line, t, MAIL_EXPIRED);
            return &expired;
        }
        if (slice_equal(name, SLICE("from")))
            event.sender = value;
        value.len -= value.len > 0 && value.ptr[value.len - 1] == ',';
        if (slice_equal(name, SLICE("size")) && !slice_number(value, &event.size))
            event.size = 0;
        if (slice_equal(name, SLICE("nrcpt")) && !slice_number(value, &event.nrcpt))
            event.nrcpt = 0;
    }
    e = mail_in_queue(m, line, t->id);
    if (e == NULL)
        return &active;
    mail = e->thing;
    if ((mail->flags & MAIL_WAS_QUEUED) != 0)
        event = (struct mail_event){.kind = MAIL_RETRIED};
    else
        mail->size = event.size;
    if ((mail->flags & (MAIL_WAS_QUEUED | MAIL_BY_PARENT)) == 0)
        note_sent(m, line, mail, &event);
    mail->flags |= MAIL_WAS_QUEUED;
    mail_tell(m, e, line, event);
    return &active;
}

static const struct shape *qmgr_line(struct machine *m, const struct log_line *line,
                                     const struct told *t)
{
    if (mail_text_starts(t->text, SLICE("from=")))
        return queue_from(m, line, t);
    if (mail_text_starts(t->text, SLICE("to="))) {
        TG_IGNORE(mail_delivery(m, line, t->id, t->text)); /* "mail transport unavailable" */
        return &delivered;
    }
    if (!slice_equal(t->text, SLICE("removed")))
        return &qmgr_other;
    tell_end(m, line, &(struct told){.id = t->id}, MAIL_REMOVED);
    return &removed;
}

/* "sender non-delivery notification: 4jcCwN1gGXz1d2hT" */
static const struct shape *bounce_line(struct machine *m, const struct log_line *line,
                                       const struct told *t)
{
    struct slice id = mail_text_id_of(mail_text_after(t->text, SLICE("notification: ")));
    struct open_entry *e = mail_take(m, line, t->id);
    struct payer payer = PAYER_NONE;
    struct mail *mail;

    if (id.len == 0 || e == NULL)
        return &warned;
    mail = e->thing;
    mail_tell(m, e, line,
              (struct mail_event){.kind = MAIL_NOTIFICATION, .text = t->text, .other_id = id});
    TG_IGNORE(mail_owner(m, mail, &payer)); /* nobody's: the recipient that failed */
    if (payer.domain.len == 0)
        payer = (struct payer){mail->failed_domain, mail->failed_user};
    mail_link(m, line, t->id, id, &payer);
    return &notified;
}

static const struct shape *postsuper_line(struct machine *m, const struct log_line *line,
                                          const struct told *t)
{
    static const struct {
        struct slice text;
        enum mail_event_kind kind;
        bool is_end;
    } words[] = {{{"removed", 7}, MAIL_DELETED, true},
                 {{"requeued", 8}, MAIL_REQUEUED, true},
                 {{"placed on hold", 14}, MAIL_HELD, false},
                 {{"released from hold", 18}, MAIL_RELEASED, false},
                 {{"expired", 7}, MAIL_EXPIRED, false}};
    struct told only = {.id = t->id};
    struct open_entry *e;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!slice_equal(t->text, words[i].text))
            continue;
        e = mail_take(m, line, t->id);
        if (e != NULL && words[i].kind == MAIL_HELD)
            ((struct mail *)e->thing)->flags |= MAIL_ON_HOLD;
        (words[i].is_end ? tell_end : tell)(m, line, &only, words[i].kind);
        return &superuser;
    }
    return &superuser_sum;
}

/* --- all -------------------------------------------------------------------------------------- */

static const struct shape *delivery_line(struct machine *m, const struct log_line *line,
                                         const struct told *t)
{
    return mail_delivery(m, line, t->id, t->text) != NULL ? &delivered : NULL;
}

const struct shape *mail_line(struct machine *m, const struct log_line *line)
{
    struct told t = {.text = line->text};

    if (!mail_text_id(&t.text, &t.id) || t.id.len == 0) {
        if (line->daemon == DAEMON_POSTSUPER)
            return &superuser_sum;
        return mail_text_starts(line->text, SLICE("warning: ")) ? &warned : NULL;
    }
    switch (line->daemon) {
    case DAEMON_CLEANUP:
        return cleanup_line(m, line, &t);
    case DAEMON_PICKUP:
        return pickup_line(m, line, &t);
    case DAEMON_QMGR:
        return qmgr_line(m, line, &t);
    case DAEMON_BOUNCE:
        return bounce_line(m, line, &t);
    case DAEMON_POSTSUPER:
        return postsuper_line(m, line, &t);
    default:
        return delivery_line(m, line, &t);
    }
}
