#include "collect/sendmail.h"

#include <stdlib.h>

#include "collect/mail.h"
#include "collect/mail_codec.h"
#include "collect/mail_key.h"
#include "collect/mail_text.h"
#include "collect/sendmail_out.h"
#include "collect/smtpd_refused.h"

#define ID_MIN 12
#define ID_MAX 20

struct sendmail_process {
    int64_t refused_ms;  /* 0: client and sender were not refused */
    uint64_t messages;   /* that were taken */
    unsigned terminated; /* 1: it ended abnormally */
    struct slice login;
};

static const struct shape from_line = {"sendmail: from", true}, to_line = {"sendmail: to", true},
                          refused = {"sendmail: reject", true},
                          terminated = {"sendmail: abnormal end", true},
                          attacked = {"sendmail: bad commands", true},
                          login_line = {"sendmail: login", true},
                          login_failed = {"sendmail: login failed", true},
                          done = {"sendmail: done", true}, notified = {"sendmail: DSN", true},
                          filter_rejected = {"sendmail: milter reject", true},
                          not_counted = {"sendmail: other", false};

/* --- the thing -------------------------------------------------------------------------------- */

static void process_release(void *thing)
{
    struct sendmail_process *p = thing;

    mail_codec_clear(&p->login);
    free(p);
}

static void process_encode(const void *thing, struct buf *out)
{
    const struct sendmail_process *p = thing;

    mail_codec_int(out, p->refused_ms);
    buf_add_varint(out, p->messages);
    buf_add_varint(out, p->terminated);
    mail_codec_text(out, p->login);
}

static void *process_decode(struct slice bytes)
{
    struct sendmail_process *p = calloc(1, sizeof *p);

    if (p == NULL ||
        (mail_codec_take_int(&bytes, &p->refused_ms) && slice_take_varint(&bytes, &p->messages) &&
         mail_codec_take_flags(&bytes, &p->terminated) && mail_codec_take_own(&bytes, &p->login) &&
         bytes.len == 0))
        return p;
    process_release(p);
    return NULL;
}

void sendmail_type(struct open_book *b)
{
    static const struct open_thing type = {process_encode, process_decode, process_release};

    open_type(b, OPEN_SENDMAIL, &type);
}

/* NULL: out of memory. */
static struct sendmail_process *process_of(struct machine *m, const struct log_line *line)
{
    struct mail_key k;
    struct slice key = mail_key_process(&k, line);
    struct open_entry *e = open_entry(m->open, OPEN_SENDMAIL, key);
    struct sendmail_process *p;

    if (e != NULL) {
        open_touch(m->open, e, line->time_ms);
        return e->thing;
    }
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    e = open_add(m->open, OPEN_SENDMAIL, key, p, line->time_ms);
    if (open_count(m->open, OPEN_SENDMAIL) > SENDMAIL_MAX)
        open_drop(m->open, open_oldest(m->open, OPEN_SENDMAIL));
    return e != NULL ? e->thing : NULL;
}

static void count_at(struct machine *m, int64_t time_ms, const struct sendmail_process *p,
                     enum counter id)
{
    struct payer payer = PAYER_NONE;

    if (p != NULL && p->login.len > 0 && id != COUNTER_SMTP_IN_AUTH_FAILED)
        TG_IGNORE(owners_login(m->owners, p->login, &payer)); /* nobody's: the node alone */
    m->sink->count(m->sink->to, time_ms, &payer, id, 1);
}

void sendmail_tick(struct machine *m, int64_t now_ms, unsigned source)
{
    struct open_entry *e;

    while ((e = open_oldest(m->open, OPEN_SENDMAIL)) != NULL && mail_key_is_from(e->key, source) &&
           e->touched_ms + SENDMAIL_IDLE_MS <= now_ms) {
        const struct sendmail_process *p = e->thing;

        if (p->refused_ms != 0 && p->messages == 0)
            count_at(m, p->refused_ms, p, COUNTER_SMTP_IN_BLOCKED);
        open_drop(m->open, e);
    }
}

/* --- errors of clients ------------------------------------------------------------------------ */

static bool is_ignored(const struct machine *m, const struct log_line *line, struct slice text)
{
    struct ip ip;

    return machine_list_has(&m->rules->internal, line->tag) ||
           (networks_ip_parse(mail_text_address(text), &ip) &&
            networks_contain(&m->rules->ignore_clients, &ip));
}

static void count(struct machine *m, const struct log_line *line, const struct sendmail_process *p,
                  enum counter id)
{
    if (!is_ignored(m, line, line->text))
        count_at(m, line->time_ms, p, id);
}

static void terminate(struct machine *m, const struct log_line *line)
{
    struct sendmail_process *p = process_of(m, line);

    if (p == NULL || p->terminated != 0)
        return;
    p->terminated = 1;
    count(m, line, p, COUNTER_SMTP_IN_TERMINATIONS);
}

/* The client or sender was refused. */
static void refuse(struct machine *m, const struct log_line *line)
{
    struct sendmail_process *p = process_of(m, line);

    if (p != NULL && p->refused_ms == 0 && !is_ignored(m, line, line->text))
        p->refused_ms = line->time_ms;
}

/* "ruleset=check_rcpt, arg1=<...>, relay=NAME [ADDRESS], reject=550 5.7.1 <...>... Relaying denied"
 */
static const struct shape *ruleset_line(struct machine *m, const struct log_line *line,
                                        struct slice text)
{
    struct slice reply = mail_text_after(text, SLICE(", reject="));
    bool is_rcpt = mail_text_starts(text, SLICE("ruleset=check_rcpt"));

    if (reply.len == 0)
        return &not_counted;
    if (is_rcpt
            ? mail_text_has(reply, SLICE("Relaying denied")) || smtpd_refused(SLICE("RCPT"), reply)
            : smtpd_refused(SLICE("MAIL"), reply))
        refuse(m, line);
    return &refused;
}

/* "Milter: from=<...>, reject=451 4.7.1 ...", "Milter: data, reject=552 5.2.2 over quota" */
static const struct shape *filter_line(struct machine *m, const struct log_line *line,
                                       struct slice id, struct slice text)
{
    struct slice reply = mail_text_after(text, SLICE(", reject="));
    struct sendmail_process *p;
    struct open_entry *e;

    if (reply.len == 0)
        return &not_counted;
    if (mail_text_starts(text, SLICE("Milter: data"))) {
        p = process_of(m, line);
        if (p != NULL && p->messages > 0)
            p->messages--; /* its from= line has been read */
        e = mail_entry(m, line->instance, id);
        mail_tell(m, e, line, (struct mail_event){.kind = MAIL_REJECTED, .text = reply});
        if (e != NULL)
            mail_leave(m, e, line->time_ms);
    } else if (smtpd_refused(mail_text_starts(text, SLICE("Milter: to=")) ? SLICE("RCPT")
                                                                          : SLICE("MAIL"),
                             reply)) {
        refuse(m, line);
    }
    return &filter_rejected;
}

/* --- messages --------------------------------------------------------------------------------- */

/* The value of "NAME=" up to the next comma and blank. */
static struct slice value_of(struct slice text, struct slice name)
{
    struct slice rest = mail_text_starts(text, name) ? slice_from(text, name.len) : SLICE_NONE;
    struct slice after;

    if (rest.len == 0) {
        rest = text;
        do {
            rest = mail_text_after(rest, SLICE(", "));
        } while (rest.len > 0 && !mail_text_starts(rest, name));
        rest = slice_from(rest, name.len);
    }
    after = mail_text_after(rest, SLICE(", "));
    return after.ptr == NULL ? rest : slice_to(rest, (size_t)(after.ptr - rest.ptr) - 2);
}

static struct slice unbracket(struct slice s)
{
    if (s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
        return (struct slice){s.ptr + 1, s.len - 2};
    return s;
}

static uint64_t number_of(struct slice text, struct slice name)
{
    uint64_t n;

    return slice_number(value_of(text, name), &n) ? n : 0;
}

/* "from=<a@b>, size=16, class=0, nrcpts=1, msgid=<...>, proto=ESMTP, daemon=MTA, relay=NAME
 * [ADDRESS]"
 */
static const struct shape *message_from(struct machine *m, const struct log_line *line,
                                        struct slice id, struct slice text)
{
    struct sendmail_process *p = process_of(m, line);
    struct slice client = mail_text_address(value_of(text, SLICE("relay=")));
    struct mail_event event = {.kind = MAIL_QUEUED,
                               .sender = unbracket(value_of(text, SLICE("from="))),
                               .size = number_of(text, SLICE("size=")),
                               .nrcpt = number_of(text, SLICE("nrcpts="))};
    struct open_entry *e = mail_begin(m, line, id);
    struct mail *mail;

    if (p == NULL || e == NULL)
        return &from_line;
    if (event.nrcpt > 0)
        p->messages++;
    mail = e->thing;
    mail->flags |= MAIL_WAS_QUEUED | (client.len > 0 ? MAIL_BY_SMTP : MAIL_BY_PICKUP);
    mail->size = event.size;
    mail_codec_set(&mail->client, client);
    mail_codec_set(&mail->login, p->login);
    mail_codec_set(&mail->sender, event.sender);
    mail_tell(m, e, line,
              (struct mail_event){.kind = MAIL_CLIENT, .client = client, .login = p->login});
    mail_tell(m, e, line, event);
    return &from_line;
}

static const struct shape *message_to(struct machine *m, const struct log_line *line,
                                      struct slice id, struct slice text)
{
    struct sendmail_out out = {
        .to = value_of(text, SLICE("to=")),
        .mailer = value_of(text, SLICE("mailer=")),
        .relay = value_of(text, SLICE("relay=")),
        .dsn = value_of(text, SLICE("dsn=")),
        .xdelay = value_of(text, SLICE("xdelay=")),
        .stat = mail_text_after(text, SLICE(", stat=")),
    };
    struct open_entry *e = mail_take(m, line, id);

    if (e != NULL)
        sendmail_out(m, line, e, &out);
    return &to_line;
}

/* "6AL9x2O4014343: DSN: Host unknown", "6AL9x2O5014343: return to sender: ...": another message is
 * made of this one. */
static const struct shape *notice_line(struct machine *m, const struct log_line *line,
                                       struct slice id, struct slice child, struct slice text)
{
    struct open_entry *e = mail_take(m, line, id);
    struct payer payer;

    if (e == NULL)
        return &notified;
    mail_tell(m, e, line,
              (struct mail_event){.kind = MAIL_NOTIFICATION, .text = text, .other_id = child});
    TG_IGNORE(mail_owner(m, e->thing, &payer)); /* the best guess */
    mail_link(m, line, id, child, &payer);
    return &notified;
}

static const struct shape *message_done(struct machine *m, const struct log_line *line,
                                        struct slice id)
{
    struct open_entry *e = mail_take(m, line, id);

    mail_tell(m, e, line, (struct mail_event){.kind = MAIL_REMOVED});
    if (e != NULL)
        mail_leave(m, e, line->time_ms);
    return &done;
}

/* --- all -------------------------------------------------------------------------------------- */

/* "6AL9wxbG014172: ": letters and digits, the last six of them digits. */
static bool take_id(struct slice *text, struct slice *id)
{
    ptrdiff_t end = slice_find(slice_to(*text, ID_MAX + 1), ':');
    uint64_t pid;

    if (end < ID_MIN || !slice_number(slice_to(slice_from(*text, (size_t)end - 5), 5), &pid))
        return false;
    for (ptrdiff_t i = 0; i < end; i++) {
        char l = slice_ascii_lower(text->ptr[i]);

        if (!((l >= 'a' && l <= 'z') || (l >= '0' && l <= '9')))
            return false;
    }
    *id = slice_to(*text, (size_t)end);
    *text = slice_from(*text, (size_t)end + 2);
    return true;
}

static bool is_termination(struct slice text)
{
    return mail_text_has(text, SLICE("lost input channel from ")) ||
           mail_text_has(text, SLICE("timeout waiting for input from ")) ||
           mail_text_starts(text, SLICE("collect: premature EOM"));
}

static const struct shape *session_line(struct machine *m, const struct log_line *line,
                                        struct slice text)
{
    struct sendmail_process *p;

    if (mail_text_starts(text, SLICE("ruleset=")))
        return ruleset_line(m, line, text);
    if (is_termination(text)) {
        terminate(m, line);
        return &terminated;
    }
    if (mail_text_has(text, SLICE("possible SMTP attack")) ||
        mail_text_starts(text, SLICE("Too many errors"))) {
        count(m, line, process_of(m, line), COUNTER_SMTP_IN_BAD_COMMANDS);
        return &attacked;
    }
    if (mail_text_starts(text, SLICE("AUTH failure"))) {
        count(m, line, NULL, COUNTER_SMTP_IN_AUTH_FAILED);
        return &login_failed;
    }
    if (!mail_text_starts(text, SLICE("AUTH=server")))
        return &not_counted;
    p = process_of(m, line);
    if (p != NULL)
        mail_codec_set(&p->login, value_of(text, SLICE("authid=")));
    return &login_line;
}

const struct shape *sendmail_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text, id, child;

    if (mail_text_take(&text, SLICE("NOQUEUE: ")) || !take_id(&text, &id))
        return session_line(m, line, text);
    if (mail_text_starts(text, SLICE("from=")))
        return message_from(m, line, id, text);
    if (mail_text_starts(text, SLICE("to=")))
        return message_to(m, line, id, text);
    if (mail_text_starts(text, SLICE("done; ")))
        return message_done(m, line, id);
    if (mail_text_starts(text, SLICE("Milter: ")))
        return filter_line(m, line, id, text);
    if (take_id(&text, &child))
        return notice_line(m, line, id, child, text);
    return session_line(m, line, text);
}
