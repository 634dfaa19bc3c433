#include "collect/smtpd.h"

#include <stdlib.h>

#include "collect/activity.h"
#include "collect/mail.h"
#include "collect/mail_codec.h"
#include "collect/mail_key.h"
#include "collect/mail_text.h"
#include "collect/smtpd_refused.h"
#include "collect/smtpd_summary.h"

/* Accrued time is a multiple of it, so that sessions do not change with every fold. */
#define ACCRUE_MS 10000

enum session_flag {
    SESSION_COUNTS = 1,     /* its connection has been counted */
    SESSION_IGNORED = 2,    /* none of it counts */
    SESSION_REFUSED = 4,    /* client or sender */
    SESSION_TERMINATED = 8, /* ended abnormally */
    SESSION_HOLD = 16,      /* an access map or milter holds its mail */
    SESSION_NO_START = 32   /* its beginning is not in the log */
};

struct smtpd_session {
    int64_t began_ms, accrued_ms;
    unsigned flags;     /* enum session_flag */
    struct slice login; /* empty: not logged in */
    struct slice id;    /* its last message */
};

static const struct shape connected = {"smtpd: connect", true},
                          disconnected = {"smtpd: disconnect", true},
                          ended = {"smtpd: abnormal end", true},
                          bad_command = {"smtpd: bad command", true},
                          client_of = {"smtpd: client", true}, rejected = {"smtpd: reject", true},
                          held = {"smtpd: hold", true}, over_rate = {"smtpd: rate limit", true},
                          auth_failed = {"smtpd: authentication failed", false},
                          proxied = {"smtpd: proxy filter", true},
                          action = {"smtpd: action", false}, tls = {"smtpd: TLS", false},
                          warning = {"smtpd: warning", false};

/* --- the thing -------------------------------------------------------------------------------- */

static void session_release(void *thing)
{
    struct smtpd_session *s = thing;

    mail_codec_clear(&s->login);
    mail_codec_clear(&s->id);
    free(s);
}

static void session_encode(const void *thing, struct buf *out)
{
    const struct smtpd_session *s = thing;

    mail_codec_int(out, s->began_ms);
    mail_codec_int(out, s->accrued_ms);
    buf_add_varint(out, s->flags);
    mail_codec_text(out, s->login);
    mail_codec_text(out, s->id);
}

static void *session_decode(struct slice bytes)
{
    struct smtpd_session *s = calloc(1, sizeof *s);

    if (s == NULL ||
        (mail_codec_take_int(&bytes, &s->began_ms) && mail_codec_take_int(&bytes, &s->accrued_ms) &&
         mail_codec_take_flags(&bytes, &s->flags) && mail_codec_take_own(&bytes, &s->login) &&
         mail_codec_take_own(&bytes, &s->id) && bytes.len == 0))
        return s;
    session_release(s);
    return NULL;
}

void smtpd_type(struct open_book *b)
{
    static const struct open_thing type = {session_encode, session_decode, session_release};

    open_type(b, OPEN_SMTPD, &type);
}

/* --- what counts ------------------------------------------------------------------------------ */

static void payer_of(struct machine *m, const struct smtpd_session *s, struct payer *payer)
{
    *payer = PAYER_NONE;
    if (s->login.len > 0)
        TG_IGNORE(owners_login(m->owners, s->login, payer)); /* nobody's: the node alone */
}

static void count(struct machine *m, const struct smtpd_session *s, int64_t time_ms,
                  enum counter id, uint64_t amount)
{
    struct payer payer;

    if (amount == 0 || (s->flags & SESSION_IGNORED) != 0)
        return;
    payer_of(m, s, &payer);
    m->sink->count(m->sink->to, time_ms, &payer, id, amount);
}

/* It is a client's: its connection counts, and its seconds from the beginning. */
static void session_counts(struct machine *m, struct smtpd_session *s)
{
    if ((s->flags & (SESSION_COUNTS | SESSION_IGNORED)) != 0)
        return;
    s->flags |= SESSION_COUNTS;
    if ((s->flags & SESSION_NO_START) == 0)
        m->sink->count(m->sink->to, s->began_ms, &PAYER_NONE, COUNTER_SMTP_IN_CONNECTIONS, 1);
}

static void accrue(struct machine *m, struct smtpd_session *s, int64_t to_ms)
{
    if ((s->flags & SESSION_COUNTS) == 0 || to_ms <= s->accrued_ms)
        return;
    sink_seconds(m->sink, s->accrued_ms, to_ms, &PAYER_NONE, COUNTER_SMTP_IN_CONNECTION_SECONDS);
    s->accrued_ms = to_ms;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static bool is_ignored(const struct machine *m, const struct log_line *line, struct slice address)
{
    struct ip ip;

    return machine_list_has(&m->rules->internal, line->tag) ||
           (networks_ip_parse(address, &ip) && networks_contain(&m->rules->ignore_clients, &ip));
}

/* Where a content filter of this host would come from. */
static bool is_of_this_host(const struct machine *m, struct slice address)
{
    return mail_text_is_loopback(address) || owners_is_host(m->owners, address);
}

static struct open_entry *session_begin(struct machine *m, const struct log_line *line,
                                        struct slice key, struct slice client, unsigned flags)
{
    struct smtpd_session *s = calloc(1, sizeof *s);
    struct slice address = mail_text_address(client);
    struct open_entry *e;

    if (s == NULL)
        return NULL;
    s->began_ms = s->accrued_ms = line->time_ms;
    s->flags = flags | (is_ignored(m, line, address) ? SESSION_IGNORED : 0);
    if (!is_of_this_host(m, address))
        session_counts(m, s);
    e = open_add(m->open, OPEN_SMTPD, key, s, line->time_ms);
    if (open_count(m->open, OPEN_SMTPD) > SMTPD_MAX)
        open_drop(m->open, open_oldest(m->open, OPEN_SMTPD));
    return e;
}

/* Its end is not in the log: it stands still after a pause. */
static void session_lose(struct machine *m, struct open_entry *e, int64_t now_ms)
{
    struct smtpd_session *s = e->thing;
    int64_t pause_ms = e->touched_ms + SMTPD_PAUSE_MS;

    session_counts(m, s);
    m->lost_ends += (s->flags & SESSION_IGNORED) == 0;
    accrue(m, s, now_ms < pause_ms ? now_ms : pause_ms);
    open_drop(m->open, e);
}

/* The session of the line's process. One whose beginning is not in the log begins with it. NULL:
 * out of memory. */
static struct open_entry *session_of(struct machine *m, const struct log_line *line,
                                     struct slice client)
{
    struct mail_key k;
    struct slice key = mail_key_process(&k, line);
    struct open_entry *e = open_entry(m->open, OPEN_SMTPD, key);

    if (e == NULL)
        return session_begin(m, line, key, client, SESSION_NO_START);
    open_touch(m->open, e, line->time_ms);
    return e;
}

static const struct shape *connect_line(struct machine *m, const struct log_line *line,
                                        struct slice client)
{
    struct mail_key k;
    struct slice key = mail_key_process(&k, line);
    struct open_entry *e = open_entry(m->open, OPEN_SMTPD, key);

    if (e != NULL)
        session_lose(m, e, line->time_ms);
    TG_IGNORE(session_begin(m, line, key, client, 0)); /* out of memory: not counted */
    return &connected;
}

static const struct shape *disconnect_line(struct machine *m, const struct log_line *line,
                                           struct slice text)
{
    struct open_entry *e = session_of(m, line, text);
    struct smtpd_summary sum;
    struct smtpd_session *s;

    if (e == NULL)
        return &disconnected;
    s = e->thing;
    smtpd_summary_read(mail_text_after_client(text), &sum);
    session_counts(m, s);
    accrue(m, s, line->time_ms);
    count(m, s, line->time_ms, COUNTER_SMTP_IN_BAD_COMMANDS, sum.bad);
    count(m, s, line->time_ms, COUNTER_SMTP_IN_BLOCKED,
          (s->flags & SESSION_REFUSED) != 0 && sum.messages == 0);
    if (sum.auth_failed > 0 && (s->flags & SESSION_IGNORED) == 0)
        m->sink->count(m->sink->to, line->time_ms, &PAYER_NONE, COUNTER_SMTP_IN_AUTH_FAILED,
                       sum.auth_failed);
    if (s->id.len > 0)
        mail_session_ended(m, line, s->id);
    open_drop(m->open, e);
    return &disconnected;
}

/* --- in the session --------------------------------------------------------------------------- */

/* "lost connection after DATA (14 bytes) from NAME[ADDRESS]" */
static const struct shape *end_line(struct machine *m, const struct log_line *line,
                                    struct slice text)
{
    struct open_entry *e = session_of(m, line, mail_text_after(text, SLICE(" from ")));
    struct smtpd_session *s;

    if (e == NULL)
        return &ended;
    s = e->thing;
    if ((s->flags & SESSION_TERMINATED) == 0)
        count(m, s, line->time_ms, COUNTER_SMTP_IN_TERMINATIONS, 1);
    s->flags |= SESSION_TERMINATED;
    return &ended;
}

static const struct shape *bad_line(struct machine *m, const struct log_line *line,
                                    struct slice text)
{
    struct open_entry *e = session_of(m, line, mail_text_after(text, SLICE(" from ")));

    if (e != NULL)
        count(m, e->thing, line->time_ms, COUNTER_SMTP_IN_BAD_COMMANDS, line->times);
    return &bad_command;
}

static void client_read(struct slice rest, struct mail_client *c)
{
    struct slice name, value;

    *c = (struct mail_client){.is_held = false};
    while (mail_text_pair(&rest, true, &name, &value)) {
        if (slice_equal(name, SLICE("client")))
            c->address = mail_text_address(value);
        else if (slice_equal(name, SLICE("orig_client")))
            c->orig_address = mail_text_address(value);
        else if (slice_equal(name, SLICE("orig_queue_id")))
            c->orig_id = value;
        else if (slice_equal(name, SLICE("sasl_username")))
            c->login = value;
    }
}

/* Told with each message of the session; it is one connection all the same. */
static void take_login(struct machine *m, const struct log_line *line, struct smtpd_session *s,
                       const struct mail_client *c)
{
    struct payer payer;

    if (c->login.len == 0 || slice_equal(s->login, c->login))
        return;
    if ((s->flags & SESSION_COUNTS) != 0 && owners_login(m->owners, c->login, &payer))
        activity_login(m, line->time_ms, &payer, c->address);
    mail_codec_set(&s->login, c->login);
}

/* "client=NAME[ADDRESS], sasl_username=u2@host.test"; without an id before a proxy filter. */
static const struct shape *client_line(struct machine *m, const struct log_line *line,
                                       struct slice id, struct slice text)
{
    struct mail_client c;
    struct open_entry *e;
    struct smtpd_session *s;

    client_read(text, &c);
    e = session_of(m, line, text);
    if (e == NULL)
        return &client_of;
    s = e->thing;
    if (c.orig_address.len > 0 && (s->flags & SESSION_COUNTS) == 0)
        s->flags |= SESSION_IGNORED; /* back from a content filter */
    session_counts(m, s);
    take_login(m, line, s, &c);
    if (id.len == 0)
        return &client_of;
    if (s->id.len > 0 && !slice_equal(s->id, id))
        mail_session_ended(m, line, s->id);
    mail_codec_set(&s->id, id);
    c.is_held = (s->flags & SESSION_HOLD) != 0;
    mail_client(m, line, id, &c);
    return &client_of;
}

/* Since Postfix 3.10 a reject line names the login, as its last word. */
static void login_read(struct smtpd_session *s, struct slice words)
{
    struct slice rest = mail_text_after(words, SLICE("; ")), name, value;
    struct slice login = SLICE_NONE;

    while (mail_text_pair(&rest, false, &name, &value))
        login = slice_equal(name, SLICE("sasl_username")) ? value : SLICE_NONE;
    if (login.len > 0 && s->login.len == 0)
        mail_codec_set(&s->login, login);
}

/* "RCPT from NAME[ADDRESS]: 554 5.7.1 ...; from=<...> to=<...> proto=ESMTP helo=<...>" */
static const struct shape *reject_line(struct machine *m, const struct log_line *line,
                                       struct slice id, struct slice text)
{
    struct open_entry *e = session_of(m, line, mail_text_after(text, SLICE(" from ")));
    struct slice words = mail_text_after_client(text);
    struct slice rest = text, stage = SLICE_NONE;
    struct smtpd_session *s;

    if (e == NULL)
        return &rejected;
    s = e->thing;
    (void)mail_text_take(&words, SLICE(": "));
    login_read(s, words);
    if (slice_word(&rest, " ", &stage) && smtpd_refused(stage, words))
        s->flags |= SESSION_REFUSED;
    if (id.len > 0 && slice_equal(stage, SLICE("END-OF-MESSAGE")))
        mail_tell(m, mail_entry(m, line->instance, id), line,
                  (struct mail_event){.kind = MAIL_REJECTED, .text = text});
    return &rejected;
}

static const struct shape *hold_line(struct machine *m, const struct log_line *line,
                                     struct slice id, struct slice text)
{
    struct open_entry *e = session_of(m, line, mail_text_after(text, SLICE(" from ")));
    struct open_entry *mail = id.len > 0 ? mail_entry(m, line->instance, id) : NULL;

    if (e != NULL)
        ((struct smtpd_session *)e->thing)->flags |= SESSION_HOLD;
    if (mail != NULL) {
        ((struct mail *)mail->thing)->flags |= MAIL_ON_HOLD;
        mail_tell(m, mail, line, (struct mail_event){.kind = MAIL_HELD, .text = text});
    }
    return &held;
}

/* "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 5390AA90004; from=<...> ..." */
static const struct shape *proxy_line(struct machine *m, const struct log_line *line,
                                      struct slice text)
{
    struct mail_key k;
    const struct smtpd_session *s = open_find(m->open, OPEN_SMTPD, mail_key_process(&k, line));
    struct slice id = mail_text_id_of(mail_text_after(text, SLICE(" queued as ")));

    if (s != NULL && id.len > 0)
        mail_proxied(m, line, id, s->login);
    return &proxied;
}

static const struct shape *warning_line(struct machine *m, const struct log_line *line,
                                        struct slice text)
{
    struct open_entry *e;

    if (mail_text_starts(text, SLICE("non-SMTP command from ")) ||
        mail_text_starts(text, SLICE("Illegal address syntax from ")))
        return bad_line(m, line, text);
    if (smtpd_refused_rate(text)) {
        e = session_of(m, line, mail_text_after(text, SLICE(" from ")));
        if (e != NULL)
            ((struct smtpd_session *)e->thing)->flags |= SESSION_REFUSED;
        return &over_rate;
    }
    return mail_text_has(text, SLICE(" authentication failed")) ? &auth_failed : &warning;
}

/* --- all -------------------------------------------------------------------------------------- */

static bool is_end(struct slice text)
{
    return mail_text_starts(text, SLICE("lost connection after ")) ||
           mail_text_starts(text, SLICE("timeout after ")) ||
           mail_text_starts(text, SLICE("too many errors after "));
}

/* Of what smtpd says with a queue id or NOQUEUE before it. */
static const struct shape *transaction_line(struct machine *m, const struct log_line *line,
                                            struct slice id, struct slice text)
{
    bool is_bare = mail_text_has(text, SLICE("bare <LF>"));
    struct slice verb = text;

    if (mail_text_starts(text, SLICE("client=")))
        return client_line(m, line, id, text);
    if (is_end(text))
        return end_line(m, line, text);
    if (mail_text_starts(text, SLICE("improper command pipelining after ")))
        return bad_line(m, line, text);
    (void)mail_text_take(&verb, SLICE("milter-"));
    if (mail_text_take(&verb, SLICE("reject: "))) {
        if (is_bare)
            TG_IGNORE(bad_line(m, line, text)); /* and it is a refusal, too */
        return reject_line(m, line, id, verb);
    }
    if (mail_text_take(&verb, SLICE("hold: ")))
        return hold_line(m, line, id, verb);
    return mail_text_starts(text, SLICE("proxy-")) ? proxy_line(m, line, text) : &action;
}

const struct shape *smtpd_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text, id = SLICE_NONE;

    if (mail_text_take(&text, SLICE("connect from ")))
        return connect_line(m, line, text);
    if (mail_text_take(&text, SLICE("disconnect from ")))
        return disconnect_line(m, line, text);
    if (mail_text_id(&text, &id))
        return transaction_line(m, line, id, text);
    if (is_end(text))
        return end_line(m, line, text);
    if (mail_text_starts(text, SLICE("improper command pipelining after ")))
        return bad_line(m, line, text);
    if (mail_text_starts(text, SLICE("proxy-")))
        return proxy_line(m, line, text);
    if (mail_text_take(&text, SLICE("warning: ")))
        return warning_line(m, line, text);
    if (mail_text_has(text, SLICE("TLS")) || mail_text_starts(text, SLICE("SSL_accept")))
        return &tls;
    return NULL;
}

void smtpd_tick(struct machine *m, int64_t now_ms, unsigned source)
{
    struct open_entry *e = open_oldest(m->open, OPEN_SMTPD), *next;

    for (; e != NULL; e = next) {
        struct smtpd_session *s = e->thing;
        int64_t pause_ms = e->touched_ms + SMTPD_PAUSE_MS;
        int64_t to_ms = pause_ms < now_ms ? pause_ms : now_ms - now_ms % ACCRUE_MS;

        next = e->newer;
        if (!mail_key_is_from(e->key, source))
            continue;
        if (e->touched_ms + SMTPD_LOST_MS <= now_ms) {
            session_lose(m, e, now_ms);
        } else if ((s->flags & SESSION_COUNTS) != 0 && to_ms > s->accrued_ms) {
            accrue(m, s, to_ms);
            open_changed(m->open, e);
        }
    }
}

void smtpd_restarted(struct machine *m, const struct log_line *line)
{
    struct open_entry *e = open_oldest(m->open, OPEN_SMTPD), *next;

    for (; e != NULL; e = next) {
        next = e->newer;
        if (mail_key_is_of(e->key, line))
            session_lose(m, e, line->time_ms);
    }
}
