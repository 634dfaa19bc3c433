#include "collect/mail.h"

#include <stdlib.h>

#include "collect/mail_codec.h"
#include "collect/mail_key.h"

#define TRACE_ROOM (MAIL_TRACE_BYTES + 2048)

/* --- the thing -------------------------------------------------------------------------------- */

static void mail_release(void *thing)
{
    struct mail *mail = thing;

    if (mail == NULL) /* moved to the other table */
        return;
    mail_codec_clear(&mail->client);
    mail_codec_clear(&mail->login);
    mail_codec_clear(&mail->sender);
    mail_codec_clear(&mail->domain);
    mail_codec_clear(&mail->user);
    mail_codec_clear(&mail->failed_domain);
    mail_codec_clear(&mail->failed_user);
    mail_trace_fini(&mail->trace);
    free(mail);
}

static struct mail *mail_new(int64_t now_ms, unsigned source)
{
    struct mail *mail = calloc(1, sizeof *mail);

    if (mail == NULL)
        return NULL;
    mail->first_ms = mail->last_ms = now_ms;
    mail->source = source;
    mail_trace_init(&mail->trace);
    return mail;
}

/* The trace stands first, behind its length: other programs read it there. */
static void mail_encode(const void *thing, struct buf *out)
{
    const struct mail *mail = thing;
    struct buf trace;

    buf_init(&trace, TRACE_ROOM);
    mail_trace_encode(&mail->trace, &(struct mail_trace_head){.count = 0}, &trace);
    out->failed = out->failed || trace.failed;
    mail_codec_text(out, buf_slice(&trace));
    buf_fini(&trace);
    mail_codec_int(out, mail->first_ms);
    mail_codec_int(out, mail->last_ms);
    buf_add_varint(out, mail->flags);
    buf_add_varint(out, mail->source);
    buf_add_varint(out, mail->size);
    mail_codec_text(out, mail->client);
    mail_codec_text(out, mail->login);
    mail_codec_text(out, mail->sender);
    mail_codec_text(out, mail->domain);
    mail_codec_text(out, mail->user);
    mail_codec_text(out, mail->failed_domain);
    mail_codec_text(out, mail->failed_user);
}

static bool mail_take_all(struct slice *s, struct mail *mail)
{
    struct slice trace;

    return mail_codec_take_text(s, &trace) && mail_trace_continue(&mail->trace, trace, NULL) == 0 &&
           mail_codec_take_int(s, &mail->first_ms) && mail_codec_take_int(s, &mail->last_ms) &&
           mail_codec_take_flags(s, &mail->flags) && mail_codec_take_flags(s, &mail->source) &&
           slice_take_varint(s, &mail->size) && mail_codec_take_own(s, &mail->client) &&
           mail_codec_take_own(s, &mail->login) && mail_codec_take_own(s, &mail->sender) &&
           mail_codec_take_own(s, &mail->domain) && mail_codec_take_own(s, &mail->user) &&
           mail_codec_take_own(s, &mail->failed_domain) &&
           mail_codec_take_own(s, &mail->failed_user);
}

static void *mail_decode(struct slice bytes)
{
    struct mail *mail = mail_new(0, 0);

    if (mail == NULL || mail_take_all(&bytes, mail))
        return mail;
    mail_release(mail);
    return NULL;
}

/* cli/collect_file.c reads these rows of table `open` by their kinds. */
_Static_assert(OPEN_MAIL == 3 && OPEN_GONE == 9, "kinds are stored");

void mail_type(struct open_book *b)
{
    static const struct open_thing type = {mail_encode, mail_decode, mail_release};

    open_type(b, OPEN_MAIL, &type);
    open_type(b, OPEN_GONE, &type);
}

/* --- the way out ------------------------------------------------------------------------------ */

static void note_end(struct mail *mail, enum mail_event_kind kind)
{
    mail_trace_add(&mail->trace, &(struct mail_event){.time_ms = mail->last_ms, .kind = kind});
}

/* To the sink, and out of the book. */
static void hand_out(struct machine *m, struct open_entry *e)
{
    struct mail *mail = e->thing;
    struct mail_trace_head head = {.instance = mail_key_instance(e->key)};
    struct payer payer;
    struct buf b;

    if (e->kind == OPEN_MAIL)
        note_end(mail, MAIL_LOST_SIGHT);
    else if ((mail->flags & MAIL_SESSION_ENDED) != 0)
        note_end(mail, MAIL_UNFINISHED);
    TG_IGNORE(mail_owner(m, mail, &payer)); /* the best guess */
    head.domain = payer.domain;
    head.user = payer.user;
    buf_init(&b, TRACE_ROOM);
    mail_trace_encode(&mail->trace, &head, &b);
    if (!b.failed)
        m->sink->message(m->sink->to, mail_key_id(e->key), mail->first_ms, mail->last_ms,
                         buf_slice(&b));
    buf_fini(&b);
    open_drop(m->open, e);
}

/* To the other table, as it is. */
static struct open_entry *move(struct machine *m, struct open_entry *e, enum open_kind kind,
                               int64_t now_ms)
{
    struct open_entry *there = open_entry(m->open, kind, e->key), *moved;
    void *thing = e->thing;

    if (there != NULL)
        hand_out(m, there);
    e->thing = NULL;
    moved = open_add(m->open, kind, e->key, thing, now_ms);
    open_drop(m->open, e);
    return moved;
}

void mail_leave(struct machine *m, struct open_entry *e, int64_t now_ms)
{
    if (e->kind == OPEN_MAIL)
        TG_IGNORE(move(m, e, OPEN_GONE, now_ms)); /* out of memory: released */
}

void mail_tick(struct machine *m, int64_t now_ms, unsigned source)
{
    struct open_entry *e = open_oldest(m->open, OPEN_GONE), *next;

    for (; e != NULL; e = next) {
        next = e->newer;
        if ((source == MAIL_KEY_ALL || source == ((struct mail *)e->thing)->source) &&
            e->touched_ms + MAIL_GRACE_MS <= now_ms)
            hand_out(m, e);
    }
    while (source == MAIL_KEY_ALL && (e = open_oldest(m->open, OPEN_MAIL)) != NULL &&
           e->touched_ms + MAIL_LOST_MS <= now_ms)
        hand_out(m, e);
}

/* --- finding ---------------------------------------------------------------------------------- */

static struct open_entry *entry_in(const struct machine *m, enum open_kind kind,
                                   struct slice instance, struct slice id)
{
    struct mail_key k;

    return open_entry(m->open, kind, mail_key_message(&k, instance, id));
}

struct open_entry *mail_entry(const struct machine *m, struct slice instance, struct slice id)
{
    struct open_entry *e = entry_in(m, OPEN_MAIL, instance, id);

    return e != NULL ? e : entry_in(m, OPEN_GONE, instance, id);
}

static struct open_entry *entry_new(struct machine *m, const struct log_line *line, struct slice id)
{
    struct mail_key k;
    struct mail *mail = mail_new(line->time_ms, line->source);
    struct open_entry *e;

    if (mail == NULL)
        return NULL;
    e = open_add(m->open, OPEN_MAIL, mail_key_message(&k, line->instance, id), mail, line->time_ms);
    if (open_count(m->open, OPEN_MAIL) > MAIL_MAX)
        hand_out(m, open_oldest(m->open, OPEN_MAIL));
    return e;
}

struct open_entry *mail_take(struct machine *m, const struct log_line *line, struct slice id)
{
    struct open_entry *e = mail_entry(m, line->instance, id);

    return e != NULL ? e : entry_new(m, line, id);
}

struct open_entry *mail_received(struct machine *m, const struct log_line *line, struct slice id)
{
    struct open_entry *e = mail_entry(m, line->instance, id);

    if (e == NULL ||
        (e->kind == OPEN_GONE && (((struct mail *)e->thing)->flags & MAIL_SESSION_ENDED) == 0))
        return entry_new(m, line, id);
    return e;
}

struct open_entry *mail_in_queue(struct machine *m, const struct log_line *line, struct slice id)
{
    struct open_entry *e = mail_received(m, line, id);

    if (e == NULL || e->kind == OPEN_MAIL)
        return e;
    /* smtpd said good-bye before qmgr said that it has it */
    ((struct mail *)e->thing)->flags &= ~(unsigned)MAIL_SESSION_ENDED;
    return move(m, e, OPEN_MAIL, line->time_ms);
}

/* A message of which only the notice is known that made it, or a held transaction. */
static bool is_unbegun(const struct mail *mail)
{
    return (mail->flags & (MAIL_BY_SMTP | MAIL_BY_PICKUP | MAIL_WAS_QUEUED)) == 0;
}

struct open_entry *mail_begin(struct machine *m, const struct log_line *line, struct slice id)
{
    struct open_entry *e = entry_in(m, OPEN_MAIL, line->instance, id);

    if (e != NULL && is_unbegun(e->thing))
        return e;
    if (e != NULL)
        hand_out(m, e);
    return entry_new(m, line, id);
}

void mail_tell(struct machine *m, struct open_entry *e, const struct log_line *line,
               struct mail_event event)
{
    struct mail *mail;

    if (e == NULL)
        return;
    mail = e->thing;
    event.time_ms = line->time_ms;
    mail_trace_add(&mail->trace, &event);
    if (line->time_ms > mail->last_ms)
        mail->last_ms = line->time_ms;
    mail->source = line->source;
    if (e->kind == OPEN_MAIL)
        open_touch(m->open, e, line->time_ms);
    else
        open_changed(m->open, e);
}

void mail_link(struct machine *m, const struct log_line *line, struct slice parent,
               struct slice child, const struct payer *payer)
{
    struct open_entry *e = mail_take(m, line, child);
    struct mail *mail;

    if (e == NULL)
        return;
    mail = e->thing;
    mail->flags |= MAIL_BY_PARENT;
    mail_codec_set(&mail->domain, payer->domain);
    mail_codec_set(&mail->user, payer->user);
    mail_tell(m, e, line, (struct mail_event){.kind = MAIL_MADE_OF, .other_id = parent});
}
